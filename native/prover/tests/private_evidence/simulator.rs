//! Proofs that are simulated are accepted under their program and are worth nothing otherwise.

use crate::hidden::parameters;
use crate::masks::stream;
use crate::models::graphs::clamps;
use crate::models::{choices, everything, held, hex, integers, linear, told, vision, wide};
use crate::sample::{Made, Model, Oracle, attempts, small};
use crate::simulate::{Known, simulate_all};
use commitment::Profile;
use graph::Graph;
use key::Kind;
use p3_field::{BasedVectorSpace, PrimeField32};
use transcript::{Base, Drawn, Transcript};
use verifier::private::Commitment;

const PROGRAM: u64 = 41;

fn graphs() -> [(&'static str, Graph); 10] {
    [
        ("small", small()),
        ("clamps", clamps(-40, 90)),
        ("vision", vision()),
        ("wide", wide()),
        ("everything", everything()),
        ("integers", integers()),
        ("choices", choices()),
        ("held", held()),
        ("linear", linear()),
        ("parameters", parameters()),
    ]
}

fn oracle(kind: Kind, program: u64) -> Oracle {
    Oracle::programmed(kind, program)
}

fn simulated(graph: Graph, profile: Profile, kind: Kind) -> Made {
    let known = Known::of(&Model::new(graph, (77, 77), profile, kind));
    simulate_all(&known, &oracle(kind, PROGRAM), &mut stream(1, 0))
}

/// Whether the link that all proofs carry leads to their epoch.
fn linked(made: &Made, transcript: &Transcript) -> bool {
    made.proofs.iter().all(|proof| {
        let parent = Commitment::of_key(made.key());
        let link = &proof.links[0];
        let child = link.verify_audited(made.key(), &parent, &mut transcript.clone());
        child.is_ok_and(|child| child.digest() == made.epoch.digest())
    })
}

/// Under their program they are accepted, and under no other one.
fn are_simulated(graph: &Graph, profile: Profile, kind: Kind, name: &str) {
    let made = simulated(graph.clone(), profile, kind);
    assert_eq!(made.proofs.len(), attempts(kind));
    assert!(linked(&made, &oracle(kind, PROGRAM).link), "{name}");
    let verdict = |program| made.verdict(&mut oracle(kind, program).proofs);
    assert_eq!(verdict(PROGRAM), "", "{name}");
    assert!(!linked(&made, &oracle(kind, PROGRAM + 1).link), "{name}");
    assert_eq!(verdict(PROGRAM + 1), "OPENING_INVALID", "{name}");
    // The true oracle: they are no link and no proof.
    assert!(!linked(&made, &Transcript::new()), "{name}");
    let verdict = made.verdict(&mut Oracle::own(kind).proofs);
    assert_eq!(verdict, "OPENING_INVALID", "{name}");
}

#[test]
fn simulated_keys_links_and_proofs_of_every_operation_are_accepted_under_their_program() {
    for profile in Profile::OFF_CHAIN {
        for (name, graph) in graphs() {
            are_simulated(&graph, profile, Kind::Proofs, name);
        }
    }
}

/// Both attempts open the same trees, of which the simulator knows no more than of the weights.
#[test]
fn simulated_attempts_with_private_inputs_are_accepted_under_their_program() {
    for profile in Profile::OFF_CHAIN {
        for (name, graph) in graphs() {
            are_simulated(&graph, profile, Kind::PrivateInputs, name);
        }
    }
    let known = Known::of(&Model::new(
        small(),
        (1, 2),
        Profile::Default,
        Kind::PrivateInputs,
    ));
    assert!(known.inputs.is_empty());
    let kind = Kind::PrivateInputs;
    let mut made = simulate_all(&known, &oracle(kind, PROGRAM), &mut stream(1, 3));
    let first = &made.proofs[0];
    assert_ne!(first.witness, made.proofs[1].witness);
    assert_eq!(first.links, made.proofs[1].links);
    // An attempt for another input root is none.
    made.input_root.as_mut().unwrap()[0] ^= 1;
    assert_eq!(
        made.verdict(&mut oracle(kind, PROGRAM).proofs),
        "OPENING_INVALID"
    );
    // Nor is one in the place of the other.
    made.input_root.as_mut().unwrap()[0] ^= 1;
    made.proofs.swap(0, 1);
    assert_eq!(
        made.verdict(&mut oracle(kind, PROGRAM).proofs),
        "OPENING_INVALID"
    );
}

#[test]
fn simulated_proofs_of_a_keys_ranges_are_accepted_under_their_program() {
    for profile in Profile::OFF_CHAIN {
        for (name, graph) in [
            ("small", small()),
            ("parameters", parameters()),
            ("vision", vision()),
        ] {
            are_simulated(&graph, profile, Kind::Ranges(0), name);
        }
    }
}

/// Even of outputs that the model does not have: with the oracle programmed, a proof says nothing of weights.
#[test]
fn simulated_proofs_of_false_outputs_are_accepted_too_and_true_proofs_are_not() {
    for kind in [Kind::Proofs, Kind::PrivateInputs] {
        let model = Model::new(small(), (77, 77), Profile::Default, kind);
        let mut known = Known::of(&model);
        known.outputs[0][0] ^= 1;
        let made = simulate_all(&known, &oracle(kind, PROGRAM), &mut stream(1, 1));
        assert_eq!(made.verdict(&mut oracle(kind, PROGRAM).proofs), "");
        // A prover that has the weights and no power over challenges cannot do so.
        let masks = model.layout().uniform(&mut stream(1, 2));
        let honest = model.prove(&masks, Oracle::own(kind));
        assert_eq!(honest.verdict(&mut Oracle::own(kind).proofs), "");
        let lie = model.prove_altered(&masks, Oracle::own(kind), &|witness, _| {
            witness.outputs[0][0] ^= 1;
        });
        let verdict = lie.verdict(&mut Oracle::own(kind).proofs);
        assert_eq!(verdict, "OPENING_INVALID");
    }
}

/// What the oracle was programmed to answer, in order, as JSON.
fn program(drawn: &[Drawn]) -> String {
    let told = drawn.iter().map(|drawn| match *drawn {
        Drawn::Challenge(element) => {
            let limbs: &[Base] = element.as_basis_coefficients_slice();
            let limbs = limbs.iter().map(PrimeField32::as_canonical_u32);
            format!("{:?}", limbs.collect::<Vec<_>>())
        }
        Drawn::Index(index) => index.to_string(),
        Drawn::Work(bits, witness) => {
            format!(
                "{{\"bits\": {bits}, \"witness\": {}}}",
                witness.as_canonical_u32()
            )
        }
    });
    told.collect::<Vec<_>>().join(", ")
}

const FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../vectors/private/simulated/"
);

/// Holds the files of a simulated model to what is made, one for each attempt.
fn are_stored(name: &str, graph: Graph, profile: Profile, kind: Kind) {
    let made = simulated(graph, profile, kind);
    let Oracle {
        mut link,
        mut proofs,
    } = oracle(kind, PROGRAM);
    let parent = Commitment::of_key(made.key());
    let own = &made.proofs[0].links[0];
    assert!(own.verify_audited(made.key(), &parent, &mut link).is_ok());
    assert_eq!(made.verdict(&mut proofs), "");
    let attempts = made.proofs.iter().zip(&proofs).zip(1..);
    for ((proof, transcript), attempt) in attempts {
        let proof = proof.encode(made.key());
        let mut text = told(&made.key().encode(), &made.inputs, &made.outputs, &proof);
        if let Some(root) = made.input_root {
            let root = format!("\"inputs\": [],\n\"input_root\": \"{}\",", hex(&root));
            text = text.replace("\"inputs\": [],", &root);
        }
        let told = text.strip_suffix("\n}\n").unwrap();
        let text = format!(
            "{told},\n\"link\": [{}],\n\"program\": [{}]\n}}\n",
            program(link.drawn()),
            program(transcript.drawn())
        );
        let path = match kind {
            Kind::PrivateInputs => format!("{FOLDER}inputs/{name}-{attempt}.json"),
            Kind::Ranges(_) => format!("{FOLDER}ranges/{name}.json"),
            _ => format!("{FOLDER}{name}.json"),
        };
        if std::env::var_os("WRITE_VECTORS").is_some() {
            let folder = std::path::Path::new(&path).parent().unwrap();
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap();
        assert!(stored == text, "{path}: not what is stored");
    }
}

/// What the second verifier is given: `src/inferproof/second_verifier/private`. Set `WRITE_VECTORS=1` to write the files anew.
#[test]
fn simulated_proofs_are_the_vectors() {
    let (usual, conservative) = (Profile::Default, Profile::Conservative);
    are_stored("choices-default", choices(), usual, Kind::Proofs);
    are_stored("small-default", small(), usual, Kind::Proofs);
    are_stored("vision-conservative", vision(), conservative, Kind::Proofs);
    let private = Kind::PrivateInputs;
    are_stored("small-conservative", small(), conservative, private);
    are_stored("choices-default", choices(), usual, private);
    are_stored("small-default", small(), usual, Kind::Ranges(0));
}

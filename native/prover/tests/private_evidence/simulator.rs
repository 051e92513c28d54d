//! Proofs that are simulated are accepted under their program and are worth nothing otherwise.

use crate::models::graphs::clamps;
use crate::models::{choices, everything, held, integers, linear, told, vision, wide};
use crate::sample::{Layout, Made, Model, Oracle, small, stream};
use crate::simulate::{Known, simulate_all};
use commitment::Profile;
use graph::Graph;
use p3_field::{BasedVectorSpace, PrimeField32};
use transcript::{Base, Drawn, Transcript};
use verifier::private::Commitment;

const PROGRAM: u64 = 41;

fn graphs() -> [(&'static str, Graph); 9] {
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
    ]
}

fn model(graph: Graph, profile: Profile) -> Model {
    let (weights, inputs) = crate::sample::drawn(&graph, 77);
    Model {
        graph,
        weights,
        inputs,
        profile,
    }
}

fn simulated(graph: Graph, profile: Profile) -> Made {
    let known = Known::of(&model(graph, profile));
    let oracle = Oracle::programmed(PROGRAM);
    simulate_all(&known, &oracle, &mut stream(1, 0))
}

/// Whether the link that a proof carries leads to its epoch.
fn linked(made: &Made, transcript: &mut Transcript) -> bool {
    let parent = Commitment::of_key(made.key());
    let link = &made.proof.links[0];
    let child = link.verify_audited(made.key(), &parent, transcript);
    child.is_ok_and(|child| child.digest() == made.epoch.digest())
}

#[test]
fn simulated_keys_links_and_proofs_of_every_operation_are_accepted_under_their_program() {
    for profile in Profile::NAMED_PRIVATE {
        for (name, graph) in graphs() {
            let made = simulated(graph, profile);
            let oracle = |program| Oracle::programmed(program);
            assert!(linked(&made, &mut oracle(PROGRAM).link), "{name}");
            assert_eq!(made.verdict(&mut oracle(PROGRAM).proof), "", "{name}");
            let verdict = |program| made.verdict(&mut oracle(program).proof);
            assert!(!linked(&made, &mut oracle(PROGRAM + 1).link), "{name}");
            assert_eq!(verdict(PROGRAM + 1), "OPENING_INVALID", "{name}");
            // The true oracle: they are no link and no proof.
            assert!(!linked(&made, &mut Transcript::new()), "{name}");
            assert_eq!(made.verdict(&mut Transcript::new()), "OPENING_INVALID");
        }
    }
}

/// Even of outputs that the model does not have: with the oracle programmed, a proof says nothing of weights.
#[test]
fn simulated_proofs_of_false_outputs_are_accepted_too_and_true_proofs_are_not() {
    let model = model(small(), Profile::Default);
    let mut known = Known::of(&model);
    known.outputs[0][0] ^= 1;
    let oracle = Oracle::programmed(PROGRAM);
    let made = simulate_all(&known, &oracle, &mut stream(1, 1));
    assert_eq!(made.verdict(&mut oracle.proof.clone()), "");
    // A prover that has the weights and no power over challenges cannot do so.
    let layout = Layout::of(&model.bare());
    let masks = layout.uniform(&mut stream(1, 2));
    let honest = model.prove(&masks, Oracle::own());
    assert_eq!(honest.verdict(&mut Transcript::new()), "");
    let lie = model.prove_altered(&masks, Oracle::own(), |witness| {
        witness.outputs[0][0] ^= 1;
    });
    assert_eq!(lie.verdict(&mut Transcript::new()), "OPENING_INVALID");
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

/// What the second verifier is given: `tests/reference/private`. Set `WRITE_VECTORS=1` to write the files anew.
#[test]
fn simulated_proofs_are_the_vectors() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../vectors/private/simulated/"
    );
    for (name, graph, profile) in [
        ("choices-default", choices(), Profile::Default),
        ("small-default", small(), Profile::Default),
        ("vision-conservative", vision(), Profile::Conservative),
    ] {
        let made = simulated(graph, profile);
        let mut oracle = Oracle::programmed(PROGRAM);
        assert!(linked(&made, &mut oracle.link));
        assert_eq!(made.verdict(&mut oracle.proof), "");
        let proof = made.proof.encode(made.key());
        let told = told(&made.key().encode(), &made.inputs, &made.outputs, &proof);
        let told = told.strip_suffix("\n}\n").unwrap();
        let (of_link, of_proof) = (oracle.link.drawn(), oracle.proof.drawn());
        let text = format!(
            "{told},\n\"link\": [{}],\n\"program\": [{}]\n}}\n",
            program(of_link),
            program(of_proof)
        );
        let path = format!("{folder}{name}.json");
        if std::env::var_os("WRITE_VECTORS").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap();
        assert!(stored == text, "{name}: not what is stored");
    }
}

//! Private proofs that any other verifier can be checked with. All that hides is drawn from
//! fixed numbers here, so that the same bytes are made again.

use crate::hidden::{Case, drawn, lie, parameters, seeded, seeded_by};
use crate::liar::{code, honest, recount, swap_entry};
use crate::models::graphs::clamps;
use crate::models::{choices, everything, held, hex, integers, linear, told, views, vision, wide};
use commitment::{Profile, Security};
use graph::{Graph, Values};
use hiding::Secret;
use key::Kind;
use p3_field::PrimeCharacteristicRing;
use prover::private::{Inputs, Lie, ProvingKey};
use prover::relations::Witness;
use serde_json::{Value, json};
use transcript::{Base, Extension, Transcript};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/");

fn vectors() -> [(&'static str, Graph, Profile); 9] {
    [
        (
            "clamps-conservative",
            clamps(-40, 90),
            Profile::Conservative,
        ),
        ("choices-default", choices(), Profile::Default),
        ("everything-default", everything(), Profile::Default),
        ("held-default", held(), Profile::Default),
        ("integers-default", integers(), Profile::Default),
        ("linear-default", linear(), Profile::Default),
        ("parameters-default", parameters(), Profile::Default),
        ("vision-conservative", vision(), Profile::Conservative),
        ("wide-default", wide(), Profile::Default),
    ]
}

/// The key's own account of what can go wrong.
fn terms(security: &Security) -> Value {
    // To four decimals, which no machine's logarithm changes.
    let rounded = |bits: f64| (bits * 1e4).round() / 1e4;
    let terms = security.terms.iter();
    let terms = terms.map(|term| json!([term.name, rounded(term.bits)]));
    json!({"bits": rounded(security.provable_bits), "terms": terms.collect::<Vec<_>>()})
}

/// Holds a file to a text. Set `WRITE_VECTORS=1` to write the files anew.
fn check(name: &str, text: &str) {
    let path = std::path::PathBuf::from(format!("{FOLDER}{name}.json"));
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(stored == text, "{name}: not what is stored");
}

fn stored(case: &Case, outputs: &[Vec<i32>], proof: &[u8]) -> String {
    told(&case.key().encode(), &case.inputs, outputs, proof)
}

#[test]
fn proofs_are_the_vectors() {
    let mut security = serde_json::Map::new();
    for (name, graph, profile) in vectors() {
        let case = chained(name, seeded(graph, profile));
        let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut honest);
        let proof = proof.encode(case.key());
        case.verify(&outputs, &proof).unwrap();
        check(&format!("private/{name}"), &stored(&case, &outputs, &proof));
        security.insert(name.into(), terms(&case.key().security()));
    }
    let text = serde_json::to_string_pretty(&security).unwrap();
    check("private/security", &format!("{text}\n"));
}

/// The same of private inputs: their root stands in their place.
fn stored_for_root(case: &Case, outputs: &[Vec<i32>], proof: &[u8]) -> String {
    let text = told(&case.key().encode(), &[], outputs, proof);
    let root = case.private.as_ref().unwrap().root();
    let digits = hex(&root);
    let shown = "\"inputs\": [],";
    assert_eq!(text.matches(shown).count(), 1);
    text.replace(shown, &format!("{shown}\n\"input_root\": \"{digits}\","))
}

/// A case of private inputs of which all that hides is drawn from fixed numbers.
fn private(graph: Graph, profile: Profile) -> Case {
    let case = seeded(graph, profile);
    let draw = seeded_by([5; 32]);
    let kind = Kind::PrivateInputs;
    let epoch = case.prover.begin_lying(kind, 0, &draw, Lie::default());
    let inputs = Inputs::commit(case.key(), &views(&case.inputs), &Secret([7; 32])).unwrap();
    let epoch = epoch.unwrap();
    Case { epoch, ..case }.committed_to(inputs)
}

#[test]
fn proofs_of_private_inputs_are_the_vectors() {
    let mut security = serde_json::Map::new();
    for (name, graph, profile) in [
        ("choices-default", choices(), Profile::Default),
        (
            "everything-conservative",
            everything(),
            Profile::Conservative,
        ),
        ("integers-default", integers(), Profile::Default),
        ("linear-default", linear(), Profile::Default),
    ] {
        let case = private(graph, profile);
        let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut honest);
        let proof = proof.encode(case.key());
        case.verify(&outputs, &proof).unwrap();
        let text = stored_for_root(&case, &outputs, &proof);
        check(&format!("private/inputs/{name}"), &text);
        let account = case.key().security_of_private_inputs().unwrap();
        security.insert(name.into(), terms(&account));
    }
    let text = serde_json::to_string_pretty(&security).unwrap();
    check("private/inputs/security", &format!("{text}\n"));
}

/// Another input than is committed to, an element beyond its range whose limbs pretend, and what is sent.
#[test]
fn lies_about_private_inputs_are_the_vectors() {
    let case = private(linear(), Profile::Default);
    let held = case.proofs().relations().plan().inputs[0].clone();
    let mut other = case.proofs().inputs().unwrap().cells(&views(&case.inputs));
    other[0][0] += Base::ONE;
    let inputs = views(&case.inputs);
    let other = Inputs::lying(case.key(), &inputs, &Secret([7; 32]), &other).unwrap();
    let limb = |witness: &mut Witness| {
        witness.columns.committed[held.over[0].column][0] += Base::ONE;
        recount(case.proofs().relations(), witness);
    };
    let text = lied(&case, limb, &mut honest);
    check("private/inputs/lies/limb", &text);
    let mut alter = |number: usize, message: &mut [Extension]| {
        if number == 1 {
            message[0] += Extension::ONE;
        }
    };
    let text = lied(&case, |_| (), &mut alter);
    check("private/inputs/lies/message", &text);
    let text = lied(&case.committed_to(other), |_| (), &mut honest);
    check("private/inputs/lies/input", &text);
}

/// The vector of a lie, which is rejected.
fn lied(
    case: &Case,
    corrupt: impl Fn(&mut Witness),
    alter: &mut dyn FnMut(usize, &mut [Extension]),
) -> String {
    let (outputs, proof) = lie(case, corrupt, Transcript::new(), alter);
    let proof = proof.encode(case.key());
    assert_eq!(code(case.verify(&outputs, &proof)), "OPENING_INVALID");
    stored_for_root(case, &outputs, &proof)
}

/// Some of the proofs come behind more links than one.
fn chained(name: &str, case: Case) -> Case {
    let draw = seeded_by([9; 32]);
    let links = |key: &ProvingKey| {
        let epoch = key.begin_lying(Kind::Links, 0, &draw, Lie::default());
        epoch
            .unwrap()
            .begin_lying(0, &draw, Lie::default())
            .unwrap()
    };
    match name {
        "vision-conservative" => Case {
            epoch: links(&case.prover),
            ..case
        },
        "wide-default" => {
            let renewed = case
                .prover
                .renewed_lying(Secret([8; 32]), 1, &draw)
                .unwrap();
            let epoch = links(&renewed);
            Case::new(renewed, epoch, case.inputs)
        }
        _ => case,
    }
}

/// What a prover does to its witness.
type Corrupt<'a> = &'a dyn Fn(&mut Witness);

/// Proofs whose transcript is as it should be, so that nothing but the claim of the opening is false.
#[test]
fn proofs_of_provers_that_lie_are_the_vectors() {
    let case = seeded(choices(), Profile::Default);
    let relations = case.key().relations();
    let lies: [(&str, Corrupt<'_>); 4] = [
        ("output", &|witness| {
            let value = &mut witness.outputs[0][0];
            *value += if *value > 0 { -1 } else { 1 };
        }),
        ("column", &|witness| {
            witness.columns.committed[0][0] += Base::ONE;
            recount(relations, witness);
        }),
        ("entry", &|witness| swap_entry(relations, witness, 2)),
        ("message", &|_| ()),
    ];
    for (name, corrupt) in lies {
        let mut alter = |number: usize, message: &mut [Extension]| {
            if name == "message" && number == 5 {
                message[0] += Extension::ONE;
            }
        };
        let (outputs, proof) = lie(&case, corrupt, Transcript::new(), &mut alter);
        let proof = proof.encode(case.key());
        assert_eq!(code(case.verify(&outputs, &proof)), "OPENING_INVALID");
        let text = stored(&case, &outputs, &proof);
        check(&format!("private/lies/{name}"), &text);
    }
    // An epoch of other weights, behind a link that holds.
    let (mut weights, _) = drawn(case.key().graph(), 77);
    weights[0] ^= 1;
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    let lying = Lie {
        values: Some(values),
        of_parent: true,
        ..Lie::default()
    };
    let draw = seeded_by([4; 32]);
    let epoch = case
        .prover
        .begin_lying(Kind::Proofs, 0, &draw, lying)
        .unwrap();
    let case = Case { epoch, ..case };
    let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut honest);
    let proof = proof.encode(case.key());
    assert_eq!(code(case.verify(&outputs, &proof)), "OPENING_INVALID");
    check("private/lies/epoch", &stored(&case, &outputs, &proof));
}

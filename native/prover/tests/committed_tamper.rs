//! Every field of a proof and of a key, what is done to it, and which phase must reject it.
mod fields;
mod models;

use commitment::Profile;
use fields::{Part, Row, Told, Verdict, all_seen, each_part};
use key::VerifyingKey;
use models::{Case, case, graphs, integers, vision};
use std::collections::BTreeSet;

/// An element above the modulus is malformed wherever it stands.
const LOOKUPS: &[&str] = &["LOOKUP_MISMATCH", "PROOF_MALFORMED"];
/// Both openings have these fields; the witness comes first.
const OPENINGS: &[&str] = &[
    "WITNESS_OPENING_INVALID",
    "WEIGHT_OPENING_INVALID",
    "PROOF_MALFORMED",
];

/// Field, and the rejections that a changed byte in it may meet.
const MANIFEST: [Row; 19] = [
    ("version", &["PROOF_VERSION"]),
    // Other challenges than those of which the lookup argument was made.
    ("witness", &["LOOKUP_MISMATCH"]),
    ("lookups: rounds of a layer", LOOKUPS),
    ("lookups: children of a layer", LOOKUPS),
    ("lookups: values of the columns", LOOKUPS),
    ("lookups: values of the multiplicities", LOOKUPS),
    // Of another length the rest is read from another place; too long it is not there.
    (
        "reduction length",
        &["PROOF_MALFORMED", "REDUCTION_MISMATCH"],
    ),
    // What is sent about columns and weights may fit all relations; then an opening does not fit it.
    (
        "reduction",
        &[
            "REDUCTION_MISMATCH",
            "WITNESS_OPENING_INVALID",
            "WEIGHT_OPENING_INVALID",
            "PROOF_MALFORMED",
        ],
    ),
    // The blocks' values make those of the matrices, which the reduction has claimed.
    (
        "evaluations",
        &["WEIGHT_OPENING_INVALID", "PROOF_MALFORMED"],
    ),
    ("opening: out-of-domain answers", OPENINGS),
    ("opening: first sumcheck", OPENINGS),
    ("opening: root of a fold", OPENINGS),
    ("opening: out-of-domain answers of a fold", OPENINGS),
    ("opening: proof of work", OPENINGS),
    ("opening: rows of the weights", OPENINGS),
    ("opening: rows of a fold", OPENINGS),
    ("opening: count of siblings", &["PROOF_MALFORMED"]),
    (
        "opening: siblings",
        &["WITNESS_OPENING_INVALID", "WEIGHT_OPENING_INVALID"],
    ),
    ("opening: sumcheck of a fold", OPENINGS),
];
/// Where parts begin, without bytes of their own.
const HEADINGS: [&str; 3] = ["lookups", "witness opening", "weight opening"];
/// The end of an opening.
const END: [Row; 2] = [
    ("opening: last polynomial", OPENINGS),
    ("opening: last sumcheck", OPENINGS),
];

/// A model with outputs and a proof of them.
struct Proved {
    case: Case,
    outputs: Vec<Vec<i32>>,
    proof: Vec<u8>,
    starts: Vec<(&'static str, usize)>,
}

impl Proved {
    fn new(case: Case) -> Self {
        let (outputs, proof) = case.prove();
        let decoded = case.decode(&proof);
        let written = decoded.write(case.key(), case.derived());
        assert_eq!(written.bytes, proof);
        Self {
            case,
            outputs,
            proof,
            starts: written.fields,
        }
    }

    fn verify(&self, key: &VerifyingKey, proof: &[u8]) -> Verdict {
        let verified = self.case.verify_with(key, &self.outputs, proof);
        verified.map_err(|rejection| rejection.code())
    }

    fn told(&self) -> Told<'_> {
        let judge = |proof: &[u8]| self.verify(self.case.key(), proof);
        Told::new(self.proof.clone(), &self.starts, judge)
    }
}

#[test]
fn each_field_is_rejected_where_the_manifest_says() {
    let mut seen = BTreeSet::new();
    let rows: Vec<Row> = MANIFEST.into_iter().chain(END).collect();
    let models = Profile::COMMITTED.map(|profile| (vision(), profile));
    for (graph, profile) in models.into_iter().chain([(integers(), Profile::Default)]) {
        let proved = Proved::new(case(graph, profile));
        let told = proved.told();
        for (name, range) in &told.fields {
            assert!(!HEADINGS.contains(name) || range.is_empty(), "{name}");
        }
        let weights = told.start("weight opening");
        told.each_field(&rows, &mut seen, |name, byte, code| {
            // Each opening is told from the other one.
            let other = if byte < weights {
                "WEIGHT_OPENING_INVALID"
            } else {
                "WITNESS_OPENING_INVALID"
            };
            assert!(code != other || name == "reduction", "{name} at {byte}");
        });
    }
    all_seen(&rows, &seen);
}

/// Part of a key before its graph, its bytes, and what becomes of a proof when one is changed.
const KEY: [Part; 6] = [
    ("first bytes", 0..8, &["KEY_MALFORMED"]),
    ("version and mode", 8..13, &["KEY_VERSION"]),
    // Of another length, or for other challenges.
    ("profile", 13..14, &["KEY_VERSION", "KEY_MALFORMED"]),
    ("root", 14..46, &["LOOKUP_MISMATCH"]),
    ("count of the pin", 46..50, &["KEY_MALFORMED", "KEY_GRAPH"]),
    (
        "values of the pin",
        50..110,
        &["LOOKUP_MISMATCH", "KEY_MALFORMED"],
    ),
];

#[test]
fn a_key_with_a_changed_byte_takes_no_proof_of_the_other() {
    let proved = Proved::new(case(vision(), Profile::Default));
    let bytes = proved.case.key().encode();
    each_part(&KEY, &bytes, |changed| {
        match VerifyingKey::decode(changed) {
            Ok(key) => proved.verify(&key, &proved.proof),
            Err(error) => Err(error.code()),
        }
    });
}

#[test]
fn any_other_length_is_rejected() {
    let proved = Proved::new(case(graphs::clamps(-40, 90), Profile::Default));
    let lengths = (0..proved.proof.len()).step_by(97).chain(0..80);
    proved.told().other_lengths(lengths);
}

/// Parts of one proof are none of another, of the same model with other inputs.
#[test]
fn parts_of_two_proofs_make_none() {
    let proved = Proved::new(case(vision(), Profile::Default));
    let mut other = case(vision(), Profile::Default);
    other.inputs[0][3] = -other.inputs[0][3];
    let other = Proved::new(other);
    let (told, others) = (proved.told(), other.told());
    let mut tried = 0;
    for ((name, own), (other_name, from)) in told.fields.iter().zip(&others.fields) {
        let (own_bytes, others) = (&told.proof[own.clone()], &others.proof[from.clone()]);
        if name != other_name || own.len() != from.len() || own_bytes == others {
            continue;
        }
        let mut mixed = told.proof.clone();
        mixed[own.clone()].copy_from_slice(others);
        assert!(told.code(&mixed).is_err(), "{name}");
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
    assert!(told.code(&other.proof).is_err());
}

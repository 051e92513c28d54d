//! Every field of a proof, what is done to it, and which phase must reject it.
mod common;
mod fields;

use commitment::Profile;
use common::{STATEMENT, inputs, key, mlp, tiny, views};
use fields::{Part, Row, Told, Verdict, all_seen, each_part};
use key::{Public, VerifyingKey};
use prover::ProvingKey;
use std::collections::BTreeSet;
use transcript::Transcript;

/// Field, and the rejections that a changed byte in it may meet. A field element above the modulus
/// is malformed wherever it stands.
const MANIFEST: [Row; 16] = [
    ("version", &["PROOF_VERSION"]),
    (
        // Out of its range; another output; or not what the committed weights yield.
        "accumulators",
        &[
            "ACCUMULATOR_RANGE",
            "OUTPUT_MISMATCH",
            "CONTRACTION_MISMATCH",
        ],
    ),
    (
        // Of the profile `small`. As above, or not in the one form of these numbers.
        "packed accumulators",
        &[
            "ACCUMULATOR_RANGE",
            "OUTPUT_MISMATCH",
            "CONTRACTION_MISMATCH",
            "PROOF_MALFORMED",
        ],
    ),
    // The sumcheck ends in a claim that the evaluations do not meet.
    ("round", &["CONTRACTION_MISMATCH", "PROOF_MALFORMED"]),
    ("evaluations", &["CONTRACTION_MISMATCH", "PROOF_MALFORMED"]),
    // All that follows is the opening's own.
    ("opening: out-of-domain answers", OPENING),
    ("opening: first sumcheck", OPENING),
    ("opening: root of a fold", OPENING),
    ("opening: out-of-domain answers of a fold", OPENING),
    ("opening: proof of work", OPENING),
    ("opening: rows of the weights", OPENING),
    ("opening: rows of a fold", OPENING),
    ("opening: count of siblings", &["PROOF_MALFORMED"]),
    ("opening: siblings", &["OPENING_INVALID"]),
    ("opening: sumcheck of a fold", OPENING),
    ("opening: last polynomial", OPENING),
];
const OPENING: &[&str] = &["OPENING_INVALID", "PROOF_MALFORMED"];
/// Only in proofs whose last fold leaves variables.
const LAST: Row = ("opening: last sumcheck", OPENING);

/// A key with inputs, and outputs and a proof of them.
struct Case {
    key: ProvingKey,
    inputs: Vec<Vec<i32>>,
    outputs: Vec<Vec<i32>>,
    proof: Vec<u8>,
    starts: Vec<(&'static str, usize)>,
}

impl Case {
    fn new(graph: graph::Graph, profile: Profile) -> Self {
        let inputs = inputs(&graph, 3);
        let key = key(graph, profile);
        let proved = key
            .prove_audited(&views(&inputs), STATEMENT, &mut Transcript::new(), |_| ())
            .unwrap();
        let written = proved.proof.write(key.verifying_key());
        Self {
            key,
            inputs,
            outputs: proved.outputs,
            proof: written.bytes,
            starts: written.fields,
        }
    }

    fn verify(&self, key: &VerifyingKey, proof: &[u8]) -> Verdict {
        let public = Public {
            inputs: &views(&self.inputs),
            outputs: &views(&self.outputs),
            statement: STATEMENT,
        };
        verifier::verify(key, &public, proof).map_err(|rejection| rejection.code())
    }

    fn told(&self) -> Told<'_> {
        let judge = |proof: &[u8]| self.verify(self.key.verifying_key(), proof);
        Told::new(self.proof.clone(), &self.starts, judge)
    }
}

#[test]
fn each_field_is_rejected_where_the_manifest_says() {
    let mut seen = BTreeSet::new();
    let rows: Vec<Row> = MANIFEST.into_iter().chain([LAST]).collect();
    for profile in Profile::ALL {
        let case = Case::new(mlp(&[128, 160, 9]), profile);
        case.told().each_field(&rows, &mut seen, |_, _, _| ());
    }
    all_seen(&rows, &seen);
}

/// Part of a key before its graph, its bytes, and what becomes of a proof when one is changed.
const KEY: [Part; 6] = [
    ("first bytes", 0..8, &["KEY_MALFORMED"]),
    ("version and mode", 8..13, &["KEY_VERSION"]),
    // Of another length, or for other challenges.
    ("profile", 13..14, &["KEY_VERSION", "KEY_MALFORMED"]),
    ("root", 14..46, &["CONTRACTION_MISMATCH"]),
    ("count of the pin", 46..50, &["KEY_MALFORMED", "KEY_GRAPH"]),
    (
        "values of the pin",
        50..130,
        &["CONTRACTION_MISMATCH", "KEY_MALFORMED"],
    ),
];

#[test]
fn a_key_with_a_changed_byte_takes_no_proof_of_the_other() {
    let case = Case::new(tiny(), Profile::Default);
    let bytes = case.key.verifying_key().encode();
    each_part(&KEY, &bytes, |changed| {
        match VerifyingKey::decode(changed) {
            Ok(key) => case.verify(&key, &case.proof),
            Err(error) => Err(error.code()),
        }
    });
}

#[test]
fn a_flip_of_any_byte_is_rejected() {
    let case = Case::new(tiny(), Profile::Default);
    let told = case.told();
    for byte in 0..told.proof.len() {
        assert!(told.flipped(byte, byte % 8).is_err(), "byte {byte}");
    }
}

#[test]
fn any_other_length_is_rejected() {
    let case = Case::new(tiny(), Profile::Default);
    case.told().other_lengths(0..case.proof.len());
}

#[test]
fn random_bytes_are_rejected() {
    let case = Case::new(tiny(), Profile::Default);
    let told = case.told();
    for seed in 0..200 {
        let mut proof: Vec<u8> = common::integers(case.proof.len(), 127, seed)
            .into_iter()
            .map(|value| value as u8)
            .collect();
        proof[0] = verifier::clear::PROOF_VERSION;
        assert!(told.code(&proof).is_err());
    }
}

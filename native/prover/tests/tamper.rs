//! Every field of a proof, what is done to it, and which phase must reject it.
mod common;

use commitment::Profile;
use common::{STATEMENT, inputs, key, mlp, tiny, views};
use prover::ProvingKey;
use std::collections::BTreeSet;
use std::ops::Range;
use transcript::Transcript;
use verifier::{Public, VerifyingKey};

/// Field, and the rejections that a changed byte in it may meet. A field element above the modulus
/// is malformed wherever it stands.
const MANIFEST: [(&str, &[&str]); 16] = [
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
const LAST: (&str, &[&str]) = ("opening: last sumcheck", OPENING);

struct Case {
    key: ProvingKey,
    inputs: Vec<Vec<i32>>,
    outputs: Vec<Vec<i32>>,
    proof: Vec<u8>,
    fields: Vec<(&'static str, Range<usize>)>,
}

impl Case {
    fn new(graph: graph::Graph, profile: Profile) -> Self {
        let inputs = inputs(&graph, 3);
        let key = key(graph, profile);
        let proved = key
            .prove_audited(&views(&inputs), STATEMENT, Transcript::new(), |_| ())
            .unwrap();
        let written = proved.proof.write(key.verifying_key());
        let ends = written.fields.iter().skip(1).map(|&(_, start)| start);
        let ends: Vec<usize> = ends.chain([written.bytes.len()]).collect();
        let fields = written
            .fields
            .iter()
            .zip(ends)
            .map(|(&(name, start), end)| (name, start..end))
            .collect();
        Self {
            key,
            inputs,
            outputs: proved.outputs,
            proof: written.bytes,
            fields,
        }
    }

    fn verify(&self, proof: &[u8]) -> Result<(), &'static str> {
        let public = Public {
            inputs: &views(&self.inputs),
            outputs: &views(&self.outputs),
            statement: STATEMENT,
        };
        let key = self.key.verifying_key();
        key.verify(&public, proof)
            .map_err(|rejection| rejection.code())
    }

    fn flipped(&self, byte: usize, bit: usize) -> Result<(), &'static str> {
        let mut proof = self.proof.clone();
        proof[byte] ^= 1 << bit;
        self.verify(&proof)
    }
}

#[test]
fn each_field_is_rejected_where_the_manifest_says() {
    let mut seen = BTreeSet::new();
    let rows: Vec<_> = MANIFEST.into_iter().chain([LAST]).collect();
    for profile in Profile::ALL {
        let case = Case::new(mlp(&[128, 160, 9]), profile);
        assert_eq!(case.verify(&case.proof), Ok(()));
        for (name, range) in &case.fields {
            let (_, codes) = rows
                .iter()
                .find(|(field, _)| field == name)
                .unwrap_or_else(|| panic!("the manifest has no row for {name}"));
            if range.is_empty() {
                continue;
            }
            seen.insert(*name);
            let last = range.end - 1;
            for byte in [range.start, range.start.midpoint(last), last] {
                for bit in [0, 7] {
                    let code = case.flipped(byte, bit).expect_err(name);
                    assert!(codes.contains(&code), "{name} at {byte}: {code}");
                }
            }
        }
    }
    let listed: BTreeSet<_> = rows.iter().map(|(name, _)| *name).collect();
    assert_eq!(seen, listed, "a row of the manifest was never tried");
}

/// Part of a key before its graph, its bytes, and what becomes of a proof when one is changed.
const KEY: [(&str, Range<usize>, &[&str]); 6] = [
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
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(&case.outputs),
        statement: STATEMENT,
    };
    for (part, range, codes) in KEY {
        for byte in range {
            for bit in [0, 3, 7] {
                let mut changed = bytes.clone();
                changed[byte] ^= 1 << bit;
                let code = match VerifyingKey::decode(&changed) {
                    Ok(key) => key.verify(&public, &case.proof).unwrap_err().code(),
                    Err(error) => error.code(),
                };
                assert!(codes.contains(&code), "{part} at {byte}: {code}");
            }
        }
    }
}

#[test]
fn a_flip_of_any_byte_is_rejected() {
    let case = Case::new(tiny(), Profile::Default);
    for byte in 0..case.proof.len() {
        assert!(case.flipped(byte, byte % 8).is_err(), "byte {byte}");
    }
}

#[test]
fn any_other_length_is_rejected() {
    let case = Case::new(tiny(), Profile::Default);
    let mut long = case.proof.clone();
    long.push(0);
    assert_eq!(case.verify(&long), Err("PROOF_MALFORMED"));
    for length in 0..case.proof.len() {
        assert_eq!(case.verify(&case.proof[..length]), Err("PROOF_MALFORMED"));
    }
}

#[test]
fn random_bytes_are_rejected() {
    let case = Case::new(tiny(), Profile::Default);
    for seed in 0..200 {
        let mut proof: Vec<u8> = common::integers(case.proof.len(), 127, seed)
            .into_iter()
            .map(|value| value as u8)
            .collect();
        proof[0] = verifier::PROOF_VERSION;
        assert!(case.verify(&proof).is_err());
    }
}

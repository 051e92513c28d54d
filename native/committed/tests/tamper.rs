//! Every field of a proof and of a key, what is done to it, and which phase must reject it.
mod models;

use commitment::Profile;
use committed::{Key, Public, Rejection};
use models::{Case, STATEMENT, case, graphs, views, vision};
use std::collections::BTreeSet;
use std::ops::Range;

/// An element above the modulus is malformed wherever it stands.
const LOOKUPS: &[&str] = &["LOOKUP_MISMATCH", "PROOF_MALFORMED"];
/// Both openings have these fields; the witness comes first.
const OPENINGS: &[&str] = &[
    "WITNESS_OPENING_INVALID",
    "WEIGHT_OPENING_INVALID",
    "PROOF_MALFORMED",
];

/// Field, and the rejections that a changed byte in it may meet.
const MANIFEST: [(&str, &[&str]); 19] = [
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
const END: [(&str, &[&str]); 2] = [
    ("opening: last polynomial", OPENINGS),
    ("opening: last sumcheck", OPENINGS),
];

/// A proof, and where its fields are.
struct Told {
    case: Case,
    outputs: Vec<Vec<i32>>,
    proof: Vec<u8>,
    fields: Vec<(&'static str, Range<usize>)>,
}

impl Told {
    fn new(case: Case) -> Self {
        let (outputs, proof) = case.prove();
        let written = committed::Proof::decode(case.key(), &proof)
            .unwrap()
            .write(case.key());
        assert_eq!(written.bytes, proof);
        let ends = written.fields.iter().skip(1).map(|&(_, start)| start);
        let ends: Vec<usize> = ends.chain([proof.len()]).collect();
        let starts = written.fields.iter().zip(ends);
        let fields = starts
            .map(|(&(name, start), end)| (name, start..end))
            .collect();
        Self {
            case,
            outputs,
            proof,
            fields,
        }
    }

    fn code(&self, proof: &[u8]) -> Result<(), &'static str> {
        let verified = self.case.verify(&self.outputs, proof);
        verified.map_err(|rejection| rejection.code())
    }

    fn flipped(&self, byte: usize, bit: usize) -> Result<(), &'static str> {
        let mut proof = self.proof.clone();
        proof[byte] ^= 1 << bit;
        self.code(&proof)
    }

    /// Where the opening of the weights begins.
    fn weights(&self) -> usize {
        let found = self
            .fields
            .iter()
            .find(|(name, _)| *name == "weight opening");
        found.unwrap().1.start
    }
}

#[test]
fn each_field_is_rejected_where_the_manifest_says() {
    let mut seen = BTreeSet::new();
    let rows: Vec<_> = MANIFEST.into_iter().chain(END).collect();
    for profile in Profile::COMMITTED {
        let told = Told::new(case(vision(), profile));
        assert_eq!(told.code(&told.proof), Ok(()));
        for (name, range) in &told.fields {
            if HEADINGS.contains(name) {
                assert!(range.is_empty(), "{name}");
                continue;
            }
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
                    let code = told.flipped(byte, bit).expect_err(name);
                    assert!(codes.contains(&code), "{name} at {byte}: {code}");
                    // Each opening is told from the other one.
                    let other = if byte < told.weights() {
                        "WEIGHT_OPENING_INVALID"
                    } else {
                        "WITNESS_OPENING_INVALID"
                    };
                    assert!(code != other || *name == "reduction", "{name} at {byte}");
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
    let told = Told::new(case(vision(), Profile::Default));
    let bytes = told.case.key().encode();
    let public = Public {
        inputs: &views(&told.case.inputs),
        outputs: &views(&told.outputs),
        statement: STATEMENT,
    };
    for (part, range, codes) in KEY {
        for byte in range {
            let mut changed = bytes.clone();
            changed[byte] ^= 1 << (byte % 8);
            let code = match Key::decode(&changed) {
                Ok(key) => key.verify(&public, &told.proof).unwrap_err().code(),
                Err(error) => error.code(),
            };
            assert!(codes.contains(&code), "{part} at {byte}: {code}");
        }
    }
}

#[test]
fn any_other_length_is_rejected() {
    let told = Told::new(case(graphs::clamps(-40, 90), Profile::Default));
    let mut long = told.proof.clone();
    long.push(0);
    assert_eq!(told.code(&long), Err("PROOF_MALFORMED"));
    for length in (0..told.proof.len()).step_by(97).chain(0..80) {
        assert_eq!(told.code(&told.proof[..length]), Err("PROOF_MALFORMED"));
    }
}

/// Parts of one proof are none of another, of the same model with other inputs.
#[test]
fn parts_of_two_proofs_make_none() {
    let told = Told::new(case(vision(), Profile::Default));
    let mut other = case(vision(), Profile::Default);
    other.inputs[0][3] = -other.inputs[0][3];
    let other = Told::new(other);
    let mut tried = 0;
    for ((name, own), (other_name, from)) in told.fields.iter().zip(&other.fields) {
        let (own_bytes, others) = (&told.proof[own.clone()], &other.proof[from.clone()]);
        if name != other_name || own.len() != from.len() || own_bytes == others {
            continue;
        }
        let mut mixed = told.proof.clone();
        mixed[own.clone()].copy_from_slice(others);
        assert!(told.code(&mixed).is_err(), "{name}");
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
    let verified: Result<(), Rejection> = told.case.verify(&told.outputs, &other.proof);
    assert!(verified.is_err());
}

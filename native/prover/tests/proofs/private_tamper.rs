//! Every field of a proof and of its key, what is done to it, and which phase must
//! reject it.

use crate::fields::{Part, Row, Told, Verdict, all_seen, each_part};
use crate::hidden::{Case, case};
use crate::models::graphs::clamps;
use crate::models::{integers, vision};
use crate::private_fields::manifest;
use claim_reduction::Visibility;
use commitment::Profile;
use key::PrivateKey;
use std::collections::BTreeSet;

/// What a changed byte may meet where links are counted.
const COUNTED: [Row; 3] = [
    ("version", &["PROOF_VERSION"]),
    // With another number of links others follow, and so do not fit.
    (
        "count of links",
        &["LINK_COUNT", "LINK_KIND", "LINK_END", "PROOF_MALFORMED"],
    ),
    ("link: kind", &["LINK_KIND", "LINK_END", "PROOF_MALFORMED"]),
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
        let decoded =
            verifier::private::Proof::decode(case.key(), case.visibility(), &proof).unwrap();
        let written = decoded.write(case.key());
        assert_eq!(written.bytes, proof);
        Self {
            case,
            outputs,
            proof,
            starts: written.fields,
        }
    }

    fn verify(&self, key: &PrivateKey, proof: &[u8]) -> Verdict {
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
    let (rows, mut seen) = (manifest(COUNTED), BTreeSet::new());
    let models = Profile::OFF_CHAIN.map(|profile| case(vision(), profile));
    let others = [
        case(integers(), Profile::Default),
        case(vision(), Profile::Default).behind_two_links(),
        case(vision(), Profile::Default).with_private_inputs([9; 32]),
        case(integers(), Profile::Conservative).with_private_inputs([9; 32]),
    ];
    for case in models.into_iter().chain(others) {
        let proved = Proved::new(case);
        proved.told().each_field(&rows, &mut seen, |_, _, _| ());
    }
    all_seen(&rows, &seen);
}

/// Part of a key before its graph, its bytes, and what becomes of a proof when one is changed.
const KEY: [Part; 8] = [
    ("first bytes", 0..8, &["KEY_MALFORMED"]),
    ("version", 8..12, &["KEY_VERSION"]),
    // Of no key, or of a mode that has ended.
    ("kind", 12..13, &["KEY_VERSION", "KEY_MODE_ENDED"]),
    // With a pin where there is none.
    ("profile", 13..14, &["KEY_VERSION", "KEY_MALFORMED"]),
    ("root", 14..46, &["LINK_INVALID"]),
    // Of other shapes, to which the proof has not the lengths, or perhaps the same.
    (
        "openings",
        46..58,
        &["KEY_OPENINGS", "PROOF_MALFORMED", "LINK_INVALID"],
    ),
    ("count of the pin", 58..62, &["KEY_MALFORMED", "KEY_GRAPH"]),
    ("pin", 62..82, &["LINK_INVALID", "KEY_MALFORMED"]),
];

#[test]
fn a_key_with_a_changed_byte_takes_no_proof_of_the_other() {
    let proved = Proved::new(case(clamps(-40, 90), Profile::Default));
    let bytes = proved.case.key().encode();
    each_part(&KEY, &bytes, |changed| match PrivateKey::decode(changed) {
        Ok(key) => proved.verify(&key, &proved.proof),
        Err(error) => Err(error.code()),
    });
}

#[test]
fn any_other_length_is_rejected() {
    let proved = Proved::new(case(clamps(-40, 90), Profile::Default));
    let lengths = (0..proved.proof.len()).step_by(97).chain(0..80);
    proved.told().other_lengths(lengths);
}

/// Parts of one proof are none of another, be it of the same statement.
#[test]
fn parts_of_two_proofs_make_none() {
    let proved = Proved::new(case(vision(), Profile::Default));
    let (same, other) = proved.case.prove();
    assert_eq!(same, proved.outputs);
    let others =
        verifier::private::Proof::decode(proved.case.key(), Visibility::Public, &other).unwrap();
    let others = others.write(proved.case.key());
    let others = Told::new(other, &others.fields, |proof: &[u8]| {
        proved.verify(proved.case.key(), proof)
    });
    let told = proved.told();
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
}

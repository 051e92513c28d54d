//! Honest proofs verify; nothing else does.

use crate::hidden;
use crate::hidden::{OPENINGS, case, graphs};
use crate::models::graphs::{Builder, clamps};
use crate::models::{STATEMENT, integers, views, vision};
use claim_reduction::Visibility;
use commitment::Profile;
use key::{KeyError, MODES_ENDED, Openings, PrivateKey, Public};
use p3_field::PrimeCharacteristicRing;
use prover::{Phase, ProveError};
use std::collections::BTreeSet;
use transcript::Extension;
use verifier::Rejection;

#[test]
fn honest_proofs_verify_in_both_profiles() {
    for profile in Profile::OFF_CHAIN {
        for (name, graph) in graphs() {
            let case = case(graph, profile);
            let (outputs, proof) = case.prove();
            let key = PrivateKey::decode(&case.key().encode()).unwrap();
            assert_eq!(case.verify_with(&key, &outputs, &proof), Ok(()), "{name}");
        }
    }
}

#[test]
fn another_statement_input_output_or_key_is_rejected() {
    let case = case(vision(), Profile::Default);
    let (outputs, proof) = case.prove();
    let rejected = |inputs: &[Vec<i32>], outputs: &[Vec<i32>], statement: [u8; 32]| {
        let public = Public {
            inputs: &views(inputs),
            outputs: &views(outputs),
            statement,
        };
        verifier::private::verify(case.key(), &public, &proof).map_err(|error| error.code())
    };
    assert_eq!(rejected(&case.inputs, &outputs, STATEMENT), Ok(()));
    let mut wrong = outputs.clone();
    wrong[0][1] += 1;
    assert_eq!(
        rejected(&case.inputs, &wrong, STATEMENT),
        Err("OPENING_INVALID")
    );
    wrong[0].pop();
    assert_eq!(
        rejected(&case.inputs, &wrong, STATEMENT),
        Err("OUTPUT_MISMATCH")
    );
    let mut wrong = case.inputs.clone();
    wrong[0][1] ^= 1;
    assert_eq!(
        rejected(&wrong, &outputs, STATEMENT),
        Err("OPENING_INVALID")
    );
    wrong[0][1] = 91;
    assert_eq!(rejected(&wrong, &outputs, STATEMENT), Err("INPUT_MISMATCH"));
    assert_eq!(
        rejected(&case.inputs, &outputs, [8; 32]),
        Err("OPENING_INVALID")
    );
    // The same weights, committed to once more: another key.
    let other = hidden::case(vision(), Profile::Default);
    assert_ne!(other.key().digest(), case.key().digest());
    let rejection = other.verify(&outputs, &proof).unwrap_err();
    assert_eq!(rejection.code(), "LINK_INVALID");
}

/// Proofs of one statement by one commitment have no field in common: every element that is sent is
/// uniform, and every digest that of something salted.
#[test]
fn the_same_statement_proven_twice_shares_no_element() {
    for graph in [vision(), integers()] {
        let case = case(graph, Profile::Default);
        let (outputs, first) = case.prove();
        let (same, second) = case.prove();
        assert_eq!(outputs, same);
        let decode = |proof: &[u8]| {
            verifier::private::Proof::decode(case.key(), Visibility::Public, proof).unwrap()
        };
        let (first, second) = (decode(&first), decode(&second));
        assert_ne!(first.witness, second.witness);
        let elements = |proof: &verifier::private::Proof| -> Vec<Extension> {
            let relation = &proof.relation;
            let rounds = relation.rounds.as_flattened();
            let ends = [&[relation.masks][..], rounds, &relation.factors].concat();
            [&proof.sent[..], &ends].concat()
        };
        let of_first = elements(&first);
        let of_second = elements(&second);
        assert!(of_first.len() > 200 && of_first.len() == of_second.len());
        assert!(of_first.iter().all(|element| !of_second.contains(element)));
        assert!(!of_first.contains(&Extension::ZERO));
        // Nor is any pad used for two of them.
        let bytes = |proof: &verifier::private::Proof| -> Vec<Vec<u8>> {
            let written = proof.write(case.key());
            let first = written
                .fields
                .iter()
                .find(|field| field.0.starts_with("opening"))
                .unwrap()
                .1;
            let masks = 20 * 9;
            written.bytes[first..first + masks]
                .chunks(20)
                .map(<[u8]>::to_vec)
                .collect()
        };
        let openings: BTreeSet<Vec<u8>> = bytes(&first).into_iter().chain(bytes(&second)).collect();
        assert_eq!(openings.len(), 18);
    }
}

#[test]
fn a_slot_is_used_once_and_there_are_no_others() {
    let case = case(clamps(-40, 90), Profile::Default);
    let inputs = views(&case.inputs);
    let run = case.prover.run(&inputs).unwrap();
    let prove = |slot| {
        let proof = case
            .epoch
            .prove(&run, &inputs, STATEMENT, slot, &mut |_| true);
        proof.map(|proof| case.verify(run.outputs(), &proof).unwrap())
    };
    assert_eq!(case.epoch.openings(), u64::from(OPENINGS.proofs));
    assert_eq!(prove(1), Ok(()));
    let spent = prove(1).unwrap_err();
    assert_eq!(spent, ProveError::Spent(1));
    assert_eq!(spent.code(), "OPENINGS_SPENT");
    assert_eq!(prove(0), Ok(()));
    let beyond = prove(2).unwrap_err();
    let none = ProveError::Slot {
        slot: 2,
        openings: 2,
    };
    assert_eq!(beyond, none);
    assert_eq!(beyond.code(), "SLOT_RANGE");
}

#[test]
fn a_proof_that_is_cancelled_before_it_opens_the_weights_spends_nothing() {
    let case = case(clamps(-40, 90), Profile::Default);
    let inputs = views(&case.inputs);
    let run = case.prover.run(&inputs).unwrap();
    let phases = [
        Phase::Commit,
        Phase::LookUp,
        Phase::Reduce,
        Phase::Relate,
        Phase::Open,
    ];
    for last in phases {
        let cancelled = case
            .epoch
            .prove(&run, &inputs, STATEMENT, 1, &mut |phase| phase != last);
        assert_eq!(cancelled.err(), Some(ProveError::Cancelled));
    }
    let mut passed = Vec::new();
    let whole = case.epoch.prove(&run, &inputs, STATEMENT, 1, &mut |phase| {
        passed.push(phase);
        true
    });
    assert!(whole.is_ok());
    assert_eq!(passed, phases);
}

#[test]
fn the_account_has_a_hundred_bits_in_both_profiles() {
    for profile in Profile::OFF_CHAIN {
        for (name, graph) in graphs() {
            let key = PrivateKey::new(graph, profile, OPENINGS).unwrap();
            let security = key.security();
            assert!(security.provable_bits >= 100.0, "{name}: {security:?}");
            let named = |start: &str| {
                let terms = security.terms.iter();
                terms.filter(|term| term.name.starts_with(start)).count()
            };
            assert_eq!(named("lookups: "), 4);
            assert_eq!(named("reduction: "), 1);
            assert_eq!(named("relation: "), 3);
            assert_eq!(named("batching of equations and claims"), 1);
            assert_eq!(named("weights: pin"), usize::from(profile.binds()));
            assert!(named("links of keys: ") > 8 && named("link of an epoch: ") > 8);
            assert!(named("opening: ") > 8);
            // What lies before the opening counts once for each candidate.
            let candidates = key.of_proofs().shape().candidate_bits();
            assert_eq!(candidates > 0.0, profile.binds());
            let plain = relation::Shape::new(key.relations().products()).security();
            for term in plain {
                let mut found = security.terms.iter();
                let found = found.find(|own| own.name == term.name).unwrap();
                assert!((found.bits + candidates - term.bits).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn keys_are_read_strictly() {
    let case = case(vision(), Profile::Default);
    let bytes = case.key().encode();
    let code = |bytes: &[u8]| PrivateKey::decode(bytes).map_or_else(|error| error.code(), |_| "");
    assert_eq!(code(&bytes), "");
    assert_eq!(code(&bytes[..20]), "KEY_MALFORMED");
    assert_eq!(code(&bytes[..48]), "KEY_MALFORMED");
    for (byte, by, expected) in [
        (0, 8, "KEY_MALFORMED"),
        (8, 8, "KEY_VERSION"),
        (12, 8, "KEY_VERSION"),
        (13, 8, "KEY_VERSION"),
        // The profile of keys that have ended, and one without a pin.
        (13, 2, "KEY_VERSION"),
        (13, 3, "KEY_MALFORMED"),
        // More openings than there can be, of each kind; none at all; and a pin more.
        (49, 1, "KEY_OPENINGS"),
        (53, 1, "KEY_OPENINGS"),
        (57, 1, "KEY_OPENINGS"),
        (46, 2, "KEY_OPENINGS"),
        (54, 2, "KEY_OPENINGS"),
        (58, 3, "KEY_GRAPH"),
    ] {
        let mut wrong = bytes.clone();
        wrong[byte] ^= by;
        assert_eq!(code(&wrong), expected, "{byte}");
    }
    // Keys of modes that have ended: whatever stands behind the byte is not read.
    assert_eq!(MODES_ENDED, [(1, "clear"), (2, "committed")]);
    for (byte, mode) in MODES_ENDED {
        let mut ended = bytes[..14].to_vec();
        ended[12] = byte;
        let error = PrivateKey::decode(&ended).err().unwrap();
        assert_eq!(error, KeyError::ModeEnded(mode));
        assert_eq!(error.code(), "KEY_MODE_ENDED");
        let why = "which has ended: the weights follow from its proofs";
        let expected = format!("the verifying key is of mode {mode}, {why}");
        assert_eq!(error.to_string(), expected);
    }
    // Graphs and numbers of openings that no key is made for.
    let new = |graph, key| {
        let openings = Openings { key, ..OPENINGS };
        PrivateKey::new(graph, Profile::Default, openings).err()
    };
    assert_eq!(new(vision(), 0), Some(KeyError::Openings(0)));
    assert_eq!(new(vision(), u32::MAX), Some(KeyError::Openings(u32::MAX)));
    let mut b = Builder::new(1);
    let x = b.input(&[3], -5, 5);
    let y = b.sum(x, 1);
    assert_eq!(new(b.finish(&[y]), 1), Some(KeyError::NoWeights));
}

#[test]
fn every_byte_of_a_proof_matters() {
    let case = case(vision(), Profile::Default);
    let (outputs, proof) = case.prove();
    let wrong = |place: usize, bit: u8| {
        let mut wrong = proof.clone();
        wrong[place] ^= bit;
        case.verify(&outputs, &wrong)
    };
    let places = (0..proof.len()).step_by(211).chain(0..60);
    for place in places.chain([proof.len() - 1]) {
        for bit in [1, 128] {
            assert!(wrong(place, bit).is_err(), "{place}");
        }
    }
    assert_eq!(wrong(0, 1), Err(Rejection::Version(5)));
    for length in [0, 1, 33, proof.len() - 1] {
        let rejection = case.verify(&outputs, &proof[..length]).unwrap_err();
        assert_eq!(rejection.code(), "PROOF_MALFORMED");
    }
    let rejection = case.verify(&outputs, &[&proof[..], &[0]].concat());
    assert_eq!(rejection.unwrap_err().code(), "PROOF_MALFORMED");
}

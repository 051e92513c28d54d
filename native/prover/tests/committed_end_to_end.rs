//! Honest proofs verify; nothing else does.
mod liar;
mod models;

use claim_reduction::{Constraint, Form};
use commitment::Profile;
use key::{Mode, Public, VerifyingKey};
use liar::{honest, lie, rejected};
use models::graphs::{Builder, random_graph};
use models::{STATEMENT, case, integers, views, vision};
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Transcript};

#[test]
fn honest_proofs_verify_in_both_profiles() {
    for profile in Profile::COMMITTED {
        for graph in [vision(), integers(), random_graph(8), random_graph(21)] {
            if graph.weights.is_empty() {
                continue;
            }
            let case = case(graph, profile);
            let (outputs, proof) = case.prove();
            let key = VerifyingKey::decode(&case.key().encode()).unwrap();
            case.verify_with(&key, &outputs, &proof).unwrap();
            let bits = key.security().provable_bits;
            assert!(bits >= 100.0, "{bits} {:?}", key.security());
        }
    }
}

#[test]
fn another_statement_input_or_output_is_rejected() {
    let case = case(vision(), Profile::Default);
    let key = case.key();
    let (outputs, proof) = case.prove();
    let mut wrong = outputs.clone();
    wrong[0][1] += 1;
    assert!(case.verify(&wrong, &proof).is_err());
    wrong[0].pop();
    let code = case.verify(&wrong, &proof).unwrap_err().code();
    assert_eq!(code, "OUTPUT_MISMATCH");
    let with = |input: i32| {
        let mut wrong = case.inputs.clone();
        wrong[0][1] = input;
        let public = Public {
            inputs: &views(&wrong),
            outputs: &views(&outputs),
            statement: STATEMENT,
        };
        verifier::verify(case.key(), &public, &proof)
    };
    assert!(with(case.inputs[0][1] ^ 1).is_err());
    assert_eq!(with(91).unwrap_err().code(), "INPUT_MISMATCH");
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(&outputs),
        statement: [8; 32],
    };
    assert!(verifier::verify(key, &public, &proof).is_err());
}

#[test]
fn a_quotient_one_less_with_a_remainder_beyond_its_range_is_rejected_by_the_lookups() {
    let case = case(vision(), Profile::Default);
    let plan = case.derived().plan();
    let rescale = plan
        .constraints
        .iter()
        .flatten()
        .find_map(|constraint| match constraint {
            Constraint::Rescale(rescale) => Some(rescale.clone()),
            _ => None,
        });
    let rescale = rescale.unwrap();
    let Form::Direct { column, lookup } = rescale.form else {
        panic!("not direct");
    };
    let code = rejected(&case, |witness| {
        let remainder = &mut witness.columns.committed[rescale.remainder[0].column][0];
        *remainder += Base::from_u64(1 << rescale.shift);
        let [Some(claim_reduction::Source::Own(keys)), _] = &mut witness.columns.looked[lookup]
        else {
            panic!("committed");
        };
        keys[0] -= Base::ONE;
        let _ = column;
    });
    assert_eq!(code, "LOOKUP_MISMATCH");
}

#[test]
fn every_byte_of_a_proof_matters() {
    let case = case(vision(), Profile::Default);
    let key = case.key();
    let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut honest);
    let writer = proof.write(key, case.derived());
    case.verify(&outputs, &writer.bytes).unwrap();
    // Every field at its begin, its end, and in between; and all bytes near the front.
    let mut places: Vec<usize> = writer.fields.iter().map(|&(_, start)| start).collect();
    let ends: Vec<usize> = places.iter().skip(1).map(|start| start - 1).collect();
    places.extend(ends);
    places.extend((0..writer.bytes.len()).step_by(211));
    places.extend(0..60);
    for place in places {
        for bit in [1, 128] {
            let mut wrong = writer.bytes.clone();
            wrong[place] ^= bit;
            assert!(case.verify(&outputs, &wrong).is_err(), "{place}");
        }
    }
    for length in [0, 1, 33, writer.bytes.len() - 1] {
        let wrong = &writer.bytes[..length];
        let code = case.verify(&outputs, wrong).unwrap_err().code();
        assert_eq!(code, "PROOF_MALFORMED");
    }
    let mut long = writer.bytes.clone();
    long.push(0);
    let code = case.verify(&outputs, &long).unwrap_err().code();
    assert_eq!(code, "PROOF_MALFORMED");
    let mut wrong = writer.bytes.clone();
    wrong[0] = 1;
    let code = case.verify(&outputs, &wrong).unwrap_err().code();
    assert_eq!(code, "PROOF_VERSION");
    // A count that promises more than there is takes no memory.
    let at = writer
        .fields
        .iter()
        .find(|field| field.0 == "reduction length");
    let at = at.unwrap().1;
    let mut wrong = writer.bytes.clone();
    wrong[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let code = case.verify(&outputs, &wrong).unwrap_err().code();
    assert_eq!(code, "PROOF_MALFORMED");
}

#[test]
fn keys_are_read_strictly() {
    let bytes = case(vision(), Profile::Default).key().encode();
    let code = |bytes: &[u8]| VerifyingKey::decode(bytes).map_or_else(|error| error.code(), |_| "");
    assert_eq!(code(&bytes), "");
    assert_eq!(code(&bytes[..20]), "KEY_MALFORMED");
    for (byte, by, expected) in [
        (0, 8, "KEY_MALFORMED"),
        (8, 8, "KEY_VERSION"),
        (12, 8, "KEY_VERSION"),
        (13, 8, "KEY_VERSION"),
        // The profile `small`, which this mode does not have.
        (13, 2, "KEY_VERSION"),
    ] {
        let mut wrong = bytes.clone();
        wrong[byte] ^= by;
        assert_eq!(code(&wrong), expected);
    }
    // The same bytes in the other mode are another key, which takes no proof of this one.
    let mut wrong = bytes.clone();
    wrong[12] = Mode::Clear.code();
    let other = VerifyingKey::decode(&wrong).unwrap();
    let case = case(vision(), Profile::Default);
    assert_ne!(other.digest(), case.key().digest());
    let (outputs, proof) = case.prove();
    let rejection = case.verify_with(&other, &outputs, &proof).unwrap_err();
    assert_eq!(rejection.code(), "PROOF_VERSION");

    let mut b = Builder::new(1);
    let x = b.input(&[3], -5, 5);
    let y = b.sum(x, 1);
    let refused = VerifyingKey::new(Mode::Committed, b.finish(&[y]), Profile::Default)
        .err()
        .unwrap();
    assert_eq!(refused.code(), "KEY_NO_WEIGHTS");
}

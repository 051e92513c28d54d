//! Openings of one, two and three vectors: completeness, and a rejection for each change.

mod common;

use commitment::Profile;
use common::{Case, beside};
use hiding::{Claim, Rejected, Vector};
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

fn cases() -> Vec<(Vec<usize>, Vec<Vector>)> {
    vec![
        (vec![8], vec![]),
        (vec![12, 9, 8, 8], vec![]),
        (vec![15, 14, 9], vec![]),
        // As large as the fresh vector, smaller and larger.
        (vec![11, 9], vec![beside(&[12], 0, false)]),
        (vec![14, 13, 8], vec![beside(&[10, 9], 1, true)]),
        (vec![10, 8], vec![beside(&[15], 0, true)]),
        (
            vec![13, 9],
            vec![beside(&[15], 0, false), beside(&[8, 9], 3, true)],
        ),
    ]
}

#[test]
fn vectors_of_any_sizes_open_to_one_claim() {
    for profile in [Profile::Default, Profile::Conservative, Profile::Evm] {
        for (fresh, others) in cases() {
            let case = Case::new(&fresh, &others, profile);
            let opening = case.open();
            assert_eq!(case.check(&opening), Ok(()), "{fresh:?} {others:?}");
            let bytes = case.encode(&opening).bytes;
            let read = case.decode(&bytes).unwrap();
            assert_eq!(read, opening);
            assert_eq!(case.check(&read), Ok(()));
        }
    }
}

#[test]
fn another_value_form_or_root_is_rejected() {
    for (fresh, others) in cases() {
        let mut case = Case::new(&fresh, &others, Profile::Default);
        let opening = case.open();
        let roots = case.roots();
        let verify = |claim: &Claim, roots: &[[u8; 32]]| {
            let mut transcript = case.begin();
            case.shape.verify(roots, claim, &opening, &mut transcript)
        };
        for vector in 0..roots.len() {
            let mut other = roots.clone();
            other[vector][5] ^= 1;
            assert!(verify(&case.claim, &other).is_err());
            let mut claim = case.claim.clone();
            claim.forms[vector].add_cells(0, 3, vec![Extension::ONE]);
            assert!(verify(&claim, &roots).is_err());
        }
        assert_eq!(
            verify(&case.claim, &roots[1..]),
            Err(Rejected::Roots(roots.len() - 1))
        );
        // A prover who claims another value, and says so from the start.
        case.claim.value += Extension::ONE;
        let lie = case.open();
        assert_eq!(case.check(&lie), Err(Rejected::Claim));
    }
}

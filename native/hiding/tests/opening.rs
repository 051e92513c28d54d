//! Openings of one, two and three vectors: completeness, and a rejection for each change.

mod common;

use commitment::Profile;
use common::{Case, beside};
use hiding::{
    Claim, ClaimError, CommitError, Committed, LinearForm, ProveError, Rejected, Unfit, Vector,
};
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
fn an_opening_uses_the_fresh_vector_up() {
    let others = [beside(&[9], 0, true)];
    let mut case = Case::new(&[9, 10], &others, Profile::Default);
    let roots = case.roots();
    let mut transcript = case.begin();
    let mut verifier = transcript.clone();
    let fresh = case.committed.remove(0);
    let others: Vec<&Committed> = case.committed.iter().collect();
    let opening = case
        .shape
        .prove(fresh, &others, &case.claim, &mut transcript)
        .unwrap();
    let verdict = case
        .shape
        .verify(&roots, &case.claim, &opening, &mut verifier);
    assert_eq!(verdict, Ok(()));
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

/// The same claim, all of it so many times: terms of every kind are.
#[test]
fn a_form_that_is_added_weighs_as_many_times_as_much() {
    let others = [beside(&[9, 10], 0, true)];
    let mut case = Case::new(&[10, 9], &others, Profile::Default);
    let scale = case.begin().challenge();
    for form in &mut case.claim.forms {
        let once = std::mem::take(form);
        form.add(&once, scale);
    }
    case.claim.value *= scale;
    assert_eq!(case.check(&case.open()), Ok(()));
    case.claim.value += Extension::ONE;
    assert_eq!(case.check(&case.open()), Err(Rejected::Claim));
}

#[test]
fn what_does_not_fit_the_shape_is_an_error_and_no_panic() {
    let case = Case::new(
        &[9, 10],
        &[beside(&[11], 0, true), beside(&[9], 2, true)],
        Profile::Default,
    );
    let shape = &case.shape;
    let commit = |vector, columns: &[&[transcript::Base]]| {
        let committed = shape.commit(vector, columns, &mut common::randomness(9));
        committed.err()
    };
    let of = |vector: usize| -> Vec<&[transcript::Base]> {
        case.columns[vector].iter().map(Vec::as_slice).collect()
    };
    assert_eq!(commit(0, &of(0)), None);
    assert_eq!(commit(3, &of(0)), Some(CommitError::Vector(3)));
    assert_eq!(commit(0, &of(0)[..1]), Some(CommitError::Column(1)));
    assert_eq!(commit(0, &of(1)), Some(CommitError::Column(0)));
    assert_eq!(
        commit(1, &[of(1)[0], of(1)[0]]),
        Some(CommitError::Column(1))
    );

    let prove = |vectors: &[&Committed], claim: &Claim| {
        let opening = shape.prove_again(vectors, claim, &mut case.begin());
        opening.err()
    };
    let [first, second, third] = [0, 1, 2].map(|index| &case.committed[index]);
    assert_eq!(prove(&[first, second, third], &case.claim), None);
    assert_eq!(
        prove(&[first, second], &case.claim),
        Some(ProveError::Vector(2))
    );
    assert_eq!(
        prove(&[second, first, third], &case.claim),
        Some(ProveError::Vector(0))
    );
    // Of the same columns, but beside one with more tails, so at another rate.
    let foreign = Case::new(
        &[9, 10],
        &[beside(&[11], 0, true), beside(&[9], 12, true)],
        Profile::Default,
    );
    assert_eq!(
        prove(&[first, &foreign.committed[1], third], &case.claim),
        Some(ProveError::Vector(1))
    );
    let all = [first, second, third];
    let (roots, opening) = (case.roots(), case.open());
    let refused = |change: &dyn Fn(&mut Claim), error: ClaimError| {
        let mut claim = case.claim.clone();
        change(&mut claim);
        assert_eq!(prove(&all, &claim), Some(ProveError::Claim(error)));
        let verdict = shape.verify(&roots, &claim, &opening, &mut case.begin());
        assert_eq!(verdict, Err(Rejected::Form(error)));
    };
    refused(
        &|claim| claim.forms.push(LinearForm::new()),
        ClaimError::Forms(4),
    );
    // Masks are nobody's to claim: column 2 is the first of the block, column 1 that of the third vector's.
    for (vector, column) in [(0, 2), (2, 1)] {
        let unfit = Unfit(case.columns[vector].len() + 1);
        refused(
            &|claim| claim.forms[vector].add_cells(column, 0, vec![Extension::ONE]),
            ClaimError::Unfit { vector, unfit },
        );
        for variables in 0..16 {
            let point = vec![Extension::ONE; variables];
            refused(
                &|claim| claim.forms[vector].add_point(column, point.clone(), Extension::ONE),
                ClaimError::Unfit { vector, unfit },
            );
        }
    }
}

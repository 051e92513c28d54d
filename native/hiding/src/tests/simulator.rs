//! Simulated openings are accepted under their program and are worth nothing otherwise.

use super::{Frozen, stream};
use crate::form::LinearForm;
use crate::opening::Opening;
use crate::randomness::Randomness;
use crate::rejection::Rejected;
use crate::shape::{Shape, Vector};
use crate::simulator::Simulated;
use crate::statement::Claim;
use commitment::Profile;
use commitment::merkle::Digest;
use p3_field::PrimeCharacteristicRing;
use sumcheck::equality;
use transcript::Extension;

/// The roots and an opening of the claim.
fn simulate(
    shape: &Shape,
    claim: &Claim,
    program: u8,
    coins: &mut Randomness,
) -> (Vec<Digest>, Opening, Frozen) {
    let opened = shape.opened(&mut Frozen::new(program));
    let others = 1..shape.vectors.len();
    let others: Vec<Simulated> = others
        .map(|vector| shape.simulated(vector, &opened, coins))
        .collect();
    let others: Vec<&Simulated> = others.iter().collect();
    let mut channel = Frozen::new(program);
    let (root, opening) = shape.simulate(&others, claim, &mut channel, coins);
    let roots = others.iter().map(|other| other.root());
    let roots = std::iter::once(root).chain(roots).collect();
    (roots, opening, channel)
}

#[test]
fn simulated_openings_are_accepted() {
    let other = |columns: &[usize], openings| Vector {
        columns: columns.to_vec(),
        openings,
        sampled: openings > 0,
    };
    for (seed, (fresh, others)) in [
        (vec![12, 9], vec![]),
        (vec![10], vec![other(&[12], 0)]),
        (vec![13, 8], vec![other(&[11], 1), other(&[14], 0)]),
    ]
    .into_iter()
    .enumerate()
    {
        for profile in Profile::OFF_CHAIN {
            let shape = Shape::new(&fresh, &others, profile).unwrap();
            let mut coins = stream(seed as u8);
            let forms = shape.vectors.iter().map(|vector| {
                let mut form = LinearForm::new();
                let point = coins.extensions(vector.columns[0].variables);
                form.add_point(0, point, coins.extensions(1)[0]);
                form.add_cells(0, 5, coins.extensions(20));
                form
            });
            let forms = forms.collect();
            // Any value: the simulator has no vector that it would have to fit.
            let value = coins.extensions(1)[0];
            let claim = Claim { forms, value };
            let (roots, opening, _) = simulate(&shape, &claim, 77, &mut coins);
            let verify = |claim: &Claim, opening: &Opening, program: u8| {
                shape.verify(&roots, claim, opening, &mut Frozen::new(program))
            };
            assert_eq!(verify(&claim, &opening, 77), Ok(()));
            // With challenges that were not programmed it is worth nothing.
            assert_eq!(verify(&claim, &opening, 78), Err(Rejected::Leaves));
            let mut lie = claim.clone();
            lie.value += Extension::ONE;
            assert_eq!(verify(&lie, &opening, 77), Err(Rejected::Claim));
            let mut other = opening.clone();
            other.tail[3] += Extension::ONE;
            assert!(verify(&claim, &other, 77).is_err());
        }
    }
}

/// A simulated opening with its challenges.
fn simulated() -> (Shape, Vec<Digest>, Claim, Opening, Vec<Extension>) {
    let shape = Shape::new(&[11], &[], Profile::Default).unwrap();
    let mut coins = stream(8);
    let mut form = LinearForm::new();
    form.add_point(0, coins.extensions(11), Extension::ONE);
    let value = coins.extensions(1)[0];
    let forms = vec![form];
    let claim = Claim { forms, value };
    let (roots, opening, channel) = simulate(&shape, &claim, 55, &mut coins);
    (shape, roots, claim, opening, channel.drawn)
}

#[test]
fn another_last_polynomial_of_the_same_value_at_the_end_is_rejected() {
    let (shape, roots, claim, mut opening, drawn) = simulated();
    let point = &drawn[drawn.len() - shape.schedule.last()..];
    let weights = equality(point, opening.later.last.len());
    opening.later.last[0] += weights[1];
    opening.later.last[1] -= weights[0];
    let verdict = shape.verify(&roots, &claim, &opening, &mut Frozen::new(55));
    assert_eq!(verdict, Err(Rejected::LastPolynomial));
}

#[test]
fn a_part_of_another_length_is_rejected() {
    let (shape, roots, claim, opening, _) = simulated();
    let verdict = |change: &dyn Fn(&mut Opening)| {
        let mut opening = opening.clone();
        change(&mut opening);
        let channel = &mut Frozen::new(55);
        shape.verify(&roots, &claim, &opening, channel).err()
    };
    assert_eq!(verdict(&|_| {}), None);
    let changes: [&dyn Fn(&mut Opening); 12] = [
        &|opening| opening.masks.truncate(2),
        &|opening| opening.masks.push(Extension::ZERO),
        &|opening| opening.samples.clear(),
        &|opening| opening.fold.truncate(3),
        &|opening| opening.tail.push(Extension::ZERO),
        &|opening| opening.tail.truncate(9),
        &|opening| opening.later.rounds.clear(),
        &|opening| opening.later.rounds[0].answers.clear(),
        &|opening| opening.later.rounds[0].fold.truncate(1),
        &|opening| opening.later.last.truncate(1),
        &|opening| opening.later.last.push(Extension::ZERO),
        &|opening| opening.later.fold.clear(),
    ];
    for change in changes {
        assert_eq!(verdict(change), Some(Rejected::Lengths));
    }
    let of_leaves: [&dyn Fn(&mut Opening); 5] = [
        &|opening| opening.later.leaves.clear(),
        &|opening| opening.later.rounds[0].leaves.clear(),
        &|opening| opening.later.leaves[0].rows.truncate(1),
        &|opening| opening.later.rounds[0].leaves[0].rows[0].truncate(3),
        &|opening| {
            let rows = &mut opening.later.rounds[0].leaves[0].rows;
            rows.push(rows[0].clone());
        },
    ];
    for change in of_leaves {
        assert_eq!(verdict(change), Some(Rejected::Leaves));
    }
}

//! A simulator: openings from the claim alone, with a programmed transcript.
//!
//! It knows shape, forms and value, and neither vectors nor masks. Where an opening sends something
//! masked it sends something uniform; what the verifier's checks fix it solves for. That its distribution
//! is the prover's is what the rank test says.

use super::{Frozen, stream};
use crate::channel::{Channel, point};
use crate::form::LinearForm;
use crate::later::{self, follow};
use crate::leaves::{TreeOpening, combined, leaf_digest, leaf_point};
use crate::opening::{Opening, Round};
use crate::randomness::Randomness;
use crate::rejection::Rejected;
use crate::shape::{Shape, Vector};
use crate::statement::{Claim, Points, table};
use commitment::Profile;
use commitment::merkle::{Digest, MerkleTree};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use std::cell::RefCell;
use sumcheck::{dot, equality, powers};
use transcript::{Base, Extension, Site};

fn digest(coins: &mut Randomness) -> Digest {
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(coins.bases(8)) {
        bytes.copy_from_slice(&word.as_canonical_u32().to_le_bytes());
    }
    digest
}

/// The roots and an opening of the claim.
fn simulate(
    shape: &Shape,
    claim: &Claim,
    channel: &mut Frozen,
    coins: &mut Randomness,
) -> (Vec<Digest>, Opening) {
    let masks = coins.extensions(shape.mask_values());
    let samples = coins.extensions(shape.samples());
    let fold = coins.extensions(2 * shape.fold);
    let fold: Vec<Round> = fold
        .chunks_exact(2)
        .map(|pair| [pair[0], pair[1]])
        .collect();

    let of_masks = Points::of_masks(shape, channel);
    let of_samples = samples.iter().map(|_| point(channel, shape.joint()));
    let points = Points {
        masks: of_masks,
        samples: of_samples.collect(),
    };
    let batching = channel.challenge();
    let values = [&[claim.value][..], &masks, &samples].concat();
    let total = dot(&powers(batching, values.len()), &values);
    let (folded, coordinates) = follow(total, &fold, channel);
    let gamma = channel.challenge();

    let rows = 1 << shape.rows;
    let forms = points.joined(shape, claim, batching);
    let columns = equality(&coordinates, 1 << shape.fold);
    let whole = table(shape, &forms);
    let weights: Vec<Extension> = (0..rows)
        .map(|row| {
            let of_row = whole[row..].iter().step_by(rows);
            columns.iter().zip(of_row).map(|(&a, &b)| a * b).sum()
        })
        .collect();
    let vector = coins.extensions(rows);
    let tail = coins.extensions(shape.tails);
    let pad = dot(&vector, &weights) - gamma * folded;
    channel.absorb(Site::OpeningPad, &[pad]);

    // Opened leaves are uniform but for R, which is what the vector makes it there.
    let coefficients = [&vector[..], &tail].concat();
    let of_columns = shape.column_weights(&coordinates);
    let roots = RefCell::new(Vec::new());
    let coins = RefCell::new(coins);
    let open = |indices: &[usize]| -> Vec<TreeOpening> {
        let mut coins = coins.borrow_mut();
        let vectors = shape.vectors.iter();
        let mut leaves: Vec<Vec<Vec<Base>>> = vectors
            .map(|vector| indices.iter().map(|_| coins.bases(vector.leaf())).collect())
            .collect();
        for (at, &index) in indices.iter().enumerate() {
            // A leaf that is opened twice is the same twice.
            if let Some(before) = indices[..at].iter().position(|&other| other == index) {
                for tree in &mut leaves {
                    tree[at] = tree[before].clone();
                }
                continue;
            }
            let x = leaf_point(shape.leaves(), index);
            let value = coefficients.iter().rev();
            let value = value.fold(Extension::ZERO, |sum, &element| sum * x + element);
            let both = of_columns.iter().zip(&leaves);
            let fold: Extension = both
                .map(|(weights, tree)| combined(weights, &tree[at]))
                .sum();
            let of_pad = value - gamma * fold;
            let limbs: &[Base] = of_pad.as_basis_coefficients_slice();
            let fresh = &shape.vectors[0];
            leaves[0][at][fresh.width()..fresh.coded()].copy_from_slice(limbs);
        }
        leaves
            .into_iter()
            .map(|rows| {
                let mut digests: Vec<Digest> = (0..1_usize << shape.leaves())
                    .map(|_| digest(&mut coins))
                    .collect();
                for (&index, row) in indices.iter().zip(&rows) {
                    digests[index] = leaf_digest(shape.schedule.hash, row);
                }
                let tree = MerkleTree::new(shape.schedule.hash, digests);
                roots.borrow_mut().push(tree.root());
                let siblings = tree.siblings(indices);
                TreeOpening { rows, siblings }
            })
            .collect()
    };
    let later = later::prove(&shape.schedule, vector, weights, open, channel);
    let opening = Opening {
        masks,
        samples,
        fold,
        pad,
        tail,
        later,
    };
    (roots.into_inner(), opening)
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
        for profile in Profile::COMMITTED {
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
            let mut channel = Frozen::new(77);
            let (roots, opening) = simulate(&shape, &claim, &mut channel, &mut coins);
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
    let mut channel = Frozen::new(55);
    let (roots, opening) = simulate(&shape, &claim, &mut channel, &mut coins);
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

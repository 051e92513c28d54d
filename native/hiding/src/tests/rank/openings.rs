//! A vector whose half serves several openings, each beside a fresh vector of its own, and of which one value is
//! known: what all of them together show. The value is that of the whole at one point, as a key has it, or that of
//! the half at a point and of a column at another, as a link says of its child.

use super::other;
use crate::form::LinearForm;
use crate::tests::stream;
use crate::tests::view::{At, Cell, Kind, Stack, Views, schedule};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use sumcheck::equality;
use transcript::{Base, DEGREE, Extension};

/// Cells of a kind that are looked at, of each fresh vector.
const MOST: usize = 300;

/// A stack with a vector that has a half, of which so many leaves are opened, and the weights of the
/// point at which that vector is known. The claim of each opening says so too.
fn pinned(queries: usize) -> (Stack, Vec<Extension>) {
    let mut schedule = schedule(6, true, 1);
    schedule.rounds[0].queries.count = queries;
    let mut stack = Stack::new(&[7, 5], &[other(&[9], 0)], schedule);
    let variables = stack.shape.variables(1).unwrap();
    let point = stream(21).extensions(variables);
    let weights = equality(&point, 1 << variables);
    stack.claim.forms[1].add_whole(point, stream(22).extensions(1)[0]);
    (stack, weights)
}

/// What is shown of the witness, beyond one claim each, by openings with these challenges.
fn leak(stack: &Stack, pin: &[Extension], openings: &[u8]) -> usize {
    let length = stack.view(&[]).len();
    let mut views = Vec::new();
    for cell in stack.cells_of(MOST) {
        let one = [(cell, Base::ONE)];
        let each = openings.iter().map(|&number| stack.view_by(number, &one));
        if cell.vector == 0 {
            // Each opening has a fresh vector of its own.
            for (number, view) in each.enumerate() {
                let mut all = vec![Base::ZERO; length * openings.len() + DEGREE];
                all[length * number..][..length].copy_from_slice(&view);
                views.push((cell.kind, all));
            }
        } else {
            let mut all: Vec<Base> = each.collect::<Vec<_>>().concat();
            all.extend(known(stack, pin, cell));
            views.push((cell.kind, all));
        }
    }
    let claims = DEGREE * (openings.len() - 1);
    Views(views).leak(|_| true) - claims
}

/// What the known value has of a cell.
fn known(stack: &Stack, pin: &[Extension], cell: Cell) -> Vec<Base> {
    let At::Column(column, element) = cell.at else {
        panic!("a vector with a half has no tails");
    };
    let vector = &stack.shape.vectors[cell.vector];
    let index = vector.cell(vector.columns[column], element);
    let coefficients: &[Base] = pin[index].as_basis_coefficients_slice();
    coefficients.to_vec()
}

/// The same where what is known is the half at a point and a column at another. Without the former it is the
/// column's alone.
fn linked(queries: usize, masked: bool) -> (Stack, Vec<Extension>) {
    let mut schedule = schedule(6, true, 1);
    schedule.rounds[0].queries.count = queries;
    let mut stack = Stack::new(&[7, 5], &[other(&[9], 0)], schedule);
    let vector = &stack.shape.vectors[1];
    let (variables, before) = (vector.variables, vector.fold);
    let mut coins = stream(23);
    let mut half = coins.extensions(variables);
    half[before] = Extension::ONE;
    let mut own = coins.extensions(vector.columns[0].variables);
    own[before] = Extension::ZERO;
    let factor = coins.extensions(1)[0];
    let mut weights = vec![Extension::ZERO; 1 << variables];
    let mut form = LinearForm::new();
    if masked {
        weights = equality(&half, 1 << variables);
        form.add_whole(half, Extension::ONE);
    }
    for (element, weight) in equality(&own, 1 << own.len()).into_iter().enumerate() {
        weights[vector.cell(vector.columns[0], element)] += factor * weight;
    }
    form.add_point(0, own, factor);
    stack.claim.forms[1].add(&form, coins.extensions(1)[0]);
    (stack, weights)
}

#[test]
fn a_half_hides_what_a_link_says_of_its_child_and_all_openings_that_it_serves() {
    let (stack, known) = linked(3, true);
    assert_eq!(stack.shape.served(1), Some(3));
    assert_eq!(leak(&stack, &known, &[11, 12, 13]), 0);
    // Where the half has no part in it, the value of the weights shows.
    let (stack, known) = linked(3, false);
    assert_eq!(leak(&stack, &known, &[11, 12, 13]), 5);
}

#[test]
fn a_link_shows_nothing_of_what_it_opens() {
    // A fresh vector whose own column has an element ρ, which is uniform, and a claim of ρ + c·v.
    let mut schedule = schedule(6, true, 1);
    schedule.rounds[0].queries.count = 3;
    let mut stack = Stack::new(&[7], &[other(&[9], 0)], schedule);
    let basis = |l: usize| {
        Extension::from_basis_coefficients_fn(|limb| if limb == l { Base::ONE } else { Base::ZERO })
    };
    let mut mask = LinearForm::new();
    mask.add_cells(0, 0, (0..DEGREE).map(basis).collect());
    stack.claim.forms[0] = mask;
    let views: Vec<_> = stack
        .cells_of(MOST)
        .into_iter()
        .chain(stack.cells().into_iter().take(DEGREE))
        .map(|cell| {
            let of_fresh = cell.vector == 0 && cell.kind == Kind::Witness;
            let is_mask = of_fresh && matches!(cell.at, At::Column(0, element) if element < DEGREE);
            (of_fresh, is_mask, cell)
        })
        .filter(|&(of_fresh, is_mask, _)| is_mask || !of_fresh)
        .map(|(_, is_mask, cell)| {
            let kind = if is_mask { Kind::Pad } else { cell.kind };
            (kind, is_mask, stack.view(&[(cell, Base::ONE)]))
        })
        .collect();
    // What shows of the weights, the claim itself included.
    let shown = |mask: bool| {
        let some = views.iter().filter(|&&(_, is_mask, _)| mask || !is_mask);
        let some = some.map(|(kind, _, view)| (*kind, view.clone()));
        Views(some.collect()).shown(|_| true)
    };
    assert_eq!(shown(true), 0);
    // Without ρ it is the value of the weights.
    assert_eq!(shown(false), DEGREE);
}

#[test]
fn a_half_hides_in_as_many_openings_as_it_serves() {
    let (stack, pin) = pinned(3);
    assert_eq!(stack.shape.served(1), Some(3));
    assert_eq!(leak(&stack, &pin, &[11, 12, 13]), 0);
}

#[test]
fn control_openings_beyond_those_that_a_half_serves_show_more() {
    let (stack, pin) = pinned(16);
    assert_eq!(stack.shape.served(1), Some(1));
    assert_eq!(leak(&stack, &pin, &[11]), 0);
    assert!(leak(&stack, &pin, &[11, 12, 13]) > 0);
}

#[test]
fn only_a_half_serves_openings_that_its_owner_counts() {
    let (stack, _) = pinned(3);
    assert_eq!(stack.shape.served(0), None);
    assert_eq!(stack.shape.served(2), None);
    let tails = Stack::new(&[7, 5], &[other(&[6], 1)], schedule(6, true, 1));
    assert_eq!(tails.shape.served(1), None);
    assert!(tails.cells().iter().all(|cell| cell.kind != Kind::Half));
}

//! A vector whose half serves several openings, each beside a fresh vector of its own, and whose value at one
//! point is known: what all of them together show.

use super::other;
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

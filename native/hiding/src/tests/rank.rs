//! Ranks of the view, and of the view with each mask left out: the negative controls.

mod openings;

use super::stream;
use super::view::{Cell, Kind, Stack, Views, schedule};
use crate::shape::{Vector, VectorShape};
use p3_field::PrimeCharacteristicRing;
use transcript::Base;

#[test]
fn the_view_is_linear_in_masks_and_witness() {
    let stack = Stack::one(true);
    let cells = stack.cells();
    let mut randomness = stream(1);
    let values: Vec<_> = cells
        .iter()
        .map(|&cell| (cell, randomness.base()))
        .collect();
    let mut sum = vec![Base::ZERO; stack.view(&[]).len()];
    assert_eq!(stack.view(&[]), sum);
    for &(cell, value) in &values {
        for (sum, one) in sum.iter_mut().zip(stack.view(&[(cell, Base::ONE)])) {
            *sum += value * one;
        }
    }
    assert_eq!(stack.view(&values), sum);
}

/// Cells of a kind that are looked at where there are many.
const MOST: usize = 300;

fn other(columns: &[usize], openings: usize) -> Vector {
    Vector {
        columns: columns.to_vec(),
        openings,
        sampled: openings > 0,
    }
}

impl Stack {
    /// The fresh vector with others.
    fn several(others: &[Vector], samples: usize) -> Self {
        Self::new(&[7, 5], others, schedule(6, true, samples))
    }

    /// One vector that is nearly full, with or without an out-of-domain answer.
    fn full(samples: usize) -> Self {
        Self::new(&[8, 6], &[], schedule(6, true, samples))
    }

    /// The same with so many claims on each mask.
    fn claimed(mut self, claims: usize) -> Self {
        self.shape.mask_claims = claims;
        self
    }
}

#[test]
fn an_opening_shows_the_claim_and_nothing_else() {
    for later in [false, true] {
        assert_eq!(Stack::one(later).views().leak(|_| true), 0, "{later}");
    }
    for samples in [0, 1] {
        let views = Stack::full(samples).views();
        assert_eq!(views.leak(|_| true), 0);
    }
}

#[test]
fn an_opening_of_several_vectors_shows_the_claim_and_nothing_else() {
    for samples in [0, 1] {
        for others in [
            vec![other(&[6], 1)],
            vec![other(&[9], 0)],
            vec![other(&[8], 0), other(&[6], 1)],
        ] {
            let views = Stack::several(&others, samples).views();
            assert_eq!(views.leak(|_| true), 0, "{others:?}, {samples}");
        }
    }
}

#[test]
fn an_opening_with_a_vector_of_more_columns_than_the_fresh_one_shows_the_claim_only() {
    let schedule = schedule(7, true, 0);
    let stack = Stack::new(&[7, 5], &[other(&[12], 0)], schedule);
    let folds: Vec<usize> = stack.shape.vectors.iter().map(|shape| shape.fold).collect();
    assert_eq!(folds, [4, 5]);
    let views = stack.views_of(MOST);
    assert_eq!(views.leak(|_| true), 0);
    assert!(views.without(Kind::Half) > 0);
}

#[test]
fn control_without_r_the_folded_vector_shows() {
    assert_eq!(Stack::full(0).views().without(Kind::R), 55);
    assert_eq!(Stack::full(1).views().without(Kind::R), 50);
}

#[test]
fn control_without_the_block_two_elements_show_for_each_round() {
    // The design's prototype finds 30 for three rounds, too.
    assert_eq!(Stack::full(0).views().without(Kind::Block), 30);
    // With an answer, its own pad column masks a little of what the block did.
    assert_eq!(Stack::full(1).views().without(Kind::Block), 27);
}

#[test]
fn control_with_fewer_than_two_claims_on_the_block_the_rounds_show() {
    let leak = |claims, samples| {
        let stack = Stack::full(samples).claimed(claims);
        stack.views().leak(|_| true)
    };
    // One element for each of three rounds and two, as in the design's prototype.
    assert_eq!(leak(0, 0), 30);
    assert_eq!(leak(1, 0), 15);
    assert_eq!(leak(2, 0), 0);
    // The answer is about the block's five columns with weights that are not those of an element of E. So it
    // is a claim on the block of another kind, and one more is enough.
    assert_eq!(leak(0, 1), 7);
    assert_eq!(leak(1, 1), 0);
}

#[test]
fn control_without_the_answers_pad_the_block_masks_it_and_without_both_it_shows() {
    let views = Stack::full(1).views();
    assert_eq!(views.without(Kind::Pad), 0);
    let without_both = views.leak(|kind| kind != Kind::Pad && kind != Kind::Block);
    assert_eq!(without_both - views.without(Kind::Block), 8);
}

#[test]
fn control_without_masks_of_the_others_the_share_of_each_in_the_claim_shows() {
    // A column of masks: without it, one element.
    let tailed = Stack::several(&[other(&[6], 1)], 1).views();
    assert_eq!(tailed.leak(|_| true), 0);
    assert_eq!(tailed.without(Kind::Column), 5);
    // The random half masks the opened leaves as well.
    let half = Stack::several(&[other(&[9], 0)], 1).views();
    assert_eq!(half.leak(|_| true), 0);
    assert_eq!(half.without(Kind::Half), 29);
}

/// An opening with so many leaves of the first codes.
fn opened(queries: usize) -> Stack {
    let mut schedule = schedule(6, true, 0);
    schedule.rounds[0].queries.count = queries;
    Stack::new(&[7, 5], &[other(&[8], 1)], schedule)
}

#[test]
fn control_without_tails_or_with_too_few_the_opened_leaves_show() {
    let queries = 30;
    let views = opened(queries).views();
    assert_eq!(views.leak(|_| true), 0);
    let with_tails = |count| views.leak(|kind| !matches!(kind, Kind::Tail(row) if row >= count));
    // One row more than leaves is there so that leaves stay uniform that are not opened.
    assert_eq!(with_tails(queries), 0);
    // The column of masks makes some rows uniform, too. Each row beyond shows eight equations, one for each
    // column of the vector.
    assert_eq!([0, 5, 10, 15].map(with_tails), [108, 68, 28, 0]);
}

#[test]
fn a_leaf_that_is_not_opened_is_uniform_beside_all_that_is_shown() {
    let mut stack = opened(30);
    let shown = stack.view(&[]).len();
    stack.more = vec![5];
    let widths: usize = stack.shape.vectors.iter().map(VectorShape::width).sum();
    assert_eq!(stack.view(&[]).len(), shown + widths);
    let views = stack.views();
    assert_eq!(views.leak(|_| true), 0);
    // With ten tail rows 28 equations show without this leaf, as another test finds: eight more with it, so it
    // is none of those that are opened.
    let few = views.leak(|kind| !matches!(kind, Kind::Tail(row) if row >= 10));
    assert_eq!(few, 28 + 8);
}

#[test]
fn control_a_fresh_vector_that_is_opened_twice_shows_more() {
    // Without a later code, all of the folded vector is sent.
    let stack = Stack::new(&[8, 6], &[], schedule(6, false, 1));
    let views = |openings: &[u8]| {
        let view = |cell: Cell| {
            let one = [(cell, Base::ONE)];
            let views = openings.iter().map(|&number| stack.view_by(number, &one));
            (cell.kind, views.collect::<Vec<_>>().concat())
        };
        Views(stack.cells().into_iter().map(view).collect())
    };
    assert_eq!(views(&[11]).leak(|_| true), 0);
    assert_eq!(views(&[11, 12]).leak(|_| true), 243);
}

/// The views of so many openings of the same vectors, each with a fresh vector of its own. Of these, masks only
/// are looked at.
fn opened_often(stack: &Stack, openings: usize) -> Views {
    opened_sharing(stack, openings, |_| false)
}

/// The same where all fresh vectors have one mask of some kinds.
fn opened_sharing(stack: &Stack, openings: usize, shared: impl Fn(Kind) -> bool) -> Views {
    let numbers: Vec<u8> = (0..openings as u8).map(|opening| 30 + opening).collect();
    let nothing = stack.view(&[]);
    let mut views = Vec::new();
    for cell in stack.cells() {
        let view = |&number: &u8| stack.view_by(number, &[(cell, Base::ONE)]);
        if cell.vector > 0 || shared(cell.kind) {
            let of_all: Vec<_> = numbers.iter().map(view).collect();
            views.push((cell.kind, of_all.concat()));
        } else if cell.kind != Kind::Witness {
            for (index, number) in numbers.iter().enumerate() {
                let mut of_all = vec![nothing.clone(); openings];
                of_all[index] = view(number);
                views.push((cell.kind, of_all.concat()));
            }
        }
    }
    Views(views)
}

#[test]
fn control_a_half_that_is_opened_more_often_than_it_serves_shows() {
    let mut schedule = schedule(6, true, 0);
    schedule.rounds[0].queries.count = 8;
    let stack = Stack::new(&[7, 5], &[other(&[9], 0)], schedule);
    assert_eq!(stack.shape.served(1), Some(2));
    // 32 rows of eight cells; each opening shows eight rows and three values, and the last one is beyond.
    let leaks = [1, 2, 3, 4].map(|openings| opened_often(&stack, openings).leak(|_| true));
    assert_eq!(leaks, [0, 0, 0, 56]);
}

#[test]
fn a_vector_with_tails_for_two_openings_shows_the_claim_only_in_both() {
    let mut schedule = schedule(6, true, 0);
    schedule.rounds[0].queries.count = 20;
    let stack = Stack::new(&[7, 5], &[other(&[8], 2)], schedule);
    assert_eq!(stack.shape.vectors[1].tails, 41);
    let views = opened_often(&stack, 2);
    assert_eq!(views.leak(|_| true), 0);
    // Its negative neighbours: with fewer tails, both openings together show more.
    let with_tails = |count| views.leak(|kind| !matches!(kind, Kind::Tail(row) if row >= count));
    assert_eq!([0, 10].map(with_tails), [88, 8]);
}

/// Weights whose half serves attempts at a job, and private inputs with tails for so many of them. Without a later
/// code, all of the folded vector is sent.
fn job(attempts: usize) -> Stack {
    let mut schedule = schedule(6, false, 1);
    schedule.end.count = 8;
    Stack::new(&[7, 5], &[other(&[9], 0), other(&[8], attempts)], schedule)
}

#[test]
fn attempts_that_open_one_vector_of_inputs_show_their_claims_only() {
    let stack = job(2);
    assert_eq!(stack.shape.vectors[2].tails, 17);
    let views = opened_often(&stack, 2);
    assert_eq!(views.leak(|_| true), 0);
    let with_tails = |count| views.leak(|kind| !matches!(kind, Kind::Tail(row) if row >= count));
    // Its negative neighbour. With half of the tails the column of masks still does for so few leaves.
    assert_eq!([0, 8].map(with_tails), [16, 0]);
}

#[test]
fn control_attempts_with_one_r_show_more() {
    let views = opened_sharing(&job(2), 2, |kind| kind == Kind::R);
    assert_eq!(views.leak(|_| true), 60);
}

#[test]
fn control_inputs_that_are_opened_more_often_than_their_tails_are_for_show_more() {
    let mut schedule = schedule(6, true, 0);
    schedule.rounds[0].queries.count = 20;
    let stack = Stack::new(&[7, 5], &[other(&[8], 1)], schedule);
    let leaks = [1, 3].map(|attempts| opened_often(&stack, attempts).leak(|_| true));
    assert_eq!(leaks, [0, 180]);
}

//! The view of an opening, as linear algebra.
//!
//! With challenges frozen, all that an opening shows is linear in masks and witness:
//!
//! ```text
//! view = A · masks + B · witness
//! ```
//!
//! It tells nothing of the witness but the claim if and only if rank [A | B] − rank A is 5, the
//! coefficients of the claim. A and B are found by making the opening itself, with one cell 1 and all
//! others 0, for each cell in turn.

use super::{Frozen, stream};
use crate::commit::{Committed, Masks};
use crate::form::LinearForm;
use crate::opening::Opening;
use crate::schedule::{Queries, Round, Schedule};
use crate::shape::{Shape, Vector, VectorShape};
use crate::statement::Claim;
use commitment::Profile;
use p3_field::{BasedVectorSpace, Field, PrimeCharacteristicRing};
use transcript::{Base, DEGREE, Extension};

/// Leaves that are opened of the first codes.
const QUERIES: usize = 3;

/// What one cell is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Witness,
    /// The random half of a vector without tails.
    Half,
    /// Of the fresh vector.
    Block,
    /// A column of masks of another vector.
    Column,
    Pad,
    /// A tail row of this number.
    Tail(usize),
    R,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    kind: Kind,
    vector: usize,
    at: At,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Column(usize, usize),
    Tail(usize),
    R(usize, usize),
}

/// A small stack, its shape and a claim about it.
struct Stack {
    shape: Shape,
    /// Of each vector, the columns that are the caller's.
    columns: Vec<usize>,
    claim: Claim,
    /// The vector whose first column has a random second half, by rows.
    half: Option<usize>,
    /// Leaves that are looked at beside those that the opening shows.
    more: Vec<usize>,
}

fn schedule(rows: usize, later: bool, samples: usize) -> Schedule {
    let queries = |count| Queries { count, work: 0 };
    let round = Round {
        queries: queries(QUERIES),
        samples,
        fold: 2,
        rate: 3,
    };
    Schedule {
        rows,
        rate: 2,
        samples,
        rounds: if later { vec![round] } else { Vec::new() },
        end: queries(if later { 2 } else { QUERIES }),
    }
}

impl Stack {
    fn new(fresh: &[usize], others: &[Vector], schedule: Schedule) -> Self {
        let shape = Shape::with_schedule(fresh, others, Profile::Default, schedule).unwrap();
        let mut randomness = stream(5);
        let columns: Vec<usize> = std::iter::once(fresh.len())
            .chain(others.iter().map(|other| other.columns.len()))
            .collect();
        let half = others.iter().position(|other| other.openings == 0);
        let half = half.map(|other| other + 1);
        let mut forms = Vec::new();
        for (index, (vector, &count)) in shape.vectors.iter().zip(&columns).enumerate() {
            let mut form = LinearForm::new();
            for column in 0..count {
                let mut point = randomness.extensions(vector.columns[column].variables);
                if half == Some(index) {
                    // The random half is not claimed.
                    point[vector.fold] = Extension::ZERO;
                }
                form.add_point(column, point, randomness.extensions(1)[0]);
            }
            if half != Some(index) {
                form.add_cells(0, 1, randomness.extensions(5));
            }
            forms.push(form);
        }
        let value = Extension::ZERO;
        let claim = Claim { forms, value };
        Self {
            shape,
            columns,
            claim,
            half,
            more: Vec::new(),
        }
    }

    /// One vector, opened with a later code or without.
    fn one(later: bool) -> Self {
        Self::new(&[6, 4], &[], schedule(5, later, 1))
    }

    /// All cells.
    fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (vector, shape) in self.shape.vectors.iter().enumerate() {
            let mut add = |kind, at| cells.push(Cell { kind, vector, at });
            for (column, place) in shape.columns.iter().enumerate() {
                for element in 0..1_usize << place.variables {
                    let row = shape.cell(*place, element) & ((1 << self.shape.rows) - 1);
                    let kind = if self.half == Some(vector) && row >> (self.shape.rows - 1) == 1 {
                        Kind::Half
                    } else if column < self.columns[vector] {
                        Kind::Witness
                    } else if !shape.fresh() {
                        Kind::Column
                    } else if column < self.shape.pad_column() {
                        Kind::Block
                    } else {
                        Kind::Pad
                    };
                    add(kind, At::Column(column, element));
                }
            }
            for tail in 0..shape.tails * shape.width() {
                add(Kind::Tail(tail / shape.width()), At::Tail(tail));
            }
            if shape.fresh() {
                for row in 0..(1 << self.shape.rows) + self.shape.tails {
                    (0..DEGREE).for_each(|limb| add(Kind::R, At::R(row, limb)));
                }
            }
        }
        cells
    }

    /// The view of an opening in which one cell is 1, or in which these have these values.
    fn view(&self, cells: &[(Cell, Base)]) -> Vec<Base> {
        self.view_by(11, cells)
    }

    /// That with the challenges of this number.
    fn view_by(&self, challenges: u8, cells: &[(Cell, Base)]) -> Vec<Base> {
        let vectors: Vec<Committed> = self
            .shape
            .vectors
            .iter()
            .enumerate()
            .map(|(vector, shape)| {
                let columns = shape.columns.iter();
                let mut columns: Vec<Vec<Base>> = columns
                    .map(|place| vec![Base::ZERO; 1 << place.variables])
                    .collect();
                let rows = if shape.fresh() {
                    (1 << self.shape.rows) + self.shape.tails
                } else {
                    0
                };
                let mut tail = vec![Base::ZERO; shape.tails * shape.width()];
                let mut pad = vec![[Base::ZERO; DEGREE]; rows];
                for &(cell, value) in cells.iter().filter(|(cell, _)| cell.vector == vector) {
                    match cell.at {
                        At::Column(column, element) => columns[column][element] = value,
                        At::Tail(at) => tail[at] = value,
                        At::R(row, limb) => pad[row][limb] = value,
                    }
                }
                let element = |limbs: &[Base; DEGREE]| {
                    Extension::from_basis_coefficients_fn(|limb| limbs[limb])
                };
                let own = columns.split_off(self.columns[vector]);
                let masks = Masks {
                    columns: own,
                    tail,
                    pad: pad.iter().map(element).collect(),
                    salt: vec![Base::ZERO; shape.salts << self.shape.leaves()],
                };
                let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
                self.shape.commit_with(shape, &columns, masks).unwrap()
            })
            .collect();
        let vectors: Vec<&Committed> = vectors.iter().collect();
        let mut channel = Frozen::new(challenges);
        let opening = self.shape.prove_again(&vectors, &self.claim, &mut channel);
        let mut view = self.flat(&opening.unwrap());
        for (vector, shape) in vectors.iter().zip(&self.shape.vectors) {
            for leaf in vector.code.open(&self.more).rows {
                view.extend_from_slice(&leaf[..shape.width()]);
            }
        }
        view
    }

    /// All field elements of an opening but salts.
    fn flat(&self, opening: &Opening) -> Vec<Base> {
        let mut view = Vec::new();
        let mut add = |elements: &[Extension]| {
            for element in elements {
                let coefficients: &[Base] = element.as_basis_coefficients_slice();
                view.extend_from_slice(coefficients);
            }
        };
        add(&opening.masks);
        add(&opening.samples);
        add(opening.fold.as_flattened());
        add(&[opening.pad]);
        add(&opening.tail);
        let later = &opening.later;
        add(&later.last);
        add(later.fold.as_flattened());
        for round in &later.rounds {
            add(&round.answers);
            add(round.fold.as_flattened());
        }
        let mut codes = later.rounds.iter().map(|round| &round.leaves);
        let first = codes.next().unwrap_or(&later.leaves);
        for (tree, shape) in first.iter().zip(&self.shape.vectors) {
            let rows = tree.rows.iter();
            view.extend(rows.flat_map(|row| &row[..shape.coded()]));
        }
        if !later.rounds.is_empty() {
            let rest = codes.chain([&later.leaves]).flatten();
            view.extend(rest.flat_map(|tree| tree.rows.iter().flatten()));
        }
        view
    }

    /// The views of cells, of at most so many of each kind. Fewer masks can hide less, and not more.
    fn views_of(&self, most: usize) -> Views {
        let cells = self.cells();
        let taken = |&(index, cell): &(usize, &Cell)| {
            let same = |other: &&Cell| other.kind == cell.kind;
            let (all, before) = (
                cells.iter().filter(same).count(),
                cells[..index].iter().filter(same).count(),
            );
            // As many as there may be, at equal distances.
            all <= most || before * most / all != (before + 1) * most / all
        };
        let some = cells.iter().enumerate().filter(taken);
        Views(
            some.map(|(_, &cell)| (cell.kind, self.view(&[(cell, Base::ONE)])))
                .collect(),
        )
    }
}

impl Stack {
    fn views(&self) -> Views {
        self.views_of(usize::MAX)
    }
}

/// What each cell does to the view: the columns of A and B.
struct Views(Vec<(Kind, Vec<Base>)>);

impl Views {
    /// Functionals of the witness that the view shows beyond those of the claim, where only the
    /// masks that `kept` names are there.
    fn leak(&self, kept: impl Fn(Kind) -> bool) -> usize {
        let mut space = Space::default();
        let masks = |kind: Kind| kind != Kind::Witness && kept(kind);
        for (_, view) in self.0.iter().filter(|(kind, _)| masks(*kind)) {
            space.add(view.clone());
        }
        let of_masks = space.rank();
        for (_, view) in self.0.iter().filter(|(kind, _)| *kind == Kind::Witness) {
            space.add(view.clone());
        }
        let more = space.rank() - of_masks;
        assert!(more >= DEGREE, "the claim itself is in the view");
        more - DEGREE
    }

    fn without(&self, kind: Kind) -> usize {
        self.leak(|other| other != kind)
    }
}

/// Vectors in echelon form.
#[derive(Default)]
struct Space {
    /// Each with the place of its first element, which is 1.
    rows: Vec<(usize, Vec<Base>)>,
}

impl Space {
    fn add(&mut self, mut vector: Vec<Base>) {
        for (first, row) in &self.rows {
            let factor = vector[*first];
            if factor != Base::ZERO {
                for (value, &known) in vector.iter_mut().zip(row) {
                    *value -= factor * known;
                }
            }
        }
        if let Some(first) = vector.iter().position(|&value| value != Base::ZERO) {
            let inverse = vector[first].inverse();
            for value in &mut vector {
                *value *= inverse;
            }
            self.rows.push((first, vector));
        }
    }

    fn rank(&self) -> usize {
        self.rows.len()
    }
}

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

/// The views of so many openings of one vector, each with a fresh vector of its own. Of these, masks only
/// are looked at.
fn opened_often(stack: &Stack, openings: usize) -> Views {
    let numbers: Vec<u8> = (0..openings as u8).map(|opening| 30 + opening).collect();
    let nothing = stack.view(&[]);
    let mut views = Vec::new();
    for cell in stack.cells() {
        let view = |&number: &u8| stack.view_by(number, &[(cell, Base::ONE)]);
        if cell.vector == 1 {
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
fn control_a_half_that_is_opened_more_often_than_it_lasts_shows() {
    let mut schedule = schedule(6, true, 0);
    schedule.rounds[0].queries.count = 8;
    let stack = Stack::new(&[7, 5], &[other(&[9], 0)], schedule);
    let lasts = stack.shape.half_lasts(1).unwrap();
    assert_eq!(stack.shape.half_lasts(0), None);
    assert_eq!(lasts, 1);
    // 32 rows of eight cells; each opening shows eight rows and three values, and the last one is beyond.
    let leaks =
        [lasts, lasts + 1, 3, 4].map(|openings| opened_often(&stack, openings).leak(|_| true));
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

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
use crate::shape::{Shape, Vector};
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
    Block,
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
            if shape.fresh {
                for row in 0..(1 << self.shape.rows) + self.shape.tails {
                    (0..DEGREE).for_each(|limb| add(Kind::R, At::R(row, limb)));
                }
            }
        }
        cells
    }

    /// The view of an opening in which one cell is 1, or in which these have these values.
    fn view(&self, cells: &[(Cell, Base)]) -> Vec<Base> {
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
                let rows = if shape.fresh {
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
        let mut channel = Frozen::new(11);
        let opening = self.shape.prove(&vectors, &self.claim, &mut channel);
        self.flat(&opening.unwrap())
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

    /// Functionals of the witness that the view shows beyond those of the claim, where only the
    /// masks that `kept` names are there.
    fn leak(&self, kept: impl Fn(Kind) -> bool) -> usize {
        let cells = self.cells();
        let mut space = Space::default();
        let mut add = |cells: &mut dyn Iterator<Item = &Cell>| {
            for &cell in cells {
                space.add(self.view(&[(cell, Base::ONE)]));
            }
            space.rank()
        };
        let masks = |cell: &&Cell| cell.kind != Kind::Witness && kept(cell.kind);
        let of_masks = add(&mut cells.iter().filter(masks));
        let of_all = add(&mut cells.iter().filter(|cell| cell.kind == Kind::Witness));
        let more = of_all - of_masks;
        assert!(more >= DEGREE, "the claim itself is in the view");
        more - DEGREE
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

#[test]
fn an_opening_shows_the_claim_and_nothing_else() {
    for later in [false, true] {
        assert_eq!(Stack::one(later).leak(|_| true), 0, "{later}");
    }
}

#[test]
fn control_variants() {
    for (name, stack) in [
        ("one, ood", (|samples| Stack::new(&[8, 6], &[], schedule(6, true, samples))) as fn(usize) -> Stack),
        ("two", |samples| Stack::new(&[7, 4], &[Vector { columns: vec![7], openings: 1, sampled: true }], schedule(6, true, samples))),
        ("larger half", |samples| Stack::new(&[7, 4], &[Vector { columns: vec![10], openings: 0, sampled: false }], schedule(6, true, samples))),
        ("three", |samples| Stack::new(&[6, 4], &[Vector { columns: vec![7], openings: 0, sampled: false }, Vector { columns: vec![6], openings: 1, sampled: true }], schedule(6, true, samples))),
    ] { for samples in [0, 1] {
        let stack = stack(samples);
        eprintln!("{name} {samples} K={} k={:?} n={:?} view={} cells {}", stack.shape.fold, stack.shape.vectors.iter().map(|v| v.fold).collect::<Vec<_>>(), stack.shape.vectors.iter().map(|v| v.variables).collect::<Vec<_>>(), stack.view(&[]).len(), stack.cells().len());
        eprintln!("all {}", stack.leak(|_| true));
        eprintln!("no R {}", stack.leak(|kind| kind != Kind::R));
        eprintln!("no tails {}", stack.leak(|kind| !matches!(kind, Kind::Tail(_))));
        eprintln!("2 tails {}", stack.leak(|kind| !matches!(kind, Kind::Tail(2..))));
        eprintln!("3 tails {}", stack.leak(|kind| !matches!(kind, Kind::Tail(3..))));
        eprintln!("no half {}", stack.leak(|kind| kind != Kind::Half));
        eprintln!("no block {}", stack.leak(|kind| kind != Kind::Block));
        eprintln!("no pad {}", stack.leak(|kind| kind != Kind::Pad));
        eprintln!("no block no pad {}", stack.leak(|kind| kind != Kind::Pad && kind != Kind::Block));
        for claims in 0..3 {
            let mut stack = Stack { shape: stack.shape.clone(), columns: stack.columns.clone(), claim: stack.claim.clone(), half: stack.half };
            stack.shape.mask_claims = claims;
            eprintln!("{claims} claims {}, without pad {}", stack.leak(|_| true), stack.leak(|kind| kind != Kind::Pad));
        }
    } }
}

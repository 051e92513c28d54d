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
use crate::space::Space;
use crate::statement::Claim;
use commitment::Profile;
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, DEGREE, Extension, HashFunction};

/// Leaves that are opened of the first codes.
pub(super) const QUERIES: usize = 3;

/// What one cell is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) struct Cell {
    pub(super) kind: Kind,
    pub(super) vector: usize,
    pub(super) at: At,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Column(usize, usize),
    Tail(usize),
    R(usize, usize),
}

/// A small stack, its shape and a claim about it.
pub(super) struct Stack {
    pub(super) shape: Shape,
    /// Of each vector, the columns that are the caller's.
    pub(super) columns: Vec<usize>,
    pub(super) claim: Claim,
    /// The vector whose first column has a random second half, by rows.
    pub(super) half: Option<usize>,
    /// Leaves that are looked at beside those that the opening shows.
    pub(super) more: Vec<usize>,
}

pub(super) fn schedule(rows: usize, later: bool, samples: usize) -> Schedule {
    let queries = |count| Queries { count, work: 0 };
    let round = Round {
        queries: queries(QUERIES),
        samples,
        fold: 2,
        rate: 3,
    };
    Schedule {
        hash: HashFunction::Blake3,
        rows,
        rate: 2,
        samples,
        rounds: if later { vec![round] } else { Vec::new() },
        end: queries(if later { 2 } else { QUERIES }),
    }
}

impl Stack {
    pub(super) fn new(fresh: &[usize], others: &[Vector], schedule: Schedule) -> Self {
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
    pub(super) fn one(later: bool) -> Self {
        Self::new(&[6, 4], &[], schedule(5, later, 1))
    }

    /// All cells.
    pub(super) fn cells(&self) -> Vec<Cell> {
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
    pub(super) fn view(&self, cells: &[(Cell, Base)]) -> Vec<Base> {
        self.view_by(11, cells)
    }

    /// That with the challenges of this number.
    pub(super) fn view_by(&self, challenges: u8, cells: &[(Cell, Base)]) -> Vec<Base> {
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
    pub(super) fn views_of(&self, most: usize) -> Views {
        let some = self.cells_of(most).into_iter();
        Views(
            some.map(|cell| (cell.kind, self.view(&[(cell, Base::ONE)])))
                .collect(),
        )
    }

    /// At most so many cells of each kind.
    pub(super) fn cells_of(&self, most: usize) -> Vec<Cell> {
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
        some.map(|(_, &cell)| cell).collect()
    }
}

impl Stack {
    pub(super) fn views(&self) -> Views {
        self.views_of(usize::MAX)
    }
}

/// What each cell does to the view: the columns of A and B.
pub(super) struct Views(pub(super) Vec<(Kind, Vec<Base>)>);

impl Views {
    /// Functionals of the witness that the view shows beyond those of the claim, where only the
    /// masks that `kept` names are there.
    pub(super) fn leak(&self, kept: impl Fn(Kind) -> bool) -> usize {
        let more = self.shown(kept);
        assert!(more >= DEGREE, "the claim itself is in the view");
        more - DEGREE
    }

    /// The same with those of the claim.
    pub(super) fn shown(&self, kept: impl Fn(Kind) -> bool) -> usize {
        let mut space = Space::default();
        let masks = |kind: Kind| kind != Kind::Witness && kept(kind);
        for (_, view) in self.0.iter().filter(|(kind, _)| masks(*kind)) {
            space.add(view.clone());
        }
        let of_masks = space.rank();
        for (_, view) in self.0.iter().filter(|(kind, _)| *kind == Kind::Witness) {
            space.add(view.clone());
        }
        space.rank() - of_masks
    }

    pub(super) fn without(&self, kind: Kind) -> usize {
        self.leak(|other| other != kind)
    }
}

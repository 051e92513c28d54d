//! Commitments to vectors, and the masks that are committed with them.

use crate::code::{Code, Message, Salts};
use crate::randomness::Randomness;
#[cfg(any(test, feature = "audit"))]
use crate::shape::Mask;
use crate::shape::{PLANES, Shape, VectorShape};
use commitment::Place;
use commitment::merkle::Digest;
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, Extension};

/// Columns that are not those of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// There is no such vector.
    #[error("there is no vector {0}")]
    Vector(usize),
    /// A column of another length, or another number of columns.
    #[error("column {0} is missing or has not its length")]
    Column(usize),
}

/// Rows of a tile that is transposed at once, so that both sides stay near the processor.
const TILE: usize = 16;

/// All that is uniform in one commitment.
pub(crate) struct Masks {
    /// The columns that are added to the caller's.
    pub(crate) columns: Vec<Vec<Base>>,
    /// Tail rows.
    pub(crate) tail: Vec<Base>,
    /// R, tail included.
    pub(crate) pad: Vec<Extension>,
    /// Salts leaf by leaf.
    pub(crate) salt: Vec<Base>,
}

impl Masks {
    pub(crate) fn draw(shape: &Shape, vector: &VectorShape, randomness: &mut Randomness) -> Self {
        let pad = if vector.fresh() {
            (1 << shape.rows) + shape.tails
        } else {
            0
        };
        let columns = vector.columns.iter().skip(vector.own());
        Self {
            columns: columns
                .map(|place| randomness.bases(1 << place.variables))
                .collect(),
            tail: randomness.bases(vector.tails * vector.width()),
            pad: randomness.extensions(pad),
            salt: randomness.bases(vector.salts << shape.leaves()),
        }
    }
}

/// A column at a point, or the whole vector where there is none: for each column of the matrix the sum over its
/// rows with the weights of the point's last coordinates.
#[derive(Clone)]
pub(crate) struct Partial {
    pub(crate) column: Option<usize>,
    pub(crate) point: Vec<Extension>,
    pub(crate) sums: Vec<Extension>,
}

/// A vector that is committed to, as the prover keeps it.
pub struct Committed {
    /// Where it lies.
    pub(crate) shape: VectorShape,
    /// What it is at points that openings will ask for.
    pub(crate) known: Vec<Partial>,
    /// All columns, those that are added included.
    pub(crate) columns: Vec<Vec<Base>>,
    pub(crate) tail: Vec<Base>,
    pub(crate) pad: Vec<Extension>,
    pub(crate) code: Code,
}

impl Committed {
    /// The root. The caller absorbs it before anything is drawn that a claim depends on.
    pub fn root(&self) -> Digest {
        self.code.root()
    }
}

/// What a commitment draws: names of masks, in order, each with its number of elements of the base field.
#[cfg(any(test, feature = "audit"))]
pub type Drawing = Vec<(&'static str, usize)>;

impl Shape {
    /// What [`Self::commit`] draws for a vector; nothing where there is no such vector. It is what
    /// `Masks::draw` does, and a test holds both to each other.
    #[cfg(any(test, feature = "audit"))]
    pub fn drawn(&self, vector: usize) -> Drawing {
        let Some(shape) = self.vectors.get(vector) else {
            return Vec::new();
        };
        let mut columns = shape.columns[shape.own()..].iter();
        let mut cells = |count: usize| {
            let own = columns.by_ref().take(count);
            own.map(|place| 1_usize << place.variables).sum()
        };
        let mut drawing = match shape.mask {
            Mask::Block(_) => vec![("block", cells(PLANES)), ("pad of the answer", cells(1))],
            Mask::Column => vec![("column of masks", cells(1))],
            Mask::Half => Vec::new(),
        };
        drawing.push(("tails", shape.tails * shape.width()));
        let pad = PLANES * ((1 << self.rows) + self.tails);
        drawing.push(("R", if shape.fresh() { pad } else { 0 }));
        drawing.push(("salts", shape.salts << self.leaves()));
        drawing
    }

    /// Commits to a vector: the fresh one is number 0. What hides it is drawn from `randomness`, which no
    /// other commitment may use again.
    pub fn commit(
        &self,
        vector: usize,
        columns: &[&[Base]],
        randomness: &mut Randomness,
    ) -> Result<Committed, CommitError> {
        let shape = self.vectors.get(vector);
        let shape = shape.ok_or(CommitError::Vector(vector))?;
        let masks = Masks::draw(self, shape, randomness);
        self.commit_with(shape, columns, masks)
    }

    pub(crate) fn commit_with(
        &self,
        vector: &VectorShape,
        columns: &[&[Base]],
        masks: Masks,
    ) -> Result<Committed, CommitError> {
        let own = masks.columns.iter().map(Vec::as_slice);
        let columns: Vec<&[Base]> = columns.iter().copied().chain(own).collect();
        let width = vector.coded();
        let mut values = vec![Base::ZERO; width << self.rows];
        for index in 0..columns.len().max(vector.columns.len()) {
            match (columns.get(index), vector.columns.get(index)) {
                (Some(column), Some(&place)) if column.len() == 1 << place.variables => {
                    write(vector, place, column, &mut values);
                }
                _ => return Err(CommitError::Column(index)),
            }
        }
        let mut tail = masks.tail.clone();
        if vector.fresh() {
            let (pad, tail_pad) = masks.pad.split_at(masks.pad.len().min(1 << self.rows));
            for (row, element) in values.chunks_exact_mut(width).zip(pad) {
                row[vector.width()..].copy_from_slice(element.as_basis_coefficients_slice());
            }
            tail = beside(&masks.tail, vector.width(), tail_pad);
        }
        let message = Message {
            rows: self.rows,
            width,
            values: &values,
            tail: &tail,
        };
        let salts = Salts {
            each: vector.salts,
            cells: masks.salt,
        };
        let code = Code::new(self.profile.hash(), &message, salts, self.schedule.rate);
        Ok(Committed {
            shape: vector.clone(),
            known: Vec::new(),
            code,
            columns: columns.iter().map(|column| column.to_vec()).collect(),
            tail: masks.tail,
            pad: masks.pad,
        })
    }
}

/// Writes a column of a vector where it lies among the rows of its message.
fn write(vector: &VectorShape, place: Place, column: &[Base], values: &mut [Base]) {
    let width = vector.coded();
    let stride = 1 << (vector.variables - place.variables);
    let height = column.len() >> vector.fold;
    for first in (0..height).step_by(TILE) {
        let last = height.min(first + TILE);
        for (index, source) in column.chunks_exact(height).enumerate() {
            for (row, &value) in (first..last).zip(&source[first..last]) {
                values[(row * stride + place.slot) * width + index] = value;
            }
        }
    }
}

/// Rows of so many elements, each followed by the coefficients of its element of R.
fn beside(rows: &[Base], width: usize, pad: &[Extension]) -> Vec<Base> {
    let mut out = Vec::with_capacity(rows.len() + PLANES * pad.len());
    for (row, element) in rows.chunks_exact(width).zip(pad) {
        out.extend_from_slice(row);
        out.extend_from_slice(element.as_basis_coefficients_slice());
    }
    out
}

//! Commitments to vectors, and the masks that are committed with them.

use crate::code::{Code, Message};
use crate::randomness::Randomness;
use crate::shape::{PLANES, Shape, VectorShape};
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

/// A vector that is committed to, as the prover keeps it.
pub struct Committed {
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

impl Shape {
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
        let mut cells = vec![Base::ZERO; 1 << vector.variables];
        for index in 0..columns.len().max(vector.columns.len()) {
            match (columns.get(index), vector.columns.get(index)) {
                (Some(column), Some(&place)) if column.len() == 1 << place.variables => {
                    for (element, &value) in column.iter().enumerate() {
                        cells[vector.cell(place, element)] = value;
                    }
                }
                _ => return Err(CommitError::Column(index)),
            }
        }
        let mut values = rows(&cells, self.rows);
        let mut tail = masks.tail.clone();
        if vector.fresh() {
            let (pad, tail_pad) = masks.pad.split_at(masks.pad.len().min(1 << self.rows));
            values = beside(&values, &coefficients(pad), pad.len());
            tail = beside(&tail, &coefficients(tail_pad), tail_pad.len());
        }
        let message = Message {
            rows: self.rows,
            width: vector.coded(),
            values: &values,
            tail: &tail,
            salts: vector.salts,
            salt: &masks.salt,
        };
        let code = Code::new(&message, self.schedule.rate);
        Ok(Committed {
            code,
            columns: columns.iter().map(|column| column.to_vec()).collect(),
            tail: masks.tail,
            pad: masks.pad,
        })
    }
}

/// The rows of a matrix of 2^`rows` rows that is given column by column.
fn rows(cells: &[Base], rows: usize) -> Vec<Base> {
    let (height, width) = (1 << rows, cells.len() >> rows);
    let mut out = vec![Base::ZERO; cells.len()];
    for first in (0..height).step_by(TILE) {
        let last = height.min(first + TILE);
        for (column, source) in cells.chunks_exact(height).enumerate() {
            for row in first..last {
                out[row * width + column] = source[row];
            }
        }
    }
    out
}

/// The rows of two matrices of so many rows, side by side.
fn beside(left: &[Base], right: &[Base], rows: usize) -> Vec<Base> {
    let [of_left, of_right] = [left, right].map(|matrix| matrix.len() / rows.max(1));
    let mut out = Vec::with_capacity(left.len() + right.len());
    for row in 0..rows {
        out.extend_from_slice(&left[row * of_left..][..of_left]);
        out.extend_from_slice(&right[row * of_right..][..of_right]);
    }
    out
}

/// The coefficients of elements, one element after another.
fn coefficients(elements: &[Extension]) -> Vec<Base> {
    let of = |element: &Extension| -> [Base; PLANES] {
        let coefficients: &[Base] = element.as_basis_coefficients_slice();
        std::array::from_fn(|limb| coefficients[limb])
    };
    elements.iter().flat_map(of).collect()
}

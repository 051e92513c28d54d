//! What is committed to and how it is opened: everything follows from sizes and profile.
//!
//! Vectors with different numbers of elements are opened together. Vector i is a matrix of N rows and
//! 2^kᵢ columns; the columns of all vectors are those of one joint matrix, of N rows and 2^K columns,
//! which happen to lie in several trees. So there is one fold and one later opening for all of them.
//! A vector of fewer columns lies among the joint ones as a column of fewer elements does in a stack:
//! its own bits first, then its slot, so that all vectors take part in the fold from its first round on.
//! (A sum of the folds with powers of a challenge would not do in place of slots: each vector has weights of
//! its own, and what is opened later has one.)
//!
//! The fresh vector is the first one. It is committed to anew for each opening, and holds what hides all of
//! them: the block of masks, the pad of the out-of-domain answer, tails, and the vector R that pads the
//! fold. Every other vector has uniform cells of its own, which are claimed at random points as the block
//! is: half of its rows, or a column that is added to it. Without them the last rounds of the fold, in
//! which vectors meet each other, would show what the claim is on each: the block's share of what is
//! left is fixed by its shares of the rounds before.

use crate::schedule::Schedule;
use commitment::{MAX_VARIABLES, Place, Profile};
use p3_field::TwoAdicField;
use sumcheck::equality;
use transcript::{Base, DEGREE, Extension};

/// Uniform elements of a leaf at least, so that its digest tells nothing: 9 elements have 278 bits.
pub(crate) const LEAF: usize = 9;
/// Claims about the block of masks. Two are needed: with one, each round of the fold shows one
/// element more than the block hides, as a test finds.
pub const MASK_CLAIMS: usize = 3;
/// Columns of the block of masks, and of R: one for each coefficient of an element.
pub(crate) const PLANES: usize = DEGREE;
/// Vectors that are opened together.
pub const MAX_VECTORS: usize = 8;
/// Columns of one vector.
pub const MAX_COLUMNS: usize = 1 << 17;
/// Bits of the number of columns of a vector at least: its mask masks two elements for each round in
/// which its columns are folded, and those in which vectors meet need some.
pub(crate) const LEAST_FOLD: usize = 2;
/// log2 of the rows of an opening that is made seldom at most: with more, one of them has less than 104 bits.
pub const MAX_SELDOM_ROWS: usize = 23;
/// Openings that the tails of one vector are for.
pub const MAX_OPENINGS: usize = 1 << 16;

/// Sizes that cannot be committed to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// No vector, or too many.
    #[error("{0} vectors; 1 to {MAX_VECTORS} can be opened together")]
    Vectors(usize),
    /// No column, or too many.
    #[error("vector {vector} has {columns} columns; it can have 1 to {MAX_COLUMNS}")]
    Columns {
        /// Index of the vector.
        vector: usize,
        /// Its columns.
        columns: usize,
    },
    /// A column that the first fold does not leave anything of.
    #[error("column {column} of vector {vector} has fewer than {least} variables")]
    Column {
        /// Index of the vector.
        vector: usize,
        /// Index of the column.
        column: usize,
        /// Variables that it has to have.
        least: usize,
    },
    /// Too many elements in all.
    #[error("vector {0} is too large; at most 2^{MAX_VARIABLES} elements can be committed to")]
    TooLarge(usize),
    /// Tails for too many openings.
    #[error("vector {0} is to be opened more often than {MAX_OPENINGS} times with one commitment")]
    Openings(usize),
    /// No code is long enough for the tails.
    #[error("the tails are as long as the code")]
    Tails,
}

/// A vector beside the fresh one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// Variables of each column.
    pub columns: Vec<usize>,
    /// Openings that one commitment to it serves, for each of which it gets tails; 0 for a vector whose
    /// second half of rows is uniform, and whose openings its owner counts.
    pub openings: usize,
    /// Whether the out-of-domain answer is about it too. It must be, unless the claims themselves
    /// tell any two candidates apart.
    pub sampled: bool,
}

/// Where a vector lies, and what is committed with it.
#[derive(Clone, Debug)]
pub(crate) struct VectorShape {
    /// The caller's columns, and in the fresh vector five of the block of masks and the one of the pad.
    pub(crate) columns: Vec<Place>,
    /// Variables of the whole.
    pub(crate) variables: usize,
    /// Of these, the ones that are folded first.
    pub(crate) fold: usize,
    /// Its place among the joint columns.
    pub(crate) slot: usize,
    /// Tail rows.
    pub(crate) tails: usize,
    /// Salts of a leaf.
    pub(crate) salts: usize,
    /// Which of its cells mask the rounds of the fold.
    pub(crate) mask: Mask,
    /// Whether the out-of-domain answer is about it.
    pub(crate) sampled: bool,
}

/// Uniform cells, of which an opening sends values at random points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mask {
    /// An element of the extension field for each of so many variables: five columns, with the pad after
    /// them. R lies beside the vector.
    Block(usize),
    /// One column.
    Column,
    /// The second half of all rows, which is the owner's.
    Half,
}

impl Mask {
    /// Columns that are added to the owner's.
    pub(crate) const fn columns(self) -> usize {
        match self {
            Self::Block(_) => PLANES + 1,
            Self::Column => 1,
            Self::Half => 0,
        }
    }
}

impl VectorShape {
    /// Whether it is the fresh one.
    pub(crate) const fn fresh(&self) -> bool {
        matches!(self.mask, Mask::Block(_))
    }

    /// The caller's columns.
    pub(crate) const fn own(&self) -> usize {
        self.columns.len() - self.mask.columns()
    }

    /// Coordinates that are drawn for a point of its mask.
    pub(crate) fn mask_variables(&self) -> usize {
        match self.mask {
            Mask::Block(variables) => variables,
            Mask::Column => self.columns.last().map_or(0, |place| place.variables),
            // That of the half is 1.
            Mask::Half => self.variables - 1,
        }
    }

    /// Elements of a row of its message.
    pub(crate) const fn width(&self) -> usize {
        1 << self.fold
    }

    /// Elements of a row of its code: the message's, and R's.
    pub(crate) const fn coded(&self) -> usize {
        self.width() + if self.fresh() { PLANES } else { 0 }
    }

    /// Elements of a leaf.
    pub(crate) const fn leaf(&self) -> usize {
        self.coded() + self.salts
    }

    /// The place of the vector as one column of its own.
    pub(crate) const fn whole(&self) -> Place {
        Place {
            variables: self.variables,
            slot: 0,
        }
    }

    /// The index in this vector of an element of one of its columns.
    pub(crate) const fn cell(&self, place: Place, element: usize) -> usize {
        (element << (self.variables - place.variables)) | place.slot
    }
}

/// The shape of an opening.
#[derive(Clone, Debug)]
pub struct Shape {
    pub(crate) profile: Profile,
    pub(crate) vectors: Vec<VectorShape>,
    /// log N: variables of a row's number.
    pub(crate) rows: usize,
    /// K: variables of a joint column's number.
    pub(crate) fold: usize,
    /// Tail rows of the longest.
    pub(crate) tails: usize,
    pub(crate) schedule: Schedule,
    /// Claims about the block of masks.
    pub(crate) mask_claims: usize,
}

impl Shape {
    /// Vectors, the fresh one included.
    pub const fn vectors(&self) -> usize {
        self.vectors.len()
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Variables of a vector, with what is added to it.
    pub fn variables(&self, vector: usize) -> Option<usize> {
        self.vectors.get(vector).map(|vector| vector.variables)
    }

    /// The coordinates of a vector's index that name a column of its matrix: its first ones. The next one tells
    /// the halves of its rows apart.
    pub fn column_variables(&self, vector: usize) -> Option<usize> {
        self.vectors.get(vector).map(|vector| vector.fold)
    }

    /// Openings that the uniform half of a vector serves, one value of it that is known beside them; nothing for a vector without such a half. Each opening shows its rows in all columns, and
    /// 5·(2·K + 3) equations more; one row is left.
    pub fn served(&self, vector: usize) -> Option<usize> {
        let vector = self.vectors.get(vector)?;
        if vector.mask != Mask::Half {
            return None;
        }
        let rows = |equations: usize| equations.div_ceil(vector.width());
        let opening = self.queries() + rows(PLANES * (2 * self.fold + self.mask_claims));
        let left = (1_usize << (self.rows - 1)).saturating_sub(1 + rows(PLANES));
        Some(left / opening)
    }

    /// Rows of the first codes that one opening shows at most.
    pub fn queries(&self) -> usize {
        self.schedule.first_queries()
    }

    /// log2 of the leaves of the first codes.
    pub(crate) const fn leaves(&self) -> usize {
        self.rows + self.schedule.rate
    }

    /// Variables of the joint vector.
    pub(crate) const fn joint(&self) -> usize {
        self.fold + self.rows
    }

    /// Values of masks that are sent.
    pub(crate) const fn mask_values(&self) -> usize {
        self.mask_claims * self.vectors.len()
    }

    /// The column of the pad, in the fresh vector.
    pub(crate) fn pad_column(&self) -> usize {
        self.vectors.first().map_or(0, VectorShape::own) + PLANES
    }

    /// Out-of-domain answers about the vectors.
    pub(crate) const fn samples(&self) -> usize {
        self.schedule.samples
    }

    /// The index in the joint vector of a cell of a vector.
    #[cfg(any(test, feature = "audit"))]
    pub(crate) const fn joint_cell(&self, vector: &VectorShape, cell: usize) -> usize {
        let column = cell >> self.rows << (self.fold - vector.fold) | vector.slot;
        column << self.rows | cell & ((1 << self.rows) - 1)
    }

    /// What each column of each vector weighs in the fold.
    pub(crate) fn column_weights(&self, coordinates: &[Extension]) -> Vec<Vec<Extension>> {
        let vectors = self.vectors.iter();
        vectors
            .map(|vector| {
                let (own, slot) = self.part(vector, coordinates);
                let weights = equality(&own, vector.width());
                weights.into_iter().map(|weight| weight * slot).collect()
            })
            .collect()
    }

    /// The part of a joint point that belongs to a vector, and the weight of its slot there.
    pub(crate) fn part(
        &self,
        vector: &VectorShape,
        point: &[Extension],
    ) -> (Vec<Extension>, Extension) {
        let (columns, rows) = point.split_at(self.fold);
        let (own, slot) = columns.split_at(vector.fold);
        let weight = sumcheck::equality_at(slot, vector.slot);
        ([own, rows].concat(), weight)
    }
}

const _: () = assert!(
    MAX_VARIABLES < Base::TWO_ADICITY + 8,
    "the domain of the largest vector is in the field"
);

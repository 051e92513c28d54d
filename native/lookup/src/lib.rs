//! One lookup argument for all columns of a proof.
//!
//! Every row of every looked-up column occurs in its table if and only if the sum of the fractions
//! 1 / d over all rows equals the sum of m / d over all rows of the tables, where d is a random
//! combination of table, key and value and m says how often a row of a table is looked up. Both sums
//! are those of binary trees, whose layers are reduced from the roots to the leaves, two layers of
//! one depth in one sumcheck. What is left are evaluations of the columns and of the multiplicities,
//! which the caller opens; those of the tables the verifier computes itself.
//!
//! `specs/committed-mode.md` is the normative text. Nothing here absorbs columns or multiplicities:
//! the caller MUST have absorbed a commitment to both.
#![forbid(unsafe_code)]
// Formulas in the documentation are not code.
#![allow(clippy::doc_markdown)]

mod proof;
mod prover;
mod reference;
mod shape;
mod simd;
mod table;
mod verify;

pub use proof::{Layer, Proof, Round};
pub use prover::{Column, Engine, ProveError};
pub use reference::Reference;
pub use shape::{Argument, Error, Lookup, MAX_HEIGHT, MAX_LOOKUPS, MAX_TABLES, MIN_VARIABLES};
pub use simd::Simd;
pub use table::{MAX_ENTRIES, Table};
pub use verify::{Claims, ColumnClaim, MultiplicityClaim, Rejection};

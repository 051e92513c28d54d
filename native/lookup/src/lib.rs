//! One lookup argument for all columns of a proof.
//!
//! ```text
//! Σ_rows 1 / d(row)  =  Σ_entries m(entry) / d(entry),     d = α + γ · table + key + β · value
//! each sum is the root of a tree:   p / q  =  p_0 / q_0 + p_1 / q_1
//! ```
//!
//! Every row of every looked-up column occurs in its table if and only if the two sums are equal, where
//! d is a random combination of table, key and value and m says how often an entry is looked up. The layers
//! of both trees are reduced from the roots to the leaves, two layers of one depth in one sumcheck.
//! `specs/relations.md` is the normative text.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `fractions` | fractions of claimed values, and their sums |
//! | `proof` | what a proof carries, and its bytes |
//! | `prover` | what all provers have in common: multiplicities, order of messages, last claims |
//! | `reference` | the prover as the specification reads, one element at a time |
//! | `rejection` | why a proof is not accepted |
//! | `role` | whoever reads a proof: a verifier of elements, a recorder of equations |
//! | `shape` | what is looked up where, and at which leaves it lies |
//! | `simd` | the prover in the lanes of vectors, which sends the same bytes |
//! | `table` | what tables hold, and what they are at a point |
//! | `verify` | the verifier |
//!
//! # Soundness
//!
//! Nothing here absorbs columns or multiplicities: the caller MUST have absorbed a commitment to both
//! before it begins. What is left are claims about columns and multiplicities, which the caller MUST open
//! against these commitments; claims about tables are checked here. That a multiplicity is a field element
//! and no count is accounted for: the sums are equal only if every row occurs in its table, as long as there
//! are fewer rows than the field's characteristic ([`Argument`] bounds them).
#![forbid(unsafe_code)]
// Formulas in the documentation are not code.
#![allow(clippy::doc_markdown)]

mod fractions;
mod proof;
mod prover;
mod reference;
mod rejection;
mod role;
mod shape;
mod simd;
mod table;
mod verify;

pub use proof::{Layer, Proof, Round};
pub use prover::{Column, Engine, ProveError};
pub use reference::Reference;
pub use rejection::Rejection;
pub use role::Role;
pub use shape::{Argument, Error, Lookup, MAX_HEIGHT, MAX_LOOKUPS, MAX_TABLES};
pub use simd::Simd;
pub use table::{MAX_ENTRIES, MIN_VARIABLES, Table};
pub use verify::{Claims, ColumnClaim, MultiplicityClaim};

//! What commitments are made of: fields as bytes, columns and int8 matrices as multilinear polynomials, trees of
//! digests, and the report of provable bits.
//!
//! ```text
//! W(row, column) = Σ over blocks of weight · block(point),    root = the only node of the last layer of a tree
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `codec` | canonical bytes, read strictly |
//! | `columns` | columns of the base field at points and under weights |
//! | `linear` | multilinear algebra over int8 matrices |
//! | `merkle` | the hash tree, and the root that opened leaves lead to |
//! | `place` | where tables of different sizes lie in one stack |
//! | `plan` | how matrices are cut into blocks whose sides are powers of two |
//! | `profile` | the theorem and the kind of parameters that proofs of a key rest on |
//! | `security` | provable bits, term by term |
//!
//! # Soundness
//!
//! Nothing here decides whether a proof is accepted. Who reads with [`Reader`] MUST demand at the end that
//! nothing is left over, and the caller MUST compare the bits of [`Security`] with those that it asks for.
#![forbid(unsafe_code)]

mod codec;
pub mod columns;
mod linear;
pub mod merkle;
mod place;
mod plan;
mod profile;
mod security;

pub use codec::{Malformed, Reader, Writer};
pub use linear::combine_rows;
pub use place::Place;
pub use plan::{
    Block, MAX_BLOCKS, MAX_VARIABLES, MIN_VARIABLES, MatrixPoint, Part, Size, parts, variables,
};
pub use profile::Profile;
pub use security::{Security, Term, WORK_BITS, challenge_bits, compose};

/// The root of a commitment.
pub type Root = [u8; 32];

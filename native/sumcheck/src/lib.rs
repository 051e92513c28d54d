//! The sumcheck protocol, and the multilinear algebra that all of its users need.
//!
//! ```text
//! Σ_{x ∈ {0,1}^m} g(x) = c   ⟸   g(r) = c′   at a point r = (r₁, …, r_m) of challenges
//! ```
//!
//! In round i the prover sends h(X) = Σ g(r₁, …, r_{i−1}, X, x_{i+1}, …, x_m), the claim becomes h(r_i),
//! and both sides go on with one variable less. Every round polynomial of the proof system is made,
//! sent and checked here: contractions, the reduction of claims, the layers of the lookup trees and
//! the first folds of an opening differ only in what they sum, which is a [`Sum`].
//!
//! | module | what it holds |
//! | --- | --- |
//! | `combination` | sums of products with elements prepared once |
//! | `equality` | eq tables, powers, scalar products |
//! | `product` | [`Engine`]: products of tables; [`Reference`] one element at a time, [`Simd`] vectors; [`Batch`] |
//! | `statement` | [`Statement`]: what is claimed, and the rounds on both sides; [`Sum`]: what is summed |
//! | `value` | [`Value`]: how the values of a proof are held by whoever checks it |
//! | `wide` | elements of the extension field in the lanes of vectors |
//!
//! # Soundness
//!
//! [`Statement::verify`] shows nothing by itself: the caller MUST check that the sum, at the point of
//! [`Ended`], has the value that is left there. Claims and whatever the sum is made of must be fixed
//! before the first round is absorbed, and each message must be absorbed before its challenge is drawn;
//! [`pass`] does the latter. The error is at most (number of rounds) · (degree) / |challenges|; that
//! several claims are one sum is the caller's random combination, and its error the caller's.
#![forbid(unsafe_code)]
// Formulas in the documentation are not code.
#![allow(clippy::doc_markdown)]

mod combination;
mod equality;
mod product;
mod statement;
mod value;
mod wide;

pub use combination::{Combination, Factor, times};
pub use equality::{dot, equality, equality_at, powers, wide_equality};
pub use product::{Batch, Engine, Reference, Simd};
pub use statement::{Ended, Statement, Sum, pass};
pub use value::Value;
pub use wide::{Lanes, Wide, add_scaled, pack, scale, unpack};

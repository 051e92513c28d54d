//! Openings of committed vectors that show one linear claim and nothing else.
//!
//! ```text
//! verify(roots, forms, value, opening)  ⇒  Σ_i form_i(P_i) = value
//! ```
//!
//! Vectors of the base field are committed to as rows of Reed-Solomon codes under a hash tree, and one
//! opening folds all of them together as WHIR does. It hides them: the first code has as many random tail
//! rows as an opening shows of it; the messages of the first fold are masked by a random block among the
//! columns, whose values at random points are sent; the folded vector f₁ is padded once, R + γ·f₁, with
//! a vector R that is committed to in the same leaves. What comes after it is plain WHIR for a uniform
//! vector. The normative text is `specs/hiding-opening.md`.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `channel` | what prover and verifier take from a transcript |
//! | `code` | codes with tails, and the trees over their rows |
//! | `commit` | commitments, and the masks in them |
//! | `form` | linear forms on a committed vector |
//! | `head` | the prover's rounds of the first fold |
//! | `later` | plain WHIR after the first fold, both sides |
//! | `layout` | how a shape follows from sizes and profile |
//! | `leaves` | opened leaves, and what is computed from them |
//! | `opening` | what an opening consists of, and its bytes |
//! | `powers` | weights of opened leaves |
//! | `prove` | the prover |
//! | `randomness` | where masks come from |
//! | `regime` | the theorems, as bounds |
//! | `rejection` | why an opening is rejected |
//! | `schedule` | folds, rates, queries and work by size |
//! | `shape` | where vectors lie, and what is committed with them |
//! | `simulator` | openings made from their claim alone, for tests |
//! | `soundness` | error terms, each with its theorem |
//! | `space` | ranks over the base field, for tests |
//! | `statement` | the claim, and what an opening adds to it |
//! | `tests` | tests that look inside: ranks, a simulator, forgeries, the library |
//! | `verify` | the verifier |
//!
//! # Soundness
//!
//! The caller MUST absorb the roots before it draws anything that a form depends on, and MUST fix forms and
//! value before the opening. A vector that is not sampled MUST be told apart from others by the claim itself.
//! The errors of the caller's own argument count once for each candidate, [`Shape::candidate_bits`], since
//! roots alone name that many.
//!
//! # Zero knowledge
//!
//! The caller MUST open a fresh vector once only, any other one at most as often as its tails are for, and
//! one with a uniform half at most [`Shape::served`] times in all; no type keeps count of that. It MUST
//! draw the masks of each commitment from a [`Randomness`] of its own.
#![forbid(unsafe_code)]
// Formulas in the documentation are not code.
#![allow(clippy::doc_markdown)]

mod channel;
mod code;
mod commit;
mod form;
mod head;
mod later;
mod layout;
mod leaves;
mod opening;
mod powers;
mod prove;
mod randomness;
mod regime;
mod rejection;
mod schedule;
mod shape;
#[cfg(any(test, feature = "audit"))]
mod simulator;
mod soundness;
#[cfg(any(test, feature = "audit"))]
mod space;
mod statement;
#[cfg(test)]
mod tests;
mod verify;

pub use channel::Channel;
#[cfg(any(test, feature = "audit"))]
pub use commit::Drawing;
pub use commit::{CommitError, Committed};
pub use form::{LinearForm, Unfit};
pub use opening::Opening;
pub use prove::ProveError;
pub use randomness::{Context, NoEntropy, Randomness, Secret};
pub use rejection::Rejected;
pub use schedule::first_fold;
#[cfg(any(test, feature = "audit"))]
pub use schedule::with_queries;
pub use shape::{
    MASK_CLAIMS, MAX_COLUMNS, MAX_OPENINGS, MAX_SELDOM_ROWS, MAX_VECTORS, Shape, ShapeError, Vector,
};
#[cfg(any(test, feature = "audit"))]
pub use simulator::Simulated;
pub use soundness::Term;
#[cfg(any(test, feature = "audit"))]
pub use space::Space;
pub use statement::{Claim, ClaimError};

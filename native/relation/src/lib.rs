//! The checks of a verifier as equations in pads, and a proof that all of them hold.
//!
//! ```text
//! sent:      m′ = m + pad                        for every element m that a prover sends
//! recorded:  form = 0,   Σ_k form·form = form    where a verifier of plain elements checks
//! proven:    all of these, by one sumcheck        ⇒  Σ_i coefficient_i · pad_i = known
//! ```
//!
//! For proofs that show nothing. What a prover sends is under one-time pads, which are cells of the
//! committed witness, so that a verifier holds every value as an affine form in pads. Its checks become
//! equations; those with products of two forms are brought to equations without, by a sumcheck whose
//! rounds and ends are masked; and what is left is one linear functional of the pads, to be opened together
//! with all that is claimed of columns and weights. `specs/relation-proof.md` is the normative text.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `equations` | what has been recorded, and the functional that equations without products become |
//! | `form` | affine forms in pads |
//! | `masks` | the univariate masks of the sumcheck |
//! | `proof` | the relation proof, on both sides |
//! | `recorder` | whoever reads padded elements and records |
//! | `rows` | products and their weights as tables |
//!
//! # Soundness
//!
//! Nothing here binds the pads: the caller MUST have absorbed a commitment to all of them, spares included,
//! before the first challenge that anything recorded depends on, and MUST open the [`Functional`] of
//! [`Equations::linear`] and of what [`verify`] returns, combined by a challenge that is drawn after
//! the last of their messages. Terms are those of [`Shape::security`].
//!
//! # Zero knowledge
//!
//! Each pad is to be uniform, independent of all else and used once. Then what is sent under pads is
//! uniform; so are the messages of the relation proof, by its spares ([`Shape::spares`]), unless
//! one of the challenges hits a root: the coordinates of the sumcheck must leave the row of the dummy
//! its weight, which fails with at most [`Shape::variables`] / |E|.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]
// Formulas in the documentation are not code.
#![allow(clippy::doc_markdown)]

mod equations;
mod form;
mod masks;
mod proof;
mod recorder;
mod rows;

pub use equations::{About, Contradiction, Equations, Functional, Linear, NoPad, Quadratic};
pub use form::Form;
pub use proof::{Proof, Refused, Shape, prove, verify};
pub use recorder::{Recorder, Unreadable};

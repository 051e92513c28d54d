//! Claims about tensors, from the outputs of a graph to what is public or committed.
//!
//! For the committed mode of proof system `sumcheck`. A tensor is a
//! multilinear polynomial over its axes, each padded with zeros to a power of two. A claim is that
//! it has a value at a point. Every operation turns claims on its result into claims on its
//! operands; what is not linear commits to columns, which are looked up in tables, and is checked
//! where the lookup argument ends. `specs/committed-mode.md` is the normative text.
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

mod attained;
mod clamps;
mod contraction;
mod digits;
mod exact;
mod facts;
mod flow;
mod held;
mod integers;
mod linear;
mod maker;
mod maps;
mod origin;
mod plan;
mod products;
mod shape;
mod side;
mod tables;
mod units;
mod witness;

pub use contraction::MatrixClaim;
pub use facts::known;
pub use flow::{Opened, Problem, reduce};
pub use linear::Claim;
pub use origin::Origin;
pub use plan::{
    Column, Difference, Divisor, Exact, Form, Limb, Limit, Lookup, MAX_TABLE, MIN_VARIABLES,
    Number, Plan, Rescale, Role, Table, Unit, Unsupported,
};
#[cfg(feature = "audit")]
pub use side::Alter;
pub use side::{Counter, Place, Prover, Rejected, Side, Verifier, Witness};
pub use tables::MAX_TABLE_ENTRIES;
pub use units::{ColumnClaim, Found};
pub use witness::{Columns, Source, columns};

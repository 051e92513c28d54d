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

mod constraints;
mod contraction;
mod exact;
mod facts;
mod flow;
mod integers;
mod linear;
mod maps;
mod max_membership;
mod origin;
mod plan;
mod planner;
mod product;
mod products;
mod protocol_role;
mod range_analysis;
mod range_decomposition;
mod saturation_tables;
mod shape;
mod tables;
mod witness;

pub use constraints::{ColumnClaim, LookupClaim};
pub use contraction::MatrixClaim;
pub use facts::known;
pub use flow::{Opened, Problem, reduce};
pub use linear::Claim;
pub use origin::Origin;
pub use plan::{
    Column, Constraint, Difference, Divisor, Exact, Form, Limb, Limit, Lookup, MAX_TABLE,
    MIN_VARIABLES, Number, Plan, Rescale, Role, Table, Unsupported,
};
#[cfg(feature = "audit")]
pub use protocol_role::Alter;
pub use protocol_role::{Counter, Place, ProtocolRole, Prover, Rejected, Verifier, Witness};
pub use tables::MAX_TABLE_ENTRIES;
pub use witness::{Columns, Source, columns};

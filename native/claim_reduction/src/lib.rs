//! Claims about tensors, from the outputs of a graph to what is public or committed.
//!
//! ```text
//! y~(r) = v   and   y = op(x_1, …, x_k)    ⇒    x_i~(r_i) = v_i   for each operand,
//!                and c~(s) = u   for each column c that the plan commits to for what is not linear
//! ```
//!
//! For proofs of proof system `sumcheck`. A tensor is a
//! multilinear polynomial over its axes, each padded with zeros to a power of two. A claim is that
//! it has a value at a point. Every operation turns claims on its result into claims on its
//! operands; what is not linear commits to columns, which are looked up in tables, and is checked
//! where the lookup argument ends. `specs/relations.md` is the normative text.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `arg_max` | places of maxima: the plan, the columns and the relation |
//! | `claims` | claims of lookups and columns, those to be reduced, those to be opened |
//! | `constraints` | what non-linear nodes add to the claims |
//! | `contraction` | weighted contractions: Linear and Conv |
//! | `counter` | the role that counts what a proof will hold |
//! | `declared` | whether what a graph declares of a node can follow from its operands |
//! | `exact` | divisions and square roots, checked as polynomials at a random X |
//! | `facts` | what planning needs to know of a graph, found in one pass |
//! | `flow` | claims from outputs to inputs, constants, weights and columns |
//! | `integers` | what divisions and square roots take: identities of integers that exceed the field |
//! | `linear` | linear functionals of a tensor, and several claims about one |
//! | `lines` | sums over the lines of a committed column |
//! | `looked_up` | what lookups and maxima take: columns looked up by their operands |
//! | `maps` | operations that move elements: View, Pad, Concat, Take |
//! | `mask` | what keeps an inner sum from reading padding |
//! | `max_membership` | that a maximum is one of the elements that it is taken of |
//! | `origin` | tensors that views have repeated: what they are of, with fewer elements |
//! | `pick` | rows that an index names: the plan, the columns and the relation |
//! | `plan` | which columns are committed and looked up for each node |
//! | `planner` | makes the plan of a graph |
//! | `private_input` | inputs that the verifier does not have: the plan and the relation |
//! | `products` | products of two tensors, element by element and of matrices |
//! | `protocol_role` | prover and verifier of one reduction |
//! | `range_analysis` | the ranges that the relations hold tensors to |
//! | `range_decomposition` | integers too large for the field, as polynomials in a base |
//! | `ranges` | the graph that shows another one's matrices and parameters to be in their ranges |
//! | `recorder` | the role that turns what was sent under pads into equations |
//! | `rescaling` | the quotient of a rescaling from limbs: which ones, and that they make it |
//! | `saturation_tables` | which rescalings are clamped by one shared table |
//! | `shape` | tensors as multilinear polynomials |
//! | `tables` | function tables, counted before they are made |
//! | `witness` | the columns of an execution |
//!
//! # Soundness
//!
//! [`reduce`] for a [`Verifier`] shows that outputs follow from inputs *if* what it leaves is true. The
//! caller MUST have absorbed key, inputs, outputs and the commitment to the columns before; it MUST have
//! checked the lookup argument that the [`LookupClaim`]s come from, for the tables and lookups of the same
//! [`Plan`]; it MUST open every claim of [`Opened`], about columns, weights, parameters and inputs, against their
//! commitments; and
//! it MUST call [`Verifier::finish`], so that no value is left over. The plan is the verifier's own, computed
//! from the graph of the key, and what planning costs is to be bounded before ([`Limit`]).
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

mod arg_max;
mod claims;
mod constraints;
mod contraction;
mod counter;
mod declared;
mod exact;
mod facts;
mod flow;
mod integers;
mod linear;
mod lines;
mod looked_up;
mod maps;
mod mask;
mod max_membership;
mod origin;
mod pick;
mod plan;
mod planner;
mod private_input;
mod products;
mod protocol_role;
mod range_analysis;
mod range_decomposition;
mod ranges;
mod recorder;
mod rescaling;
mod saturation_tables;
mod shape;
mod tables;
mod witness;

pub use claims::{ColumnClaim, InputClaim, LookupClaim, Opened, ParameterClaim};
pub use contraction::MatrixClaim;
pub use counter::Counter;
pub use facts::known;
pub use flow::{Problem, reduce};
pub use linear::Claim;
pub use origin::Origin;
pub use plan::{
    ArgMax, Column, Constraint, Difference, Divisor, Exact, Form, Held, Limb, Limit, Lookup,
    MAX_TABLE, MIN_VARIABLES, Number, Pick, Plan, Rescale, Role, Table, Unsupported, Visibility,
};
#[cfg(feature = "audit")]
pub use protocol_role::Alter;
pub use protocol_role::{Ended, Place, ProtocolRole, Prover, Rejected, Verifier, Witness};
pub use ranges::{MAX_RANGE_ROWS, MAX_RANGE_TABLES, Ranged, range_graph, range_parts, ranged};
pub use tables::MAX_TABLE_ENTRIES;
pub use witness::{Columns, Source, columns, padded};

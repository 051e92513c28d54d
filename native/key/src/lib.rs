//! Verifying keys of proof system `sumcheck`: what is fixed before a proof is made.
//!
//! ```text
//! key = magic ‖ version ‖ 3 ‖ profile ‖ root ‖ openings of each kind ‖ pin ‖ graph,   root = commit(weights)
//! ```
//!
//! The normative texts are `specs/sumcheck-proof.md`, `specs/private-mode.md` and `specs/relations.md`.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `account` | the error terms of proofs, links included |
//! | `blocks` | how matrices are cut, so that the vector of weights is small |
//! | `effort` | what checking a proof asks of a verifier, told from the graph |
//! | `error` | why a key cannot be made or read |
//! | `inputs` | where private inputs lie |
//! | `kinds` | what commitments are for, and how often each is opened |
//! | `layout` | where weights and parameters lie among the columns |
//! | `pads` | where pads lie among the columns |
//! | `parts` | a key's bytes taken apart |
//! | `private` | keys |
//! | `proofs` | what proofs under a key are made of |
//! | `protocol` | name and version of the protocols, as their transcripts begin |
//! | `public` | what a proof is about, apart from the key |
//! | `ranges` | what the proof that weights and parameters are in their ranges is made of |
//! | `relations` | what is committed, looked up and reduced for a graph |
//! | `subject` | what lookups and reduction need of a key |
//!
//! # Soundness
//!
//! Whoever has a key knows nothing of its weights: the caller MUST check that the key is the one of the
//! model that it means (its digest enters the model commitment), and that
//! [`PrivateKey::security`] promises the bits that it asks for. A key that is read is bounded in what it
//! costs, as one that is made of a graph here is not.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::unreachable
    )
)]

mod account;
mod blocks;
mod effort;
mod error;
mod inputs;
mod kinds;
mod layout;
mod pads;
mod parts;
mod private;
mod proofs;
mod protocol;
mod public;
mod ranges;
mod relations;
mod subject;

pub use account::{LEAST_BITS, MAX_LINKS};
pub use effort::MAX_EFFORT;
pub use error::KeyError;
pub use inputs::{INPUT_OPENINGS, INPUTS, InputVector};
pub use kinds::{Kind, MAX_RANGE_PARTS, Openings, WeightVector};
pub use layers::{MAX_OPERAND_ELEMENTS, MAX_OPERAND_PRODUCTS};
pub use layout::{LINK_CELLS, Term, WEIGHTS, Weights};
pub use pads::Pads;
pub use parts::MODES_ENDED;
pub use private::{Opened, PrivateKey};
pub use proofs::Proofs;
pub use protocol::{LINK_PROTOCOL, PROTOCOL, RANGES_PROTOCOL};
pub use public::Public;
pub use ranges::RangePart;
pub use relations::Relations;
pub use subject::Subject;

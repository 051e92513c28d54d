//! Verifying keys of proof system `sumcheck`: what is fixed before a proof is made.
//!
//! ```text
//! key = magic ‖ version ‖ mode ‖ profile ‖ root ‖ binding evaluation ‖ graph,   root = commit(weights)
//! ```
//!
//! A key names its mode. In the clear one, the results of contractions travel in the clear. Keys of the private
//! mode, [`PrivateKey`], are apart. The normative texts are `specs/sumcheck-proof.md`, `specs/private-mode.md` and
//! `specs/relations.md`.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `account` | the error terms of the private mode, links included |
//! | `blocks` | how matrices are cut, so that the vector of weights is small |
//! | `effort` | what checking a proof of the private mode asks of a verifier, told from the graph |
//! | `error` | why a key cannot be made or read |
//! | `inputs` | where private inputs lie |
//! | `kinds` | what commitments of the private mode are for, and how often each is opened |
//! | `layout` | where weights and parameters lie among the columns of the private mode |
//! | `mode` | the modes, with their names and protocols |
//! | `pads` | where pads lie among the columns of the private mode |
//! | `parts` | a key's bytes taken apart |
//! | `private` | keys of the private mode |
//! | `proofs` | what proofs under a key of the private mode are made of |
//! | `public` | what a proof is about, apart from the key |
//! | `ranges` | what the proof that weights and parameters are in their ranges is made of |
//! | `relations` | what is committed, looked up and reduced for a graph, in the private mode |
//! | `subject` | what lookups and reduction need of a key of any kind |
//! | `verifying_key` | keys of the clear mode |
//!
//! # Soundness
//!
//! Whoever has a key knows nothing of its weights: the caller MUST check that the key is the one of the
//! model that it means (its digest enters the model commitment), and that
//! [`VerifyingKey::security`] promises the bits that it asks for. A key that is read is bounded in what it
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
mod mode;
mod pads;
mod parts;
mod private;
mod proofs;
mod public;
mod ranges;
mod relations;
mod subject;
mod verifying_key;

pub use account::MAX_LINKS;
pub use effort::MAX_EFFORT;
pub use error::KeyError;
pub use inputs::{INPUT_OPENINGS, INPUTS, InputVector};
pub use kinds::{Kind, MAX_RANGE_PARTS, Openings, WeightVector};
pub use layers::{MAX_OPERAND_ELEMENTS, MAX_OPERAND_PRODUCTS};
pub use layout::{LINK_CELLS, Term, WEIGHTS, Weights};
pub use mode::{LINK_PROTOCOL, Mode, RANGES_PROTOCOL};
pub use pads::Pads;
pub use parts::mode_of;
pub use private::{Opened, PrivateKey};
pub use proofs::Proofs;
pub use public::Public;
pub use ranges::RangePart;
pub use relations::Relations;
pub use subject::Subject;
pub use verifying_key::{MAX_CONTRACTION_OUTPUTS, VerifyingKey};

//! Verifier of proof system `sumcheck`.
//!
//! ```text
//! verify(key, (inputs, outputs, statement), proof) = accepted, or the reason why not
//! ```
//!
//! The caller chooses key, inputs, outputs and statement; the proof decides nothing but itself.
//! There is no unsafe code here and no panic: every rejection is a [`Rejection`] with a stable
//! code. `specs/sumcheck-proof.md`, `specs/private-mode.md` and `specs/relations.md` are the
//! normative texts.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `private` | proofs, links and ranges, their bytes and their checks |
//! | `rejection` | why a proof is rejected |
//! | `relations` | lookups and reduction, as prover and verifier begin and end them |
//!
//! # Soundness
//!
//! An accepted proof says that the outputs are those of the key's graph with the weights under the
//! key's root. The caller MUST check that the key is the one of the model that it means (its digest), that
//! inputs and outputs are those of its request and answer, that the statement binds what it wants bound, and
//! that [`PrivateKey::security`] has the bits that it asks for. Outputs are public, and so are inputs unless the proof is
//! one of private inputs. Nothing of weights and results between is shown.
//!
//! [`PrivateKey::security`]: key::PrivateKey::security
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

pub mod private;
mod rejection;
pub mod relations;

pub use rejection::Rejection;

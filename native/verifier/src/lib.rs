//! Verifier of proof system `sumcheck`, in all of its modes.
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
//! | `clear` | the mode in which results of contractions travel in the clear, its proof and its bytes |
//! | `private` | the mode in which columns are committed to, and nothing of them or of the weights is shown |
//! | `rejection` | why a proof is rejected |
//! | `relations` | lookups and reduction, as prover and verifier begin and end them |
//!
//! # Soundness
//!
//! An accepted proof says that the outputs are those of the key's graph with the weights under the
//! key's root. The caller MUST check that the key is the one of the model that it means (its digest), that
//! inputs and outputs are those of its request and answer, that the statement binds what it wants bound, and
//! that [`VerifyingKey::security`] has the bits that it asks for. Inputs and outputs are public. The
//! private mode alone hides anything: the clear one tells the results of contractions, and its openings tell field
//! elements about weights.
//!
//! [`VerifyingKey::security`]: key::VerifyingKey::security
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

pub mod clear;
pub mod private;
mod rejection;
pub mod relations;

pub use rejection::Rejection;

use key::{Public, VerifyingKey};
use transcript::Transcript;

/// Checks that `proof` shows the key's graph to map `public.inputs` to `public.outputs`, for
/// `public.statement`, in the clear mode.
pub fn verify(key: &VerifyingKey, public: &Public<'_>, proof: &[u8]) -> Result<(), Rejection> {
    clear::verify(key, public, proof, &mut Transcript::new())
}

/// The same with a transcript that a test has prepared.
#[cfg(feature = "audit")]
pub fn verify_audited(
    key: &VerifyingKey,
    public: &Public<'_>,
    proof: &[u8],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    clear::verify(key, public, proof, transcript)
}

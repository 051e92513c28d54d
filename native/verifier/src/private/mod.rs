//! The private mode: as the committed one, but what is sent is under one-time pads, and one opening shows
//! one linear claim on columns, pads and weights together.
//!
//! ```text
//! proof = (root of the columns, padded elements of lookups and reduction, relation proof, hiding opening)
//! accept ⇔ the equations that a verifier of plain elements would check hold for what is committed to, so do
//!          its claims on columns and matrices, and the weights are those of the key's pin
//! ```
//!
//! Only tests use it yet: a commitment to weights serves a number of openings, which a prover counts in
//! memory, and no store keeps that count. `specs/private-mode.md` is the normative text.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `claim` | the one claim that equations and claims come to |
//! | `proof` | a proof and its bytes |

mod claim;
mod proof;

pub use claim::claim;
pub use proof::{PROOF_VERSION, Proof};

use crate::committed::{check_public, record};
use crate::rejection::Rejection;
use key::{PrivateKey, Public};
use transcript::Transcript;

/// Checks that `proof` shows the key's graph to map `public.inputs` to `public.outputs`, for
/// `public.statement`.
pub fn verify(key: &PrivateKey, public: &Public<'_>, proof: &[u8]) -> Result<(), Rejection> {
    verify_with(key, public, proof, &mut Transcript::new())
}

/// The same with a transcript that a test has prepared.
#[cfg(feature = "audit")]
pub fn verify_audited(
    key: &PrivateKey,
    public: &Public<'_>,
    proof: &[u8],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    verify_with(key, public, proof, transcript)
}

fn verify_with(
    key: &PrivateKey,
    public: &Public<'_>,
    proof: &[u8],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    check_public(key, public)?;
    let proof = Proof::decode(key, proof)?;
    let relations = key.relations();
    let recorded = record(
        key,
        relations,
        public,
        &proof.witness,
        &proof.sent,
        transcript,
    )?;
    let spare = relations.sent() as u32;
    let ends = relation::verify(&recorded.equations, spare, &proof.relation, transcript)?;
    let claim = claim(key, &recorded, &ends, transcript.challenge())?;
    let roots = [proof.witness, key.root()];
    key.shape()
        .verify(&roots, &claim, &proof.opening, transcript)?;
    Ok(())
}

//! The private mode: as the committed one, but what is sent is under one-time pads, and one opening shows
//! one linear claim on columns, pads and weights together.
//!
//! ```text
//! proof = (links, root of the columns, padded elements of lookups and reduction, relation proof, hiding opening)
//! accept ⇔ links lead from the key to an epoch, the equations that a verifier of plain elements would check hold
//!          for what is committed to, and so do its claims on columns and on the epoch's matrices and parameters
//! ```
//!
//! `specs/private-mode.md` is the normative text.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `chain` | chains of links, and the links that a verifier knows |
//! | `claim` | the one claim that equations and claims come to |
//! | `commitment` | commitments to weights, and what tells candidates for their roots apart |
//! | `link` | that two commitments hold the same weights |
//! | `proof` | a proof and its bytes |

pub mod chain;
mod claim;
mod commitment;
pub mod link;
mod proof;

pub use chain::Known;
pub use claim::claim;
pub use commitment::Commitment;
pub use link::Link;
pub use proof::{PROOF_VERSION, Proof};

use crate::committed::{check_outputs, check_public, record};
use crate::rejection::Rejection;
use ::commitment::Root;
use claim_reduction::Visibility;
use key::{PrivateKey, Proofs, Public};
use transcript::Transcript;

/// Checks that `proof` shows the key's graph to map `public.inputs` to `public.outputs`, for
/// `public.statement`.
pub fn verify(key: &PrivateKey, public: &Public<'_>, proof: &[u8]) -> Result<(), Rejection> {
    verify_knowing(key, &Known::default(), public, proof)
}

/// The same where links of the key are known: those that are there are not checked again, and others are
/// added. `known` MUST be used with one key only.
pub fn verify_knowing(
    key: &PrivateKey,
    known: &Known,
    public: &Public<'_>,
    proof: &[u8],
) -> Result<(), Rejection> {
    verify_with(key, known, public, None, proof, &mut key.transcript())
}

/// Checks that `proof` shows the key's graph to map *some* inputs in their ranges to `public.outputs`, which are
/// committed to by `input_root`: whoever knows them and the secret of the commitment can compute that root.
/// `public` has no inputs.
pub fn verify_private_inputs(
    key: &PrivateKey,
    known: &Known,
    input_root: &Root,
    public: &Public<'_>,
    proof: &[u8],
) -> Result<(), Rejection> {
    let root = Some(*input_root);
    verify_with(key, known, public, root, proof, &mut key.transcript())
}

/// The same with a transcript that a test has prepared, on which links are not.
#[cfg(feature = "audit")]
pub fn verify_audited(
    key: &PrivateKey,
    public: &Public<'_>,
    input_root: Option<Root>,
    proof: &[u8],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    verify_with(
        key,
        &Known::default(),
        public,
        input_root,
        proof,
        transcript,
    )
}

/// What proofs under a key are made of.
fn proofs(key: &PrivateKey, inputs: Visibility) -> Result<&Proofs, Rejection> {
    let proofs = key.proofs(inputs);
    proofs.map_err(|error| Rejection::PublicOnly(error.to_string()))
}

/// The same of a proof whose links lead to this commitment, or would, with a transcript that a test has prepared.
#[cfg(feature = "audit")]
pub fn verify_opened(
    key: &PrivateKey,
    epoch: &Commitment,
    public: &Public<'_>,
    proof: &Proof,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    check_public(key.graph(), public)?;
    verify_under(key, epoch, public, None, proof, transcript)
}

fn verify_with(
    key: &PrivateKey,
    known: &Known,
    public: &Public<'_>,
    input_root: Option<Root>,
    proof: &[u8],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let inputs = if input_root.is_some() {
        if !public.inputs.is_empty() {
            return Err(Rejection::Input(0));
        }
        check_outputs(key.graph(), public)?;
        Visibility::Private
    } else {
        check_public(key.graph(), public)?;
        Visibility::Public
    };
    let proof = Proof::decode(key, inputs, proof)?;
    let epoch = chain::follow(key, known, &proof.links)?;
    verify_under(key, &epoch, public, input_root, &proof, transcript)
}

/// All of it but the links.
fn verify_under(
    key: &PrivateKey,
    epoch: &Commitment,
    public: &Public<'_>,
    input_root: Option<Root>,
    proof: &Proof,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let visibility = match input_root {
        Some(_) => Visibility::Private,
        None => Visibility::Public,
    };
    let proofs = proofs(key, visibility)?;
    let relations = proofs.relations();
    let recorded = record(
        &key.under(epoch.digest()).with_inputs(input_root),
        relations,
        public,
        &proof.witness,
        &proof.sent,
        transcript,
    )?;
    let spare = relations.sent() as u32;
    let ends = relation::verify(&recorded.equations, spare, &proof.relation, transcript)?;
    let claim = claim(key, epoch, &recorded, &ends, transcript.challenge())?;
    let mut roots = vec![proof.witness, epoch.root()];
    roots.extend(input_root);
    let opened = proofs.shape();
    opened.verify(&roots, &claim, &proof.opening, transcript)?;
    Ok(())
}

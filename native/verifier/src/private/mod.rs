//! Proofs: columns of the non-linear operations are committed to, lookups and reduction are sent under
//! one-time pads, and one opening shows one linear claim on columns, pads and weights together.
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
//! | `ranges` | that a key's weights and parameters are in their ranges |

pub mod chain;
mod claim;
mod commitment;
pub mod link;
mod proof;
mod ranges;

pub use chain::Known;
pub use claim::claim;
pub use commitment::Commitment;
pub use link::Link;
pub use proof::{PROOF_VERSION, Proof};
pub use ranges::{decode_ranges, verify_ranges};

use crate::rejection::Rejection;
use crate::relations::{check_outputs, check_public, record};
use ::commitment::Root;
use claim_reduction::Visibility;
use key::{Kind, PrivateKey, Proofs, Public};
use transcript::Transcript;

/// Checks that `proof` shows the key's graph to map `public.inputs` to `public.outputs`, for
/// `public.statement`. That the key's weights are int8 and its parameters in their ranges is shown by
/// [`verify_ranges`], which the caller MUST have asked once for the key.
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

/// What proofs under a key are made of that open commitments of a kind.
fn proofs(key: &PrivateKey, kind: Kind) -> Result<&Proofs, Rejection> {
    let of_run = |inputs| {
        let proofs = key.proofs(inputs);
        proofs.map_err(|error| Rejection::PublicOnly(error.to_string()))
    };
    match kind {
        Kind::Key | Kind::Links => Err(Rejection::LinkEnd),
        Kind::Proofs => of_run(Visibility::Public),
        Kind::PrivateInputs => of_run(Visibility::Private),
        Kind::Ranges(part) => Ok(ranges::part(key, part)?.proofs()),
    }
}

/// The same of a proof whose links lead to this commitment, or would, with a transcript that a test has prepared.
#[cfg(feature = "audit")]
pub fn verify_opened(
    key: &PrivateKey,
    epoch: &Commitment,
    public: &Public<'_>,
    input_root: Option<Root>,
    proof: &Proof,
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    match epoch.kind() {
        Kind::Ranges(_) => (),
        Kind::PrivateInputs => check_outputs(key.graph(), public)?,
        _ => check_public(key.graph(), public)?,
    }
    verify_under(key, epoch, public, input_root, proof, transcript)
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
    let proofs = proofs(key, epoch.kind())?;
    let part = match epoch.kind() {
        Kind::Ranges(part) => Some(ranges::part(key, part)?),
        _ => None,
    };
    let subject = key.under(epoch.digest()).with_ranges(part);
    let relations = proofs.relations();
    let recorded = record(
        &subject.with_inputs(input_root),
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

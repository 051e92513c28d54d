//! Proofs, and the commitments that they open.
//!
//! ```text
//! proof = (links, root of the columns, padded elements of lookups and reduction, relation proof, hiding opening)
//! ```
//!
//! Lookups and reduction run under one-time pads, which are cells of the committed columns. What was
//! sent is replayed as a verifier reads it, into equations in pads; these are proven, and what is left of them is opened with all claims on columns and weights at once.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `epoch` | commitments in memory, which proofs and links open |
//! | `inputs` | private inputs under their commitment |
//! | `link` | makes links |
//! | `masks` | where all that hides comes from |
//! | `model` | a key with its weights and parameters |
//! | `proving_key` | the key's own commitment, which is made again from a secret and opened for epochs |
//! | `slots` | which openings of a commitment this process has made |
//!
//! # Zero knowledge
//!
//! A proof is made for one statement with randomness of its own; a commitment to weights is opened as often
//! as its uniform half serves and no more. The caller counts openings under the commitment's digest, where a process
//! does not lose the count, and gives each slot once; what is uniform in an epoch is in memory only.

mod epoch;
mod inputs;
mod link;
mod masks;
mod model;
mod proving_key;
mod slots;

pub use epoch::Epoch;
pub use inputs::Inputs;
#[cfg(feature = "audit")]
pub use link::Lie;
#[cfg(feature = "audit")]
pub use model::Beyond;
pub use proving_key::{ProvingKey, Run};

use crate::error::ProveError;
use crate::relations::{Witness, argue, padded};
use crate::session::{Phase, Session};
use hiding::{Committed, Randomness};
use key::{Kind, Public};
use model::Model;
use transcript::Base;
use verifier::private::{Commitment, Link, Proof, claim};
use verifier::relations::record;

/// What a proof opens beside its witness.
struct Opening<'a> {
    model: &'a Model,
    links: &'a [Link],
    commitment: &'a Commitment,
    committed: &'a Committed,
    /// Private inputs.
    inputs: Option<&'a Inputs>,
}

/// Proves a witness. `open` is asked before epoch and private inputs are opened.
fn prove(
    opened: &Opening<'_>,
    witness: &Witness,
    mut randomness: Randomness,
    session: &mut Session<'_>,
    open: impl FnOnce() -> Result<(), ProveError>,
) -> Result<Proof, ProveError> {
    let key = &opened.model.key;
    let kind = opened.commitment.kind();
    let part = match kind {
        Kind::Ranges(part) => Some(opened.model.part(part)?),
        _ => None,
    };
    let subject = key
        .under(opened.commitment.digest())
        .with_ranges(part)
        .with_inputs(opened.inputs.map(Inputs::root));
    let proofs = opened.model.proofs(kind)?;
    let (relations, shape) = (proofs.relations(), proofs.shape());
    session.begins(Phase::Commit)?;
    let pads = randomness.extensions(proofs.pads().count());
    let multiplicities = padded(&witness.multiplicities);
    let of_pads = proofs.pads().cells(&pads);
    let own = witness.columns.committed.iter();
    let all = own.chain(&multiplicities).chain(&of_pads);
    let all: Vec<&[Base]> = all.map(Vec::as_slice).collect();
    let fresh = shape.commit(0, &all, &mut randomness)?;
    let root = fresh.root();

    let mut replay = session.transcript.clone();
    let sent = pads.get(..relations.sent()).unwrap_or_default();
    session.transcript.pad(sent);
    let weights = opened.model.weights();
    argue(&subject, relations, weights, witness, &root, session)?;
    let sent = session.transcript.padded();
    let sent = sent.ok_or(relation::Refused::Pads)?;

    session.begins(Phase::Relate)?;
    let outputs: Vec<&[i32]> = witness.outputs.iter().map(Vec::as_slice).collect();
    let public = Public {
        inputs: session.inputs,
        outputs: &outputs,
        statement: session.statement,
    };
    let recorded = record(&subject, relations, &public, &root, &sent, &mut replay)
        .map_err(ProveError::Recording)?;
    let transcript = &mut *session.transcript;
    let spare = relations.sent() as u32;
    let (relation, ends) = relation::prove(&recorded.equations, &pads, spare, transcript)?;
    let alpha = transcript.challenge();
    let claim = claim(key, opened.commitment, &recorded, &ends, alpha);
    let claim = claim.map_err(ProveError::Recording)?;

    session.begins(Phase::Open)?;
    open()?;
    let mut others = vec![opened.committed];
    others.extend(opened.inputs.map(|inputs| &inputs.committed));
    let opening = shape.prove(fresh, &others, &claim, session.transcript)?;
    Ok(Proof {
        links: opened.links.to_vec(),
        witness: root,
        sent,
        relation,
        opening,
    })
}

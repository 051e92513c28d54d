//! Proofs of the private mode.
//!
//! ```text
//! proof = (root of the columns, padded elements of lookups and reduction, relation proof, hiding opening)
//! ```
//!
//! The ordinary prover of the committed mode runs under one-time pads, which are cells of the committed
//! columns. What it has sent is replayed as a verifier reads it, into equations in pads; these are proven,
//! and what is left of them is opened with all claims on columns and weights at once.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `masks` | where all that hides comes from |
//! | `proving_key` | weights and parameters under their commitment, and how often it has been opened |
//!
//! # Zero knowledge
//!
//! A proof is made for one statement with randomness of its own; a commitment to weights is opened as often
//! as its uniform half serves and no more. That is counted in memory, and the commitment's own randomness
//! is nowhere else: a process that ends takes both with it, and the next one has another key. Budgets that
//! outlive a process are not made yet, and until then nothing but tests offers this mode.

mod masks;
mod proving_key;

pub use proving_key::ProvingKey;

use crate::committed::{Witness, argue, padded};
use crate::error::ProveError;
use crate::session::{Phase, Session};
use hiding::{Committed, Randomness};
use key::{PrivateKey, Public};
use transcript::Base;
use verifier::committed::record;
use verifier::private::{Proof, claim};

/// What a proof is made from beside its witness.
struct Model<'a> {
    key: &'a PrivateKey,
    weights: &'a [i8],
    committed: &'a Committed,
}

/// Proves a witness. `open` is asked before the weights are opened.
fn prove(
    model: &Model<'_>,
    witness: &Witness,
    mut randomness: Randomness,
    session: &mut Session<'_>,
    open: impl FnOnce() -> Result<(), ProveError>,
) -> Result<Proof, ProveError> {
    let Model { key, committed, .. } = *model;
    let relations = key.relations();
    session.begins(Phase::Commit)?;
    let pads = randomness.extensions(key.pads().count());
    let multiplicities = padded(&witness.multiplicities);
    let of_pads = key.pads().cells(&pads);
    let own = witness.columns.committed.iter();
    let all = own.chain(&multiplicities).chain(&of_pads);
    let all: Vec<&[Base]> = all.map(Vec::as_slice).collect();
    let fresh = key.shape().commit(0, &all, &mut randomness)?;
    let root = fresh.root();

    let mut replay = session.transcript.clone();
    let sent = pads.get(..relations.sent()).unwrap_or_default();
    session.transcript.pad(sent);
    argue(key, relations, model.weights, witness, &root, session)?;
    let sent = session.transcript.padded();
    let sent = sent.ok_or(relation::Refused::Pads)?;

    session.begins(Phase::Relate)?;
    let outputs: Vec<&[i32]> = witness.outputs.iter().map(Vec::as_slice).collect();
    let public = Public {
        inputs: session.inputs,
        outputs: &outputs,
        statement: session.statement,
    };
    let recorded = record(key, relations, &public, &root, &sent, &mut replay)
        .map_err(ProveError::Recording)?;
    let transcript = &mut *session.transcript;
    let spare = relations.sent() as u32;
    let (relation, ends) = relation::prove(&recorded.equations, &pads, spare, transcript)?;
    let claim =
        claim(key, &recorded, &ends, transcript.challenge()).map_err(ProveError::Recording)?;

    session.begins(Phase::Open)?;
    open()?;
    let opening = key
        .shape()
        .prove(fresh, &[committed], &claim, session.transcript)?;
    Ok(Proof {
        witness: root,
        sent,
        relation,
        opening,
    })
}

//! Inputs that are shown to nobody, under a commitment of their own.
//!
//! It is made again from a secret: by the prover for each attempt at a job, and by its payer, who has the
//! secret too and compares the root with the one of the statement. To everybody else the root tells nothing.

use super::masks;
use super::slots::Slots;
use crate::error::ProveError;
use claim_reduction::Visibility;
use commitment::Root;
use hiding::{Committed, Randomness, Secret};
use key::{INPUT_OPENINGS, INPUTS, PrivateKey, Proofs};
use transcript::Base;

/// Private inputs under their commitment.
pub struct Inputs {
    /// The digest of the key that the commitment is made for.
    pub(super) key: [u8; 32],
    /// The digest of the inputs.
    pub(super) values: [u8; 32],
    pub(super) committed: Committed,
    pub(super) attempts: Slots,
}

impl Inputs {
    /// Commits to inputs for proofs under a key: the same commitment for the same key, inputs and secret. The
    /// secret MUST be drawn for this, and go to nobody but prover and payer.
    pub fn commit(
        key: &PrivateKey,
        inputs: &[&[i32]],
        secret: &Secret,
    ) -> Result<Self, ProveError> {
        let proofs = key.proofs(Visibility::Private);
        let proofs = proofs.map_err(|error| ProveError::Key(error.clone()))?;
        let vector = proofs.inputs().ok_or(ProveError::OtherRun)?;
        executor::check_inputs(key.graph(), inputs)?;
        let values = masks::of_inputs(inputs);
        let mut randomness = masks::of_private(secret, &values, &key.digest());
        Self::of_columns(key, proofs, values, &vector.cells(inputs), &mut randomness)
    }

    fn of_columns(
        key: &PrivateKey,
        proofs: &Proofs,
        values: [u8; 32],
        columns: &[Vec<Base>],
        randomness: &mut Randomness,
    ) -> Result<Self, ProveError> {
        let columns: Vec<_> = columns.iter().map(Vec::as_slice).collect();
        Ok(Self {
            key: key.digest(),
            values,
            committed: proofs.shape().commit(INPUTS, &columns, randomness)?,
            attempts: Slots::new(INPUT_OPENINGS as u32),
        })
    }

    /// The root, by which a statement names the inputs.
    pub fn root(&self) -> Root {
        self.committed.root()
    }

    /// How many proofs the commitment can be opened by, whoever makes them.
    pub const fn openings(&self) -> u64 {
        self.attempts.openings()
    }
}

/// What tests lie with.
#[cfg(feature = "audit")]
impl Inputs {
    /// Commits to columns of any cells, as if they were those of the inputs.
    pub fn lying(
        key: &PrivateKey,
        inputs: &[&[i32]],
        secret: &Secret,
        columns: &[Vec<Base>],
    ) -> Result<Self, ProveError> {
        let mut randomness = masks::of_private(secret, &masks::of_inputs(inputs), &key.digest());
        Self::masked(key, inputs, columns, &mut randomness)
    }

    /// The same with all that hides given.
    pub fn masked(
        key: &PrivateKey,
        inputs: &[&[i32]],
        columns: &[Vec<Base>],
        randomness: &mut Randomness,
    ) -> Result<Self, ProveError> {
        let proofs = key.proofs(Visibility::Private);
        let proofs = proofs.map_err(|error| ProveError::Key(error.clone()))?;
        Self::of_columns(key, proofs, masks::of_inputs(inputs), columns, randomness)
    }

    /// Forgets which attempts were made.
    pub fn recount(&self) {
        self.attempts.forget();
    }
}

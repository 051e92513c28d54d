//! A key with its weights and parameters.

use super::masks;
use super::proving_key::Run;
use crate::committed::{self, Witness};
use crate::error::ProveError;
use claim_reduction::Visibility;
use executor::Tensors;
use graph::Values;
use hiding::{Committed, Randomness};
use key::{Kind, PrivateKey, Proofs, WEIGHTS};
use transcript::Base;

/// What every commitment of one key is made from.
pub(super) struct Model {
    pub(super) key: PrivateKey,
    weights: Vec<i8>,
    parameters: Vec<i32>,
    /// Of weights and parameters.
    pub(super) digest: [u8; 32],
}

impl Model {
    pub(super) fn new(key: PrivateKey, values: &Values<'_>) -> Self {
        Self {
            key,
            weights: values.weights.to_vec(),
            parameters: values.parameters.to_vec(),
            digest: masks::of_values(values),
        }
    }

    /// The same key with other weights, which are not those of its commitment.
    #[cfg(feature = "audit")]
    pub(super) fn with_values(&self, values: &Values<'_>) -> Result<Self, ProveError> {
        Ok(Self::new(PrivateKey::decode(&self.key.encode())?, values))
    }

    pub(super) fn values(&self) -> Values<'_> {
        Values {
            weights: &self.weights,
            parameters: &self.parameters,
        }
    }

    pub(super) fn weights(&self) -> &[i8] {
        &self.weights
    }

    /// Executes the graph and makes the columns, those of a proof for inputs that are public or private.
    pub(super) fn run(
        &self,
        inputs: &[&[i32]],
        visibility: Visibility,
    ) -> Result<Witness, ProveError> {
        let proofs = self.proofs(visibility)?;
        let graph = self.key.graph();
        let mut tensors = Tensors::default();
        executor::execute_with(graph, &self.values(), inputs, &mut tensors)?;
        committed::witness(graph, proofs.relations(), tensors)
    }

    /// A run on public inputs.
    pub(super) fn public_run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        Ok(Run {
            witness: self.run(inputs, Visibility::Public)?,
            key: self.key.digest(),
            private: None,
        })
    }

    /// A run on private inputs.
    pub(super) fn private_run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        Ok(Run {
            witness: self.run(inputs, Visibility::Private)?,
            key: self.key.digest(),
            private: Some(masks::of_inputs(inputs)),
        })
    }

    /// What proofs are made of.
    pub(super) fn proofs(&self, inputs: Visibility) -> Result<&Proofs, ProveError> {
        let proofs = self.key.proofs(inputs);
        proofs.map_err(|error| ProveError::Key(error.clone()))
    }
}

/// Draws a cell of a half: [`Randomness::base`], but in tests.
pub(super) type Half = fn(&mut Randomness) -> Base;

/// A commitment of a kind to weights and parameters, of which there are as many as the key says.
pub(super) fn commit(
    key: &PrivateKey,
    kind: Kind,
    values: &Values<'_>,
    half: Half,
    randomness: &mut Randomness,
) -> Result<Committed, ProveError> {
    let vector = key.vector(kind).ok_or(ProveError::EpochKind)?;
    let columns = vector.weights().cells(values, || half(randomness));
    let columns: Vec<_> = columns.iter().map(Vec::as_slice).collect();
    Ok(vector.shape().commit(WEIGHTS, &columns, randomness)?)
}

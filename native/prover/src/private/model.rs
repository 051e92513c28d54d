//! A key with its weights and parameters.

use super::masks;
use super::proving_key::Run;
use crate::error::ProveError;
use crate::relations::{self, Witness};
use executor::Tensors;
use graph::Values;
use hiding::{Committed, Randomness};
use key::{Kind, PrivateKey, Proofs, RangePart, WEIGHTS};
#[cfg(feature = "audit")]
use p3_field::PrimeCharacteristicRing;
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

    /// Executes what a proof is about that opens an epoch of this kind, and makes its columns. Ranges have no inputs.
    pub(super) fn run(&self, inputs: &[&[i32]], kind: Kind) -> Result<Witness, ProveError> {
        let mut tensors = Tensors::default();
        if let Kind::Ranges(part) = kind {
            let part = self.part(part)?;
            let (graph, inputs) = (part.graph(), RangePart::PUBLIC.inputs);
            let elements = self.elements(part)?;
            let values = Values {
                weights: &[],
                parameters: &elements,
            };
            executor::execute(graph, &values, inputs, &mut tensors)?;
            return relations::witness(graph, part.proofs().relations(), tensors);
        }
        let (graph, proofs) = (self.key.graph(), self.proofs(kind)?);
        executor::execute(graph, &self.values(), inputs, &mut tensors)?;
        relations::witness(graph, proofs.relations(), tensors)
    }

    /// The elements of the matrices and parameters of a part of the ranges.
    fn elements(&self, part: &RangePart) -> Result<Vec<i32>, ProveError> {
        let parts = self.ranges()?.iter();
        let before = parts.take_while(|own| !std::ptr::eq(*own, part));
        let before = before.map(|own| own.graph().parameter_elements()).sum();
        let weights = self.weights.iter().map(|&weight| weight.into());
        let all = weights.chain(self.parameters.iter().copied());
        let own = part.graph().parameter_elements();
        Ok(all.skip(before).take(own).collect())
    }

    /// A run on public inputs.
    pub(super) fn public_run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        Ok(Run {
            witness: self.run(inputs, Kind::Proofs)?,
            key: self.key.digest(),
            private: None,
        })
    }

    /// A run on private inputs.
    pub(super) fn private_run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        Ok(Run {
            witness: self.run(inputs, Kind::PrivateInputs)?,
            key: self.key.digest(),
            private: Some(masks::of_inputs(inputs)),
        })
    }

    /// What proofs are made of that open an epoch of this kind.
    pub(super) fn proofs(&self, kind: Kind) -> Result<&Proofs, ProveError> {
        if let Kind::Ranges(part) = kind {
            return Ok(self.part(part)?.proofs());
        }
        let proofs = self.key.proofs(kind.inputs().ok_or(ProveError::EpochKind)?);
        proofs.map_err(|error| ProveError::Key(error.clone()))
    }

    /// The parts of the ranges.
    pub(super) fn ranges(&self) -> Result<&[RangePart], ProveError> {
        let parts = self.key.ranges();
        parts.map_err(|error| ProveError::Key(error.clone()))
    }

    /// One of them.
    pub(super) fn part(&self, part: u8) -> Result<&RangePart, ProveError> {
        let part = self.ranges()?.get(usize::from(part));
        part.ok_or(ProveError::EpochKind)
    }
}

/// Draws a cell of a half: [`Randomness::base`], but in tests.
pub(super) type Half = fn(&mut Randomness) -> Base;

/// A cell of the vector of weights that a test puts in place of what belongs there.
#[cfg(feature = "audit")]
#[derive(Clone, Copy, Debug)]
pub struct Beyond {
    /// Its column.
    pub column: usize,
    /// Its number among the cells outside of the half.
    pub index: usize,
    /// What it holds.
    pub value: i64,
}

/// [`commit`], with other cells in place of some.
#[cfg(feature = "audit")]
pub(super) fn commit_beyond(
    key: &PrivateKey,
    kind: Kind,
    values: &Values<'_>,
    beyond: &[Beyond],
    half: Half,
    randomness: &mut Randomness,
) -> Result<Committed, ProveError> {
    let vector = key.vector(kind).ok_or(ProveError::EpochKind)?;
    let mut columns = vector.weights().cells(values, || half(randomness));
    for cell in beyond {
        let place = vector.weights().place(cell.column, cell.index);
        columns[cell.column][place] = Base::from_i64(cell.value);
    }
    let columns: Vec<_> = columns.iter().map(Vec::as_slice).collect();
    Ok(vector.shape().commit(WEIGHTS, &columns, randomness)?)
}

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

//! The weights under their commitment, and how often it has been opened.

use super::{Model, masks, prove};
use crate::committed::{self, Witness};
use crate::error::ProveError;
#[cfg(feature = "audit")]
use crate::session::Alter;
use crate::session::{Phase, Session, Watch};
use commitment::Profile;
use executor::Tensors;
use graph::{Graph, Values};
use hiding::{Committed, Context, Randomness};
use key::{PrivateKey, WEIGHTS};
use p3_field::PrimeCharacteristicRing;
use std::sync::atomic::{AtomicUsize, Ordering};
use transcript::{Base, Extension, Transcript};
#[cfg(feature = "audit")]
use verifier::private::Proof;

/// A key of the private mode with its weights and parameters, and the commitment that hides them. It is made anew from
/// weights, and cannot be stored: who has its randomness and a proof has the weights.
pub struct ProvingKey {
    key: PrivateKey,
    weights: Vec<i8>,
    parameters: Vec<i32>,
    committed: Committed,
    opened: AtomicUsize,
}

impl ProvingKey {
    /// Commits to the weights of a graph without parameters, its matrices one after another, each row by row,
    /// for at least so many proofs.
    pub fn new(
        graph: Graph,
        weights: &[i8],
        profile: Profile,
        openings: u32,
    ) -> Result<Self, ProveError> {
        let parameters = &[];
        let values = Values {
            weights,
            parameters,
        };
        Self::with_values(graph, &values, profile, openings)
    }

    /// Commits to the weights and parameters of a graph. Parameters outside of their declared ranges are
    /// refused.
    pub fn with_values(
        graph: Graph,
        values: &Values<'_>,
        profile: Profile,
        openings: u32,
    ) -> Result<Self, ProveError> {
        let key = PrivateKey::new(graph, profile, openings)?;
        let mut randomness = masks::of_weights(&key, values)?;
        let columns = key.weights().cells(values, || randomness.base());
        Self::commit(key, values, &columns, &mut randomness)
    }

    fn commit(
        key: PrivateKey,
        values: &Values<'_>,
        columns: &[Vec<Base>],
        randomness: &mut Randomness,
    ) -> Result<Self, ProveError> {
        let (expected, found) = (key.graph().weight_bytes(), values.weights.len());
        if found != expected {
            return Err(commitment::Error::Weights { expected, found }.into());
        }
        executor::check_values(key.graph(), values)?;
        let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
        let mut committed = key.shape().commit(WEIGHTS, &columns, randomness)?;
        let root = committed.root();
        let pin = committed.at(&key.pin_point_of(&root));
        Ok(Self {
            key: key.with_commitment(root, pin.unwrap_or(Extension::ZERO)),
            weights: values.weights.to_vec(),
            parameters: values.parameters.to_vec(),
            committed,
            opened: AtomicUsize::new(0),
        })
    }

    /// The key that proofs are checked with.
    pub const fn private_key(&self) -> &PrivateKey {
        &self.key
    }

    /// Proofs that can still be made.
    pub fn left(&self) -> usize {
        let opened = self.opened.load(Ordering::SeqCst);
        self.key.served().saturating_sub(opened)
    }

    /// Counts one opening of the weights, before it is made: one that fails after that is spent.
    fn spend(&self) -> Result<(), ProveError> {
        let served = self.key.served();
        let next = |opened: usize| (opened < served).then_some(opened + 1);
        let counted = self
            .opened
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        counted.map(|_| ()).map_err(|_| ProveError::Spent(served))
    }

    /// Computes the outputs and proves them for `statement`. `slot` is the number under which the caller
    /// counts the proof; it enters the seed of all that hides, as the statement does.
    pub fn prove(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        slot: u64,
        watch: Watch<'_>,
    ) -> Result<(Vec<Vec<i32>>, Vec<u8>), ProveError> {
        if self.left() == 0 {
            return Err(ProveError::Spent(self.key.served()));
        }
        if !watch(Phase::Execute) {
            return Err(ProveError::Cancelled);
        }
        let witness = self.run(inputs)?;
        let digest = masks::digest(&witness);
        let randomness = Randomness::new(&Context {
            statement: &statement,
            witness: &digest,
            key: &self.key.digest(),
            slot,
        })?;
        let mut session = Session {
            inputs,
            statement,
            watch,
            transcript: &mut Transcript::new(),
            #[cfg(feature = "audit")]
            alter: None,
        };
        let proof = prove(&self.parts(), &witness, randomness, &mut session, || {
            self.spend()
        })?;
        Ok((witness.outputs, proof.encode(&self.key)))
    }

    /// Executes the graph and makes the columns.
    fn run(&self, inputs: &[&[i32]]) -> Result<Witness, ProveError> {
        let graph = self.key.graph();
        let mut tensors = Tensors::default();
        let values = Values {
            weights: &self.weights,
            parameters: &self.parameters,
        };
        executor::execute_with(graph, &values, inputs, &mut tensors)?;
        committed::witness(graph, self.key.relations(), tensors)
    }

    fn parts(&self) -> Model<'_> {
        Model {
            key: &self.key,
            weights: &self.weights,
            committed: &self.committed,
        }
    }
}

/// What tests lie with, and what they switch off.
#[cfg(feature = "audit")]
impl ProvingKey {
    /// Commits with the cells of the weights' vector given as its columns, halves included: `half` takes the
    /// place of each uniform cell, and all else is drawn from `seed`.
    pub fn with_half(
        graph: Graph,
        values: &Values<'_>,
        profile: Profile,
        openings: u32,
        seed: &[u8; 32],
        half: impl FnMut() -> Base,
    ) -> Result<Self, ProveError> {
        Self::with_masks(graph, values, profile, openings, of_seed(seed), half)
    }

    /// The same with all that is not in the vector's columns given too.
    pub fn with_masks(
        graph: Graph,
        values: &Values<'_>,
        profile: Profile,
        openings: u32,
        mut masks: Randomness,
        half: impl FnMut() -> Base,
    ) -> Result<Self, ProveError> {
        let key = PrivateKey::new(graph, profile, openings)?;
        let columns = key.weights().cells(values, half);
        Self::commit(key, values, &columns, &mut masks)
    }

    /// The same commitment under another key.
    #[must_use]
    pub fn with_key(mut self, key: PrivateKey) -> Self {
        self.key = key;
        self
    }

    /// The vector of weights at a point.
    pub fn weights_at(&mut self, point: &[Extension]) -> Option<Extension> {
        self.committed.at(point)
    }

    /// Forgets what has been opened.
    pub fn recount(&self) {
        self.opened.store(0, Ordering::SeqCst);
    }

    /// Executes the graph and makes the columns.
    pub fn witness(&self, inputs: &[&[i32]]) -> Result<Witness, ProveError> {
        self.run(inputs)
    }

    /// Proves a witness that a test has corrupted, with all that hides drawn from `seed`, on a transcript
    /// that it has prepared; what the reduction sends is altered too.
    pub fn prove_witness(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        witness: &Witness,
        seed: &[u8; 32],
        transcript: &mut Transcript,
        alter: Alter<'_>,
    ) -> Result<Proof, ProveError> {
        self.prove_masked(inputs, statement, witness, of_seed(seed), transcript, alter)
    }

    /// The same with all that hides given.
    pub fn prove_masked(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        witness: &Witness,
        masks: Randomness,
        transcript: &mut Transcript,
        alter: Alter<'_>,
    ) -> Result<Proof, ProveError> {
        let mut session = Session {
            inputs,
            statement,
            watch: &mut |_| true,
            transcript,
            alter: Some(alter),
        };
        prove(&self.parts(), witness, masks, &mut session, || self.spend())
    }
}

#[cfg(feature = "audit")]
fn of_seed(seed: &[u8; 32]) -> Randomness {
    let nothing = [0; 32];
    Randomness::of_seed(
        seed,
        &Context {
            statement: &nothing,
            witness: &nothing,
            key: &nothing,
            slot: 0,
        },
    )
}

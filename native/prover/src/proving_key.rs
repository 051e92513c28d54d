//! Keys of the clear mode with their weights.

use crate::clear;
use crate::error::ProveError;
use crate::model::Model;
use crate::session::{Phase, Session, Watch};
use commitment::Profile;
use executor::Tensors;
use graph::Graph;
use key::VerifyingKey;
use std::sync::{Mutex, PoisonError};
use transcript::Transcript;

/// A verifying key with its weights and what their commitment is opened from.
pub struct ProvingKey {
    model: Model,
    buffers: Mutex<Vec<Tensors>>,
}

/// A run of the graph: the tensors that a proof of it is made of.
pub struct Run {
    tensors: Tensors,
}

impl From<Model> for ProvingKey {
    fn from(model: Model) -> Self {
        Self {
            model,
            buffers: Mutex::default(),
        }
    }
}

impl ProvingKey {
    /// Commits to the weights of a graph: its matrices one after another, each row by row.
    pub fn new(graph: Graph, weights: &[i8], profile: Profile) -> Result<Self, ProveError> {
        let key = VerifyingKey::new(graph, profile)?;
        Ok(Model::commit(key, weights.to_vec())?.into())
    }

    /// Reads a verifying key and checks that these are its weights.
    pub fn load(verifying_key: &[u8], weights: Vec<i8>) -> Result<Self, ProveError> {
        let key = VerifyingKey::decode(verifying_key)?;
        Ok(Model::load(key, weights)?.into())
    }

    /// The verifying key.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.model.key
    }

    /// Runs the graph, and keeps what [`Self::prove_run`] makes a proof of.
    pub fn run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        let mut tensors = self.take();
        let graph = self.model.key.graph();
        executor::execute(graph, &self.model.weights, inputs, &mut tensors)?;
        Ok(Run { tensors })
    }

    /// The outputs of a run.
    pub fn outputs(&self, run: &Run) -> Vec<Vec<i32>> {
        let outputs = run.tensors.outputs(self.model.key.graph());
        outputs.map(<[i32]>::to_vec).collect()
    }

    /// Proves a run of this key on these inputs for `statement`, without running the graph again.
    ///
    /// A run of other inputs gives a proof that does not verify.
    pub fn prove_run(
        &self,
        run: Run,
        inputs: &[&[i32]],
        statement: [u8; 32],
        watch: Watch<'_>,
    ) -> Result<Vec<u8>, ProveError> {
        let (model, mut transcript) = (&self.model, Transcript::new());
        let mut session = Session {
            inputs,
            statement,
            watch,
            transcript: &mut transcript,
            #[cfg(feature = "audit")]
            alter: None,
        };
        let witness = self.witness(&run);
        let Run { tensors } = run;
        let proved = clear::prove(model, &tensors, witness, &mut session)?;
        self.give_back(tensors);
        Ok(proved.proof.encode(&model.key))
    }

    /// Computes the outputs and proves them for `statement`.
    pub fn prove(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        watch: Watch<'_>,
    ) -> Result<(Vec<Vec<i32>>, Vec<u8>), ProveError> {
        if !watch(Phase::Execute) {
            return Err(ProveError::Cancelled);
        }
        let run = self.run(inputs)?;
        let outputs = self.outputs(&run);
        let proof = self.prove_run(run, inputs, statement, watch)?;
        Ok((outputs, proof))
    }

    fn witness(&self, run: &Run) -> clear::Witness {
        clear::Witness {
            outputs: self.outputs(run),
            contraction_outputs: run.tensors.contractions(self.model.key.graph()),
        }
    }

    /// Room for a run: few of the tensors are needed, and those of a run before are taken.
    fn take(&self) -> Tensors {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_else(|| {
            let contractions = self.model.key.contractions().iter();
            Tensors::keeping(contractions.flat_map(|each| [each.operand, each.result]))
        })
    }

    fn give_back(&self, tensors: Tensors) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.push(tensors);
    }
}

/// What tests lie with.
#[cfg(feature = "audit")]
impl ProvingKey {
    /// The same weights under a verifying key that may have another commitment.
    #[must_use]
    pub fn with_key(mut self, key: VerifyingKey) -> Self {
        self.model.key = key;
        self
    }

    /// The same verifying key over other weights, which a cheating prover would commit to.
    pub fn cheat(mut self, weights: &[i8]) -> Result<Self, ProveError> {
        let key = &self.model.key;
        let point = |_: &_| key.binding_evaluation().point.clone();
        self.model.committed = key.scheme().commit(weights, point)?;
        self.model.weights = weights.to_vec();
        Ok(self)
    }

    /// Proves what `corrupt` has made of an honest execution, on a transcript that a test prepared.
    pub fn prove_audited(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        transcript: &mut Transcript,
        corrupt: impl Fn(&mut clear::Witness),
    ) -> Result<clear::Proved, ProveError> {
        let run = self.run(inputs)?;
        let mut witness = self.witness(&run);
        corrupt(&mut witness);
        let mut session = Session {
            inputs,
            statement,
            watch: &mut |_| true,
            transcript,
            alter: None,
        };
        clear::prove(&self.model, &run.tensors, witness, &mut session)
    }
}

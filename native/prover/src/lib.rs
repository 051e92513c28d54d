//! Prover of proof system `sumcheck`, in the clear mode.
//!
//! ```text
//! run = execute(graph, inputs, weights)
//! prove(run, inputs, statement) = (contraction_outputs, rounds, opening of the weights)
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `modes` | keys, runs and proofs of both modes behind one face: a key's bytes name its mode |
//!
//! # Soundness
//!
//! [`ProvingKey::load`] checks that the weights are those of the key: root and binding evaluation are
//! computed anew. A run is proven as it is, for the inputs that it is given with: that they are the ones that
//! it was run on is the caller's part, and a proof that mixes runs does not verify. Nobody needs to trust a
//! prover; who hands a proof on checks it with the `verifier` before.
#![forbid(unsafe_code)]

pub mod modes;

use commitment::{Committed, Profile, Size, combine_rows};
pub use commitment::{Phase, Watch};
use executor::Tensors;
use graph::Graph;
use layers::{Challenge, Contraction, Weights, lift};
use p3_field::PrimeCharacteristicRing;
use std::sync::{Mutex, PoisonError};
use sumcheck::{Batch, Simd, Statement, pass, powers};
use transcript::{Extension, Site, Transcript};
use verifier::{KeyError, Proof, Public, VerifyingKey, begin, draw};

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// The key cannot be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The weights are not those that the key commits to.
    #[error("the weights are not those of the verifying key")]
    OtherWeights,
    /// The graph cannot be executed.
    #[error("the graph cannot be executed: {0}")]
    Execution(#[from] executor::Fault),
    /// The commitment cannot be opened.
    #[error("{0}")]
    Commitment(#[from] commitment::Error),
    /// The caller has cancelled.
    #[error("proving was cancelled")]
    Cancelled,
}

impl ProveError {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::OtherWeights => "WEIGHTS_OTHER",
            Self::Execution(_) => "EXECUTION",
            Self::Commitment(_) => "COMMITMENT",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// Commits to the weights of a graph: the verifying key.
pub fn commit(graph: Graph, weights: &[i8], profile: Profile) -> Result<VerifyingKey, ProveError> {
    Ok(ProvingKey::new(graph, weights, profile)?.key)
}

/// A verifying key with its weights and what their commitment is opened from.
pub struct ProvingKey {
    key: VerifyingKey,
    weights: Vec<i8>,
    committed: Committed,
    buffers: Mutex<Vec<Tensors>>,
}

impl ProvingKey {
    /// Commits to the weights of a graph: its matrices one after another, each row by row.
    pub fn new(graph: Graph, weights: &[i8], profile: Profile) -> Result<Self, ProveError> {
        // Root and binding evaluation are known only after the commitment; the key is made with them at once after.
        let key = VerifyingKey::new(graph, profile)?;
        let committed = key
            .scheme()
            .commit(weights, |root| key.binding_point(root))?;
        Ok(Self {
            key: key.with_commitment(
                committed.root(),
                committed.binding_evaluation().values.clone(),
            ),
            weights: weights.to_vec(),
            committed,
            buffers: Mutex::default(),
        })
    }

    /// Reads a verifying key and checks that these are its weights.
    pub fn load(verifying_key: &[u8], weights: Vec<i8>) -> Result<Self, ProveError> {
        let key = VerifyingKey::decode(verifying_key)?;
        let committed = key
            .scheme()
            .commit(&weights, |root| key.binding_point(root))?;
        if committed.root() != key.root()
            || committed.binding_evaluation() != key.binding_evaluation()
        {
            return Err(ProveError::OtherWeights);
        }
        Ok(Self {
            key,
            weights,
            committed,
            buffers: Mutex::default(),
        })
    }

    /// The same weights under a verifying key that may have another commitment.
    #[cfg(feature = "audit")]
    #[must_use]
    pub fn with_key(mut self, key: VerifyingKey) -> Self {
        self.key = key;
        self
    }

    /// The same verifying key over other weights, which a cheating prover would commit to.
    #[cfg(feature = "audit")]
    pub fn cheat(mut self, weights: &[i8]) -> Result<Self, ProveError> {
        let key = &self.key;
        let point = |_: &_| key.binding_evaluation().point.clone();
        self.committed = key.scheme().commit(weights, point)?;
        self.weights = weights.to_vec();
        Ok(self)
    }

    /// The verifying key.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Computes the outputs.
    pub fn execute(&self, inputs: &[&[i32]]) -> Result<Vec<Vec<i32>>, ProveError> {
        let mut tensors = self.take();
        executor::execute(self.key.graph(), &self.weights, inputs, &mut tensors)?;
        let outputs = self.outputs_in(&tensors);
        self.give_back(tensors);
        Ok(outputs)
    }

    /// Runs the graph, and keeps what [`Self::prove_run`] makes a proof of.
    pub fn run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        let mut tensors = self.take();
        executor::execute(self.key.graph(), &self.weights, inputs, &mut tensors)?;
        Ok(Run { tensors })
    }

    /// The outputs of a run.
    pub fn outputs(&self, run: &Run) -> Vec<Vec<i32>> {
        self.outputs_in(&run.tensors)
    }

    /// Proves a run of this key on these inputs for `statement`, without running the graph again.
    ///
    /// A run of other inputs gives a proof that does not verify.
    pub fn prove_run(
        &self,
        run: Run,
        inputs: &[&[i32]],
        statement: [u8; 32],
        watch: &mut dyn Watch,
    ) -> Result<Vec<u8>, ProveError> {
        let proved = self.prove_tensors(
            run.tensors,
            inputs,
            statement,
            watch,
            Transcript::new(),
            |_| (),
        )?;
        Ok(proved.proof.encode(&self.key))
    }

    /// Computes the outputs and proves them for `statement`.
    pub fn prove(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        watch: &mut dyn Watch,
    ) -> Result<(Vec<Vec<i32>>, Vec<u8>), ProveError> {
        let proved = self.prove_with(inputs, statement, watch, Transcript::new(), |_| ())?;
        Ok((proved.outputs, proved.proof.encode(&self.key)))
    }

    /// Proves what `corrupt` has made of an honest execution, on a transcript that a test prepared.
    #[cfg(feature = "audit")]
    pub fn prove_audited(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        transcript: Transcript,
        corrupt: impl Fn(&mut Witness),
    ) -> Result<Proved, ProveError> {
        self.prove_with(inputs, statement, &mut |_| (), transcript, corrupt)
    }

    fn prove_with(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        watch: &mut dyn Watch,
        transcript: Transcript,
        corrupt: impl Fn(&mut Witness),
    ) -> Result<Proved, ProveError> {
        goes_on(watch, Phase::Execute)?;
        let run = self.run(inputs)?;
        self.prove_tensors(run.tensors, inputs, statement, watch, transcript, corrupt)
    }

    fn prove_tensors(
        &self,
        tensors: Tensors,
        inputs: &[&[i32]],
        statement: [u8; 32],
        watch: &mut dyn Watch,
        mut transcript: Transcript,
        corrupt: impl Fn(&mut Witness),
    ) -> Result<Proved, ProveError> {
        let key = &self.key;
        let mut witness = Witness {
            outputs: self.outputs_in(&tensors),
            contraction_outputs: tensors.contractions(key.graph()),
        };
        corrupt(&mut witness);
        let Witness {
            outputs,
            contraction_outputs,
        } = witness;

        goes_on(watch, Phase::Reduce)?;
        let views: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
        let public = Public {
            inputs,
            outputs: &views,
            statement,
        };
        begin(key, &public, &contraction_outputs, &mut transcript);
        let (challenges, batching) = draw(key, &mut transcript);
        let (products, claims) =
            self.products(&tensors, &contraction_outputs, &challenges, batching);
        self.give_back(tensors);
        let claims = key.own_rounds().iter().copied().zip(claims);
        let mut rounds = Vec::with_capacity(key.rounds());
        let mut products = Batch::<Simd>::new(products);
        let ended = Statement::batch(claims).prove(&mut products, |round| {
            rounds.push([round[0], round[1]]);
            pass(&mut transcript, Site::Round, round)
        });

        goes_on(watch, Phase::OpenWeights)?;
        let points = key.matrix_points(&challenges, &ended.point);
        let opening = key
            .scheme()
            .open(&self.committed, &points, &mut transcript)?;
        Ok(Proved {
            outputs,
            proof: Proof {
                contraction_outputs,
                rounds,
                opening,
            },
            transcript,
        })
    }

    /// The tables of each product under the sumcheck, and what it sums up to.
    fn products(
        &self,
        tensors: &Tensors,
        contraction_outputs: &[i32],
        challenges: &[Challenge],
        batching: Extension,
    ) -> (Vec<Product>, Vec<Extension>) {
        let contractions = self.key.contractions();
        let powers = powers(batching, contractions.len());
        let mut matrices = self.weights.as_slice();
        let mut results = contraction_outputs;
        let mut products = Vec::with_capacity(powers.len());
        let mut claims = Vec::with_capacity(powers.len());
        for ((contraction, challenge), &power) in contractions.iter().zip(challenges).zip(&powers) {
            let (matrix, rest) =
                matrices.split_at(contraction.size.rows * contraction.size.columns);
            matrices = rest;
            let (result, rest) = results.split_at(contraction.results());
            results = rest;
            let weights = Weights::new(contraction, challenge);
            claims.push(power * weights.claim(result, self.key.bias(contraction)));
            let mut operand = weights.operand(contraction, tensors.get(contraction.operand));
            for value in &mut operand {
                *value *= power;
            }
            products.push(if contraction.groups == 1 {
                dense(contraction, &weights, matrix, operand)
            } else {
                grouped(contraction, &weights, matrix, &operand)
            });
        }
        (products, claims)
    }

    fn outputs_in(&self, tensors: &Tensors) -> Vec<Vec<i32>> {
        tensors
            .outputs(self.key.graph())
            .map(<[i32]>::to_vec)
            .collect()
    }

    fn take(&self) -> Tensors {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_else(|| {
            let contractions = self.key.contractions().iter();
            Tensors::keeping(contractions.flat_map(|each| [each.operand, each.result]))
        })
    }

    fn give_back(&self, tensors: Tensors) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.push(tensors);
    }
}

/// A run of the graph: the tensors that a proof of it is made of.
pub struct Run {
    tensors: Tensors,
}

/// What an execution yields and a proof is made of; tests corrupt it.
pub struct Witness {
    /// The graph's outputs.
    pub outputs: Vec<Vec<i32>>,
    /// Results of all contractions, one after another.
    pub contraction_outputs: Vec<i32>,
}

/// A proof with its outputs and the transcript that made it.
pub struct Proved {
    /// The graph's outputs.
    pub outputs: Vec<Vec<i32>>,
    /// The proof.
    pub proof: Proof,
    /// The transcript at its end.
    pub transcript: Transcript,
}

/// The tables of a product: of what is committed, and of what both sides know.
type Product = Vec<Vec<Extension>>;

fn goes_on(watch: &mut dyn Watch, phase: Phase) -> Result<(), ProveError> {
    if watch.goes_on(phase) {
        Ok(())
    } else {
        Err(ProveError::Cancelled)
    }
}

/// Over the columns: the rows combined with their weights, against the operand.
fn dense(
    contraction: &Contraction,
    weights: &Weights,
    matrix: &[i8],
    mut operand: Vec<Extension>,
) -> Product {
    let length = 1 << contraction.column_variables();
    let mut committed = combine_rows(&weights.row, matrix, contraction.size.columns);
    committed.resize(length, Extension::ZERO);
    operand.resize(length, Extension::ZERO);
    vec![committed, operand]
}

/// Over rows and columns: the matrix itself, against the operand of each row's group.
fn grouped(
    contraction: &Contraction,
    weights: &Weights,
    matrix: &[i8],
    operand: &[Extension],
) -> Product {
    let Size { rows, columns } = contraction.size;
    let stride = 1 << contraction.column_variables();
    let length = stride << contraction.row_variables();
    let mut committed = vec![Extension::ZERO; length];
    let mut known = committed.clone();
    for (row, values) in matrix.chunks_exact(columns).enumerate() {
        let group = row / (rows / contraction.groups);
        let start = row * stride;
        for (column, &value) in values.iter().enumerate() {
            committed[start + column] = lift(i32::from(value)).into();
            known[start + column] = weights.row[row] * operand[group * columns + column];
        }
    }
    vec![committed, known]
}

//! The prover.

use crate::verify::lookup_claims;
use crate::{Key, KeyError, Phase, Proof, Public, Watch};
use claim_reduction::{Columns, MIN_VARIABLES, columns, reduce};
use commitment::columns::ColumnsError;
use commitment::{Committed, Profile};
use executor::Tensors;
use graph::Graph;
use lookup::{Column, Engine, Simd};
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension, Transcript};

/// Alters what the reduction sends: the number of the message, and the message.
type Alter<'a> = &'a mut dyn FnMut(usize, &mut [Extension]);

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// The key cannot be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The graph cannot be executed.
    #[error("the graph cannot be executed: {0}")]
    Execution(#[from] executor::Fault),
    /// A column is outside of its table.
    #[error("{0}")]
    Lookups(#[from] lookup::ProveError),
    /// The columns cannot be committed to or opened.
    #[error("{0}")]
    Columns(#[from] ColumnsError),
    /// The weights cannot be opened.
    #[error("{0}")]
    Commitment(#[from] commitment::Error),
    /// The reduction failed, which it does for no execution but by chance.
    #[error("{0}")]
    Reduction(#[from] claim_reduction::Rejected),
    /// The weights are not those that the key commits to.
    #[error("the weights are not those of the verifying key")]
    OtherWeights,
    /// The caller has cancelled.
    #[error("proving was cancelled")]
    Cancelled,
}

impl ProveError {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::Execution(_) => "EXECUTION",
            Self::Lookups(_) => "LOOKUPS",
            Self::Columns(_) => "COLUMNS",
            Self::Commitment(_) => "COMMITMENT",
            Self::Reduction(_) => "REDUCTION",
            Self::OtherWeights => "WEIGHTS_OTHER",
            Self::Cancelled => "CANCELLED",
        }
    }
}

fn begins(watch: &mut dyn Watch, phase: Phase) -> Result<(), ProveError> {
    if watch.goes_on(phase) {
        Ok(())
    } else {
        Err(ProveError::Cancelled)
    }
}

/// A run of the graph: all its tensors.
pub struct Run {
    tensors: Tensors,
}

/// What a proof is made of; tests corrupt it.
pub struct Witness {
    /// The graph's outputs.
    pub outputs: Vec<Vec<i32>>,
    /// All tensors.
    pub tensors: Tensors,
    /// Columns that are committed or looked up.
    pub columns: Columns,
    /// One column for each table.
    pub multiplicities: Vec<Vec<Base>>,
}

/// A key with its weights.
pub struct Prover {
    key: Key,
    weights: Vec<i8>,
    committed: Committed,
}

impl Prover {
    /// Commits to the weights of a graph.
    pub fn new(graph: Graph, weights: &[i8], profile: Profile) -> Result<Self, ProveError> {
        let key = Key::new(graph, profile)?;
        let committed = key
            .scheme()
            .commit(weights, |root| key.binding_point(root))?;
        let key = key.with_commitment(
            committed.root(),
            committed.binding_evaluation().values.clone(),
        );
        Ok(Self {
            key,
            weights: weights.to_vec(),
            committed,
        })
    }

    /// Reads a key and checks that these are its weights.
    pub fn load(key: &[u8], weights: Vec<i8>) -> Result<Self, ProveError> {
        let key = Key::decode(key)?;
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
        })
    }

    /// The key.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The same weights under another key, which need not be theirs: a test's cheat.
    #[cfg(feature = "audit")]
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// Computes the outputs.
    pub fn execute(&self, inputs: &[&[i32]]) -> Result<Vec<Vec<i32>>, ProveError> {
        let graph = self.key.graph();
        let mut tensors = Tensors::keeping([]);
        executor::execute(graph, &self.weights, inputs, &mut tensors)?;
        Ok(tensors.outputs(graph).map(<[i32]>::to_vec).collect())
    }

    /// Runs the graph, and keeps what [`Self::prove_run`] makes a proof of.
    pub fn run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        let mut tensors = Tensors::default();
        executor::execute(self.key.graph(), &self.weights, inputs, &mut tensors)?;
        Ok(Run { tensors })
    }

    /// The outputs of a run.
    pub fn outputs(&self, run: &Run) -> Vec<Vec<i32>> {
        let outputs = run.tensors.outputs(self.key.graph());
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
        watch: &mut dyn Watch,
    ) -> Result<Vec<u8>, ProveError> {
        let witness = self.witness_of(run)?;
        let proof = self.prove_with(inputs, statement, &witness, Transcript::new(), None, watch)?;
        Ok(proof.encode(&self.key))
    }

    /// Executes the graph and makes the columns.
    pub fn witness(&self, inputs: &[&[i32]]) -> Result<Witness, ProveError> {
        self.witness_of(self.run(inputs)?)
    }

    fn witness_of(&self, run: Run) -> Result<Witness, ProveError> {
        let (key, tensors) = (&self.key, run.tensors);
        let columns = columns(key.graph(), key.plan(), &tensors);
        let looked = looked(key, &columns);
        Ok(Witness {
            outputs: tensors.outputs(key.graph()).map(<[i32]>::to_vec).collect(),
            multiplicities: key.argument().multiplicities(&looked)?,
            tensors,
            columns,
        })
    }

    /// Computes the outputs and proves them for `statement`.
    pub fn prove(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        watch: &mut dyn Watch,
    ) -> Result<(Vec<Vec<i32>>, Vec<u8>), ProveError> {
        begins(watch, Phase::Execute)?;
        let witness = self.witness(inputs)?;
        let proof = self.prove_with(inputs, statement, &witness, Transcript::new(), None, watch)?;
        Ok((witness.outputs, proof.encode(&self.key)))
    }

    /// Proves a witness that a test has corrupted, on a transcript that it has prepared; what the
    /// reduction sends is altered too.
    #[cfg(feature = "audit")]
    pub fn prove_audited(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        witness: &Witness,
        transcript: Transcript,
        alter: Alter<'_>,
    ) -> Result<Proof, ProveError> {
        self.prove_with(
            inputs,
            statement,
            witness,
            transcript,
            Some(alter),
            &mut |_| (),
        )
    }

    fn prove_with(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        witness: &Witness,
        mut transcript: Transcript,
        alter: Option<Alter<'_>>,
        watch: &mut dyn Watch,
    ) -> Result<Proof, ProveError> {
        let key = &self.key;
        begins(watch, Phase::Commit)?;
        let multiplicities: Vec<Vec<Base>> = witness
            .multiplicities
            .iter()
            .map(|counts| {
                let mut counts = counts.clone();
                counts.resize(counts.len().max(1 << MIN_VARIABLES), Base::ZERO);
                counts
            })
            .collect();
        let all = witness.columns.committed.iter().chain(&multiplicities);
        let all: Vec<&[Base]> = all.map(Vec::as_slice).collect();
        let committed = key.columns().commit(&all)?;

        begins(watch, Phase::Lookups)?;
        let outputs: Vec<&[i32]> = witness.outputs.iter().map(Vec::as_slice).collect();
        let public = Public {
            inputs,
            outputs: &outputs,
            statement,
        };
        key.begin(&public, &committed.root(), &mut transcript);
        let (lookups, claims) = Simd::prove(
            key.argument(),
            &looked(key, &witness.columns),
            &witness.multiplicities,
            &mut transcript,
        )?;

        begins(watch, Phase::Reduce)?;
        let lookup_claims = lookup_claims(&claims);
        let mut side = claim_reduction::Prover::new(
            claim_reduction::Witness {
                graph: key.graph(),
                tensors: &witness.tensors,
                weights: &self.weights,
                columns: &witness.columns.committed,
            },
            &mut transcript,
        );
        #[cfg(feature = "audit")]
        if let Some(alter) = alter {
            side = side.altered(alter);
        }
        #[cfg(not(feature = "audit"))]
        let _ = alter;
        let opened = reduce(&mut side, &key.problem(&public, &lookup_claims))?;
        let reduction = side.finish();

        begins(watch, Phase::OpenWitness)?;
        let points: Vec<_> = key
            .column_claims(&opened, &claims)
            .into_iter()
            .map(|claim| (claim.column, claim.point))
            .collect();
        let columns = key.columns().open(&committed, &points, &mut transcript)?;
        begins(watch, Phase::OpenWeights)?;
        let points: Vec<_> = opened
            .matrices
            .iter()
            .map(|claim| claim.point.clone())
            .collect();
        let weights = key
            .scheme()
            .open(&self.committed, &points, &mut transcript)?;
        Ok(Proof {
            witness: committed.root(),
            lookups,
            reduction,
            columns,
            weights,
        })
    }
}

/// The columns of each lookup.
fn looked<'a>(key: &Key, columns: &'a Columns) -> Vec<Column<'a>> {
    (0..key.plan().lookups.len())
        .map(|lookup| {
            let [keys, values] = columns.pair(lookup);
            Column { keys, values }
        })
        .collect()
}

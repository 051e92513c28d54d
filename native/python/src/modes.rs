//! The keys of both modes behind one face: a key's bytes name its mode.

use crate::{Asking, Failure};
use commitment::{KeyFault, Profile, Security};
use graph::Graph;
use layers::GraphSize;

/// A mode of the proof system.
#[derive(Clone, Copy)]
pub enum Mode {
    /// The results of contractions travel in the clear.
    Clear,
    /// They are committed to.
    Committed,
}

impl Mode {
    const ALL: [Self; 2] = [Self::Clear, Self::Committed];

    /// The mode of a name.
    pub fn from_name(name: &str) -> Result<Self, Failure> {
        let unknown = || Failure::new("MODE", format!("there is no mode {name}"));
        let mut all = Self::ALL.into_iter();
        all.find(|mode| mode.name() == name).ok_or_else(unknown)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Committed => "committed",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Clear => verifier::MODE.code,
            Self::Committed => committed::MODE.code,
        }
    }

    /// The mode that a key's bytes name.
    fn of_key(bytes: &[u8]) -> Result<Self, Failure> {
        let code = commitment::mode_of(bytes).map_err(verifier::KeyError::from)?;
        let mut all = Self::ALL.into_iter();
        let found = all.find(|mode| mode.code() == code);
        Ok(found.ok_or(verifier::KeyError::from(KeyFault::Version))?)
    }

    /// Commits to the weights of a graph: the bytes of the verifying key.
    pub fn commit(
        self,
        graph: Graph,
        weights: &[i8],
        profile: Profile,
    ) -> Result<Vec<u8>, Failure> {
        Ok(match self {
            Self::Clear => prover::commit(graph, weights, profile)?.encode(),
            Self::Committed => committed::Prover::new(graph, weights, profile)?
                .key()
                .encode(),
        })
    }

    /// How sound proofs for a graph are, whatever its weights.
    pub fn security(self, graph: Graph, profile: Profile) -> Result<Security, Failure> {
        Ok(match self {
            Self::Clear => verifier::VerifyingKey::new(graph, profile)?.security(),
            Self::Committed => report(&committed::Key::new(graph, profile)?),
        })
    }
}

/// Weights, products and other steps of a graph.
pub fn size(graph: &Graph) -> (u64, u64, u64) {
    let size = GraphSize::of(graph);
    (size.weights, size.products, size.steps)
}

fn report(key: &committed::Key) -> Security {
    Security::new(key.scheme().profile(), key.security())
}

/// A verifying key of either mode.
pub enum VerifyingKey {
    /// Of the clear one.
    Clear(Box<verifier::VerifyingKey>),
    /// Of the committed one.
    Committed(Box<committed::Key>),
}

impl VerifyingKey {
    /// The key of these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Failure> {
        Ok(match Mode::of_key(bytes)? {
            Mode::Clear => Self::Clear(Box::new(verifier::VerifyingKey::decode(bytes)?)),
            Mode::Committed => Self::Committed(Box::new(committed::Key::decode(bytes)?)),
        })
    }

    /// Its mode.
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Clear(_) => Mode::Clear,
            Self::Committed(_) => Mode::Committed,
        }
    }

    /// The graph in it.
    pub const fn graph(&self) -> &Graph {
        match self {
            Self::Clear(key) => key.graph(),
            Self::Committed(key) => key.graph(),
        }
    }

    /// How sound its proofs are.
    pub fn security(&self) -> Security {
        match self {
            Self::Clear(key) => key.security(),
            Self::Committed(key) => report(key),
        }
    }

    /// Checks a proof of its mode.
    pub fn verify(
        &self,
        inputs: &[&[i32]],
        outputs: &[&[i32]],
        statement: [u8; 32],
        proof: &[u8],
    ) -> Result<(), Failure> {
        match self {
            Self::Clear(key) => {
                let public = verifier::Public {
                    inputs,
                    outputs,
                    statement,
                };
                key.verify(&public, proof)?;
            }
            Self::Committed(key) => {
                let public = committed::Public {
                    inputs,
                    outputs,
                    statement,
                };
                key.verify(&public, proof)?;
            }
        }
        Ok(())
    }
}

/// A verifying key of either mode with its weights.
pub enum ProvingKey {
    /// Of the clear one.
    Clear(Box<prover::ProvingKey>),
    /// Of the committed one.
    Committed(Box<committed::Prover>),
}

impl ProvingKey {
    /// Reads a verifying key and checks that these are its weights.
    pub fn load(verifying_key: &[u8], weights: Vec<i8>) -> Result<Self, Failure> {
        Ok(match Mode::of_key(verifying_key)? {
            Mode::Clear => Self::Clear(Box::new(prover::ProvingKey::load(verifying_key, weights)?)),
            Mode::Committed => {
                Self::Committed(Box::new(committed::Prover::load(verifying_key, weights)?))
            }
        })
    }

    /// Runs the graph.
    pub fn run(&self, inputs: &[&[i32]]) -> Result<Run, Failure> {
        Ok(match self {
            Self::Clear(key) => Run::Clear(key.run(inputs)?),
            Self::Committed(key) => Run::Committed(key.run(inputs)?),
        })
    }

    /// The outputs of a run of this key.
    pub fn outputs(&self, run: &Run) -> Result<Vec<Vec<i32>>, Failure> {
        match (self, run) {
            (Self::Clear(key), Run::Clear(run)) => Ok(key.outputs(run)),
            (Self::Committed(key), Run::Committed(run)) => Ok(key.outputs(run)),
            _ => Err(other_mode()),
        }
    }

    /// Proves a run of this key on these inputs, without running the graph again.
    pub fn prove(
        &self,
        run: Run,
        inputs: &[&[i32]],
        statement: [u8; 32],
        asking: &mut Asking,
    ) -> Result<Vec<u8>, Failure> {
        match (self, run) {
            (Self::Clear(key), Run::Clear(run)) => {
                Ok(key.prove_run(run, inputs, statement, asking)?)
            }
            (Self::Committed(key), Run::Committed(run)) => {
                Ok(key.prove_run(run, inputs, statement, asking)?)
            }
            _ => Err(other_mode()),
        }
    }
}

/// A run of a graph in either mode.
pub enum Run {
    /// Under a clear key.
    Clear(prover::Run),
    /// Under a committed one.
    Committed(committed::Run),
}

fn other_mode() -> Failure {
    Failure::new("RUN_OTHER", "the run is of a key of the other mode")
}

impl prover::Watch for Asking {
    fn goes_on(&self, phase: prover::Phase) -> bool {
        self.ask(match phase {
            prover::Phase::Execute => "execute",
            prover::Phase::Reduce => "reduce",
            prover::Phase::Open => "open",
        })
    }
}

impl committed::Watch for Asking {
    fn goes_on(&mut self, phase: committed::Phase) -> bool {
        self.ask(match phase {
            committed::Phase::Witness => "execute",
            committed::Phase::Commit => "commit",
            committed::Phase::Lookups => "look up",
            committed::Phase::Reduce => "reduce",
            committed::Phase::OpenWitness => "open witness",
            committed::Phase::OpenWeights => "open",
        })
    }
}

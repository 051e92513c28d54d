//! The keys of both modes behind one face: a key's bytes name its mode.

use crate::ProveError;
use commitment::{KeyFault, Profile, Public, Security, Watch};
use graph::Graph;

/// Why something that a mode was asked for has failed; [`Failure::code`] is stable.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No mode has this name.
    #[error("there is no mode {0}")]
    Mode(String),
    /// A run under a key of another mode.
    #[error("the run is of a key of the other mode")]
    OtherRun,
    /// A key of the clear mode, or of none.
    #[error(transparent)]
    Key(#[from] verifier::KeyError),
    /// A key of the committed mode.
    #[error(transparent)]
    CommittedKey(#[from] committed::KeyError),
    /// The clear mode cannot prove.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The committed mode cannot prove.
    #[error(transparent)]
    CommittedProve(#[from] committed::ProveError),
    /// The clear mode rejects a proof.
    #[error(transparent)]
    Rejected(#[from] verifier::Rejection),
    /// The committed mode rejects one.
    #[error(transparent)]
    CommittedRejected(#[from] committed::Rejection),
}

impl Failure {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Mode(_) => "MODE",
            Self::OtherRun => "RUN_OTHER",
            Self::Key(error) => error.code(),
            Self::CommittedKey(error) => error.code(),
            Self::Prove(error) => error.code(),
            Self::CommittedProve(error) => error.code(),
            Self::Rejected(error) => error.code(),
            Self::CommittedRejected(error) => error.code(),
        }
    }
}

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
        let unknown = || Failure::Mode(name.to_owned());
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
            Self::Clear => crate::commit(graph, weights, profile)?.encode(),
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
        let public = Public {
            inputs,
            outputs,
            statement,
        };
        match self {
            Self::Clear(key) => key.verify(&public, proof)?,
            Self::Committed(key) => key.verify(&public, proof)?,
        }
        Ok(())
    }
}

/// A verifying key of either mode with its weights.
pub enum ProvingKey {
    /// Of the clear one.
    Clear(Box<crate::ProvingKey>),
    /// Of the committed one.
    Committed(Box<committed::Prover>),
}

impl ProvingKey {
    /// Reads a verifying key and checks that these are its weights.
    pub fn load(verifying_key: &[u8], weights: Vec<i8>) -> Result<Self, Failure> {
        Ok(match Mode::of_key(verifying_key)? {
            Mode::Clear => Self::Clear(Box::new(crate::ProvingKey::load(verifying_key, weights)?)),
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
            _ => Err(Failure::OtherRun),
        }
    }

    /// Proves a run of this key on these inputs, without running the graph again.
    pub fn prove(
        &self,
        run: Run,
        inputs: &[&[i32]],
        statement: [u8; 32],
        watch: &mut dyn Watch,
    ) -> Result<Vec<u8>, Failure> {
        match (self, run) {
            (Self::Clear(key), Run::Clear(run)) => {
                Ok(key.prove_run(run, inputs, statement, watch)?)
            }
            (Self::Committed(key), Run::Committed(run)) => {
                Ok(key.prove_run(run, inputs, statement, watch)?)
            }
            _ => Err(Failure::OtherRun),
        }
    }
}

/// A run of a graph in either mode.
pub enum Run {
    /// Under a clear key.
    Clear(crate::Run),
    /// Under a committed one.
    Committed(committed::Run),
}

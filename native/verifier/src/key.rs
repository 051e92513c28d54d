//! The verifying key: graph, weight commitment, parameters.

use commitment::{
    BindingEvaluation, KeyFault, KeyParts, Mode, Profile, Root, Scheme, Size, WeightKey,
};
use graph::Graph;
use layers::{Contraction, TooCostly, affordable, check_cost, check_key_size, contractions};
use transcript::Extension;

/// Name and version of the protocol, as the transcript begins.
pub const PROTOCOL: &[u8] = b"inferproof sumcheck 1 clear";
/// The mode in which the results of contractions travel in the clear.
pub const MODE: Mode = Mode {
    code: 1,
    protocol: PROTOCOL,
};
/// Results of all contractions together.
pub const MAX_CONTRACTION_OUTPUTS: usize = 1 << 21;

/// A key that cannot be made or read; [`KeyError::code`] is stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not those of a verifying key.
    #[error("the verifying key is malformed")]
    Malformed,
    /// The key is of another version, mode or profile.
    #[error("the verifying key is of a version, mode or profile that is not supported")]
    Version,
    /// Checking a proof under it would cost too much, by what is counted before it is done.
    #[error(transparent)]
    Costly(#[from] TooCostly),
    /// The graph in it is not well formed.
    #[error("the graph of the verifying key is not well formed: {0}")]
    Graph(#[from] graph::Fault),
    /// The graph has no weights, so that there is nothing to commit to.
    #[error("the graph has no weighted contraction")]
    NoWeights,
    /// Too many results of contractions for the clear mode.
    #[error("the graph has {0} results of contractions; the clear mode takes at most 2^21")]
    ContractionOutputs(usize),
    /// The contractions are too costly to check.
    #[error("the operands of the graph's contractions take too much to be weighted")]
    Work,
    /// The weights cannot be committed to.
    #[error("{0}")]
    Commitment(#[from] commitment::Error),
}

impl KeyError {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "KEY_MALFORMED",
            Self::Version => "KEY_VERSION",
            Self::Costly(_) => "KEY_TOO_COSTLY",
            Self::Graph(_) => "KEY_GRAPH",
            Self::NoWeights => "KEY_NO_WEIGHTS",
            Self::ContractionOutputs(_) => "KEY_ACCUMULATORS",
            Self::Work => "KEY_WORK",
            Self::Commitment(_) => "KEY_COMMITMENT",
        }
    }
}

impl From<KeyFault> for KeyError {
    fn from(fault: KeyFault) -> Self {
        match fault {
            KeyFault::Malformed => Self::Malformed,
            KeyFault::Version => Self::Version,
        }
    }
}

/// All that a verifier needs to know about a model.
pub struct VerifyingKey {
    graph: Graph,
    contractions: Vec<Contraction>,
    own_rounds: Vec<usize>,
    weights: WeightKey,
}

impl VerifyingKey {
    /// A key without a commitment: root and binding evaluation are zeros, for which nobody knows weights. It tells
    /// what proofs will be like, and [`Self::with_commitment`] makes a key of it.
    pub fn new(graph: Graph, profile: Profile) -> Result<Self, KeyError> {
        let contraction_outputs = graph.contraction_outputs();
        if contraction_outputs > MAX_CONTRACTION_OUTPUTS {
            return Err(KeyError::ContractionOutputs(contraction_outputs));
        }
        let contractions = contractions(&graph);
        if contractions.is_empty() {
            return Err(KeyError::NoWeights);
        }
        if !affordable(&contractions) {
            return Err(KeyError::Work);
        }
        let sizes: Vec<Size> = contractions
            .iter()
            .map(|contraction| contraction.size)
            .collect();
        let own_rounds = contractions.iter().map(Contraction::rounds).collect();
        let scheme = Scheme::new(&sizes, profile)?;
        let weights = WeightKey::new(MODE, scheme, &graph.encode());
        Ok(Self {
            graph,
            contractions,
            own_rounds,
            weights,
        })
    }

    /// The key of a graph whose weights are committed to by `root`, with the values of its binding evaluation.
    #[must_use]
    pub fn with_commitment(mut self, root: Root, values: Vec<Extension>) -> Self {
        self.weights.commit(root, values, &self.graph.encode());
        self
    }

    /// The point at which the weights under `root` are bound.
    pub fn binding_point(&self, root: &Root) -> Vec<Extension> {
        self.weights.binding_point(root, &self.graph.encode())
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.weights.encode(&self.graph.encode())
    }

    /// The key of these bytes. What it may cost is counted before anything is made of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        check_key_size(bytes.len())?;
        let parts = KeyParts::decode(MODE, bytes)?;
        let graph = Graph::decode(parts.graph)?;
        check_cost(&graph)?;
        let key = Self::new(graph, parts.profile)?;
        if parts.values.len() != key.scheme().binding_evaluations() {
            return Err(KeyError::Malformed);
        }
        Ok(key.with_commitment(parts.root, parts.values))
    }

    /// The graph.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Its weighted contractions, in the order of its nodes and of its weight matrices.
    pub fn contractions(&self) -> &[Contraction] {
        &self.contractions
    }

    /// Rounds of the sumcheck that each contraction takes part in.
    pub fn own_rounds(&self) -> &[usize] {
        &self.own_rounds
    }

    /// Rounds of the sumcheck.
    pub fn rounds(&self) -> usize {
        self.own_rounds.iter().copied().max().unwrap_or(0)
    }

    /// The scheme of the weight commitment.
    pub const fn scheme(&self) -> &Scheme {
        self.weights.scheme()
    }

    /// The weight commitment.
    pub const fn root(&self) -> Root {
        self.weights.root()
    }

    /// The values that bind the weights under the root.
    pub const fn binding_evaluation(&self) -> &BindingEvaluation {
        self.weights.binding_evaluation()
    }

    /// BLAKE3 of the key's bytes.
    pub const fn digest(&self) -> [u8; 32] {
        self.weights.digest()
    }

    /// The bias of a contraction.
    pub fn bias(&self, contraction: &Contraction) -> Option<&[i32]> {
        let constant = self.graph.constants.get(contraction.bias?)?;
        Some(&constant.values)
    }
}

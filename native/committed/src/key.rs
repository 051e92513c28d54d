//! The key of the committed mode.

use crate::effort::{MAX_EFFORT, effort, entries};
use claim_reduction::{
    Counter, Limit, LookupClaim, MIN_VARIABLES, Plan, Problem, Table, Unsupported,
};
use commitment::columns::{Columns, ColumnsError};
use commitment::{
    BindingEvaluation, KeyFault, KeyParts, Mode, Profile, Public, Root, Scheme, Size, Term,
    WeightKey, challenge_bits, compose,
};
use graph::Graph;
use layers::{Contraction, TooCostly, affordable, check_cost, check_key_size, contractions};
use lookup::Argument;
use p3_field::PrimeCharacteristicRing;
use transcript::{Extension, Site, Transcript};

/// Name and version of the protocol, as the transcript begins.
pub const PROTOCOL: &[u8] = b"inferproof sumcheck 1 committed";
/// The mode in which the witness is committed to.
pub const MODE: Mode = Mode {
    code: 2,
    protocol: PROTOCOL,
};

/// A key that cannot be made or read; [`KeyError::code`] is stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not those of a key.
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
    /// A matrix that no output depends on has nothing to be opened for.
    #[error("a weight matrix has no part in any output")]
    Unread,
    /// The mode does not cover the graph.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// Proofs are too costly to check.
    #[error("the graph takes its verifier too much in the committed mode")]
    Work,
    /// The lookups cannot be argued about.
    #[error("{0}")]
    Lookups(#[from] lookup::Error),
    /// The columns cannot be committed to.
    #[error("{0}")]
    Columns(#[from] ColumnsError),
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
            Self::Unread => "KEY_UNREAD",
            Self::Unsupported(_) => "KEY_UNSUPPORTED",
            Self::Work => "KEY_WORK",
            Self::Lookups(_) => "KEY_LOOKUPS",
            Self::Columns(_) => "KEY_COLUMNS",
            Self::Commitment(_) => "KEY_COMMITMENT",
        }
    }
}

impl From<Unsupported> for KeyError {
    fn from(refused: Unsupported) -> Self {
        match refused.limit {
            None => Self::Unsupported(refused),
            Some(Limit::Work) => Self::Work,
            Some(Limit::Lookups { lookups, tables }) => {
                Self::Lookups(lookup::Error::Count { lookups, tables })
            }
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
pub struct Key {
    graph: Graph,
    contractions: Vec<Contraction>,
    plan: Plan,
    argument: Argument,
    columns: Columns,
    weights: WeightKey,
    degrees: usize,
}

impl Key {
    /// A key without a commitment; see [`Self::with_commitment`].
    pub fn new(graph: Graph, profile: Profile) -> Result<Self, KeyError> {
        if !Profile::COMMITTED.contains(&profile) {
            return Err(KeyError::Version);
        }
        let contractions = contractions(&graph);
        if contractions.is_empty() {
            return Err(KeyError::NoWeights);
        }
        if !affordable(&contractions) {
            return Err(KeyError::Work);
        }
        let effort = effort(&graph);
        if effort > MAX_EFFORT {
            return Err(KeyError::Work);
        }
        let plan = Plan::new(&graph)?;
        if effort + entries(&plan) > MAX_EFFORT {
            return Err(KeyError::Work);
        }
        let sizes: Vec<Size> = contractions.iter().map(|c| c.size).collect();
        let scheme = Scheme::committed(&sizes, profile)?;
        let argument = argument(&plan)?;
        let (claims, degrees) = count(&graph, &plan, &contractions)?;
        let mut variables: Vec<usize> = plan
            .columns
            .iter()
            .map(claim_reduction::Column::variables)
            .collect();
        let tables = argument.tables().iter();
        variables.extend(tables.map(|table| table.variables().max(MIN_VARIABLES)));
        let columns = Columns::new(&variables, claims + argument.tables().len(), profile)?;
        let weights = WeightKey::new(MODE, scheme, &graph.encode());
        Ok(Self {
            graph,
            contractions,
            plan,
            argument,
            columns,
            weights,
            degrees,
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

    /// Its weighted contractions.
    pub fn contractions(&self) -> &[Contraction] {
        &self.contractions
    }

    /// What is committed and looked up.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The lookup argument.
    pub const fn argument(&self) -> &Argument {
        &self.argument
    }

    /// The scheme of the witness: columns of the plan, then the multiplicities of its tables.
    pub const fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The scheme of the weights.
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

    /// Absorbs everything that is fixed before the first challenge.
    pub(crate) fn begin(&self, public: &Public<'_>, witness: &Root, transcript: &mut Transcript) {
        transcript.absorb(Site::Protocol, PROTOCOL);
        transcript.absorb(Site::Key, &self.weights.digest());
        transcript.absorb(Site::Statement, &public.statement);
        transcript.absorb(Site::Inputs, &integers(public.inputs));
        transcript.absorb(Site::Outputs, &integers(public.outputs));
        transcript.absorb(Site::Witness, witness);
    }

    /// The error terms of a proof. What lies between the witness commitment and its opening counts
    /// as many times as the commitment may have candidates.
    pub fn security(&self) -> Vec<Term> {
        let outer = |term: Term| Term::new(term.name, term.bits - self.columns.candidate_bits());
        let flow = challenge_bits() as f64 - (self.degrees.max(1) as f64).log2();
        let mut terms = self.argument.security();
        terms.push(Term::new("reduction: points, sumchecks and batching", flow));
        let mut terms: Vec<Term> = terms.into_iter().map(outer).collect();
        terms.extend(self.columns.security());
        terms.extend(self.scheme().binding_security());
        terms.extend(self.scheme().security());
        terms
    }

    /// Bits of all terms together.
    pub fn provable_bits(&self) -> f64 {
        compose(&self.security())
    }
}

fn argument(plan: &Plan) -> Result<Argument, KeyError> {
    let tables = plan.tables.iter().map(|table| match table {
        Table::Range(bits) => lookup::Table::Range {
            bits: *bits as usize,
        },
        Table::Function { first, values } => lookup::Table::Function {
            first: *first,
            values: values.clone(),
        },
    });
    let lookups = plan.lookups.iter().map(|lookup| lookup::Lookup {
        table: lookup.table,
        variables: lookup.variables,
    });
    Ok(Argument::new(tables.collect(), lookups.collect())?)
}

/// Claims on columns that a reduction ends in, and the degrees that its error is made of.
fn count(
    graph: &Graph,
    plan: &Plan,
    contractions: &[Contraction],
) -> Result<(usize, usize), KeyError> {
    let widest = plan.lookups.iter().map(|lookup| lookup.variables).max();
    let point: Vec<Extension> = (0..widest.unwrap_or(0))
        .map(|index| Extension::from_usize((1 << 20) + index))
        .collect();
    let lookup_claims: Vec<LookupClaim> = plan
        .lookups
        .iter()
        .map(|lookup| LookupClaim {
            point: point
                .iter()
                .skip(point.len() - lookup.variables)
                .copied()
                .collect(),
            ..LookupClaim::default()
        })
        .collect();
    let problem = Problem {
        graph,
        plan,
        contractions,
        inputs: &[],
        outputs: &vec![&[][..]; graph.outputs.len()],
        lookup_claims: &lookup_claims,
    };
    let mut counter = Counter::default();
    let opened = claim_reduction::reduce(&mut counter, &problem).unwrap_or_default();
    if opened.matrices.len() != contractions.len() {
        return Err(KeyError::Unread);
    }
    let claims = opened.columns.len();
    Ok((claims, counter.errors(graph.tensors(), claims)))
}

/// Little-endian words, one tensor after another; the graph fixes how many each has.
fn integers(tensors: &[&[i32]]) -> Vec<u8> {
    tensors
        .iter()
        .copied()
        .flatten()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

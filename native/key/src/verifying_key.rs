//! Keys of the clear mode: graph, weight commitment, parameters.

use crate::error::KeyError;
use crate::mode::Mode;
use crate::parts::Parts;
use crate::public::Public;
use crate::subject::{Given, begin};
use commitment::{BindingEvaluation, Profile, Root, Scheme, Security, Size};
use graph::Graph;
use layers::{Contraction, affordable, check_cost, check_key_size, contractions};
use p3_field::PrimeCharacteristicRing;
use transcript::{Extension, Site, Transcript};

/// Results of all contractions together.
pub const MAX_CONTRACTION_OUTPUTS: usize = 1 << 23;

/// All that a verifier needs to know about a model of the clear mode.
pub struct VerifyingKey {
    graph: Graph,
    contractions: Vec<Contraction>,
    scheme: Scheme,
    root: Root,
    binding_evaluation: BindingEvaluation,
    digest: [u8; 32],
}

impl VerifyingKey {
    /// A key without a commitment: root and binding evaluation are zeros, for which nobody knows weights.
    /// It tells what proofs will be like, and [`Self::with_commitment`] makes a key of it.
    pub fn new(graph: Graph, profile: Profile) -> Result<Self, KeyError> {
        // What their claims end at is not among what the mode opens.
        if graph.parameters().next().is_some() {
            return Err(KeyError::Parameters);
        }
        let outputs = graph.contraction_outputs();
        if outputs > MAX_CONTRACTION_OUTPUTS {
            return Err(KeyError::ContractionOutputs(outputs));
        }
        let contractions = contractions(&graph);
        if contractions.is_empty() {
            return Err(KeyError::NoWeights);
        }
        if !affordable(&contractions) {
            return Err(KeyError::Operands);
        }
        let sizes: Vec<Size> = contractions.iter().map(|each| each.size).collect();
        let scheme = Scheme::new(&sizes, profile)?;
        let values = vec![Extension::ZERO; scheme.binding_evaluations()];
        let key = Self {
            graph,
            contractions,
            scheme,
            root: [0; 32],
            binding_evaluation: BindingEvaluation::default(),
            digest: [0; 32],
        };
        Ok(key.with_commitment([0; 32], values))
    }

    /// The key of a graph whose weights are committed to by `root`, with the values of its binding
    /// evaluation.
    #[must_use]
    pub fn with_commitment(mut self, root: Root, values: Vec<Extension>) -> Self {
        let point = self.binding_point(&root);
        self.root = root;
        self.binding_evaluation = BindingEvaluation { point, values };
        self.digest = blake3::hash(&self.encode()).into();
        self
    }

    /// The point at which the weights under `root` are bound.
    pub fn binding_point(&self, root: &Root) -> Vec<Extension> {
        let graph = self.graph.encode();
        let bare = self.parts(*root, Vec::new(), &graph).without_values();
        let bare: [u8; 32] = blake3::hash(&bare).into();
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Protocol, Mode::Clear.protocol());
        transcript.absorb(Site::Commitment, &bare);
        transcript.point(self.scheme.binding_variables())
    }

    fn parts<'a>(&self, root: Root, values: Vec<Extension>, graph: &'a [u8]) -> Parts<'a> {
        Parts {
            mode: Mode::Clear,
            profile: self.scheme.profile(),
            root,
            openings: None,
            values,
            graph,
        }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let values = self.binding_evaluation.values.clone();
        self.parts(self.root, values, &self.graph.encode()).encode()
    }

    /// The key of these bytes. What it may cost is counted before anything is made of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        check_key_size(bytes.len())?;
        let parts = Parts::decode(bytes, Mode::Clear)?;
        let graph = Graph::decode(parts.graph)?;
        check_cost(&graph)?;
        let key = Self::new(graph, parts.profile)?;
        if parts.values.len() != key.scheme.binding_evaluations() {
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

    /// The scheme of the weight commitment.
    pub const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The weight commitment.
    pub const fn root(&self) -> Root {
        self.root
    }

    /// The values that bind the weights under the root.
    pub const fn binding_evaluation(&self) -> &BindingEvaluation {
        &self.binding_evaluation
    }

    /// BLAKE3 of the key's bytes.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The bias of a contraction.
    pub fn bias(&self, contraction: &Contraction) -> Option<&[i32]> {
        let constant = self.graph.constants.get(contraction.bias?)?;
        Some(&constant.values)
    }

    /// Absorbs what proofs begin with.
    pub fn begin(&self, public: &Public<'_>, transcript: &mut Transcript) {
        begin(
            Mode::Clear.protocol(),
            &self.digest,
            public,
            Given::Inputs,
            transcript,
        );
    }

    /// What is proven about the soundness of proofs for this key, hash and transcript being ideal.
    pub fn security(&self) -> Security {
        let mut terms = layers::security(&self.contractions);
        terms.extend(self.scheme.binding_security());
        terms.extend(self.scheme.security());
        Security::new(self.scheme.profile(), terms)
    }
}

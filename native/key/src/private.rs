//! Keys of the private mode.
//!
//! ```text
//! key = magic ‖ version ‖ 3 ‖ profile ‖ root ‖ openings ‖ pin ‖ graph
//! ```
//!
//! The root is that of a hiding commitment to the weights and parameters, whose uniform half serves a number of openings.
//! The *pin* is the value of the whole vector of weights, its uniform half included, at one point that
//! is drawn from all else in the key. It shows nothing, since the half makes it uniform; each opening
//! claims it, and so stands for the one vector of weights that has it. Where a root has one candidate, in
//! unique decoding, there is none.

use crate::error::KeyError;
use crate::layout::{Sizes, Weights};
use crate::mode::Mode;
use crate::pads::Pads;
use crate::parts::Parts;
use crate::public::Public;
use crate::relations::Relations;
use crate::subject::{Subject, begin};
use claim_reduction::Visibility;
use commitment::{Profile, Root, Security, Size, Term, challenge_bits};
use graph::Graph;
use hiding::Shape;
use layers::{Contraction, affordable, check_cost, check_key_size, contractions};
use p3_field::PrimeCharacteristicRing;
use transcript::{Extension, Site, Transcript};

/// The vector of weights, in the shape of an opening; the fresh one is number 0.
pub const WEIGHTS: usize = 1;

/// A key of the private mode.
pub struct PrivateKey {
    graph: Graph,
    contractions: Vec<Contraction>,
    relations: Relations,
    pads: Pads,
    weights: Weights,
    shape: Shape,
    openings: u32,
    root: Root,
    pin_point: Vec<Extension>,
    pin: Option<Extension>,
    digest: [u8; 32],
}

impl PrivateKey {
    /// A key without a commitment, for one that is to serve at least so many openings: root and pin are zeros,
    /// for which nobody knows weights.
    pub fn new(graph: Graph, profile: Profile, openings: u32) -> Result<Self, KeyError> {
        if !Profile::COMMITTED.contains(&profile) {
            return Err(KeyError::Version);
        }
        if openings == 0 || openings as usize > hiding::MAX_OPENINGS {
            return Err(KeyError::Openings(openings));
        }
        let contractions = contractions(&graph);
        if contractions.is_empty() {
            return Err(KeyError::NoWeights);
        }
        if !affordable(&contractions) {
            return Err(KeyError::Operands);
        }
        let relations = Relations::new(&graph, &contractions, Visibility::Public)?;
        let spares = relation::Shape::new(relations.products()).spares();
        let pads = Pads::new(relations.variables().len(), relations.sent() + spares);
        let fresh = [relations.variables(), pads.columns()].concat();
        let sizes: Vec<Size> = contractions.iter().map(|each| each.size).collect();
        let parameters = graph.parameters().map(|(_, node)| node.shape.clone());
        let sizes = Sizes {
            matrices: sizes,
            parameters: parameters.collect(),
        };
        let (weights, shape) = Weights::new(sizes, openings, &fresh, profile)?;
        let key = Self {
            graph,
            contractions,
            relations,
            pads,
            weights,
            shape,
            openings,
            root: [0; 32],
            pin_point: Vec::new(),
            pin: None,
            digest: [0; 32],
        };
        Ok(key.with_commitment([0; 32], Extension::ZERO))
    }

    /// The key of a graph whose weights are committed to by `root`, and have the value `pin` at
    /// [`Self::pin_point`] of it.
    #[must_use]
    pub fn with_commitment(mut self, root: Root, pin: Extension) -> Self {
        self.pin_point = self.pin_point_of(&root);
        self.pin = self.profile().binds().then_some(pin);
        self.root = root;
        self.digest = blake3::hash(&self.encode()).into();
        self
    }

    /// The point at which weights under `root` are pinned; without coordinates where none are.
    pub fn pin_point_of(&self, root: &Root) -> Vec<Extension> {
        if !self.profile().binds() {
            return Vec::new();
        }
        let graph = self.graph.encode();
        let bare = self.parts(*root, Vec::new(), &graph).without_values();
        let bare: [u8; 32] = blake3::hash(&bare).into();
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Protocol, Mode::Private.protocol());
        transcript.absorb(Site::Commitment, &bare);
        transcript.point(self.shape.variables(WEIGHTS).unwrap_or_default())
    }

    fn parts<'a>(&self, root: Root, values: Vec<Extension>, graph: &'a [u8]) -> Parts<'a> {
        Parts {
            mode: Mode::Private,
            profile: self.profile(),
            root,
            openings: Some(self.openings),
            values,
            graph,
        }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let values = self.pin.into_iter().collect();
        self.parts(self.root, values, &self.graph.encode()).encode()
    }

    /// The key of these bytes. What it may cost is counted before anything is made of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        check_key_size(bytes.len())?;
        let parts = Parts::decode(bytes, &[Mode::Private])?;
        let graph = Graph::decode(parts.graph)?;
        check_cost(&graph)?;
        let key = Self::new(graph, parts.profile, parts.openings.unwrap_or(0))?;
        match (key.profile().binds(), &parts.values[..]) {
            (true, &[pin]) => Ok(key.with_commitment(parts.root, pin)),
            (false, []) => Ok(key.with_commitment(parts.root, Extension::ZERO)),
            _ => Err(KeyError::Malformed),
        }
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.shape.profile()
    }

    /// The graph.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What lookups and reduction are made of.
    pub const fn relations(&self) -> &Relations {
        &self.relations
    }

    /// Where the pads lie, in the fresh vector behind the columns of the relations.
    pub const fn pads(&self) -> &Pads {
        &self.pads
    }

    /// Where the weights lie.
    pub const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The shape of an opening.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Openings that the commitment to the weights serves.
    pub fn served(&self) -> usize {
        self.shape.served(WEIGHTS).unwrap_or(0)
    }

    /// The weight commitment.
    pub const fn root(&self) -> Root {
        self.root
    }

    /// Point and value of the pin, where there is one.
    pub fn pin(&self) -> Option<(&[Extension], Extension)> {
        self.pin.map(|value| (&self.pin_point[..], value))
    }

    /// BLAKE3 of the key's bytes.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// What is proven about the soundness of proofs for this key, hash and transcript being ideal. What lies
    /// between the commitments and their opening counts once for each candidate.
    pub fn security(&self) -> Security {
        let candidates = self.shape.candidate_bits();
        let mut terms = self.relations.security();
        terms.extend(relation::Shape::new(self.relations.products()).security());
        // The equations, three of the relation proof, claims on columns, matrices and parameters, and the pin.
        let parameters = self.graph.parameters().count();
        let claims = self.relations.claims() + self.contractions.len() + parameters + 1;
        let forms = self.relations.checks() + 3 + claims;
        let batching = challenge_bits() as f64 - (forms as f64).log2();
        terms.push(Term::new("batching of equations and claims", batching));
        let outer = |term: Term| Term::new(term.name, term.bits - candidates);
        let mut terms: Vec<Term> = terms.into_iter().map(outer).collect();
        if self.pin.is_some() {
            // Two candidates that differ agree at the point with at most variables / |E|.
            let variables = self.shape.variables(WEIGHTS).unwrap_or(1) as f64;
            let bits = challenge_bits() as f64 - variables.log2() + 1.0 - 2.0 * candidates;
            terms.push(Term::new("weights: pin", bits));
        }
        let opening = self.shape.soundness().into_iter();
        terms.extend(opening.map(|term| Term::new(format!("opening: {}", term.name), term.bits)));
        Security::new(self.profile(), terms)
    }
}

impl Subject for PrivateKey {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn contractions(&self) -> &[Contraction] {
        &self.contractions
    }

    fn begin(&self, public: &Public<'_>, transcript: &mut Transcript) {
        begin(Mode::Private, &self.digest, public, transcript);
    }
}

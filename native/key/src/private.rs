//! Keys of the private mode.
//!
//! ```text
//! key = magic ‖ version ‖ 3 ‖ profile ‖ root ‖ openings of each kind ‖ pin ‖ graph
//! ```
//!
//! The root is that of a hiding commitment to the weights and parameters, whose uniform half serves a number of
//! openings. Links open it, and tie other commitments to the same weights to it, which proofs open. The
//! *pin* is the value of the whole vector of weights, its uniform half included, at one point that
//! is drawn from all else in the key. It shows nothing, since the half makes it uniform; each opening of this
//! commitment claims it, and so stands for the one vector of weights that has it. Where a root has one candidate, in
//! unique decoding, there is none.

use crate::error::KeyError;
use crate::kinds::{Kind, Openings, WeightVector};
use crate::layout::{Sizes, WEIGHTS, Weights};
use crate::mode::Mode;
use crate::pads::Pads;
use crate::parts::Parts;
use crate::public::Public;
use crate::relations::Relations;
use crate::subject::{Subject, begin};
use commitment::{Profile, Root, Size};
use graph::Graph;
use layers::{Contraction, affordable, check_cost, check_key_size, contractions};
use p3_field::PrimeCharacteristicRing;
use transcript::{Extension, Site, Transcript};

/// A key of the private mode.
pub struct PrivateKey {
    graph: Graph,
    pub(crate) contractions: Vec<Contraction>,
    pub(crate) relations: Relations,
    pads: Pads,
    profile: Profile,
    openings: Openings,
    largest: usize,
    of_key: WeightVector,
    of_links: Option<WeightVector>,
    of_proofs: WeightVector,
    root: Root,
    pin_point: Vec<Extension>,
    pin: Option<Extension>,
    digest: [u8; 32],
}

/// What a graph comes to, whatever its commitments are opened for.
struct Groundwork {
    graph: Graph,
    contractions: Vec<Contraction>,
    relations: Relations,
    pads: Pads,
    /// Variables of the fresh vector of a proof.
    fresh: Vec<usize>,
    sizes: Sizes,
    profile: Profile,
}

impl Groundwork {
    fn new(graph: Graph, profile: Profile) -> Result<Self, KeyError> {
        if !Profile::COMMITTED.contains(&profile) {
            return Err(KeyError::Version);
        }
        let contractions = contractions(&graph);
        if contractions.is_empty() {
            return Err(KeyError::NoWeights);
        }
        if !affordable(&contractions) {
            return Err(KeyError::Operands);
        }
        let relations = Relations::new(&graph, &contractions)?;
        let spares = relation::Shape::new(relations.products()).spares();
        let pads = Pads::new(relations.variables().len(), relations.sent() + spares);
        let fresh = [relations.variables(), pads.columns()].concat();
        let matrices: Vec<Size> = contractions.iter().map(|each| each.size).collect();
        let parameters = graph.parameters().map(|(_, node)| node.shape.clone());
        let sizes = Sizes::new(matrices, parameters.collect());
        Ok(Self {
            graph,
            contractions,
            relations,
            pads,
            fresh,
            sizes,
            profile,
        })
    }

    fn vector(&self, kind: Kind, openings: u32) -> Result<WeightVector, KeyError> {
        let (weights, shape) = match kind {
            Kind::Key | Kind::Links => Weights::for_links(&self.sizes, openings, self.profile),
            Kind::Proofs => Weights::for_proofs(&self.sizes, openings, &self.fresh, self.profile),
        }?;
        Ok(WeightVector {
            weights,
            shape,
            openings,
        })
    }

    fn key(self, openings: Openings) -> Result<PrivateKey, KeyError> {
        if !openings.possible() {
            return Err(KeyError::Openings(openings.key));
        }
        let of_key = self.vector(Kind::Key, openings.key)?;
        let of_links = match openings.links {
            0 => None,
            links => Some(self.vector(Kind::Links, links)?),
        };
        let of_proofs = self.vector(Kind::Proofs, openings.proofs)?;
        let key = PrivateKey {
            largest: self.sizes.largest(),
            graph: self.graph,
            contractions: self.contractions,
            relations: self.relations,
            pads: self.pads,
            profile: self.profile,
            openings,
            of_key,
            of_links,
            of_proofs,
            root: [0; 32],
            pin_point: Vec::new(),
            pin: None,
            digest: [0; 32],
        };
        Ok(key.with_commitment([0; 32], Extension::ZERO))
    }
}

impl PrivateKey {
    /// A key without a commitment, whose commitments are opened so often: root and pin are zeros, for which
    /// nobody knows weights.
    pub fn new(graph: Graph, profile: Profile, openings: Openings) -> Result<Self, KeyError> {
        Groundwork::new(graph, profile)?.key(openings)
    }

    /// That with the openings that keys are to have: so many as a market asks for, whatever the graph's size.
    pub fn standard(graph: Graph, profile: Profile) -> Result<Self, KeyError> {
        let groundwork = Groundwork::new(graph, profile)?;
        let proofs = groundwork.vector(Kind::Proofs, Openings::LEAST_PROOFS)?;
        let served = proofs.shape.served(WEIGHTS).unwrap_or(0);
        let served = served.min(hiding::MAX_OPENINGS) as u32;
        groundwork.key(Openings::standard(served))
    }

    /// The key of a graph whose weights are committed to by `root`, and have the value `pin` at
    /// [`Self::pin_point`] of it.
    #[must_use]
    pub fn with_commitment(mut self, root: Root, pin: Extension) -> Self {
        self.pin_point = self.pin_point_of(&root);
        self.pin = self.profile.binds().then_some(pin);
        self.root = root;
        self.digest = blake3::hash(&self.encode()).into();
        self
    }

    /// The point at which weights under `root` are pinned; without coordinates where none are.
    pub fn pin_point_of(&self, root: &Root) -> Vec<Extension> {
        if !self.profile.binds() {
            return Vec::new();
        }
        let graph = self.graph.encode();
        let bare = self.parts(*root, Vec::new(), &graph).without_values();
        let bare: [u8; 32] = blake3::hash(&bare).into();
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Protocol, Mode::Private.protocol());
        transcript.absorb(Site::Commitment, &bare);
        transcript.point(self.of_key.variables())
    }

    fn parts<'a>(&self, root: Root, values: Vec<Extension>, graph: &'a [u8]) -> Parts<'a> {
        Parts {
            mode: Mode::Private,
            profile: self.profile,
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
        let openings = parts.openings.ok_or(KeyError::Malformed)?;
        let key = Self::new(graph, parts.profile, openings)?;
        match (key.profile.binds(), &parts.values[..]) {
            (true, &[pin]) => Ok(key.with_commitment(parts.root, pin)),
            (false, []) => Ok(key.with_commitment(parts.root, Extension::ZERO)),
            _ => Err(KeyError::Malformed),
        }
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// The graph.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What lookups and reduction are made of.
    pub const fn relations(&self) -> &Relations {
        &self.relations
    }

    /// Where the pads lie, in the fresh vector of a proof behind the columns of the relations.
    pub const fn pads(&self) -> &Pads {
        &self.pads
    }

    /// How often commitments of each kind may be opened.
    pub const fn openings(&self) -> Openings {
        self.openings
    }

    /// The vector of weights as commitments of a kind have it; nothing where the key has none of it.
    pub const fn vector(&self, kind: Kind) -> Option<&WeightVector> {
        match kind {
            Kind::Key => Some(&self.of_key),
            Kind::Links => self.of_links.as_ref(),
            Kind::Proofs => Some(&self.of_proofs),
        }
    }

    /// That of its own commitment.
    pub const fn of_key(&self) -> &WeightVector {
        &self.of_key
    }

    /// That of epochs for proofs.
    pub const fn of_proofs(&self) -> &WeightVector {
        &self.of_proofs
    }

    /// Coordinates of a point at which all columns of weights and parameters are asked for.
    pub const fn point_variables(&self) -> usize {
        self.largest
    }

    /// Its own weight commitment.
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

    /// A digest of all but root and pin.
    pub fn digest_without_commitment(&self) -> [u8; 32] {
        let graph = self.graph.encode();
        let bare = self.parts([0; 32], Vec::new(), &graph);
        blake3::hash(&bare.without_values()).into()
    }

    /// What a proof is made under that opens the commitment of this digest.
    pub const fn under(&self, commitment: [u8; 32]) -> Opened<'_> {
        Opened {
            key: self,
            commitment,
        }
    }
}

/// A key with the commitment that a proof opens.
#[derive(Clone, Copy)]
pub struct Opened<'a> {
    /// The key.
    pub key: &'a PrivateKey,
    /// The digest of the commitment, which binds the key and all that leads from it to the commitment.
    pub commitment: [u8; 32],
}

impl Subject for Opened<'_> {
    fn graph(&self) -> &Graph {
        &self.key.graph
    }

    fn contractions(&self) -> &[Contraction] {
        &self.key.contractions
    }

    fn begin(&self, public: &Public<'_>, transcript: &mut Transcript) {
        begin(Mode::Private, &self.commitment, public, transcript);
    }
}

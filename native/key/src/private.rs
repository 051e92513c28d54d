//! Verifying keys: graph, weight commitment, parameters.
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
use crate::parts::Parts;
use crate::proofs::{Groundwork, Proofs};
use crate::protocol::{PROTOCOL, RANGES_PROTOCOL};
use crate::public::Public;
use crate::ranges::RangePart;
use crate::relations::Relations;
use crate::subject::{Given, Subject, begin};
use claim_reduction::Visibility;
use commitment::{Profile, Root};
use graph::Graph;
use layers::{Contraction, check_cost, check_key_size};
use p3_field::PrimeCharacteristicRing;
use std::sync::OnceLock;
use transcript::{Extension, Site, Transcript};

/// All that a verifier needs to know about a model.
pub struct PrivateKey {
    pub(crate) ground: Groundwork,
    openings: Openings,
    of_key: WeightVector,
    of_links: Option<WeightVector>,
    pub(crate) public: Proofs,
    /// Made when it is asked for.
    private: OnceLock<Result<Proofs, KeyError>>,
    /// Likewise.
    ranges: OnceLock<Result<Vec<RangePart>, KeyError>>,
    root: Root,
    pin_point: Vec<Extension>,
    pin: Option<Extension>,
    digest: [u8; 32],
}

impl PrivateKey {
    /// A key without a commitment, whose commitments are opened so often: root and pin are zeros, for which
    /// nobody knows weights.
    pub fn new(graph: Graph, profile: Profile, openings: Openings) -> Result<Self, KeyError> {
        let ground = Groundwork::new(graph, profile)?;
        if !openings.possible() {
            return Err(KeyError::Openings(openings.key));
        }
        let public = Proofs::new(&ground, Visibility::Public, openings.proofs)?;
        Self::with(ground, public, openings)
    }

    /// That with the openings that keys are to have: so many as a market asks for, whatever the graph's size.
    pub fn standard(graph: Graph, profile: Profile) -> Result<Self, KeyError> {
        let ground = Groundwork::new(graph, profile)?;
        let public = Proofs::new(&ground, Visibility::Public, Openings::LEAST_PROOFS)?;
        let openings = Openings::standard(public.served());
        let public = public.serving(&ground, openings.proofs)?;
        Self::with(ground, public, openings)
    }

    fn with(ground: Groundwork, public: Proofs, openings: Openings) -> Result<Self, KeyError> {
        let of_links = match openings.links {
            0 => None,
            links => Some(ground.for_links(links)?),
        };
        let key = Self {
            of_key: ground.for_links(openings.key)?,
            of_links,
            ground,
            public,
            private: OnceLock::new(),
            ranges: OnceLock::new(),
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
        let graph = self.ground.graph.encode();
        let bare = self.parts(*root, Vec::new(), &graph).without_values();
        let bare: [u8; 32] = blake3::hash(&bare).into();
        let mut transcript = self.transcript();
        transcript.absorb(Site::Protocol, PROTOCOL);
        transcript.absorb(Site::Commitment, &bare);
        transcript.point(self.of_key.variables())
    }

    fn parts<'a>(&self, root: Root, values: Vec<Extension>, graph: &'a [u8]) -> Parts<'a> {
        Parts {
            profile: self.profile(),
            root,
            openings: self.openings,
            values,
            graph,
        }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let values = self.pin.into_iter().collect();
        self.parts(self.root, values, &self.ground.graph.encode())
            .encode()
    }

    /// The key of these bytes. What it may cost is counted before anything is made of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        check_key_size(bytes.len())?;
        let parts = Parts::decode(bytes)?;
        let graph = Graph::decode(parts.graph)?;
        check_cost(&graph)?;
        let key = Self::new(graph, parts.profile, parts.openings)?;
        match (key.profile().binds(), &parts.values[..]) {
            (true, &[pin]) => Ok(key.with_commitment(parts.root, pin)),
            (false, []) => Ok(key.with_commitment(parts.root, Extension::ZERO)),
            _ => Err(KeyError::Malformed),
        }
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.ground.profile
    }

    /// An empty transcript by the hash function of the profile.
    pub fn transcript(&self) -> Transcript {
        Transcript::by(self.profile().hash())
    }

    /// The graph.
    pub const fn graph(&self) -> &Graph {
        &self.ground.graph
    }

    /// What proofs are made of; why there are none where the graph has no plan for such inputs.
    pub fn proofs(&self, inputs: Visibility) -> Result<&Proofs, &KeyError> {
        let of_private = || Proofs::of_private(&self.ground, self.openings.proofs);
        match inputs {
            Visibility::Public => Ok(&self.public),
            Visibility::Private => self.private.get_or_init(of_private).as_ref(),
        }
    }

    /// The parts of its matrices and parameters whose ranges are shown, each by one proof; why there are none where
    /// they are too many or their ranges too different.
    pub fn ranges(&self) -> Result<&[RangePart], &KeyError> {
        let made = self.ranges.get_or_init(|| RangePart::all(&self.ground));
        made.as_deref()
    }

    /// What lookups and reduction are made of, where inputs are public.
    pub const fn relations(&self) -> &Relations {
        self.public.relations()
    }

    /// How often commitments may be opened.
    pub const fn openings(&self) -> Openings {
        self.openings
    }

    /// How often one of a kind may be; 0 where the key has none of it.
    pub fn openings_of(&self, kind: Kind) -> u32 {
        self.vector(kind).map_or(0, WeightVector::openings)
    }

    /// The vector of weights as commitments of a kind have it; nothing where the key has none of it.
    pub fn vector(&self, kind: Kind) -> Option<&WeightVector> {
        match kind {
            Kind::Key => Some(&self.of_key),
            Kind::Links => self.of_links.as_ref(),
            Kind::Proofs => Some(self.public.weights()),
            Kind::PrivateInputs => self.proofs(Visibility::Private).ok().map(Proofs::weights),
            Kind::Ranges(part) => {
                let part = self.ranges().ok()?.get(usize::from(part))?;
                Some(part.proofs().weights())
            }
        }
    }

    /// That of its own commitment.
    pub const fn of_key(&self) -> &WeightVector {
        &self.of_key
    }

    /// That of epochs for proofs of public inputs.
    pub const fn of_proofs(&self) -> &WeightVector {
        self.public.weights()
    }

    /// Coordinates of a point at which all columns of weights and parameters are asked for.
    pub fn point_variables(&self) -> usize {
        self.ground.sizes.largest()
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
        let graph = self.ground.graph.encode();
        let bare = self.parts([0; 32], Vec::new(), &graph);
        blake3::hash(&bare.without_values()).into()
    }

    /// What a proof is made under that opens the commitment of this digest.
    pub const fn under(&self, commitment: [u8; 32]) -> Opened<'_> {
        Opened {
            key: self,
            commitment,
            part: None,
            input_root: None,
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
    /// The part of the key's ranges that is shown in place of a run of its graph.
    pub part: Option<&'a RangePart>,
    /// The root of the vector of inputs, where they are private.
    pub input_root: Option<Root>,
}

impl<'a> Opened<'a> {
    /// The same that shows ranges, if a part of them is given.
    #[must_use]
    pub const fn with_ranges(mut self, part: Option<&'a RangePart>) -> Self {
        self.part = part;
        self
    }

    /// The same for private inputs under this root, if there is one.
    #[must_use]
    pub const fn with_inputs(mut self, root: Option<Root>) -> Self {
        self.input_root = root;
        self
    }
}

impl Subject for Opened<'_> {
    fn graph(&self) -> &Graph {
        self.part.map_or(&self.key.ground.graph, RangePart::graph)
    }

    fn contractions(&self) -> &[Contraction] {
        match self.part {
            None => &self.key.ground.contractions,
            Some(_) => &[],
        }
    }

    fn begin(&self, public: &Public<'_>, transcript: &mut Transcript) {
        let given = self.input_root.as_ref().map_or(Given::Inputs, Given::Root);
        let protocol = match self.part {
            None => PROTOCOL,
            Some(_) => RANGES_PROTOCOL,
        };
        begin(protocol, &self.commitment, public, given, transcript);
    }
}

//! Keys with their weights, and the commitment that is opened for epochs.

use super::epoch::Epoch;
#[cfg(feature = "audit")]
use super::link::Lie;
use super::link::{Made, Making};
use super::masks::{self, Draw};
#[cfg(feature = "audit")]
use super::model::{Beyond, commit_beyond};
use super::model::{Half, Model, commit};
use super::slots::Slots;
use crate::error::ProveError;
use crate::relations::Witness;
use crate::session::Watch;
use claim_reduction::Visibility;
use commitment::{Profile, Root, Writer};
use graph::{Graph, Values};
use hiding::{Committed, Randomness, Secret};
use key::{Kind, MAX_LINKS, Openings, PrivateKey};
use p3_field::PrimeCharacteristicRing;
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(feature = "audit")]
use transcript::Base;
use transcript::Extension;
use verifier::private::{Commitment, Known, Link, chain};

/// A key with its weights and parameters, under a commitment of their own that is made again
/// from a secret: who has the secret and what openings of it show has the weights. It is opened for epochs and
/// by no proof.
pub struct ProvingKey {
    model: Arc<Model>,
    /// Those of its rotations.
    links: Vec<Link>,
    commitment: Commitment,
    secret: Secret,
    /// What was there before the commitment, for which its masks are drawn.
    before: [u8; 32],
    /// Kept from when the key is made or read until it is opened.
    committed: Mutex<Option<Committed>>,
    slots: Slots,
}

/// A run of a key's graph: what a proof of it is made of.
pub struct Run {
    pub(super) witness: Witness,
    pub(super) key: [u8; 32],
    /// Of which inputs, where they are private.
    pub(super) private: Option<[u8; 32]>,
}

impl Run {
    /// The outputs.
    pub fn outputs(&self) -> &[Vec<i32>] {
        &self.witness.outputs
    }
}

impl ProvingKey {
    /// Commits to the weights and parameters of a graph: matrices one after another, each row by row. Also the
    /// secret that the commitment is made again from. Parameters outside of their declared ranges are refused, and
    /// graphs whose keys would show no ranges or have too few bits.
    pub fn new(
        graph: Graph,
        values: &Values<'_>,
        profile: Profile,
    ) -> Result<(Self, Secret), ProveError> {
        let key = PrivateKey::standard(graph, profile)?;
        key.check_bits()?;
        Self::of_key(key, values)
    }

    /// The same for a number of openings of one's own.
    pub fn with_openings(
        graph: Graph,
        values: &Values<'_>,
        profile: Profile,
        openings: Openings,
    ) -> Result<(Self, Secret), ProveError> {
        Self::of_key(PrivateKey::new(graph, profile, openings)?, values)
    }

    fn of_key(key: PrivateKey, values: &Values<'_>) -> Result<(Self, Secret), ProveError> {
        let context = hiding::Context {
            statement: &[0; 32],
            witness: &masks::of_values(values),
            key: &key.digest_without_commitment(),
            slot: 0,
        };
        let secret = Randomness::new(&context)?.secret();
        let made = Self::commit(key, values, secret, Randomness::base)?;
        Ok((made, secret))
    }

    fn commit(
        key: PrivateKey,
        values: &Values<'_>,
        secret: Secret,
        half: Half,
    ) -> Result<Self, ProveError> {
        Self::made(key, values, secret, |key, masks| {
            commit(key, Kind::Key, values, half, masks)
        })
    }

    fn made(
        key: PrivateKey,
        values: &Values<'_>,
        secret: Secret,
        commit: impl FnOnce(&PrivateKey, &mut Randomness) -> Result<Committed, ProveError>,
    ) -> Result<Self, ProveError> {
        executor::check_values(key.graph(), values)?;
        let before = key.digest_without_commitment();
        let mut randomness = masks::of_key(&secret, &masks::of_values(values), &before);
        let mut committed = commit(&key, &mut randomness)?;
        let root = committed.root();
        let point = key.pin_point_of(&root);
        let mut pin = Extension::ZERO;
        if !point.is_empty() {
            let mut form = hiding::LinearForm::new();
            form.add_whole(point, Extension::ONE);
            pin = committed.keep(&form)?;
        }
        let key = key.with_commitment(root, pin);
        Ok(Self {
            links: Vec::new(),
            commitment: Commitment::of_key(&key),
            secret,
            before,
            committed: Mutex::new(Some(committed)),
            slots: Slots::new(key.openings().key),
            model: Arc::new(Model::new(key, values)),
        })
    }

    /// Reads a verifying key and the links of its rotations, and checks that its commitment is the one that
    /// follows from weights, parameters and secret.
    pub fn load(
        verifying_key: &[u8],
        values: &Values<'_>,
        secret: Secret,
        links: &[u8],
    ) -> Result<Self, ProveError> {
        let key = PrivateKey::decode(verifying_key)?;
        executor::check_values(key.graph(), values)?;
        let links = chain::read_all(&key, links).map_err(ProveError::Links)?;
        if links.iter().any(|link| link.kind != Kind::Key) {
            return Err(ProveError::EpochKind);
        }
        let known = Known::default();
        let follow = |links| chain::follow(&key, &known, links).map_err(ProveError::Links);
        let commitment = follow(&links)?;
        let before = match links.split_last() {
            None => key.digest_without_commitment(),
            Some((_, before)) => follow(before)?.digest(),
        };
        let loaded = Self {
            links,
            commitment,
            secret,
            before,
            committed: Mutex::default(),
            slots: Slots::new(key.openings().key),
            model: Arc::new(Model::new(key, values)),
        };
        let committed = loaded.committed()?;
        *loaded.kept() = Some(committed);
        Ok(loaded)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Committed>> {
        self.committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The commitment, as it was left or made again. It is not kept: a process opens its key once.
    fn committed(&self) -> Result<Committed, ProveError> {
        if let Some(committed) = self.kept().take() {
            return Ok(committed);
        }
        let model = &self.model;
        let mut randomness = masks::of_key(&self.secret, &model.digest, &self.before);
        let (key, values) = (&model.key, model.values());
        let mut committed = commit(key, Kind::Key, &values, Randomness::base, &mut randomness)?;
        let same = match self.commitment.binding(key) {
            Some((form, value)) => committed.keep(&form)? == value,
            None => true,
        };
        if committed.root() != self.commitment.root() || !same {
            return Err(ProveError::OtherWeights);
        }
        Ok(committed)
    }

    /// The key that proofs are checked with.
    pub fn private_key(&self) -> &PrivateKey {
        &self.model.key
    }

    /// The commitment, by whose digest its openings are counted.
    pub const fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// How many openings the commitment has, with the one that is left for rotation.
    pub const fn openings(&self) -> u64 {
        self.slots.openings()
    }

    /// Executes the graph on public inputs.
    pub fn run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        self.model.public_run(inputs)
    }

    /// Executes the graph on private inputs.
    pub fn run_private(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        self.model.private_run(inputs)
    }

    /// How many proofs show the ranges of the key's weights and parameters, each by an opening of its own.
    pub fn range_parts(&self) -> Result<usize, ProveError> {
        Ok(self.model.ranges()?.len())
    }

    /// The proof of a part of the ranges, by the opening of this number, which the caller has counted. It is made
    /// once, by the key's own commitment: what that is renewed by holds the same weights.
    pub fn prove_ranges(
        &self,
        part: u8,
        slot: u64,
        watch: Watch<'_>,
    ) -> Result<Vec<u8>, ProveError> {
        if !self.links.is_empty() {
            return Err(ProveError::RangesRotated);
        }
        self.model.part(part)?;
        self.slots.check(slot, 1)?;
        let committed = self.committed()?;
        let making = self.making(&committed, Kind::Ranges(part), slot);
        let made = making.epoch(watch, || self.slots.take(slot));
        // It is opened for proofs next.
        *self.kept() = Some(committed);
        self.epoch(made?).prove_ranges(watch)
    }

    /// An epoch, by the opening of this number, which the caller has counted. It is for links where one key is to
    /// serve more proofs than its own openings come to.
    pub fn begin(&self, slot: u64, watch: Watch<'_>) -> Result<Epoch, ProveError> {
        self.begin_for(Visibility::Public, slot, watch)
    }

    /// The same, but for proofs of private inputs where it is not for links.
    pub fn begin_private(&self, slot: u64, watch: Watch<'_>) -> Result<Epoch, ProveError> {
        self.begin_for(Visibility::Private, slot, watch)
    }

    fn begin_for(
        &self,
        inputs: Visibility,
        slot: u64,
        watch: Watch<'_>,
    ) -> Result<Epoch, ProveError> {
        let links = self.model.key.vector(Kind::Links);
        let kind = links.map_or(Kind::of_proofs(inputs), |_| Kind::Links);
        self.slots.check(slot, 1)?;
        let committed = self.committed()?;
        let made = self
            .making(&committed, kind, slot)
            .epoch(watch, || self.slots.take(slot))?;
        Ok(self.epoch(made))
    }

    fn making<'a>(&'a self, committed: &'a Committed, kind: Kind, slot: u64) -> Making<'a> {
        Making {
            model: &self.model,
            parent: &self.commitment,
            committed,
            kind,
            slot,
            draw: SYSTEM,
            #[cfg(feature = "audit")]
            lie: Lie::default(),
        }
    }

    fn epoch(&self, made: Made) -> Epoch {
        Epoch::new(Arc::clone(&self.model), self.links.clone(), made)
    }

    /// Ties a new commitment to the same weights to this one, by the opening of this number: the links of all rotations,
    /// and the secret of the new commitment. The last opening is kept for it.
    pub fn rotate(&self, slot: u64) -> Result<(Vec<u8>, Secret), ProveError> {
        self.slots.check(slot, 0)?;
        // Links to an epoch and to one of its own have to follow.
        if self.links.len() + 2 >= MAX_LINKS {
            return Err(ProveError::Rotations);
        }
        let committed = self.committed()?;
        let making = self.making(&committed, Kind::Key, slot);
        let parent = self.commitment.digest();
        let secret = (making.draw)(&making.context(&[0; 32], &parent))?.secret();
        let links = self.renewed(&making, secret, || self.slots.take(slot))?;
        Ok((links, secret))
    }

    /// The links of all rotations with one more to a commitment with this secret.
    fn renewed(
        &self,
        making: &Making<'_>,
        secret: Secret,
        open: impl FnOnce() -> Result<(), ProveError>,
    ) -> Result<Vec<u8>, ProveError> {
        let parent = self.commitment.digest();
        let masks = masks::of_key(&secret, &self.model.digest, &parent);
        let made = making.link(masks, &mut |_| true, open)?;
        let mut links = self.links.clone();
        links.push(made.link);
        let mut bytes = Writer::default();
        chain::write(&self.model.key, &links, &mut bytes);
        Ok(bytes.bytes)
    }

    /// The root of the commitment.
    pub const fn root(&self) -> Root {
        self.commitment.root()
    }
}

/// The operating system's randomness.
pub(super) const SYSTEM: Draw<'static> = &Randomness::new;

/// What tests lie with, and what they switch off.
#[cfg(feature = "audit")]
impl ProvingKey {
    /// Commits with this secret.
    pub fn with_secret(
        graph: Graph,
        values: &Values<'_>,
        profile: Profile,
        openings: Openings,
        secret: Secret,
    ) -> Result<Self, ProveError> {
        let key = PrivateKey::new(graph, profile, openings)?;
        Self::commit(key, values, secret, Randomness::base)
    }

    /// The same, with other cells in place of some weights; what it runs are the weights.
    pub fn beyond(
        graph: Graph,
        values: &Values<'_>,
        beyond: &[Beyond],
        profile: Profile,
        openings: Openings,
        secret: Secret,
    ) -> Result<Self, ProveError> {
        let key = PrivateKey::new(graph, profile, openings)?;
        Self::made(key, values, secret, |key, masks| {
            commit_beyond(key, Kind::Key, values, beyond, Randomness::base, masks)
        })
    }

    /// Commits with zeros for a half, so that nothing is hidden.
    pub fn without_half(
        graph: Graph,
        values: &Values<'_>,
        profile: Profile,
        openings: Openings,
        secret: Secret,
    ) -> Result<Self, ProveError> {
        let key = PrivateKey::new(graph, profile, openings)?;
        Self::commit(key, values, secret, |_| Base::ZERO)
    }

    /// The key renewed by a commitment with this secret, and all else that hides drawn by `draw`.
    pub fn renewed_lying(
        &self,
        secret: Secret,
        slot: u64,
        draw: Draw<'_>,
    ) -> Result<Self, ProveError> {
        let committed = self.committed()?;
        let making = Making {
            draw,
            ..self.making(&committed, Kind::Key, slot)
        };
        let links = self.renewed(&making, secret, || Ok(()))?;
        *self.kept() = Some(committed);
        let key = self.model.key.encode();
        Self::load(&key, &self.model.values(), secret, &links)
    }

    /// An epoch of any kind with all that hides drawn by `draw`, and lies in its link.
    pub fn begin_lying(
        &self,
        kind: Kind,
        slot: u64,
        draw: Draw<'_>,
        lie: Lie<'_>,
    ) -> Result<Epoch, ProveError> {
        let committed = self.committed()?;
        let making = Making {
            draw,
            lie,
            ..self.making(&committed, kind, slot)
        };
        let made = making.epoch(&mut |_| true, || Ok(()))?;
        *self.kept() = Some(committed);
        let model = match lie.values {
            None => Arc::clone(&self.model),
            Some(values) => Arc::new(self.model.with_values(&values)?),
        };
        Ok(Epoch::new(model, self.links.clone(), made))
    }
}

//! Epochs: commitments to a key's weights that are in memory only.

use super::inputs::Inputs;
#[cfg(feature = "audit")]
use super::link::Lie;
use super::link::{Made, Making};
use super::masks;
#[cfg(feature = "audit")]
use super::masks::Draw;
use super::model::Model;
use super::proving_key::{Run, SYSTEM};
use super::slots::Slots;
use super::{Opening, prove};
use crate::error::ProveError;
use crate::relations::Witness;
#[cfg(feature = "audit")]
use crate::relations::{Argued, argue};
#[cfg(feature = "audit")]
use crate::session::Alter;
use crate::session::{Session, Watch};
use claim_reduction::Visibility;
#[cfg(feature = "audit")]
use commitment::Root;
#[cfg(feature = "audit")]
use graph::Values;
#[cfg(feature = "audit")]
use hiding::Randomness;
use hiding::{Committed, Context};
#[cfg(feature = "audit")]
use key::WEIGHTS;
use key::{Kind, PrivateKey, Public, RangePart};
use std::sync::Arc;
#[cfg(feature = "audit")]
use transcript::{Base, Transcript};
use verifier::private::{Commitment, Link};
#[cfg(feature = "audit")]
use verifier::private::{Proof, link};

/// A commitment to the weights of a key, with the links that lead to it. What is uniform in it is nowhere else, and
/// ends with it.
pub struct Epoch {
    model: Arc<Model>,
    links: Vec<Link>,
    commitment: Commitment,
    committed: Committed,
    slots: Slots,
}

impl Epoch {
    pub(super) fn new(model: Arc<Model>, mut links: Vec<Link>, made: Made) -> Self {
        links.push(made.link);
        Self {
            slots: Slots::new(model.key.openings_of(made.commitment.kind())),
            model,
            links,
            commitment: made.commitment,
            committed: made.committed,
        }
    }

    /// The commitment, by whose digest its openings are counted.
    pub const fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// The key that proofs are checked with.
    pub fn private_key(&self) -> &PrivateKey {
        &self.model.key
    }

    /// The links that lead to it from its key.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// How many openings it has.
    pub const fn openings(&self) -> u64 {
        self.slots.openings()
    }

    /// Whether it is opened by proofs; else by links.
    pub fn proves(&self) -> bool {
        self.commitment.kind().inputs().is_some()
    }

    /// Whether the inputs are private of proofs that open it.
    pub fn is_private(&self) -> bool {
        self.commitment.kind() == Kind::PrivateInputs
    }

    /// An epoch for proofs, by the opening of this number, which the caller has counted.
    pub fn begin(&self, slot: u64, watch: Watch<'_>) -> Result<Self, ProveError> {
        self.begin_for(Visibility::Public, slot, watch)
    }

    /// The same for proofs of private inputs.
    pub fn begin_private(&self, slot: u64, watch: Watch<'_>) -> Result<Self, ProveError> {
        self.begin_for(Visibility::Private, slot, watch)
    }

    fn begin_for(
        &self,
        inputs: Visibility,
        slot: u64,
        watch: Watch<'_>,
    ) -> Result<Self, ProveError> {
        if self.proves() {
            return Err(ProveError::EpochKind);
        }
        self.slots.check(slot, 0)?;
        let made = self
            .making(inputs, slot)
            .epoch(watch, || self.slots.take(slot))?;
        Ok(self.child(made))
    }

    fn making(&self, inputs: Visibility, slot: u64) -> Making<'_> {
        Making {
            model: &self.model,
            parent: &self.commitment,
            committed: &self.committed,
            kind: Kind::of_proofs(inputs),
            slot,
            draw: SYSTEM,
            #[cfg(feature = "audit")]
            lie: Lie::default(),
        }
    }

    fn child(&self, made: Made) -> Self {
        Self::new(Arc::clone(&self.model), self.links.clone(), made)
    }

    /// Proves a run on these inputs for `statement`, by the opening of this number, which the caller has counted. A
    /// run of other inputs gives a proof that does not verify.
    pub fn prove(
        &self,
        run: &Run,
        inputs: &[&[i32]],
        statement: [u8; 32],
        slot: u64,
        watch: Watch<'_>,
    ) -> Result<Vec<u8>, ProveError> {
        if self.commitment.kind() != Kind::Proofs {
            return Err(ProveError::EpochKind);
        }
        if run.key != self.model.key.digest() || run.private.is_some() {
            return Err(ProveError::OtherRun);
        }
        self.open(&run.witness, None, (inputs, statement), slot, watch)
    }

    /// Proves a run on private inputs, which the statement names by the root of their commitment, by the opening of
    /// this number and the one of the inputs' commitment that has the number `attempt`, both of which the caller
    /// has counted.
    pub fn prove_private(
        &self,
        run: &Run,
        (inputs, attempt): (&Inputs, u64),
        statement: [u8; 32],
        slot: u64,
        watch: Watch<'_>,
    ) -> Result<Vec<u8>, ProveError> {
        if !self.is_private() {
            return Err(ProveError::EpochKind);
        }
        let key = self.model.key.digest();
        if run.key != key || inputs.key != key || run.private != Some(inputs.values) {
            return Err(ProveError::OtherRun);
        }
        inputs.attempts.check(attempt, 0)?;
        let given = Some((inputs, attempt));
        self.open(&run.witness, given, (&[], statement), slot, watch)
    }

    /// Proves the ranges that the epoch was begun for.
    pub(super) fn prove_ranges(&self, watch: Watch<'_>) -> Result<Vec<u8>, ProveError> {
        let witness = self.model.run(&[], self.commitment.kind())?;
        let Public {
            inputs, statement, ..
        } = RangePart::PUBLIC;
        self.open(&witness, None, (inputs, statement), 0, watch)
    }

    fn open(
        &self,
        witness: &Witness,
        private: Option<(&Inputs, u64)>,
        (inputs, statement): (&[&[i32]], [u8; 32]),
        slot: u64,
        watch: Watch<'_>,
    ) -> Result<Vec<u8>, ProveError> {
        self.slots.check(slot, 0)?;
        let randomness = SYSTEM(&Context {
            statement: &statement,
            witness: &masks::of_witness(witness),
            key: &self.commitment.digest(),
            slot,
        })?;
        let mut session = Session {
            inputs,
            statement,
            watch,
            transcript: &mut self.model.key.transcript(),
            #[cfg(feature = "audit")]
            alter: None,
        };
        let opening = self.opening(private.map(|(inputs, _)| inputs));
        let proof = prove(&opening, witness, randomness, &mut session, || {
            self.slots.take(slot)?;
            private.map_or(Ok(()), |(inputs, attempt)| inputs.attempts.take(attempt))
        })?;
        Ok(proof.encode(&self.model.key))
    }

    fn opening<'a>(&'a self, inputs: Option<&'a Inputs>) -> Opening<'a> {
        Opening {
            inputs,
            model: &self.model,
            links: &self.links,
            commitment: &self.commitment,
            committed: &self.committed,
        }
    }
}

/// What tests lie with.
#[cfg(feature = "audit")]
impl Epoch {
    /// An epoch for proofs with all that hides drawn by `draw`, and lies in its link.
    pub fn begin_lying(&self, slot: u64, draw: Draw<'_>, lie: Lie<'_>) -> Result<Self, ProveError> {
        let making = Making {
            draw,
            lie,
            ..self.making(Visibility::Public, slot)
        };
        Ok(self.child(making.epoch(&mut |_| true, || Ok(()))?))
    }

    /// An epoch of a kind for proofs that no link leads to, with these cells in its half, and all else that hides
    /// given. What a link would say of it is drawn from a transcript.
    pub fn alone(
        key: PrivateKey,
        kind: Kind,
        values: &Values<'_>,
        half: impl FnMut() -> Base,
        mut masks: Randomness,
        transcript: &mut Transcript,
    ) -> Result<Self, ProveError> {
        let vector = key.vector(kind).ok_or(ProveError::EpochKind)?;
        let columns = vector.weights().cells(values, half);
        let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
        let mut committed = vector.shape().commit(WEIGHTS, &columns, &mut masks)?;
        let root = committed.root();
        let parent = Commitment::of_key(&key);
        let half = link::begin(&key, &parent, (kind, &root), transcript);
        // Nobody who draws challenges from it has seen a fresh vector.
        let drawn = link::draw(&key, half, &[0; 32], transcript);
        let value = committed.keep(&drawn.form(vector))?;
        Ok(Self {
            slots: Slots::new(key.openings_of(kind)),
            model: Arc::new(Model::new(key, values)),
            links: Vec::new(),
            commitment: Commitment::alone(kind, root, drawn, value),
            committed,
        })
    }

    /// The same commitment in another place: behind other links, or under what other links say of it.
    #[must_use]
    pub fn placed(mut self, links: Vec<Link>, commitment: Commitment) -> Self {
        self.links = links;
        self.commitment = commitment;
        self
    }

    /// The weights and parameters that the epoch is of.
    pub fn values(&self) -> Values<'_> {
        self.model.values()
    }

    /// Executes the graph, with the weights that the epoch is of.
    pub fn run(&self, inputs: &[&[i32]]) -> Result<Run, ProveError> {
        if self.is_private() {
            return self.model.private_run(inputs);
        }
        self.model.public_run(inputs)
    }

    /// Executes the graph and makes the columns of proofs that open the epoch.
    pub fn witness(&self, inputs: &[&[i32]]) -> Result<Witness, ProveError> {
        self.model.run(inputs, self.commitment.kind())
    }

    /// Forgets which slots were used.
    pub fn recount(&self) {
        self.slots.forget();
    }

    /// Lookups and reduction about a witness that a test has corrupted, on a transcript that it has prepared, with
    /// what stands for the root of its columns; what the reduction sends is altered too. Nothing is committed to.
    pub fn argue(
        &self,
        inputs: &[&[i32]],
        statement: [u8; 32],
        witness: &Witness,
        transcript: &mut Transcript,
        alter: Alter<'_>,
    ) -> Result<(Root, Argued), ProveError> {
        let mut session = Session {
            inputs,
            statement,
            watch: &mut |_| true,
            transcript,
            alter: Some(alter),
        };
        let subject = self.model.key.under(self.commitment.digest());
        let relations = self.model.proofs(self.commitment.kind())?.relations();
        let (root, weights) = (masks::of_witness(witness), self.model.weights());
        let argued = argue(&subject, relations, weights, witness, &root, &mut session)?;
        Ok((root, argued))
    }

    /// Proves a witness that a test has corrupted, with all that hides drawn from `seed`, on a transcript
    /// that it has prepared; what the reduction sends is altered too. No slot is used. `private` are inputs as
    /// they are committed to, in the place of `inputs`.
    #[allow(clippy::too_many_arguments)]
    pub fn prove_witness(
        &self,
        inputs: &[&[i32]],
        private: Option<&Inputs>,
        statement: [u8; 32],
        witness: &Witness,
        seed: &[u8; 32],
        transcript: &mut Transcript,
        alter: Alter<'_>,
    ) -> Result<Proof, ProveError> {
        let nothing = [0; 32];
        let masks = Randomness::of_seed(
            seed,
            &Context {
                statement: &nothing,
                witness: &nothing,
                key: &nothing,
                slot: 0,
            },
        );
        self.prove_masked(
            inputs, private, statement, witness, masks, transcript, alter,
        )
    }

    /// The same with all that hides given.
    #[allow(clippy::too_many_arguments)]
    pub fn prove_masked(
        &self,
        inputs: &[&[i32]],
        private: Option<&Inputs>,
        statement: [u8; 32],
        witness: &Witness,
        masks: Randomness,
        transcript: &mut Transcript,
        alter: Alter<'_>,
    ) -> Result<Proof, ProveError> {
        let mut session = Session {
            inputs,
            statement,
            watch: &mut |_| true,
            transcript,
            alter: Some(alter),
        };
        prove(&self.opening(private), witness, masks, &mut session, || {
            Ok(())
        })
    }
}

//! A simulator of keys, links and proofs. It knows graph, profile, inputs, outputs and statement, and neither weights
//! nor witness; and it programs the random oracle of the transcripts.
//!
//! ```text
//! value of a link, elements sent, relation proof     uniform
//! the claims of both openings                        what the verifier makes of them
//! openings                                           the simulator of openings, for these claims
//! ```
//!
//! It makes the commitments of key and epoch and the pin as well, none of which is one of any weights: since
//! challenges are programmed, the leaves that will be opened are known before. So what is shown is that key, link
//! and proof together tell nothing of the weights. For a root that is given, the hash of the tree would have to be
//! programmed too.

use crate::models::{STATEMENT, views};
use crate::sample::{Made, Model, OPENINGS, Oracle};
use commitment::Profile;
use graph::Graph;
use hiding::{Randomness, Simulated};
use key::{Kind, PrivateKey, Public, WEIGHTS};
use relation::Form;
use transcript::{Extension, Transcript};
use verifier::private::{Commitment, Link, Proof, link};
use verifier::relations::{Recorded, record};

/// What the simulator is given.
pub struct Known {
    pub graph: Graph,
    pub profile: Profile,
    pub inputs: Vec<Vec<i32>>,
    pub outputs: Vec<Vec<i32>>,
}

impl Known {
    /// All that a reader of the model's proofs has, but key, links and proof.
    pub fn of(model: &Model) -> Self {
        Self {
            graph: model.graph.clone(),
            profile: model.profile,
            inputs: model.inputs.clone(),
            outputs: model.outputs(),
        }
    }

    fn bare(&self) -> PrivateKey {
        PrivateKey::new(self.graph.clone(), self.profile, OPENINGS).unwrap()
    }
}

/// What comes before the opening of a proof.
struct Messages {
    sent: Vec<Extension>,
    relation: relation::Proof,
}

impl Messages {
    fn uniform(key: &PrivateKey, coins: &mut Randomness) -> Self {
        let relations = key.relations();
        let rounds = relation::Shape::new(relations.products()).variables;
        Self {
            sent: coins.extensions(relations.sent()),
            relation: relation::Proof {
                masks: coins.extensions(1)[0],
                rounds: (0..rounds)
                    .map(|_| coins.extensions(3).try_into().unwrap())
                    .collect(),
                factors: coins.extensions(2).try_into().unwrap(),
            },
        }
    }

    /// As a verifier reads them, up to the last challenge before the opening.
    fn read(
        &self,
        key: &PrivateKey,
        known: &Known,
        transcript: &mut Transcript,
    ) -> (Recorded, Vec<Form>, Extension) {
        let public = Public {
            inputs: &views(&known.inputs),
            outputs: &views(&known.outputs),
            statement: STATEMENT,
        };
        let relations = key.relations();
        // What is absorbed nobody who programs the oracle has to know yet.
        let nothing = [0; 32];
        let subject = key.under(nothing);
        let recorded = record(
            &subject, relations, &public, &nothing, &self.sent, transcript,
        );
        let recorded = recorded.unwrap();
        let spare = relations.sent() as u32;
        let ends = relation::verify(&recorded.equations, spare, &self.relation, transcript);
        (recorded, ends.unwrap(), transcript.challenge())
    }

    /// The commitment that the epoch is to be: with the leaves that a proof will open.
    fn epoch(
        &self,
        key: &PrivateKey,
        known: &Known,
        oracle: &Oracle,
        coins: &mut Randomness,
    ) -> Simulated {
        let mut ahead = oracle.proof.clone();
        let _ = self.read(key, known, &mut ahead);
        let shape = key.of_proofs().shape();
        let opened = shape.opened(&mut ahead);
        shape.simulated(WEIGHTS, &opened, coins)
    }

    /// The whole proof.
    fn proof(
        self,
        key: &PrivateKey,
        known: &Known,
        (epoch, weights): (&Commitment, &Simulated),
        transcript: &mut Transcript,
        coins: &mut Randomness,
    ) -> Proof {
        let (recorded, ends, alpha) = self.read(key, known, transcript);
        let claim = verifier::private::claim(key, epoch, &recorded, &ends, alpha).unwrap();
        let shape = key.of_proofs().shape();
        let (witness, opening) = shape.simulate(&[weights], &claim, transcript, coins);
        let Self { sent, relation } = self;
        Proof {
            links: Vec::new(),
            witness,
            sent,
            relation,
            opening,
        }
    }
}

/// An epoch with what its link says of it, and a proof, under an oracle that is programmed.
pub fn simulate(known: &Known, mut oracle: Oracle, coins: &mut Randomness) -> Made {
    let key = known.bare();
    let messages = Messages::uniform(&key, coins);
    let weights = messages.epoch(&key, known, &oracle, coins);
    let root = weights.root();
    let parent = Commitment::of_key(&key);
    let half = link::begin(&key, &parent, (Kind::Proofs, &root), &mut oracle.link);
    let drawn = link::draw(&key, half, &[0; 32], &mut oracle.link);
    let value = coins.extensions(1)[0];
    let epoch = Commitment::alone(Kind::Proofs, root, drawn, value);
    let proof = messages.proof(&key, known, (&epoch, &weights), &mut oracle.proof, coins);
    Made::simulated(key, epoch, known, proof)
}

/// A key, a proof with the link that it carries, and what the oracle was programmed to answer, of the link and of the
/// proof.
pub fn simulate_all(known: &Known, oracle: &Oracle, coins: &mut Randomness) -> Made {
    let key = known.bare();
    let messages = Messages::uniform(&key, coins);
    let weights = messages.epoch(&key, known, oracle, coins);
    let (root, value) = (weights.root(), coins.extensions(1)[0]);
    let begin = |key: &PrivateKey, transcript: &mut Transcript| {
        let parent = Commitment::of_key(key);
        let half = link::begin(key, &parent, (Kind::Proofs, &root), transcript);
        let drawn = link::draw(key, half, &[0; 32], transcript);
        let claim = link::claim(key, &parent, &drawn, value, transcript);
        (parent, drawn, claim.unwrap())
    };
    // The key's own commitment, with the leaves that the link will open.
    let mut ahead = oracle.link.clone();
    begin(&key, &mut ahead);
    let shape = key.of_key().shape();
    let opened = shape.opened(&mut ahead);
    let of_key = shape.simulated(WEIGHTS, &opened, coins);
    let pin = coins.extensions(1)[0];
    let key = key.with_commitment(of_key.root(), pin);

    let mut transcript = oracle.link.clone();
    let (parent, drawn, claim) = begin(&key, &mut transcript);
    let shape = key.of_key().shape();
    let (fresh, opening) = shape.simulate(&[&of_key], &claim, &mut transcript, coins);
    let link = Link {
        kind: Kind::Proofs,
        root,
        fresh,
        value,
        opening,
    };
    let epoch = parent.child(&key, &link, drawn);
    let mut transcript = oracle.proof.clone();
    let mut proof = messages.proof(&key, known, (&epoch, &weights), &mut transcript, coins);
    proof.links.push(link);
    Made::simulated(key, epoch, known, proof)
}

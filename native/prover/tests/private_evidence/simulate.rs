//! A simulator of keys, links and proofs. It knows graph, profile, outputs, statement and, unless they are private,
//! inputs; neither weights nor witness, nor a private input; and it programs the random oracle of the transcripts.
//!
//! ```text
//! value of a link, elements sent, relation proof     uniform
//! the claims of both openings                        what the verifier makes of them
//! openings                                           the simulator of openings, for these claims
//! ```
//!
//! It makes the commitments of key, epoch and private inputs and the pin as well, none of which is one of anything:
//! since challenges are programmed, the leaves that will be opened, by each of several attempts, are known before.
//! So what is shown is that key, link, root and proofs together tell nothing of weights and inputs. For a root that
//! is given, the hash of the tree would have to be programmed too.

use crate::models::views;
use crate::sample::{Made, Model, OPENINGS, Oracle, proofs, public, subject};
use commitment::{Profile, Root};
use graph::Graph;
use hiding::{Randomness, Simulated};
use key::{INPUTS, Kind, PrivateKey, Proofs, WEIGHTS};
use relation::Form;
use transcript::{Extension, Transcript};
use verifier::private::{Commitment, Link, Proof, link};
use verifier::relations::{Recorded, record};

/// What the simulator is given.
pub struct Known {
    pub graph: Graph,
    pub profile: Profile,
    /// What the proofs are about.
    pub kind: Kind,
    /// None where they are private.
    pub inputs: Vec<Vec<i32>>,
    pub outputs: Vec<Vec<i32>>,
}

impl Known {
    /// All that a reader of the model's proofs has, but key, links, the root of private inputs, and proofs.
    pub fn of(model: &Model) -> Self {
        let shown = model.kind == Kind::Proofs;
        Self {
            graph: model.graph.clone(),
            profile: model.profile,
            kind: model.kind,
            inputs: if shown {
                model.inputs.clone()
            } else {
                Vec::new()
            },
            outputs: model.outputs(),
        }
    }

    fn bare(&self) -> PrivateKey {
        PrivateKey::new(self.graph.clone(), self.profile, OPENINGS).unwrap()
    }

    fn proofs<'a>(&self, key: &'a PrivateKey) -> &'a Proofs {
        proofs(key, self.kind)
    }
}

/// The commitments that all attempts open: to no weights, and to no inputs.
struct Trees {
    weights: Simulated,
    inputs: Option<Simulated>,
}

impl Trees {
    /// With the leaves that proofs will open which begin with these messages.
    fn simulated(
        key: &PrivateKey,
        known: &Known,
        all: &[Messages],
        oracle: &Oracle,
        coins: &mut Randomness,
    ) -> Self {
        let shape = known.proofs(key).shape();
        let mut opened = Vec::new();
        for (messages, transcript) in all.iter().zip(&oracle.proofs) {
            let mut ahead = transcript.clone();
            let _ = messages.read(key, known, &mut ahead);
            opened.extend(shape.opened(&mut ahead));
        }
        let mut tree = |vector| shape.simulated(vector, &opened, coins);
        Self {
            weights: tree(WEIGHTS),
            inputs: (known.kind == Kind::PrivateInputs).then(|| tree(INPUTS)),
        }
    }

    fn input_root(&self) -> Option<Root> {
        self.inputs.as_ref().map(Simulated::root)
    }
}

/// What comes before the opening of a proof.
struct Messages {
    sent: Vec<Extension>,
    relation: relation::Proof,
}

impl Messages {
    /// Those of all attempts.
    fn all(key: &PrivateKey, known: &Known, oracle: &Oracle, coins: &mut Randomness) -> Vec<Self> {
        let attempts = oracle.proofs.iter();
        attempts.map(|_| Self::uniform(key, known, coins)).collect()
    }

    fn uniform(key: &PrivateKey, known: &Known, coins: &mut Randomness) -> Self {
        let relations = known.proofs(key).relations();
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
        let (inputs, outputs) = (views(&known.inputs), views(&known.outputs));
        let public = public(known.kind, &inputs, &outputs);
        let relations = known.proofs(key).relations();
        // What is absorbed nobody who programs the oracle has to know yet.
        let nothing = [0; 32];
        let root = (known.kind == Kind::PrivateInputs).then_some(nothing);
        let subject = subject(key, known.kind, nothing, root);
        let recorded = record(
            &subject, relations, &public, &nothing, &self.sent, transcript,
        );
        let recorded = recorded.unwrap();
        let spare = relations.sent() as u32;
        let ends = relation::verify(&recorded.equations, spare, &self.relation, transcript);
        (recorded, ends.unwrap(), transcript.challenge())
    }

    /// The whole proof.
    fn proof(
        self,
        key: &PrivateKey,
        known: &Known,
        (epoch, trees): (&Commitment, &Trees),
        transcript: &mut Transcript,
        coins: &mut Randomness,
    ) -> Proof {
        let (recorded, ends, alpha) = self.read(key, known, transcript);
        let claim = verifier::private::claim(key, epoch, &recorded, &ends, alpha).unwrap();
        let shape = known.proofs(key).shape();
        let mut others = vec![&trees.weights];
        others.extend(&trees.inputs);
        let (witness, opening) = shape.simulate(&others, &claim, transcript, coins);
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

/// An epoch with what its link says of it, and proofs, under an oracle that is programmed.
pub fn simulate(known: &Known, mut oracle: Oracle, coins: &mut Randomness) -> Made {
    let key = known.bare();
    let all = Messages::all(&key, known, &oracle, coins);
    let trees = Trees::simulated(&key, known, &all, &oracle, coins);
    let (kind, root) = (known.kind, trees.weights.root());
    let parent = Commitment::of_key(&key);
    let half = link::begin(&key, &parent, (kind, &root), &mut oracle.link);
    let drawn = link::draw(&key, half, &[0; 32], &mut oracle.link);
    let value = coins.extensions(1)[0];
    let epoch = Commitment::alone(kind, root, drawn, value);
    let proofs = all.into_iter().zip(&mut oracle.proofs);
    let proofs = proofs.map(|(messages, transcript)| {
        messages.proof(&key, known, (&epoch, &trees), transcript, coins)
    });
    let proofs = proofs.collect();
    Made::simulated(key, (epoch, trees.input_root()), known, proofs)
}

/// A key, and proofs with the link that they carry, under an oracle that is programmed.
pub fn simulate_all(known: &Known, oracle: &Oracle, coins: &mut Randomness) -> Made {
    let (key, kind) = (known.bare(), known.kind);
    let all = Messages::all(&key, known, oracle, coins);
    let trees = Trees::simulated(&key, known, &all, oracle, coins);
    let (root, value) = (trees.weights.root(), coins.extensions(1)[0]);
    let begin = |key: &PrivateKey, transcript: &mut Transcript| {
        let parent = Commitment::of_key(key);
        let half = link::begin(key, &parent, (kind, &root), transcript);
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
        kind,
        root,
        fresh,
        value,
        opening,
    };
    let epoch = parent.child(&key, &link, drawn);
    let proofs = all.into_iter().zip(&oracle.proofs);
    let proofs = proofs.map(|(messages, transcript)| {
        let mut transcript = transcript.clone();
        let opened = (&epoch, &trees);
        let mut proof = messages.proof(&key, known, opened, &mut transcript, coins);
        proof.links.push(link.clone());
        proof
    });
    let proofs = proofs.collect();
    Made::simulated(key, (epoch, trees.input_root()), known, proofs)
}

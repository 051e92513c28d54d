//! A simulator of whole proofs. It knows graph, profile, inputs, outputs and statement, and neither weights nor
//! witness; and it programs the random oracle of the transcript.
//!
//! ```text
//! sent, relation proof     uniform
//! the one claim            what the verifier makes of them
//! opening                  the simulator of openings, for this claim
//! ```
//!
//! It makes the commitment to the weights and the pin as well, neither of which is one of any weights: since
//! challenges are programmed, the leaves that will be opened are known before. So what is shown is that key and
//! proof together tell nothing of the weights. For a root that is given, the hash of the tree would have to be
//! programmed too.

use crate::models::{STATEMENT, views};
use crate::sample::{Made, Model, OPENINGS};
use commitment::Profile;
use graph::Graph;
use hiding::Randomness;
use key::{PrivateKey, Public, WEIGHTS};
use relation::Form;
use transcript::{Extension, Transcript};
use verifier::committed::{Recorded, record};
use verifier::private::Proof;

/// What the simulator is given.
pub struct Known {
    pub graph: Graph,
    pub profile: Profile,
    pub inputs: Vec<Vec<i32>>,
    pub outputs: Vec<Vec<i32>>,
}

impl Known {
    /// All that a reader of the model's proofs has, but key and proof.
    pub fn of(model: &Model) -> Self {
        Self {
            graph: model.graph.clone(),
            profile: model.profile,
            inputs: model.inputs.clone(),
            outputs: model.outputs(),
        }
    }
}

/// What comes before the opening.
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
        // What the root of columns is nobody who programs the oracle has to know yet.
        let root = [0; 32];
        let recorded = record(key, relations, &public, &root, &self.sent, transcript).unwrap();
        let spare = relations.sent() as u32;
        let ends = relation::verify(&recorded.equations, spare, &self.relation, transcript);
        (recorded, ends.unwrap(), transcript.challenge())
    }
}

/// A key and a proof for it, under the oracle of this program.
pub fn simulate(known: &Known, program: u64, coins: &mut Randomness) -> Made {
    let bare = PrivateKey::new(known.graph.clone(), known.profile, OPENINGS).unwrap();
    let messages = Messages::uniform(&bare, coins);
    let mut ahead = Transcript::programmed(program);
    let _ = messages.read(&bare, known, &mut ahead);
    let opened = bare.shape().opened(&mut ahead);
    let weights = bare.shape().simulated(WEIGHTS, &opened, coins);
    let pin = coins.extensions(1)[0];
    let key = bare.with_commitment(weights.root(), pin);

    let mut transcript = Transcript::programmed(program);
    let (recorded, ends, alpha) = messages.read(&key, known, &mut transcript);
    let claim = verifier::private::claim(&key, &recorded, &ends, alpha).unwrap();
    let (witness, opening) = key
        .shape()
        .simulate(&[&weights], &claim, &mut transcript, coins);
    let Messages { sent, relation } = messages;
    let proof = Proof {
        witness,
        sent,
        relation,
        opening,
    };
    Made::simulated(key, known.inputs.clone(), known.outputs.clone(), proof)
}

//! Keys and proofs to be looked at: the one place of these tests that knows how they are made.
//!
//! Every sample has a commitment to the weights of its own, so that samples of a class are independent; and where
//! inputs are private a commitment to these, which two attempts open. All that hides is drawn from the number of
//! the sample, by the stream that proofs draw from too, so that a run can be made again; and a kind of mask can be
//! left out, which no build that is shipped can do.

use crate::hidden;
use crate::liar::honest;
use crate::masks::{Layout, Masks};
use crate::models::graphs::Builder;
use crate::models::{STATEMENT, views};
use claim_reduction::Visibility;
use commitment::{Profile, Root};
use graph::{Graph, Values};
use hiding::Randomness;
use key::{Kind, Opened, Openings, PrivateKey, Proofs, Public, RangePart};
use prover::private::{Epoch, Inputs};
use prover::relations::Witness;
use transcript::{Base, Extension, Transcript};
use verifier::private::{Commitment, Proof};

/// Openings that each key is made for.
pub const OPENINGS: Openings = Openings {
    key: 2,
    links: 0,
    proofs: 2,
};

/// Proofs of a sample, all of which open its commitments of this kind.
pub const fn attempts(kind: Kind) -> usize {
    match kind {
        Kind::PrivateInputs => 2,
        _ => 1,
    }
}

/// A model with an input.
#[derive(Clone)]
pub struct Model {
    pub graph: Graph,
    pub weights: Vec<i8>,
    pub parameters: Vec<i32>,
    pub inputs: Vec<Vec<i32>>,
    pub profile: Profile,
    /// What its proofs open, and so what they are about.
    pub kind: Kind,
}

/// Two dense layers with a rectifier between and a decision at the end: nearly all that a proof can have is in
/// it, and few weights.
pub fn small() -> Graph {
    let mut b = Builder::new(12);
    let x = b.input(&[1, 4], -20, 20);
    let x = b.linear(x, 3, true);
    let x = b.rescale(x, &[1], 0, 8, 0, 15);
    let x = b.linear(x, 2, true);
    let x = b.rescale(x, &[1], 0, 11, 0, 1);
    b.finish(&[x])
}

/// What proofs are made of that open commitments of a kind.
pub fn proofs(key: &PrivateKey, kind: Kind) -> &Proofs {
    match kind {
        Kind::Key | Kind::Links => panic!("no proof opens it"),
        Kind::Proofs => key.proofs(Visibility::Public).unwrap(),
        Kind::PrivateInputs => key.proofs(Visibility::Private).unwrap(),
        Kind::Ranges(_) => part(key, kind).unwrap().proofs(),
    }
}

fn part(key: &PrivateKey, kind: Kind) -> Option<&RangePart> {
    let Kind::Ranges(part) = kind else {
        return None;
    };
    Some(&key.ranges().unwrap()[usize::from(part)])
}

/// What a proof is made under that opens the commitment of this kind and digest.
pub fn subject(key: &PrivateKey, kind: Kind, digest: [u8; 32], root: Option<Root>) -> Opened<'_> {
    let subject = key.under(digest).with_ranges(part(key, kind));
    subject.with_inputs(root)
}

/// What a verifier is given beside key and proof. A proof of ranges is about nothing but the key.
pub fn public<'a>(kind: Kind, inputs: &'a [&'a [i32]], outputs: &'a [&'a [i32]]) -> Public<'a> {
    let statement = STATEMENT;
    match kind {
        Kind::Ranges(_) => RangePart::PUBLIC,
        Kind::PrivateInputs => Public {
            inputs: &[],
            outputs,
            statement,
        },
        _ => Public {
            inputs,
            outputs,
            statement,
        },
    }
}

/// An epoch of a key, what its proofs are about, and the proofs. Of the epoch's link there is what it says of the
/// epoch, and not its opening of the key, which is as large as many proofs.
pub struct Made {
    key: Kept,
    pub epoch: Commitment,
    /// What the link says of the epoch's weights.
    pub value: Extension,
    /// What a verifier has of private inputs.
    pub input_root: Option<Root>,
    /// Inputs, where they are public.
    pub inputs: Vec<Vec<i32>>,
    pub outputs: Vec<Vec<i32>>,
    pub proofs: Vec<Proof>,
}

/// Where the key is.
enum Kept {
    Prover(Box<Epoch>),
    Simulator(Box<PrivateKey>),
}

impl Made {
    /// What a simulator has made.
    pub fn simulated(
        key: PrivateKey,
        (epoch, input_root): (Commitment, Option<Root>),
        known: &crate::simulate::Known,
        proofs: Vec<Proof>,
    ) -> Self {
        let (_, value) = epoch.binding(&key).unwrap();
        Self {
            key: Kept::Simulator(Box::new(key)),
            epoch,
            value,
            input_root,
            inputs: known.inputs.clone(),
            outputs: known.outputs.clone(),
            proofs,
        }
    }

    pub fn key(&self) -> &PrivateKey {
        match &self.key {
            Kept::Prover(epoch) => epoch.private_key(),
            Kept::Simulator(key) => key,
        }
    }

    /// The code with which the verifier rejects the first proof that it does not accept, each on a transcript of
    /// its own, for this epoch; nothing if it accepts all.
    pub fn verdict(&self, transcripts: &mut [Transcript]) -> &'static str {
        assert_eq!(self.proofs.len(), transcripts.len());
        let (inputs, outputs) = (views(&self.inputs), views(&self.outputs));
        let public = public(self.epoch.kind(), &inputs, &outputs);
        let verdicts = self.proofs.iter().zip(transcripts).map(|(proof, own)| {
            let root = self.input_root;
            let key = self.key();
            let epoch = &self.epoch;
            crate::liar::code(verifier::private::verify_opened(
                key, epoch, &public, root, proof, own,
            ))
        });
        verdicts.fold("", |first, own| if first.is_empty() { own } else { first })
    }
}

/// Which challenges an epoch and its proofs have.
pub struct Oracle {
    pub link: Transcript,
    pub proofs: Vec<Transcript>,
}

impl Oracle {
    /// The transcripts' own.
    pub fn own(kind: Kind) -> Self {
        Self {
            link: Transcript::new(),
            proofs: vec![Transcript::new(); attempts(kind)],
        }
    }

    /// Those of a program. Each attempt has other ones.
    pub fn programmed(kind: Kind, program: u64) -> Self {
        let proofs = 0..attempts(kind) as u64;
        Self {
            link: Transcript::programmed(program | 1 << 48),
            proofs: proofs
                .map(|attempt| Transcript::programmed(program | attempt << 52))
                .collect(),
        }
    }
}

/// What is altered in a witness, and in the columns that private inputs are committed in.
pub type Alter<'a> = &'a dyn Fn(&mut Witness, &mut [Vec<Base>]);

impl Model {
    /// A model of these weights and parameters, with this input.
    pub fn new(graph: Graph, (weights, inputs): (u64, u64), profile: Profile, kind: Kind) -> Self {
        Self {
            weights: hidden::drawn(&graph, weights).0,
            parameters: hidden::drawn_parameters(&graph, weights),
            inputs: hidden::drawn(&graph, inputs).1,
            graph,
            profile,
            kind,
        }
    }

    /// Its key without a commitment.
    pub fn bare(&self) -> PrivateKey {
        PrivateKey::new(self.graph.clone(), self.profile, OPENINGS).unwrap()
    }

    pub fn layout(&self) -> Layout {
        Layout::of(&self.bare(), self.kind)
    }

    /// What it computes, as its proofs have it.
    pub fn outputs(&self) -> Vec<Vec<i32>> {
        self.witness().outputs
    }

    /// Its execution.
    pub fn witness(&self) -> Witness {
        let epoch = self.epoch(&self.layout().nothing(), &mut Transcript::new());
        epoch.witness(&views(&self.inputs)).unwrap()
    }

    /// The columns that its inputs are committed in, if they are.
    pub fn columns(&self) -> Vec<Vec<Base>> {
        let key = self.bare();
        let vector = proofs(&key, self.kind).inputs();
        vector.map_or_else(Vec::new, |vector| vector.cells(&views(&self.inputs)))
    }

    /// An epoch with these masks.
    fn epoch(&self, masks: &Masks, transcript: &mut Transcript) -> Epoch {
        let values = Values {
            weights: &self.weights,
            parameters: &self.parameters,
        };
        let beside = Randomness::given(masks.beside.clone());
        let mut half = masks.half.iter().copied();
        let half = || half.next().unwrap();
        Epoch::alone(self.bare(), self.kind, &values, half, beside, transcript).unwrap()
    }

    /// An epoch and proofs with these masks.
    pub fn prove(&self, masks: &Masks, oracle: Oracle) -> Made {
        self.prove_altered(masks, oracle, &|_, _| ())
    }

    /// The same of a witness or of inputs that are altered.
    pub fn prove_altered(&self, masks: &Masks, mut oracle: Oracle, alter: Alter<'_>) -> Made {
        let epoch = self.epoch(masks, &mut oracle.link);
        let key = epoch.private_key();
        let inputs = views(&self.inputs);
        let mut witness = epoch.witness(&inputs).unwrap();
        let mut columns = self.columns();
        alter(&mut witness, &mut columns);
        let private = (self.kind == Kind::PrivateInputs).then(|| {
            let mut given = Randomness::given(masks.inputs.clone());
            Inputs::masked(key, &inputs, &columns, &mut given).unwrap()
        });
        let Public {
            inputs: shown,
            statement,
            ..
        } = public(self.kind, &inputs, &[]);
        let proofs = masks.fresh.iter().zip(&mut oracle.proofs);
        let proofs = proofs.map(|(fresh, transcript)| {
            let fresh = Randomness::given(fresh.clone());
            let private = private.as_ref();
            let made = epoch.prove_masked(
                shown,
                private,
                statement,
                &witness,
                fresh,
                transcript,
                &mut honest,
            );
            made.unwrap()
        });
        let proofs = proofs.collect();
        let (_, value) = epoch.commitment().binding(key).unwrap();
        Made {
            epoch: epoch.commitment().clone(),
            value,
            input_root: private.map(|own| own.root()),
            inputs: shown.iter().map(|own| own.to_vec()).collect(),
            outputs: witness.outputs,
            proofs,
            key: Kept::Prover(Box::new(epoch)),
        }
    }
}

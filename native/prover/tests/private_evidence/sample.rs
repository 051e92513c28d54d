//! Keys and proofs to be looked at: the one place of these tests that knows how they are made.
//!
//! Every sample has a commitment to the weights of its own, so that samples of a class are independent. All
//! that hides is drawn from the number of the sample, by the stream that proofs draw from too, so that a run can
//! be made again; and a kind of mask can be left out, which no build that is shipped can do.

use crate::models::graphs::{Builder, Random};
use crate::models::{STATEMENT, views};
use claim_reduction::Visibility;
use commitment::Profile;
use graph::{Graph, Values, elements};
use hiding::{Context, Drawing, Randomness};
use key::{Openings, PrivateKey, Public, WEIGHTS};
use p3_field::PrimeCharacteristicRing;
use prover::private::Epoch;
use prover::relations::Witness;
use transcript::{Base, DEGREE, Extension, Transcript};
use verifier::private::{Commitment, Proof};

/// Openings that each key is made for.
pub const OPENINGS: Openings = Openings {
    key: 2,
    links: 0,
    proofs: 2,
};

/// A model with an input.
#[derive(Clone)]
pub struct Model {
    pub graph: Graph,
    pub weights: Vec<i8>,
    pub inputs: Vec<Vec<i32>>,
    pub profile: Profile,
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

/// Weights and inputs of a graph.
pub fn drawn(graph: &Graph, seed: u64) -> (Vec<i8>, Vec<Vec<i32>>) {
    let mut random = Random(seed);
    let weights = random.numbers(graph.weight_bytes(), -128, 127);
    let weights = weights.into_iter().map(|weight| weight as i8).collect();
    let inputs = graph.inputs.iter();
    let inputs = inputs
        .map(|input| random.numbers(elements(&input.shape), input.lo.into(), input.hi.into()))
        .collect();
    (weights, inputs)
}

/// An epoch of a key, what a proof is about, and the proof. Of the epoch's link there is what it says of the epoch,
/// and not its opening of the key, which is as large as many proofs.
pub struct Made {
    key: Kept,
    pub epoch: Commitment,
    /// What the link says of the epoch's weights.
    pub value: Extension,
    pub inputs: Vec<Vec<i32>>,
    pub outputs: Vec<Vec<i32>>,
    pub proof: Proof,
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
        epoch: Commitment,
        known: &crate::simulate::Known,
        proof: Proof,
    ) -> Self {
        let (_, value) = epoch.binding(&key).unwrap();
        Self {
            key: Kept::Simulator(Box::new(key)),
            epoch,
            value,
            inputs: known.inputs.clone(),
            outputs: known.outputs.clone(),
            proof,
        }
    }

    pub fn key(&self) -> &PrivateKey {
        match &self.key {
            Kept::Prover(epoch) => epoch.private_key(),
            Kept::Simulator(key) => key,
        }
    }

    /// The code with which the verifier rejects the proof on a transcript, for this epoch; nothing if it accepts.
    pub fn verdict(&self, transcript: &mut Transcript) -> &'static str {
        let public = Public {
            inputs: &views(&self.inputs),
            outputs: &views(&self.outputs),
            statement: STATEMENT,
        };
        let verdict = verifier::private::verify_opened(
            self.key(),
            &self.epoch,
            &public,
            &self.proof,
            transcript,
        );
        verdict.map_or_else(|rejection| rejection.code(), |()| "")
    }
}

/// All that hides a key and a proof, element by element in the order in which it is drawn.
#[derive(Clone)]
pub struct Masks {
    /// Of the proof's own vector.
    pub fresh: Vec<Base>,
    /// Of the weights' vector: the uniform half, and what stands beside its columns.
    pub half: Vec<Base>,
    pub beside: Vec<Base>,
}

/// Names of masks with their numbers of elements.
pub struct Layout {
    pub fresh: Drawing,
    pub half: usize,
    pub beside: Drawing,
}

impl Layout {
    pub fn of(key: &PrivateKey) -> Self {
        let sent = key.relations().sent();
        let dummy = 2;
        let proofs = key.proofs(Visibility::Public).unwrap();
        let others = proofs.pads().count() - sent - dummy;
        let mut fresh: Drawing = vec![
            ("pads", DEGREE * sent),
            ("dummy", DEGREE * dummy),
            ("masks of the relation proof", DEGREE * others),
        ];
        let vector = key.of_proofs();
        fresh.extend(vector.shape().drawn(0));
        Self {
            fresh,
            // The half of all cells.
            half: 1 << (vector.variables() - 1),
            beside: vector.shape().drawn(WEIGHTS),
        }
    }

    fn count(drawing: &Drawing) -> usize {
        drawing.iter().map(|&(_, count)| count).sum()
    }

    /// Uniform masks.
    pub fn uniform(&self, randomness: &mut Randomness) -> Masks {
        let mut bases = |count| randomness.bases(count);
        Masks {
            fresh: bases(Self::count(&self.fresh)),
            half: bases(self.half),
            beside: bases(Self::count(&self.beside)),
        }
    }

    /// No masks.
    pub fn nothing(&self) -> Masks {
        Masks {
            fresh: vec![Base::ZERO; Self::count(&self.fresh)],
            half: vec![Base::ZERO; self.half],
            beside: vec![Base::ZERO; Self::count(&self.beside)],
        }
    }

    /// The places of a kind of masks among those of the proof's own vector.
    pub fn places(&self, name: &str) -> std::ops::Range<usize> {
        let mut first = 0;
        for &(own, count) in &self.fresh {
            if own == name {
                return first..first + count;
            }
            first += count;
        }
        panic!("no mask is named {name}");
    }

    /// Leaves out the masks of a name; `half` are those of the weights.
    pub fn leave_out(&self, masks: &mut Masks, name: &str) {
        if name == "half" {
            masks.half.fill(Base::ZERO);
        } else {
            masks.fresh[self.places(name)].fill(Base::ZERO);
        }
    }
}

/// The stream of a number: a class of samples, and a sample of it.
pub fn stream(class: u8, number: u64) -> Randomness {
    let mut seed = [class; 32];
    // Another run of all tests: the bound on failures of a sound build is over these.
    let run = std::env::var("EVIDENCE_RUN").map_or(0, |run| run.parse().unwrap());
    seed[..8].copy_from_slice(&u64::to_le_bytes(run));
    let nothing = [0; 32];
    let context = Context {
        statement: &nothing,
        witness: &nothing,
        key: &nothing,
        slot: number,
    };
    Randomness::of_seed(&seed, &context)
}

/// Which challenges an epoch and its proof have.
pub struct Oracle {
    pub link: Transcript,
    pub proof: Transcript,
}

impl Oracle {
    /// The transcripts' own.
    pub fn own() -> Self {
        Self {
            link: Transcript::new(),
            proof: Transcript::new(),
        }
    }

    /// Those of a program.
    pub fn programmed(program: u64) -> Self {
        Self {
            link: Transcript::programmed(program | 1 << 48),
            proof: Transcript::programmed(program),
        }
    }
}

impl Model {
    /// Its key without a commitment.
    pub fn bare(&self) -> PrivateKey {
        PrivateKey::new(self.graph.clone(), self.profile, OPENINGS).unwrap()
    }

    /// What it computes.
    pub fn outputs(&self) -> Vec<Vec<i32>> {
        self.witness().outputs
    }

    /// Its execution.
    pub fn witness(&self) -> Witness {
        let masks = Layout::of(&self.bare()).nothing();
        let epoch = self.epoch(&masks, &mut Oracle::own());
        epoch.witness(&views(&self.inputs)).unwrap()
    }

    /// An epoch with these masks.
    pub fn epoch(&self, masks: &Masks, oracle: &mut Oracle) -> Epoch {
        let values = Values {
            weights: &self.weights,
            parameters: &[],
        };
        let beside = Randomness::given(masks.beside.clone());
        let mut half = masks.half.iter().copied();
        let half = || half.next().unwrap();
        Epoch::alone(self.bare(), &values, half, beside, &mut oracle.link).unwrap()
    }

    /// An epoch and a proof with these masks.
    pub fn prove(&self, masks: &Masks, oracle: Oracle) -> Made {
        self.prove_altered(masks, oracle, |_| ())
    }

    /// The same of a witness that is altered.
    pub fn prove_altered(
        &self,
        masks: &Masks,
        mut oracle: Oracle,
        alter: impl FnOnce(&mut Witness),
    ) -> Made {
        let epoch = self.epoch(masks, &mut oracle);
        let inputs = views(&self.inputs);
        let mut witness = epoch.witness(&inputs).unwrap();
        alter(&mut witness);
        let fresh = Randomness::given(masks.fresh.clone());
        let transcript = &mut oracle.proof;
        let proof = epoch
            .prove_masked(
                &inputs,
                None,
                STATEMENT,
                &witness,
                fresh,
                transcript,
                &mut |_, _| (),
            )
            .unwrap();
        let (_, value) = epoch.commitment().binding(epoch.private_key()).unwrap();
        Made {
            epoch: epoch.commitment().clone(),
            key: Kept::Prover(Box::new(epoch)),
            value,
            inputs: self.inputs.clone(),
            outputs: witness.outputs,
            proof,
        }
    }
}

//! Keys and proofs to be looked at: the one place of these tests that knows how they are made.
//!
//! Every sample has a commitment to the weights of its own, so that samples of a class are independent. All
//! that hides is drawn from the number of the sample, by the stream that proofs draw from too, so that a run can
//! be made again; and a kind of mask can be left out, which no build that is shipped can do.

use crate::liar::honest;
use crate::models::graphs::{Builder, Random};
use crate::models::{STATEMENT, views};
use commitment::Profile;
use graph::{Graph, Values, elements};
use hiding::{Context, Drawing, Randomness};
use key::{PrivateKey, Public, WEIGHTS};
use p3_field::PrimeCharacteristicRing;
use prover::committed::Witness;
use prover::private::ProvingKey;
use transcript::{Base, DEGREE, Transcript};
use verifier::private::Proof;

/// Openings that each key is made for.
pub const OPENINGS: u32 = 2;

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

/// A key, what a proof is about, and the proof.
pub struct Made {
    maker: Maker,
    pub inputs: Vec<Vec<i32>>,
    pub outputs: Vec<Vec<i32>>,
    pub proof: Proof,
}

/// Who has made it, with the key.
enum Maker {
    Prover(Box<ProvingKey>),
    Simulator(Box<PrivateKey>),
}

impl Made {
    /// What a simulator has made.
    pub fn simulated(
        key: PrivateKey,
        inputs: Vec<Vec<i32>>,
        outputs: Vec<Vec<i32>>,
        proof: Proof,
    ) -> Self {
        Self {
            maker: Maker::Simulator(Box::new(key)),
            inputs,
            outputs,
            proof,
        }
    }

    pub fn key(&self) -> &PrivateKey {
        match &self.maker {
            Maker::Prover(prover) => prover.private_key(),
            Maker::Simulator(key) => key,
        }
    }

    /// The code with which the verifier rejects it on a transcript; nothing if it accepts.
    pub fn verdict(&self, transcript: &mut Transcript) -> &'static str {
        let public = Public {
            inputs: &views(&self.inputs),
            outputs: &views(&self.outputs),
            statement: STATEMENT,
        };
        let bytes = self.proof.encode(self.key());
        let verdict = verifier::private::verify_audited(self.key(), &public, &bytes, transcript);
        crate::liar::code(verdict)
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
        let others = key.pads().count() - sent - dummy;
        let mut fresh: Drawing = vec![
            ("pads", DEGREE * sent),
            ("dummy", DEGREE * dummy),
            ("masks of the relation proof", DEGREE * others),
        ];
        fresh.extend(key.shape().drawn(0));
        Self {
            fresh,
            // The half of all cells.
            half: 1 << (key.shape().variables(WEIGHTS).unwrap() - 1),
            beside: key.shape().drawn(WEIGHTS),
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
        let prover = self.committed(&Layout::of(&self.bare()).nothing());
        prover.witness(&views(&self.inputs)).unwrap()
    }

    pub fn committed(&self, masks: &Masks) -> ProvingKey {
        let values = Values {
            weights: &self.weights,
            parameters: &[],
        };
        let beside = Randomness::given(masks.beside.clone());
        let mut half = masks.half.iter().copied();
        ProvingKey::with_masks(
            self.graph.clone(),
            &values,
            self.profile,
            OPENINGS,
            beside,
            || half.next().unwrap(),
        )
        .unwrap()
    }

    /// A key and a proof with these masks.
    pub fn prove(&self, masks: &Masks, transcript: &mut Transcript) -> Made {
        self.prove_altered(masks, transcript, |_| ())
    }

    /// The same of a witness that is altered.
    pub fn prove_altered(
        &self,
        masks: &Masks,
        transcript: &mut Transcript,
        alter: impl FnOnce(&mut Witness),
    ) -> Made {
        let prover = self.committed(masks);
        let mut witness = prover.witness(&views(&self.inputs)).unwrap();
        alter(&mut witness);
        self.prove_witness(prover, &witness, masks, transcript)
    }

    /// The same of a witness that is given.
    pub fn prove_witness(
        &self,
        prover: ProvingKey,
        witness: &Witness,
        masks: &Masks,
        transcript: &mut Transcript,
    ) -> Made {
        let inputs = views(&self.inputs);
        let fresh = Randomness::given(masks.fresh.clone());
        let proof = prover
            .prove_masked(&inputs, STATEMENT, witness, fresh, transcript, &mut honest)
            .unwrap();
        Made {
            maker: Maker::Prover(Box::new(prover)),
            inputs: self.inputs.clone(),
            outputs: witness.outputs.clone(),
            proof,
        }
    }
}

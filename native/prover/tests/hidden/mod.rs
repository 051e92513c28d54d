//! Models of the private mode with weights and inputs.
#![allow(dead_code)]

use crate::models::graphs::Random;
use crate::models::graphs::clamps;
use crate::models::{
    STATEMENT, choices, everything, exact, held, integers, linear, views, vision, wide,
};
use commitment::Profile;
use graph::{Graph, elements};
use key::{PrivateKey, Public};
use p3_field::PrimeCharacteristicRing;
use prover::committed::Witness;
use prover::private::ProvingKey;
use transcript::{Base, Extension, Transcript};
use verifier::Rejection;
use verifier::private::Proof;

/// Openings that keys of tests are made for.
pub const OPENINGS: u32 = 2;

/// All that the committed mode is tested on: every operation, with and without lookups.
pub fn graphs() -> [(&'static str, Graph); 9] {
    [
        ("clamps", clamps(-40, 90)),
        ("vision", vision()),
        ("wide", wide()),
        ("everything", everything()),
        ("integers", integers()),
        ("choices", choices()),
        ("exact", exact()),
        ("held", held()),
        ("linear", linear()),
    ]
}

/// A model with weights and inputs.
pub struct Case {
    pub prover: ProvingKey,
    pub inputs: Vec<Vec<i32>>,
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

pub fn case(graph: Graph, profile: Profile) -> Case {
    let (weights, inputs) = drawn(&graph, 77);
    Case {
        prover: ProvingKey::new(graph, &weights, profile, OPENINGS).unwrap(),
        inputs,
    }
}

/// The same with all that hides drawn from fixed numbers: it hides nothing.
pub fn seeded(graph: Graph, profile: Profile) -> Case {
    let (weights, inputs) = drawn(&graph, 77);
    let mut random = Random(78);
    let half = || Base::from_u32(random.below(1 << 30) as u32);
    Case {
        prover: ProvingKey::with_half(graph, &weights, profile, OPENINGS, &[6; 32], half).unwrap(),
        inputs,
    }
}

impl Case {
    pub fn key(&self) -> &PrivateKey {
        self.prover.private_key()
    }

    /// Outputs and proof.
    pub fn prove(&self) -> (Vec<Vec<i32>>, Vec<u8>) {
        let views = views(&self.inputs);
        self.prover
            .prove(&views, STATEMENT, 1, &mut |_| true)
            .unwrap()
    }

    pub fn verify(&self, outputs: &[Vec<i32>], proof: &[u8]) -> Result<(), Rejection> {
        self.verify_with(self.key(), outputs, proof)
    }

    pub fn verify_with(
        &self,
        key: &PrivateKey,
        outputs: &[Vec<i32>],
        proof: &[u8],
    ) -> Result<(), Rejection> {
        let public = Public {
            inputs: &views(&self.inputs),
            outputs: &views(outputs),
            statement: STATEMENT,
        };
        verifier::private::verify(key, &public, proof)
    }
}

/// Proves a corrupted witness on a prepared transcript, altering what the reduction sends. It counts for
/// nothing.
pub fn lie(
    case: &Case,
    corrupt: impl Fn(&mut Witness),
    transcript: Transcript,
    alter: &mut dyn FnMut(usize, &mut [Extension]),
) -> (Vec<Vec<i32>>, Proof) {
    lie_with(case, [5; 32], corrupt, transcript, alter)
}

/// The same, with all that hides drawn from a seed.
pub fn lie_with(
    case: &Case,
    seed: [u8; 32],
    corrupt: impl Fn(&mut Witness),
    mut transcript: Transcript,
    alter: &mut dyn FnMut(usize, &mut [Extension]),
) -> (Vec<Vec<i32>>, Proof) {
    let inputs = views(&case.inputs);
    let mut witness = case.prover.witness(&inputs).unwrap();
    corrupt(&mut witness);
    case.prover.recount();
    let proof = case
        .prover
        .prove_witness(&inputs, STATEMENT, &witness, &seed, &mut transcript, alter)
        .unwrap();
    (witness.outputs, proof)
}

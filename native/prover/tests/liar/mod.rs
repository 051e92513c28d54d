//! A prover that lies about its witness or about what its reduction sends.
#![allow(dead_code)]

use crate::models::{Case, STATEMENT, views};
use key::Committed;
use prover::committed::Witness;
use transcript::{Extension, Transcript};
use verifier::Rejection;
use verifier::committed::Proof;

pub type Alter<'a> = &'a mut dyn FnMut(usize, &mut [Extension]);

/// Proves a corrupted witness on a prepared transcript, altering what the reduction sends.
pub fn lie(
    case: &Case,
    corrupt: impl Fn(&mut Witness),
    mut transcript: Transcript,
    alter: Alter<'_>,
) -> (Vec<Vec<i32>>, Proof) {
    let inputs = views(&case.inputs);
    let mut witness = case.prover.witness(&inputs).unwrap().unwrap();
    corrupt(&mut witness);
    let proof = case
        .prover
        .prove_witness(&inputs, STATEMENT, &witness, &mut transcript, alter)
        .unwrap()
        .unwrap();
    (witness.outputs, proof)
}

pub fn honest(_: usize, _: &mut [Extension]) {}

pub fn code(result: Result<(), Rejection>) -> &'static str {
    result.map_or_else(|rejection| rejection.code(), |()| "")
}

/// Counts anew how often each entry is looked up, if all that is looked up is in its table.
pub fn recount(derived: &Committed, witness: &mut Witness) {
    let looked: Vec<_> = (0..derived.plan().lookups.len())
        .map(|lookup| {
            let [keys, values] = witness.columns.pair(lookup);
            lookup::Column { keys, values }
        })
        .collect();
    if let Ok(counts) = derived.argument().multiplicities(&looked) {
        witness.multiplicities = counts;
    }
}

/// The code with which a corrupted witness is rejected.
pub fn rejected(case: &Case, corrupt: impl Fn(&mut Witness)) -> &'static str {
    let (outputs, proof) = lie(case, corrupt, Transcript::new(), &mut honest);
    code(case.verify(&outputs, &case.encode(&proof)))
}

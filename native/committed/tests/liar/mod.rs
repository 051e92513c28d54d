//! A prover that lies about its witness or about what its reduction sends.
#![allow(dead_code)]

use crate::models::{Case, STATEMENT, views};
use committed::{Key, Proof, Rejection, Witness};
use transcript::{Extension, Transcript};

pub type Alter<'a> = &'a mut dyn FnMut(usize, &mut [Extension]);

/// Proves a corrupted witness on a prepared transcript, altering what the reduction sends.
pub fn lie(
    case: &Case,
    corrupt: impl Fn(&mut Witness),
    transcript: Transcript,
    alter: Alter<'_>,
) -> (Vec<Vec<i32>>, Proof) {
    let inputs = views(&case.inputs);
    let mut witness = case.prover.witness(&inputs).unwrap();
    corrupt(&mut witness);
    let proof = case
        .prover
        .prove_audited(&inputs, STATEMENT, &witness, transcript, alter)
        .unwrap();
    (witness.outputs, proof)
}

pub fn honest(_: usize, _: &mut [Extension]) {}

pub fn code(result: Result<(), Rejection>) -> &'static str {
    result.map_or_else(|rejection| rejection.code(), |()| "")
}

/// Counts anew how often each entry is looked up, if all that is looked up is in its table.
pub fn recount(key: &Key, witness: &mut Witness) {
    let looked: Vec<_> = (0..key.plan().lookups.len())
        .map(|lookup| {
            let [keys, values] = witness.columns.pair(lookup);
            lookup::Column { keys, values }
        })
        .collect();
    if let Ok(counts) = key.argument().multiplicities(&looked) {
        witness.multiplicities = counts;
    }
}

/// The code with which a corrupted witness is rejected.
pub fn rejected(case: &Case, corrupt: impl Fn(&mut Witness)) -> &'static str {
    let (outputs, proof) = lie(case, corrupt, Transcript::new(), &mut honest);
    code(case.verify(&outputs, &proof.encode(case.key())))
}

//! A prover that lies about its witness or about what its reduction sends.
#![allow(dead_code)]

use crate::models::{Case, STATEMENT, views};
use claim_reduction::Source;
use key::Relations;
use lookup::Table;
use p3_field::PrimeCharacteristicRing;
use prover::committed::Witness;
use transcript::{Base, Extension, Transcript};
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
pub fn recount(derived: &Relations, witness: &mut Witness) {
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

/// Replaces the first row of a lookup by the next entry, and counts all anew.
pub fn swap_entry(derived: &Relations, witness: &mut Witness, number: usize) {
    let argument = derived.argument();
    let table = &argument.tables()[argument.lookups()[number].table];
    let count = table.entries();
    let [keys, values] = witness.columns.pair(number);
    let old = (keys[0], values.first().copied().unwrap_or_default());
    let at = (0..count).find(|&at| entry(table, at) == old).unwrap();
    let (new_key, new_value) = entry(table, (at + 1) % count);
    set(witness, number, 0, new_key);
    set(witness, number, 1, new_value);
    // A value that another lookup takes as its key too may be in no entry of that one.
    recount(derived, witness);
}

/// Key and value of an entry.
fn entry(table: &Table, at: usize) -> (Base, Base) {
    match table {
        Table::Range { .. } => (Base::from_usize(at), Base::ZERO),
        Table::Function { first, values } => (
            Base::from_i32(*first) + Base::from_usize(at),
            Base::from_i32(values[at]),
        ),
    }
}

/// Sets the first cell of what a lookup looks up.
fn set(witness: &mut Witness, lookup: usize, which: usize, value: Base) {
    match &mut witness.columns.looked[lookup][which] {
        Some(Source::Own(own)) => own[0] = value,
        Some(Source::Committed(column)) => {
            let column = *column;
            witness.columns.committed[column][0] = value;
        }
        Some(Source::None) | None => {}
    }
}

//! Provers that lie about their witness or about what lookups and reduction send, judged without pads and without an
//! opening: so it is told which check finds a lie.
#![allow(dead_code)]

use crate::hidden::{self, Case};
use crate::models::{STATEMENT, views};
use claim_reduction::{MIN_VARIABLES, Source, Verifier, reduce};
use commitment::Root;
use commitment::columns::evaluate;
use key::{Public, Relations};
use lookup::Table;
use p3_field::PrimeCharacteristicRing;
use prover::relations::{Argued, Witness};
use sumcheck::{dot, equality};
use transcript::{Base, Extension, Transcript};
use verifier::Rejection;
use verifier::relations::{begin, column_claims, lookup_claims, problem};

pub type Alter<'a> = &'a mut dyn FnMut(usize, &mut [Extension]);

/// What finds a lie: the lookups.
pub const LOOKUPS: &str = "LOOKUP_MISMATCH";
/// A relation of a node, or an end of the graph.
pub const RELATION: &str = "REDUCTION_MISMATCH";
/// A claim on a column or on weights, which is not true.
pub const CLAIM: &str = "a claim";

pub fn honest(_: usize, _: &mut [Extension]) {}

pub fn code(result: Result<(), Rejection>) -> &'static str {
    result.map_or_else(|rejection| rejection.code(), |()| "")
}

/// What lookups and reduction send about a witness, without pads.
pub struct Told {
    pub witness: Witness,
    pub root: Root,
    pub argued: Argued,
}

/// What a prover sends about a corrupted witness on a prepared transcript, altering what the reduction sends.
pub fn tell(
    case: &Case,
    corrupt: impl Fn(&mut Witness),
    mut transcript: Transcript,
    alter: Alter<'_>,
) -> Told {
    let inputs = views(&case.inputs);
    let mut witness = case.epoch.witness(&inputs).unwrap();
    corrupt(&mut witness);
    let argued = case
        .epoch
        .argue(&inputs, STATEMENT, &witness, &mut transcript, alter);
    let (root, argued) = argued.unwrap();
    Told {
        witness,
        root,
        argued,
    }
}

impl Told {
    /// The checks that the reduction makes of it.
    pub fn checked(
        &self,
        case: &Case,
        mut transcript: Transcript,
    ) -> Result<(usize, bool), Rejection> {
        let outputs = views(&self.witness.outputs);
        let public = Public {
            inputs: &views(&case.inputs),
            outputs: &outputs,
            statement: STATEMENT,
        };
        let (derived, transcript) = (case.proofs().relations(), &mut transcript);
        let subject = case.key().under(case.epoch.commitment().digest());
        begin(&subject, &public, &self.root, transcript);
        let looked = derived
            .argument()
            .verify(&self.argued.lookups, transcript)?;
        let lookup_claims = lookup_claims(&looked);
        let problem = problem(&subject, derived, &public, &lookup_claims);
        let mut side = Verifier::new(&self.argued.reduction, transcript);
        let opened = reduce(&mut side, &problem)?;
        let checks = side.checks();
        side.finish()?;

        let columns = columns(&self.witness);
        let mut claims = column_claims(derived, &opened.columns, &looked).into_iter();
        let of_columns =
            claims.all(|claim| evaluate(&columns[claim.column], &claim.point) == claim.value);
        let matrices = matrices(case);
        let mut claims = opened.matrices.iter().zip(&matrices);
        let of_matrices = claims.all(|(claim, matrix)| matrix.at(&claim.point) == claim.value);
        assert!(
            opened.parameters.is_empty(),
            "claims on them are not looked at"
        );
        Ok((checks, of_columns && of_matrices))
    }

    /// What finds a lie in it, or nothing.
    pub fn verdict(&self, case: &Case, transcript: Transcript) -> &'static str {
        match self.checked(case, transcript) {
            Err(rejection) => rejection.code(),
            Ok((_, true)) => "",
            Ok((_, false)) => CLAIM,
        }
    }
}

/// All columns that are committed to: those of the plan, then multiplicities.
pub fn columns(witness: &Witness) -> Vec<Vec<Base>> {
    let counts = witness.multiplicities.iter().map(|counts| {
        let mut counts = counts.clone();
        counts.resize(counts.len().max(1 << MIN_VARIABLES), Base::ZERO);
        counts
    });
    let committed = witness.columns.committed.iter().cloned();
    committed.chain(counts).collect()
}

/// A weight matrix.
pub struct Matrix {
    weights: Vec<i8>,
    width: usize,
}

impl Matrix {
    pub fn at(&self, point: &commitment::MatrixPoint) -> Extension {
        let columns = equality(&point.column, self.width);
        let rows = equality(&point.row, self.weights.len() / self.width);
        let combined = commitment::combine_rows(&rows, &self.weights, self.width);
        dot(&combined, &columns)
    }
}

/// The matrices of a case.
pub fn matrices(case: &Case) -> Vec<Matrix> {
    let graph = case.key().graph();
    let weights = case.epoch.values().weights;
    let mut first = 0;
    let matrices = graph.weights.iter().map(|weight| {
        let own = &weights[first..first + weight.size()];
        first += weight.size();
        Matrix {
            weights: own.to_vec(),
            width: weight.cols,
        }
    });
    matrices.collect()
}

/// What finds a corrupted witness. The proof that hides it is rejected too, by its one opening.
pub fn rejected(case: &Case, corrupt: impl Fn(&mut Witness)) -> &'static str {
    let told = tell(case, &corrupt, Transcript::new(), &mut honest);
    let found = told.verdict(case, Transcript::new());
    let (outputs, proof) = hidden::lie(case, &corrupt, Transcript::new(), &mut honest);
    let hidden = code(case.verify(&outputs, &proof.encode(case.key())));
    let expected = if found.is_empty() {
        ""
    } else {
        "OPENING_INVALID"
    };
    assert_eq!(hidden, expected, "found by {found}");
    found
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

//! Proofs of the committed mode.
//!
//! ```text
//! proof = (root of the columns, lookup argument, claim reduction, opening of the columns, opening of the weights)
//! ```

use crate::error::ProveError;
use crate::model::Model;
use crate::session::{Phase, Session};
use claim_reduction::{Columns, MIN_VARIABLES, columns, reduce};
use executor::Tensors;
use key::{Committed, Public};
use lookup::{Column, Engine, Simd};
use p3_field::PrimeCharacteristicRing;
use transcript::Base;
use verifier::committed::{Proof, begin, column_claims, lookup_claims, problem};

/// What a proof is made of; tests corrupt it.
pub struct Witness {
    /// The graph's outputs.
    pub outputs: Vec<Vec<i32>>,
    /// All tensors.
    pub tensors: Tensors,
    /// Columns that are committed or looked up.
    pub columns: Columns,
    /// One column for each table.
    pub multiplicities: Vec<Vec<Base>>,
}

/// Makes the columns of an execution.
pub(crate) fn witness(
    model: &Model,
    derived: &Committed,
    tensors: Tensors,
) -> Result<Witness, ProveError> {
    let graph = model.key.graph();
    let columns = columns(graph, derived.plan(), &tensors);
    let looked = looked(derived, &columns);
    Ok(Witness {
        outputs: tensors.outputs(graph).map(<[i32]>::to_vec).collect(),
        multiplicities: derived.argument().multiplicities(&looked)?,
        tensors,
        columns,
    })
}

/// Proves a witness.
pub(crate) fn prove(
    model: &Model,
    derived: &Committed,
    witness: &Witness,
    session: &mut Session<'_>,
) -> Result<Proof, ProveError> {
    let key = &model.key;
    session.begins(Phase::Commit)?;
    let multiplicities: Vec<Vec<Base>> = witness
        .multiplicities
        .iter()
        .map(|counts| {
            let mut counts = counts.clone();
            counts.resize(counts.len().max(1 << MIN_VARIABLES), Base::ZERO);
            counts
        })
        .collect();
    let all = witness.columns.committed.iter().chain(&multiplicities);
    let all: Vec<&[Base]> = all.map(Vec::as_slice).collect();
    let committed = derived.columns().commit(&all)?;

    session.begins(Phase::LookUp)?;
    let outputs: Vec<&[i32]> = witness.outputs.iter().map(Vec::as_slice).collect();
    let public = Public {
        inputs: session.inputs,
        outputs: &outputs,
        statement: session.statement,
    };
    begin(key, &public, &committed.root(), session.transcript);
    let (lookups, claims) = Simd::prove(
        derived.argument(),
        &looked(derived, &witness.columns),
        &witness.multiplicities,
        session.transcript,
    )?;

    session.begins(Phase::Reduce)?;
    let lookup_claims = lookup_claims(&claims);
    let mut side = claim_reduction::Prover::new(
        claim_reduction::Witness {
            graph: key.graph(),
            tensors: &witness.tensors,
            weights: &model.weights,
            columns: &witness.columns.committed,
        },
        session.transcript,
    );
    #[cfg(feature = "audit")]
    if let Some(alter) = session.alter.take() {
        side = side.altered(alter);
    }
    let opened = reduce(&mut side, &problem(key, derived, &public, &lookup_claims))?;
    let reduction = side.finish();

    session.begins(Phase::OpenWitness)?;
    let points: Vec<_> = column_claims(derived, &opened, &claims)
        .into_iter()
        .map(|claim| (claim.column, claim.point))
        .collect();
    let columns = derived
        .columns()
        .open(&committed, &points, session.transcript)?;
    session.begins(Phase::Open)?;
    let points: Vec<_> = opened
        .matrices
        .iter()
        .map(|claim| claim.point.clone())
        .collect();
    let weights = key
        .scheme()
        .open(&model.committed, &points, session.transcript)?;
    Ok(Proof {
        witness: committed.root(),
        lookups,
        reduction,
        columns,
        weights,
    })
}

/// The columns of each lookup.
fn looked<'a>(derived: &Committed, columns: &'a Columns) -> Vec<Column<'a>> {
    (0..derived.plan().lookups.len())
        .map(|lookup| {
            let [keys, values] = columns.pair(lookup);
            Column { keys, values }
        })
        .collect()
}

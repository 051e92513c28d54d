//! The columns of an execution, and lookups and reduction about them.

use crate::error::ProveError;
use crate::session::{Phase, Session};
use claim_reduction::{Columns, MIN_VARIABLES, columns, reduce};
use commitment::Root;
use executor::Tensors;
use graph::Graph;
use key::{Public, Relations, Subject};
use lookup::{Column, Engine, Simd};
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension};
use verifier::relations::{begin, lookup_claims, problem};

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
    graph: &Graph,
    derived: &Relations,
    tensors: Tensors,
) -> Result<Witness, ProveError> {
    let columns = columns(graph, derived.plan(), &tensors);
    let looked = looked(derived, &columns);
    Ok(Witness {
        outputs: tensors.outputs(graph).map(<[i32]>::to_vec).collect(),
        multiplicities: derived.argument().multiplicities(&looked)?,
        tensors,
        columns,
    })
}

/// Multiplicities as columns.
pub(crate) fn padded(multiplicities: &[Vec<Base>]) -> Vec<Vec<Base>> {
    let columns = multiplicities.iter().map(|counts| {
        let mut counts = counts.clone();
        counts.resize(counts.len().max(1 << MIN_VARIABLES), Base::ZERO);
        counts
    });
    columns.collect()
}

/// What lookups and reduction send, where it is sent without pads.
pub struct Argued {
    /// That the columns are in their tables.
    pub lookups: lookup::Proof,
    /// What the reduction sends.
    pub reduction: Vec<Extension>,
}

/// Argues about a witness that `root` commits to, from the first absorb on.
pub(crate) fn argue(
    key: &impl Subject,
    derived: &Relations,
    weights: &[i8],
    witness: &Witness,
    root: &Root,
    session: &mut Session<'_>,
) -> Result<Argued, ProveError> {
    session.begins(Phase::LookUp)?;
    let outputs: Vec<&[i32]> = witness.outputs.iter().map(Vec::as_slice).collect();
    let public = Public {
        inputs: session.inputs,
        outputs: &outputs,
        statement: session.statement,
    };
    begin(key, &public, root, session.transcript);
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
            weights,
            columns: &witness.columns.committed,
        },
        session.transcript,
    );
    #[cfg(feature = "audit")]
    if let Some(alter) = session.alter.take() {
        side = side.altered(alter);
    }
    reduce(&mut side, &problem(key, derived, &public, &lookup_claims))?;
    Ok(Argued {
        lookups,
        reduction: side.finish(),
    })
}

/// The columns of each lookup.
fn looked<'a>(derived: &Relations, columns: &'a Columns) -> Vec<Column<'a>> {
    (0..derived.plan().lookups.len())
        .map(|lookup| {
            let [keys, values] = columns.pair(lookup);
            Column { keys, values }
        })
        .collect()
}

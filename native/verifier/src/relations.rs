//! Lookups and reduction, as prover and verifier begin and end them.
//!
//! ```text
//! every looked-up row is in its table,    outputs~(r) reduces to inputs~, columns~ and W~ at points
//! ```
//!
//! `specs/relations.md` is the normative text.

mod record;

pub use record::{Recorded, record};

use crate::rejection::Rejection;
use claim_reduction::{ColumnClaim, LookupClaim, MIN_VARIABLES, Problem};
use commitment::Root;
use graph::{Graph, elements};
use key::{Public, Relations, Subject};
use lookup::Claims;
use p3_field::PrimeCharacteristicRing;
use sumcheck::Value;
use transcript::{Extension, Site, Transcript};

/// Absorbs everything that is fixed before the first challenge.
pub fn begin(key: &impl Subject, public: &Public<'_>, witness: &Root, transcript: &mut Transcript) {
    key.begin(public, transcript);
    transcript.absorb(Site::Witness, witness);
}

/// What is to be reduced.
pub fn problem<'a, V>(
    key: &'a impl Subject,
    derived: &'a Relations,
    public: &Public<'a>,
    lookup_claims: &'a [LookupClaim<V>],
) -> Problem<'a, V> {
    Problem {
        graph: key.graph(),
        plan: derived.plan(),
        contractions: key.contractions(),
        inputs: public.inputs,
        outputs: public.outputs,
        lookup_claims,
    }
}

/// All claims on columns, in the order of their opening: of the reduction, of multiplicities.
pub fn column_claims<V: Value>(
    derived: &Relations,
    opened: &[ColumnClaim<V>],
    looked: &Claims<V>,
) -> Vec<ColumnClaim<V>> {
    let first = derived.plan().columns.len();
    let of_tables = looked.multiplicities.iter().enumerate();
    let of_tables = of_tables.map(|(table, claim)| {
        let before = MIN_VARIABLES.saturating_sub(claim.point.len());
        let mut point = vec![Extension::ZERO; before];
        point.extend_from_slice(&claim.point);
        ColumnClaim {
            column: first + table,
            point,
            value: claim.value.clone(),
        }
    });
    opened.iter().cloned().chain(of_tables).collect()
}

/// Checks numbers, sizes and ranges of inputs and outputs.
pub(crate) fn check_public(graph: &Graph, public: &Public<'_>) -> Result<(), Rejection> {
    let count = graph.inputs.len().max(public.inputs.len());
    for number in 0..count {
        let fits = graph.inputs.get(number).zip(public.inputs.get(number));
        if !fits.is_some_and(|(input, values)| fits_in(values, &input.shape, input.lo, input.hi)) {
            return Err(Rejection::Input(number));
        }
    }
    check_outputs(graph, public)
}

/// Checks numbers, sizes and ranges of outputs.
pub(crate) fn check_outputs(graph: &Graph, public: &Public<'_>) -> Result<(), Rejection> {
    let count = graph.outputs.len().max(public.outputs.len());
    for number in 0..count {
        let known = graph.outputs.get(number).and_then(|&id| graph.tensor(id));
        let fits = known.zip(public.outputs.get(number));
        if !fits.is_some_and(|((shape, lo, hi), values)| fits_in(values, shape, lo, hi)) {
            return Err(Rejection::Output(number));
        }
    }
    Ok(())
}

/// What the reduction needs of the lookup argument's claims.
pub fn lookup_claims<V: Value>(looked: &Claims<V>) -> Vec<LookupClaim<V>> {
    let claims = looked.columns.iter();
    claims
        .map(|claim| LookupClaim {
            point: claim.point.clone(),
            key: claim.key.clone(),
            value: claim.value.clone().unwrap_or_default(),
        })
        .collect()
}

fn fits_in(values: &[i32], shape: &[usize], lo: i32, hi: i32) -> bool {
    values.len() == elements(shape) && values.iter().all(|value| (lo..=hi).contains(value))
}

//! The committed mode: columns of the non-linear operations are committed to. What prover and verifier do
//! alike, and the verifier.
//!
//! ```text
//! proof = (root of the columns, lookup argument, claim reduction, opening of the columns, opening of the weights)
//! accept ⇔ every looked-up row is in its table, outputs~(r) reduces to inputs~, columns~ and W~ at points,
//!          and both openings give these values
//! ```

mod proof;
mod record;

pub use proof::{PROOF_VERSION, Proof};
pub use record::{Recorded, record};

use crate::rejection::Rejection;
use claim_reduction::{ColumnClaim, LookupClaim, MIN_VARIABLES, Opened, Problem, Verifier, reduce};
use commitment::Root;
use commitment::columns::ColumnValue;
use graph::{Graph, elements};
use key::{Committed, Public, Relations, Subject, VerifyingKey};
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
pub fn column_claims(derived: &Relations, opened: &Opened, looked: &Claims) -> Vec<ColumnValue> {
    let claims = all_claims(derived, &opened.columns, looked).into_iter();
    claims
        .map(|claim| ColumnValue {
            column: claim.column,
            point: claim.point,
            value: claim.value,
        })
        .collect()
}

/// The same for values held in any way.
fn all_claims<V: Value>(
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

/// Checks a proof.
pub(crate) fn verify(
    key: &VerifyingKey,
    derived: &Committed,
    public: &Public<'_>,
    proof: &[u8],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    check_public(key.graph(), public)?;
    let proof = Proof::decode(key, derived, proof)?;
    begin(key, public, &proof.witness, transcript);
    let looked = derived.argument().verify(&proof.lookups, transcript)?;
    let lookup_claims = lookup_claims(&looked);
    let problem = problem(key, derived, public, &lookup_claims);
    let mut side = Verifier::new(&proof.reduction, transcript);
    let opened = reduce(&mut side, &problem)?;
    side.finish()?;

    let claims = column_claims(derived, &opened, &looked);
    derived
        .columns()
        .verify(&proof.witness, &proof.columns, &claims, transcript)
        .map_err(|rejected| Rejection::WitnessOpening(rejected.0))?;
    let points: Vec<_> = opened
        .matrices
        .iter()
        .map(|claim| claim.point.clone())
        .collect();
    let claimed: Vec<Extension> = opened.matrices.iter().map(|claim| claim.value).collect();
    if points.len() != key.contractions().len() {
        return Err(Rejection::WeightOpening("a matrix has no claim".to_owned()));
    }
    let values = key
        .scheme()
        .verify(
            &key.root(),
            key.binding_evaluation(),
            &proof.weights,
            &points,
            transcript,
        )
        .map_err(|rejected| Rejection::WeightOpening(rejected.0))?;
    if values == claimed {
        Ok(())
    } else {
        Err(Rejection::WeightOpening("it is of other values".to_owned()))
    }
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

//! What lookups and reduction come to where their elements were sent under pads.

use super::{begin, column_claims, lookup_claims, problem};
use crate::rejection::Rejection;
use claim_reduction::{ColumnClaim, InputClaim, MatrixClaim, ParameterClaim, Rejected, reduce};
use commitment::Root;
use key::{Public, Relations, Subject};
use relation::{Equations, Form, Recorder};
use transcript::{Extension, Transcript};

/// What hidden values must satisfy. None of it is shown before equations and claims are opened.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What a verifier of plain elements would check.
    pub equations: Equations,
    /// Claims on columns, those on multiplicities behind them: the column has the form's value.
    pub columns: Vec<ColumnClaim<Form>>,
    /// Claims on weight matrices, one on each.
    pub matrices: Vec<MatrixClaim<Form>>,
    /// Claims on parameters, one on each.
    pub parameters: Vec<ParameterClaim<Form>>,
    /// Claims on inputs, one on each, where they are private.
    pub inputs: Vec<InputClaim<Form>>,
}

/// Replays lookups and reduction on what was sent under pads, from the first absorb on. Both sides do.
/// `witness` MUST be the root of a commitment to columns, multiplicities and pads. The caller MUST have
/// checked that inputs and outputs are of the declared shapes and ranges, and MUST open all that is returned.
pub fn record(
    key: &impl Subject,
    derived: &Relations,
    public: &Public<'_>,
    witness: &Root,
    sent: &[Extension],
    transcript: &mut Transcript,
) -> Result<Recorded, Rejection> {
    begin(key, public, witness, transcript);
    let mut recorder = Recorder::new(sent, transcript);
    let looked = derived.argument().follow(&mut recorder)?;
    let lookup_claims = lookup_claims(&looked);
    let problem = problem(key, derived, public, &lookup_claims);
    let opened = reduce(&mut recorder, &problem)?;
    let equations = recorder.finish().map_err(Rejected::from)?;
    if opened.matrices.len() != key.contractions().len() {
        return Err(Rejection::WeightOpening("a matrix has no claim".to_owned()));
    }
    if opened.parameters.len() != key.graph().parameters().count() {
        return Err(Rejection::WeightOpening(
            "a parameter has no claim".to_owned(),
        ));
    }
    Ok(Recorded {
        equations,
        columns: column_claims(derived, &opened.columns, &looked),
        matrices: opened.matrices,
        parameters: opened.parameters,
        inputs: opened.inputs,
    })
}

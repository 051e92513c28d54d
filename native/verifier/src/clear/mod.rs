//! The clear mode: results of contractions travel in the clear. What prover and verifier do alike, and
//! the verifier.
//!
//! ```text
//! accept  ⇔  outputs = replay(graph, inputs, contraction_outputs)
//!            and Σ_l α^l · (W_l · x_l − y_l)(r_l) = 0 by one sumcheck and one opening of the weights
//! ```

mod packed;
mod proof;

pub use proof::{PROOF_VERSION, Proof, Round};

use crate::rejection::Rejection;
use commitment::MatrixPoint;
use executor::Tensors;
use key::{Public, VerifyingKey};
use layers::{Challenge, Contraction, Weights, matrix_point, table_of};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Statement, pass, powers};
use transcript::{Extension, Site, Transcript};

/// Absorbs everything that is fixed before the first challenge.
pub fn begin(
    key: &VerifyingKey,
    public: &Public<'_>,
    contraction_outputs: &[i32],
    transcript: &mut Transcript,
) {
    key.begin(public, transcript);
    transcript.absorb_integers(Site::ContractionOutputs, &[contraction_outputs]);
}

/// Draws the point of every contraction, and the challenge that batches them.
pub fn draw(key: &VerifyingKey, transcript: &mut Transcript) -> (Vec<Challenge>, Extension) {
    let challenges = key
        .contractions()
        .iter()
        .map(|contraction| Challenge::draw(contraction, transcript))
        .collect();
    (challenges, transcript.challenge())
}

/// Rounds of the sumcheck that each contraction takes part in.
pub fn own_rounds(key: &VerifyingKey) -> impl Iterator<Item = usize> {
    key.contractions().iter().map(Contraction::rounds)
}

/// The points at which the weight matrices are opened after a sumcheck that ended at `point`.
pub fn matrix_points(
    key: &VerifyingKey,
    challenges: &[Challenge],
    point: &[Extension],
) -> Vec<MatrixPoint> {
    key.contractions()
        .iter()
        .zip(challenges)
        .map(|(contraction, challenge)| {
            let own = suffix(point, contraction.rounds());
            let (row, column) = matrix_point(contraction, challenge, own);
            MatrixPoint { row, column }
        })
        .collect()
}

/// Checks a proof.
pub(crate) fn verify(
    key: &VerifyingKey,
    public: &Public<'_>,
    proof: &[u8],
    transcript: &mut Transcript,
) -> Result<(), Rejection> {
    let proof = Proof::decode(key, proof)?;
    let operands = key.contractions().iter().map(|each| each.operand);
    let mut tensors = Tensors::keeping(operands);
    executor::replay(
        key.graph(),
        public.inputs,
        &proof.contraction_outputs,
        &mut tensors,
    )?;
    if !outputs_are(key, public.outputs, &tensors) {
        return Err(Rejection::OutputMismatch);
    }
    begin(key, public, &proof.contraction_outputs, transcript);
    let (challenges, batching) = draw(key, transcript);
    let powers = powers(batching, key.contractions().len());

    let mut claims = Vec::with_capacity(powers.len());
    let mut all_weights = Vec::with_capacity(powers.len());
    let mut results = proof.contraction_outputs.as_slice();
    for ((contraction, challenge), &power) in
        key.contractions().iter().zip(&challenges).zip(&powers)
    {
        let weights = Weights::new(contraction, challenge);
        let (result, rest) = results
            .split_at_checked(contraction.results())
            .unwrap_or_default();
        results = rest;
        claims.push(power * weights.claim(result, key.bias(contraction)));
        all_weights.push(weights);
    }
    let claims = own_rounds(key).zip(claims);
    let mut rounds = proof.rounds.iter();
    let ended = Statement::batch(claims).verify(|| {
        let round = rounds.next().ok_or(Rejection::ContractionMismatch)?;
        let x = pass(transcript, Site::Round, round);
        Ok::<_, Rejection>((round.to_vec(), x))
    })?;

    let points = matrix_points(key, &challenges, &ended.point);
    let values = proof.opening.claims(key.scheme(), &points);
    let mut expected = Extension::ZERO;
    for (((contraction, weights), &power), &value) in key
        .contractions()
        .iter()
        .zip(&all_weights)
        .zip(&powers)
        .zip(&values)
    {
        let own = suffix(&ended.point, contraction.rounds());
        let operand = tensors.get(contraction.operand);
        expected += power * value * table_of(contraction, weights, operand, own);
    }
    if ended.left != expected {
        return Err(Rejection::ContractionMismatch);
    }
    key.scheme()
        .verify(
            &key.root(),
            key.binding_evaluation(),
            &proof.opening,
            &points,
            transcript,
        )
        .map_err(|rejected| Rejection::Opening(rejected.0))?;
    Ok(())
}

fn outputs_are(key: &VerifyingKey, outputs: &[&[i32]], tensors: &Tensors) -> bool {
    let ids = &key.graph().outputs;
    ids.len() == outputs.len()
        && ids
            .iter()
            .zip(outputs)
            .all(|(&id, &output)| tensors.get(id) == output)
}

/// The last `count` coordinates.
fn suffix(point: &[Extension], count: usize) -> &[Extension] {
    point
        .split_at_checked(point.len().saturating_sub(count))
        .map_or(&[], |(_, suffix)| suffix)
}

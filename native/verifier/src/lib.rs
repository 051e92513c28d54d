//! Verifier of proof system `sumcheck`, in the clear mode.
//!
//! ```text
//! accept  ⇔  outputs = replay(graph, inputs, contraction_outputs)
//!            and Σ_l α^l · (W_l · x_l − y_l)(r_l) = 0 by one sumcheck and one opening of the weights
//! ```
//!
//! The caller chooses key, inputs, outputs and statement; the proof decides nothing but itself.
//! There is no unsafe code here and no panic: every rejection is a [`Rejection`] with a stable
//! code. `specs/sumcheck-proof.md` is the normative text.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `key` | the verifying key: graph, weight commitment, parameters |
//! | `packed` | results in about as many bits as their sizes ask for, in the profile `small` |
//! | `proof` | a proof and its bytes |
//! | `protocol` | what prover and verifier do alike: absorb the public part, draw the points |
//! | `rejection` | why a proof is rejected |
//! | `security` | the security report |
//!
//! # Soundness
//!
//! An accepted proof says that the outputs are those of the key's graph with the weights under the
//! key's root. The caller MUST check that the key is the one of the model that it means (its digest), that
//! inputs and outputs are those of its request and answer, that the statement binds what it wants bound, and
//! that [`VerifyingKey::security`] has the bits that it asks for. Inputs and outputs are public; the results
//! of contractions are in the proof, so nothing here is secret but the weights.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::unreachable
    )
)]

mod key;
mod packed;
mod proof;
mod protocol;
mod rejection;
mod security;

pub use commitment::Public;
pub use key::{KeyError, MAX_CONTRACTION_OUTPUTS, MODE, PROTOCOL, VerifyingKey};
pub use layers::{MAX_OPERAND_ELEMENTS, MAX_OPERAND_PRODUCTS};
pub use proof::{PROOF_VERSION, Proof, Round};
pub use protocol::{begin, draw};
pub use rejection::Rejection;

use executor::Tensors;
use layers::{Weights, matrix_point, table_of};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Statement, pass, powers};
use transcript::{Extension, Site, Transcript};

impl VerifyingKey {
    /// Checks that `proof` shows the graph to map `public.inputs` to `public.outputs`, for
    /// `public.statement`.
    pub fn verify(&self, public: &Public<'_>, proof: &[u8]) -> Result<(), Rejection> {
        self.verify_with(public, proof, Transcript::new())
    }

    /// The same with a transcript that a test has prepared.
    #[cfg(feature = "audit")]
    pub fn verify_audited(
        &self,
        public: &Public<'_>,
        proof: &[u8],
        transcript: Transcript,
    ) -> Result<(), Rejection> {
        self.verify_with(public, proof, transcript)
    }

    fn verify_with(
        &self,
        public: &Public<'_>,
        proof: &[u8],
        mut transcript: Transcript,
    ) -> Result<(), Rejection> {
        let proof = Proof::decode(self, proof)?;
        let operands = self.contractions().iter().map(|each| each.operand);
        let mut tensors = Tensors::keeping(operands);
        executor::replay(
            self.graph(),
            public.inputs,
            &proof.contraction_outputs,
            &mut tensors,
        )?;
        if !self.outputs_are(public.outputs, &tensors) {
            return Err(Rejection::OutputMismatch);
        }
        begin(self, public, &proof.contraction_outputs, &mut transcript);
        let (challenges, batching) = draw(self, &mut transcript);
        let powers = powers(batching, self.contractions().len());

        let mut claims = Vec::with_capacity(powers.len());
        let mut all_weights = Vec::with_capacity(powers.len());
        let mut results = proof.contraction_outputs.as_slice();
        for ((contraction, challenge), &power) in
            self.contractions().iter().zip(&challenges).zip(&powers)
        {
            let weights = Weights::new(contraction, challenge);
            let (result, rest) = results
                .split_at_checked(contraction.results())
                .unwrap_or_default();
            results = rest;
            claims.push(power * weights.claim(result, self.bias(contraction)));
            all_weights.push(weights);
        }
        let claims = self.own_rounds().iter().copied().zip(claims);
        let mut rounds = proof.rounds.iter();
        let ended = Statement::batch(claims).verify(|| {
            let round = rounds.next().ok_or(Rejection::ContractionMismatch)?;
            let x = pass(&mut transcript, Site::Round, round);
            Ok::<_, Rejection>((round.to_vec(), x))
        })?;

        let points = self.matrix_points(&challenges, &ended.point);
        let values = proof.opening.claims(self.scheme(), &points);
        let mut expected = Extension::ZERO;
        for (((contraction, weights), &power), &value) in self
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
        self.scheme()
            .verify(
                &self.root(),
                self.binding_evaluation(),
                &proof.opening,
                &points,
                &mut transcript,
            )
            .map_err(|rejected| Rejection::Opening(rejected.0))?;
        Ok(())
    }

    /// The points at which the weight matrices are opened after a sumcheck that ended at `point`.
    pub fn matrix_points(
        &self,
        challenges: &[layers::Challenge],
        point: &[Extension],
    ) -> Vec<commitment::MatrixPoint> {
        self.contractions()
            .iter()
            .zip(challenges)
            .map(|(contraction, challenge)| {
                let own = suffix(point, contraction.rounds());
                let (row, column) = matrix_point(contraction, challenge, own);
                commitment::MatrixPoint { row, column }
            })
            .collect()
    }

    fn outputs_are(&self, outputs: &[&[i32]], tensors: &Tensors) -> bool {
        let ids = &self.graph().outputs;
        ids.len() == outputs.len()
            && ids
                .iter()
                .zip(outputs)
                .all(|(&id, &output)| tensors.get(id) == output)
    }
}

/// The last `count` coordinates.
fn suffix(point: &[Extension], count: usize) -> &[Extension] {
    point
        .split_at_checked(point.len().saturating_sub(count))
        .map_or(&[], |(_, suffix)| suffix)
}

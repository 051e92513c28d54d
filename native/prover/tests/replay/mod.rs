//! The ordinary prover under pads, and a recorder of what it sent.
#![allow(dead_code)]

use crate::liar::Alter;
use crate::models::graphs::Random;
use crate::models::{Case, STATEMENT, views};
use commitment::Root;
use commitment::columns::evaluate;
use key::Public;
use p3_field::PrimeCharacteristicRing;
use prover::committed::Witness;
use relation::{Equations, Form, Functional, Shape, prove, verify};
use sumcheck::{dot, equality};
use transcript::{Base, Extension, Transcript};
use verifier::Rejection;
use verifier::committed::{Recorded, record};

/// A proof under pads, replayed.
pub struct Replayed {
    pub recorded: Recorded,
    pub pads: Vec<Extension>,
    witness: Witness,
    weights: Vec<i8>,
    pub sent: usize,
    /// What was sent, behind the root of the columns.
    padded: Vec<Extension>,
    root: Root,
}

/// Proves a corrupted witness under pads, altering what the reduction sends, and replays what was sent.
pub fn replay(case: &Case, corrupt: impl Fn(&mut Witness), alter: Alter<'_>) -> Replayed {
    let inputs = views(&case.inputs);
    let mut witness = case.prover.witness(&inputs).unwrap().unwrap();
    corrupt(&mut witness);
    let mut random = Transcript::new();
    random.absorb(transcript::Site::Statement, b"pads");
    let sent = case.derived().sent();
    let mut pads = random.point(sent);
    let mut transcript = Transcript::new();
    transcript.pad(&pads);
    let proof = case
        .prover
        .prove_witness(&inputs, STATEMENT, &witness, &mut transcript, alter)
        .unwrap()
        .unwrap();
    let padded = transcript.padded().unwrap();
    assert_eq!(padded.len(), sent);
    let recorded = read(case, &witness, &proof.witness, &padded).unwrap();
    pads.extend(random.point(Shape::new(recorded.equations.factors()).spares()));
    let graph = case.key().graph();
    let weights = Random(77).numbers(graph.weight_bytes(), -128, 127);
    Replayed {
        recorded,
        pads,
        witness,
        weights: weights.into_iter().map(|weight| weight as i8).collect(),
        sent,
        padded,
        root: proof.witness,
    }
}

fn read(
    case: &Case,
    witness: &Witness,
    root: &Root,
    padded: &[Extension],
) -> Result<Recorded, Rejection> {
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(&witness.outputs),
        statement: STATEMENT,
    };
    let transcript = &mut Transcript::new();
    record(
        case.key(),
        case.derived(),
        &public,
        root,
        padded,
        transcript,
    )
}

impl Replayed {
    /// Replays what was sent, altered.
    pub fn altered(&mut self, case: &Case, alter: impl FnOnce(&mut Vec<Extension>)) -> Option<()> {
        let mut padded = self.padded.clone();
        alter(&mut padded);
        self.recorded = read(case, &self.witness, &self.root, &padded).ok()?;
        Some(())
    }

    /// Forms of what is claimed of columns and matrices, each with its true value.
    pub fn claims(&self, case: &Case) -> Vec<(&Form, Extension)> {
        let committed = &self.witness.columns.committed;
        let counts = self.witness.multiplicities.iter();
        let columns: Vec<Vec<Base>> = committed
            .iter()
            .cloned()
            .chain(counts.map(|counts| {
                let mut counts = counts.clone();
                counts.resize(counts.len().max(256), Base::ZERO);
                counts
            }))
            .collect();
        let columns = self.recorded.columns.iter().map(|claim| {
            let value = evaluate(&columns[claim.column], &claim.point);
            (&claim.value, value)
        });
        let mut first = 0;
        let matrices = self
            .recorded
            .matrices
            .iter()
            .zip(&case.key().graph().weights);
        let matrices = matrices.map(|(claim, weight)| {
            let matrix = &self.weights[first..first + weight.size()];
            first += weight.size();
            let width = weight.cols;
            let columns = equality(&claim.point.column, width);
            let rows = equality(&claim.point.row, matrix.len() / width);
            let combined = commitment::combine_rows(&rows, matrix, width);
            (&claim.value, dot(&combined, &columns))
        });
        columns.chain(matrices).collect()
    }

    /// Whether what is claimed of columns and matrices is true.
    pub fn opens(&self, case: &Case) -> bool {
        let mut claims = self.claims(case).into_iter();
        claims.all(|(form, value)| form.at(&self.pads) == Some(value))
    }

    /// Whether a relation proof of `equations` is accepted, and all claims open.
    pub fn accepted(&self, equations: &Equations, pads: &[Extension], case: &Case) -> bool {
        let (mut transcript, spare) = (Transcript::new(), self.sent as u32);
        let (proof, _) = prove(equations, pads, spare, &mut transcript).unwrap();
        let mut transcript = Transcript::new();
        let mut forms = verify(equations, spare, &proof, &mut transcript).unwrap();
        let claims = self.claims(case).into_iter();
        forms.extend(claims.map(|(form, value)| form.clone() + (-value)));
        let linear = equations.linear.iter().map(|equation| &equation.form);
        let alpha = transcript.challenge();
        let batch = Functional::batch(pads.len(), alpha, linear.chain(&forms)).unwrap();
        batch.holds(pads)
    }
}

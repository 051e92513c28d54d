//! Lookups and reduction under pads, and a recorder of what was sent.
#![allow(dead_code)]

use crate::hidden::Case;
use crate::liar::{Alter, columns, matrices};
use crate::models::{STATEMENT, views};
use commitment::Root;
use commitment::columns::evaluate;
use key::Public;
use prover::relations::Witness;
use relation::{Equations, Form, Functional, Shape, prove, verify};
use transcript::{Extension, Transcript};
use verifier::Rejection;
use verifier::relations::{Recorded, record};

/// A proof under pads, replayed.
pub struct Replayed {
    pub recorded: Recorded,
    pub pads: Vec<Extension>,
    witness: Witness,
    pub sent: usize,
    /// What was sent, behind the root of the columns.
    padded: Vec<Extension>,
    root: Root,
}

/// Proves a corrupted witness under pads, altering what the reduction sends, and replays what was sent.
pub fn replay(case: &Case, corrupt: impl Fn(&mut Witness), alter: Alter<'_>) -> Replayed {
    let inputs = views(&case.inputs);
    let mut witness = case.epoch.witness(&inputs).unwrap();
    corrupt(&mut witness);
    let mut random = Transcript::new();
    random.absorb(transcript::Site::Statement, b"pads");
    let sent = case.proofs().relations().sent();
    let mut pads = random.point(sent);
    let mut transcript = Transcript::new();
    transcript.pad(&pads);
    let argued = case
        .epoch
        .argue(&inputs, STATEMENT, &witness, &mut transcript, alter);
    let (root, _) = argued.unwrap();
    let padded = transcript.padded().unwrap();
    assert_eq!(padded.len(), sent);
    let recorded = read(case, &witness, &root, &padded).unwrap();
    pads.extend(random.point(Shape::new(recorded.equations.factors()).spares()));
    Replayed {
        recorded,
        pads,
        witness,
        sent,
        padded,
        root,
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
    let subject = case.key().under(case.epoch.commitment().digest());
    let relations = case.proofs().relations();
    record(&subject, relations, &public, root, padded, transcript)
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
        let columns = columns(&self.witness);
        let columns = self.recorded.columns.iter().map(|claim| {
            let value = evaluate(&columns[claim.column], &claim.point);
            (&claim.value, value)
        });
        let matrices = matrices(case);
        let matrices = self.recorded.matrices.iter().zip(&matrices);
        let matrices = matrices.map(|(claim, matrix)| (&claim.value, matrix.at(&claim.point)));
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

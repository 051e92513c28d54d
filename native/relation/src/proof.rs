//! The relation proof, on both sides.

use crate::equations::Equations;
use crate::form::Form;
use crate::masks::{COEFFICIENTS, Masks};
use crate::rows::Rows;
use commitment::{Term, challenge_bits};
use sumcheck::{Ended, Engine, Simd, Statement, Sum, Value, dot, equality, powers};
use transcript::{Extension, Site, Transcript};

/// The spares of the dummy.
const DUMMY: usize = 2;

/// How large a relation proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Variables of the sumcheck: the rows are all products and one for the dummy.
    pub variables: usize,
}

impl Shape {
    /// That of so many products.
    pub const fn new(products: usize) -> Self {
        let rows = (products + 1).next_power_of_two();
        Self {
            variables: rows.ilog2() as usize,
        }
    }

    /// Pads that it takes beside those of what is sent: the factors of the dummy, then of each variable the
    /// coefficients of its mask from X⁰ upward.
    pub const fn spares(&self) -> usize {
        DUMMY + COEFFICIENTS * self.variables
    }

    /// The error terms, those of the batching of all linear equations apart. Pads are those of one
    /// commitment: where that leaves a prover some candidates, each term is that many times larger.
    pub fn security(&self) -> Vec<Term> {
        let bits = |degree: usize| challenge_bits() as f64 - (degree.max(1) as f64).log2();
        vec![
            Term::new("relation: weights of the equations", bits(self.variables)),
            Term::new("relation: masks", bits(1)),
            Term::new("relation: sumcheck", bits(3 * self.variables)),
        ]
    }
}

/// A relation proof. Everything in it is sent without a pad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The sum of the masks over the cube.
    pub masks: Extension,
    /// Coefficients of X⁰, X², X³ of each round.
    pub rounds: Vec<[Extension; 3]>,
    /// The factors at the end.
    pub factors: [Extension; 2],
}

/// Why there is no relation proof, or none of this shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A proof of more or fewer rounds.
    #[error("the relation proof has not as many rounds as its equations need")]
    Rounds,
    /// A transcript that absorbs under pads: nothing of a relation proof is sent so.
    #[error("the transcript still absorbs under pads")]
    Padded,
    /// Equations about pads that are not given.
    #[error("there are fewer pads than the relation proof needs")]
    Pads,
}

/// Proves that all equations with products hold for `pads`, of which those from `spare` on are used by
/// nothing else. Returns the forms that are zero if and, but for chance, only if they do.
pub fn prove(
    equations: &Equations,
    pads: &[Extension],
    spare: u32,
    transcript: &mut Transcript,
) -> Result<(Proof, Vec<Form>), Refused> {
    if transcript.is_padded() {
        return Err(Refused::Padded);
    }
    let shape = Shape::new(equations.factors());
    let spares = pads.get(spare as usize..).unwrap_or(&[]);
    let masks = spares.get(DUMMY..shape.spares()).ok_or(Refused::Pads)?;
    let (masks, _) = masks.as_chunks::<COEFFICIENTS>();
    let dummy = dummy(spare);
    let rows = Rows::new(equations, &dummy, shape.variables);

    let tau = transcript.point(shape.variables);
    let tables = rows.tables(pads).ok_or(Refused::Pads)?;
    let run = run(rows.weights(&tau), tables, masks, |site, message| {
        sumcheck::pass(transcript, site, message)
    });
    transcript.absorb_elements(Site::RelationFactors, &run.proof.factors);
    let forms = ends(&rows, spare, &run);
    Ok((run.proof, forms))
}

/// What both sides have when the sumcheck has ended.
struct Run {
    proof: Proof,
    /// δ·w of each row.
    weights: Vec<Extension>,
    ended: Ended,
}

/// The prover's messages, of which all but the factors are handed to `exchange` for a challenge.
fn run(
    weights: Vec<Extension>,
    tables: [Vec<Extension>; 3],
    masks: &[[Extension; COEFFICIENTS]],
    mut exchange: impl FnMut(Site, &[Extension]) -> Extension,
) -> Run {
    let sum = Masks::new(masks).sum();
    let weights = scaled(weights, exchange(Site::RelationMasks, &[sum]));
    let mut relation = Relation::new(weights.clone(), tables, Masks::new(masks));
    let mut rounds = Vec::with_capacity(masks.len());
    let ended = Statement::sum(masks.len(), sum).prove(&mut relation, |message| {
        if let [constant, square, cube] = *message {
            rounds.push([constant, square, cube]);
        }
        exchange(Site::RelationRound, message)
    });
    let proof = Proof {
        masks: sum,
        rounds,
        factors: relation.factors(),
    };
    Run {
        proof,
        weights,
        ended,
    }
}

fn scaled(mut weights: Vec<Extension>, factor: Extension) -> Vec<Extension> {
    for weight in &mut weights {
        *weight *= factor;
    }
    weights
}

/// Reads a proof. It holds if and, but for chance, only if all forms that are returned are zero.
pub fn verify(
    equations: &Equations,
    spare: u32,
    proof: &Proof,
    transcript: &mut Transcript,
) -> Result<Vec<Form>, Refused> {
    let shape = Shape::new(equations.factors());
    if proof.rounds.len() != shape.variables {
        return Err(Refused::Rounds);
    }
    let dummy = dummy(spare);
    let rows = Rows::new(equations, &dummy, shape.variables);
    let tau = transcript.point(shape.variables);
    let delta = sumcheck::pass(transcript, Site::RelationMasks, &[proof.masks]);
    let mut rounds = proof.rounds.iter();
    let ended = Statement::sum(shape.variables, proof.masks).verify(|| {
        let round = rounds.next().ok_or(Refused::Rounds)?;
        let x = sumcheck::pass(transcript, Site::RelationRound, round);
        Ok((round.to_vec(), x))
    })?;
    transcript.absorb_elements(Site::RelationFactors, &proof.factors);
    let run = Run {
        proof: proof.clone(),
        weights: scaled(rows.weights(&tau), delta),
        ended,
    };
    Ok(ends(&rows, spare, &run))
}

/// The factors of the dummy.
fn dummy(spare: u32) -> [Form; 2] {
    [Form::pad(spare), Form::pad(spare + 1)]
}

/// The forms that must be zero where the sumcheck ended: with r its point and e what is left there,
///
/// ```text
/// a~(r) − a      b~(r) − b      Σ_i s_i(r_i) − δ·w~(r)·c~(r) − (e − δ·w~(r)·a·b)
/// ```
fn ends(rows: &Rows<'_>, spare: u32, run: &Run) -> Vec<Form> {
    let (ended, [a, b]) = (&run.ended, run.proof.factors);
    let [of_a, of_b, of_c] = rows.at(&ended.point);
    let weight = dot(&equality(&ended.point, run.weights.len()), &run.weights);
    let first = spare + DUMMY as u32;
    let masks = ended.point.iter().zip((first..).step_by(COEFFICIENTS));
    let masks: Vec<(Extension, Form)> = masks
        .flat_map(|(&x, first)| {
            let cells = (first..).map(Form::pad);
            powers(x, COEFFICIENTS).into_iter().zip(cells)
        })
        .collect();
    let masks = Form::combination(masks.iter().map(|(factor, pad)| (*factor, pad)));
    vec![
        of_a - a,
        of_b - b,
        masks - of_c * weight - (ended.left - weight * a * b),
    ]
}

/// δ·w·(a·b − c) + Σ_i s_i under a sum.
struct Relation<'a> {
    /// δ·w, a, b.
    products: Simd,
    /// δ·w, c.
    sums: Simd,
    masks: Masks<'a>,
}

impl<'a> Relation<'a> {
    fn new(weights: Vec<Extension>, [a, b, c]: [Vec<Extension>; 3], masks: Masks<'a>) -> Self {
        Self {
            products: Simd::new(vec![a, b, weights.clone()]),
            sums: Simd::new(vec![weights, c]),
            masks,
        }
    }

    /// a and b where all variables are bound.
    fn factors(&self) -> [Extension; 2] {
        let values = self.products.values();
        let value = |at: usize| values.get(at).copied().unwrap_or_default();
        [value(0), value(1)]
    }
}

impl Sum for Relation<'_> {
    fn round(&mut self) -> Vec<Extension> {
        let mut round = self.products.round();
        for (sum, own) in round.iter_mut().zip(self.sums.round()) {
            *sum -= own;
        }
        for (sum, own) in round.iter_mut().zip(self.masks.round()) {
            *sum += own;
        }
        round
    }

    fn fold(&mut self, x: Extension) {
        self.products.fold(x);
        self.sums.fold(x);
        self.masks.fold(x);
    }
}

#[cfg(test)]
mod tests;

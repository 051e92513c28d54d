//! Proofs of the clear mode.
//!
//! ```text
//! proof = (contraction_outputs, rounds, opening of the weights)
//! ```

use crate::error::ProveError;
use crate::model::Model;
use crate::session::{Phase, Session};
use commitment::{Size, combine_rows};
use executor::Tensors;
use key::Public;
use layers::{Challenge, Contraction, Weights, lift};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Batch, Simd, Statement, pass, powers};
use transcript::{Extension, Site};
use verifier::clear::{Proof, begin, draw, matrix_points, own_rounds};

/// What an execution yields and a proof is made of; tests corrupt it.
pub struct Witness {
    /// The graph's outputs.
    pub outputs: Vec<Vec<i32>>,
    /// Results of all contractions, one after another.
    pub contraction_outputs: Vec<i32>,
}

/// A proof with the outputs that it is about.
pub struct Proved {
    /// The graph's outputs.
    pub outputs: Vec<Vec<i32>>,
    /// The proof.
    pub proof: Proof,
}

/// The tables of a product: of what is committed, and of what both sides know.
type Product = Vec<Vec<Extension>>;

/// Proves a witness, whose operands are among the tensors of its execution.
pub(crate) fn prove(
    model: &Model,
    tensors: &Tensors,
    witness: Witness,
    session: &mut Session<'_>,
) -> Result<Proved, ProveError> {
    let key = &model.key;
    let Witness {
        outputs,
        contraction_outputs,
    } = witness;

    session.begins(Phase::Reduce)?;
    let views: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
    let public = Public {
        inputs: session.inputs,
        outputs: &views,
        statement: session.statement,
    };
    begin(key, &public, &contraction_outputs, session.transcript);
    let (challenges, batching) = draw(key, session.transcript);
    let (products, claims) = products(model, tensors, &contraction_outputs, &challenges, batching);
    let claims = own_rounds(key).zip(claims);
    let mut rounds = Vec::new();
    let mut products = Batch::<Simd>::new(products);
    let ended = Statement::batch(claims).prove(&mut products, |round| {
        rounds.push([round[0], round[1]]);
        pass(session.transcript, Site::Round, round)
    });

    session.begins(Phase::Open)?;
    let points = matrix_points(key, &challenges, &ended.point);
    let opening = key
        .scheme()
        .open(&model.committed, &points, session.transcript)?;
    Ok(Proved {
        outputs,
        proof: Proof {
            contraction_outputs,
            rounds,
            opening,
        },
    })
}

/// The tables of each product under the sumcheck, and what it sums up to.
fn products(
    model: &Model,
    tensors: &Tensors,
    contraction_outputs: &[i32],
    challenges: &[Challenge],
    batching: Extension,
) -> (Vec<Product>, Vec<Extension>) {
    let contractions = model.key.contractions();
    let powers = powers(batching, contractions.len());
    let mut matrices = model.weights.as_slice();
    let mut results = contraction_outputs;
    let mut products = Vec::with_capacity(powers.len());
    let mut claims = Vec::with_capacity(powers.len());
    for ((contraction, challenge), &power) in contractions.iter().zip(challenges).zip(&powers) {
        let (matrix, rest) = matrices.split_at(contraction.size.rows * contraction.size.columns);
        matrices = rest;
        let (result, rest) = results.split_at(contraction.results());
        results = rest;
        let weights = Weights::new(contraction, challenge);
        claims.push(power * weights.claim(result, model.key.bias(contraction)));
        let mut operand = weights.operand(contraction, tensors.get(contraction.operand));
        for value in &mut operand {
            *value *= power;
        }
        products.push(if contraction.groups == 1 {
            dense(contraction, &weights, matrix, operand)
        } else {
            grouped(contraction, &weights, matrix, &operand)
        });
    }
    (products, claims)
}

/// Over the columns: the rows combined with their weights, against the operand.
fn dense(
    contraction: &Contraction,
    weights: &Weights,
    matrix: &[i8],
    mut operand: Vec<Extension>,
) -> Product {
    let length = 1 << contraction.column_variables();
    let mut committed = combine_rows(&weights.row, matrix, contraction.size.columns);
    committed.resize(length, Extension::ZERO);
    operand.resize(length, Extension::ZERO);
    vec![committed, operand]
}

/// Over rows and columns: the matrix itself, against the operand of each row's group.
fn grouped(
    contraction: &Contraction,
    weights: &Weights,
    matrix: &[i8],
    operand: &[Extension],
) -> Product {
    let Size { rows, columns } = contraction.size;
    let stride = 1 << contraction.column_variables();
    let length = stride << contraction.row_variables();
    let mut committed = vec![Extension::ZERO; length];
    let mut known = committed.clone();
    for (row, values) in matrix.chunks_exact(columns).enumerate() {
        let group = row / (rows / contraction.groups);
        let start = row * stride;
        for (column, &value) in values.iter().enumerate() {
            committed[start + column] = lift(i32::from(value)).into();
            known[start + column] = weights.row[row] * operand[group * columns + column];
        }
    }
    vec![committed, known]
}

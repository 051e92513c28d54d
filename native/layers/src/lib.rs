//! Reduction of weighted contractions to evaluations of their weights, for prover and verifier.
//!
//! In the clear mode the verifier knows operand and result of every contraction; only the weights
//! are committed. Each contraction becomes one linear claim about its weight matrix at a random
//! point, one sumcheck reduces all of them, and what is left is the value of every matrix at a
//! point. `specs/sumcheck-proof.md` is the normative text.
#![forbid(unsafe_code)]
// Formulas in the documentation are not code.
#![allow(clippy::doc_markdown)]

mod cost;
mod integers;
mod linear;
mod reduce;
mod shape;
mod windows;

pub use cost::{
    GraphSize, MAX_CHECK_OPERANDS, MAX_CHECK_STEPS, MAX_CHECK_VALUES, MAX_KEY_BYTES, TooCostly,
    check_cost, check_key_size,
};
pub use linear::lift;
pub use reduce::{Challenge, Weights, matrix_point, table_of};
pub use shape::{Axis, Contraction, contractions};

use commitment::{Term, challenge_bits};

/// Elements of the weighted operands of all contractions together, and of one while it is made.
pub const MAX_OPERAND_ELEMENTS: usize = 1 << 24;
/// Products that weighting the operands of all contractions takes.
pub const MAX_OPERAND_PRODUCTS: usize = 1 << 32;

/// Whether a verifier can be asked to weight the operands of these contractions. A graph's own limits
/// bound its execution; these bound what the reduction does beside it. A window over much padding
/// makes more of an operand than the operand has.
pub fn affordable(contractions: &[Contraction]) -> bool {
    let (mut kept, mut products) = (0_usize, 0_usize);
    for contraction in contractions {
        let (elements, own) = contraction.effort();
        kept = kept.saturating_add(contraction.operand_elements());
        products = products.saturating_add(own);
        if elements > MAX_OPERAND_ELEMENTS {
            return false;
        }
    }
    kept <= MAX_OPERAND_ELEMENTS && products <= MAX_OPERAND_PRODUCTS
}

/// The error terms of the reduction. A verifying key stands for one set of weights, which is fixed
/// before the challenges are drawn: there is nothing among which a prover could choose.
pub fn security(contractions: &[Contraction]) -> Vec<Term> {
    let bits = |challenges: usize| challenge_bits() as f64 - (challenges.max(1) as f64).log2();
    let coordinates = contractions
        .iter()
        .map(|contraction| {
            contraction.row_variables() + contraction.position_variables().sum::<usize>()
        })
        .sum();
    let rounds = contractions.iter().map(Contraction::rounds).max();
    vec![
        Term::new("contractions: check at a random point", bits(coordinates)),
        Term::new(
            "contractions: batching",
            bits(contractions.len().saturating_sub(1)),
        ),
        Term::new("contractions: sumcheck", bits(2 * rounds.unwrap_or(0))),
    ]
}

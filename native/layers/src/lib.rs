//! Reduction of weighted contractions to evaluations of their weights, for prover and verifier.
//!
//! ```text
//! y_l = W_l · x_l    ⇒    y_l(r_l) = Σ_{n,k} T_l[n,k] · W_l[n,k],    T_l[n,k] = eq(r_l, n) · v_l(k)
//! Σ_l α^l · Σ_x T_l(x) · W_l(x)   is reduced to   Σ_l α^l · T_l(z_l) · W_l(z_l),   z_l a suffix of one point
//! ```
//!
//! In the clear mode the verifier knows operand and result of every contraction; only the weights
//! are committed. `specs/sumcheck-proof.md` is the normative text.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `cost` | what checking proofs under a key may cost, counted before any of it is done |
//! | `integers` | sums of integers with challenges as weights, reduced once at their end |
//! | `linear` | multilinear algebra over integers and challenges |
//! | `reduce` | from the result of a contraction to a claim about its weights |
//! | `shape` | Linear and Conv alike, as one kind of contraction |
//! | `windows` | the operand of a convolution, weighted over its positions |
//!
//! # Soundness
//!
//! The caller MUST absorb operands and results before it draws the [`Challenge`]s, and MUST compute the
//! claims from the operands and results that it knows itself. The sumcheck over all of them leaves a value
//! at a point, which the caller MUST compare with Σ α^l · T_l(z_l) · W_l(z_l), where T_l is its
//! own ([`table_of`]) and W_l(z_l) is opened from the commitment at [`matrix_point`]. There must be as many
//! rounds as the largest claim has variables.
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

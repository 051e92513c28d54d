//! Weighted contractions: their shapes, their operands at a challenge, and what checking them costs.
//!
//! ```text
//! y = W · x    ⇒    y(r) = Σ_{n,k} T[n,k] · W[n,k],    T[n,k] = eq(r, n) · v(k)
//! ```
//!
//! `specs/sumcheck-proof.md` is the normative text.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `cost` | what checking proofs under a key may cost, counted before any of it is done |
//! | `integers` | sums of integers with challenges as weights, reduced once at their end |
//! | `operand` | the operand of a contraction, weighted over its positions |
//! | `shape` | Linear and Conv alike, as one kind of contraction |
//! | `windows` | the operand of a convolution, weighted over its positions |
//!
//! # Soundness
//!
//! Nothing is checked here but costs: the caller MUST reduce the claim on a result and the claims that it ends at.
#![forbid(unsafe_code)]
// Formulas in the documentation are not code.
#![allow(clippy::doc_markdown)]

mod cost;
mod integers;
mod operand;
mod shape;
mod windows;

pub use cost::{
    GraphSize, MAX_CHECK_OPERANDS, MAX_CHECK_STEPS, MAX_CHECK_VALUES, MAX_KEY_BYTES, TooCostly,
    check_cost, check_key_size,
};
pub use operand::weighted_operand;
pub use shape::{Axis, Contraction, contractions};

use p3_field::PrimeCharacteristicRing;
use transcript::Base;

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

/// The integer as an element of the base field.
pub fn lift(value: i32) -> Base {
    Base::from_i32(value)
}

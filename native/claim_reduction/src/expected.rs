//! Ranges of tensors where every contraction stays in the range that it declares.
//!
//! What relations hold a tensor to, whatever is committed (`range_analysis`), is more than it takes: limbs
//! store up to a power of two, and a clamp on one side holds the other to the size of a table. Results
//! of contractions are taken to be in their declared ranges, which rests on hidden weights in any case; then what a
//! rescaling makes of them follows. So these ranges are those of an execution, and not wider than
//! what is held.

use crate::facts::Facts;
use crate::plan::Role;
use crate::range_analysis::{in_field, reduced};
use crate::range_decomposition::{Range, times};
use graph::{Node, Op};

/// The range of a node's result, zero included; nothing where integers of it can reach p/2 as far as ranges
/// show. `before` has that of all tensors before it; `held` is what the result is held to.
pub(crate) fn expected_range(
    facts: &Facts<'_>,
    before: &[Option<Range>],
    node: &Node,
    role: &Role,
    held: Option<Range>,
) -> Option<Range> {
    let follows = match role {
        Role::Known => Some(declared(node)),
        _ => follows(facts, before, node).or(held),
    };
    match (follows.and_then(in_field), held) {
        (Some(own), Some(held)) => Some((own.0.max(held.0), own.1.min(held.1))),
        (own, held) => own.or(held),
    }
}

fn declared(node: &Node) -> Range {
    (node.lo.into(), node.hi.into())
}

/// What follows from the ranges of the operands; nothing where one is missing, or where that is left to what
/// the result is held to.
fn follows(facts: &Facts<'_>, before: &[Option<Range>], node: &Node) -> Option<Range> {
    let of = |index: usize| *before.get(*node.operands.get(index)?)?;
    match &node.op {
        Op::Linear { .. } | Op::Conv(_) => Some(declared(node)),
        Op::Rescale {
            multipliers, shift, ..
        } => {
            let (least, most) = facts.extent(*multipliers)?;
            let half = if *shift == 0 { 0 } else { 1_i64 << (shift - 1) };
            let (low, high) = times((least.into(), most.into()), of(0)?);
            let (lo, hi) = declared(node);
            let clamp = |product: i64| ((product + half) >> shift).clamp(lo, hi);
            Some((clamp(low), clamp(high)))
        }
        Op::Lookup { table, .. } => {
            let extent = facts.extent(*table);
            extent.map(|(low, high)| (low.into(), high.into()))
        }
        Op::Max { .. } | Op::Pick => of(0),
        Op::ArgMax { .. } | Op::Divide { .. } | Op::SquareRoot { .. } => None,
        _ => reduced(facts, before, node),
    }
}

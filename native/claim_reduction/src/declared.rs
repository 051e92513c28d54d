//! Whether what a graph declares of a node can follow from what it declares of its operands.
//!
//! A proof shows residues mod p. They are the integers of an execution only while those cannot be
//! congruent to others: a sum, product or product of matrices whose integers can reach p/2 stands for
//! another number, and so does an entry of a table that is beyond the range of what is looked up. Whoever
//! makes a key would choose which. What contractions put out is taken to be in its declared range, where
//! int8 weights can leave it there: it depends on weights, which nobody sees.

use crate::facts::Facts;
use crate::plan::Role;
use crate::range_decomposition::Range;
use graph::{Node, Op};

/// Refuses a node whose range cannot hold what its operation gives, or whose integers can wrap around.
/// `held` is what the relations hold each tensor to, that of the node at the end.
pub(crate) fn follows(
    facts: &Facts<'_>,
    held: &[Option<Range>],
    node: &Node,
    role: &Role,
) -> Result<(), &'static str> {
    if *role == Role::Known {
        // The verifier holds to its range what it computes itself.
        return Ok(());
    }
    let takes = |(low, high): (i32, i32)| node.lo <= low && high <= node.hi;
    let range = |id: usize| facts.graph.tensor(id).map(|(_, lo, hi)| (lo, hi));
    let moved = node.operands.iter().all(|&id| range(id).is_some_and(takes));
    let holds = match &node.op {
        op if op.weight().is_some() && !biases(facts, node) => {
            return Err("no int8 weights leave its bias in its declared range");
        }
        Op::Lookup { table, .. } => facts.extent(*table).is_some_and(takes),
        Op::View { .. } | Op::Concat { .. } => moved,
        Op::Pad { fill, .. } => moved && takes((*fill, *fill)),
        Op::Take { map } => {
            let outside = facts.extent(*map).is_some_and(|(least, _)| least < 0);
            moved && (!outside || takes((0, 0)))
        }
        _ => true,
    };
    if !holds {
        return Err("its declared range does not hold what it takes");
    }
    let is_held = |id: &usize| matches!(held.get(*id), Some(Some(_)));
    let wraps = *role == Role::Reduced
        && node.op.weight().is_none()
        && node.operands.iter().all(is_held)
        && held.last() == Some(&None);
    if wraps {
        return Err("its integers can wrap around in the field");
    }
    Ok(())
}

/// Whether some int8 weights leave a contraction in its declared range: its bias is public.
fn biases(facts: &Facts<'_>, node: &Node) -> bool {
    let graph = facts.graph;
    let x = node.operands.first().and_then(|&id| graph.tensor(id));
    let weight = node.op.weight().and_then(|id| graph.weights.get(id));
    let (Some((_, low, high)), Some(weight)) = (x, weight) else {
        return false;
    };
    let largest = i128::from(low.unsigned_abs().max(high.unsigned_abs()));
    let reach = weight.cols as i128 * 128 * largest;
    let (least, most) = node
        .op
        .bias()
        .and_then(|id| facts.extent(id))
        .unwrap_or_default();
    i128::from(least) + reach >= node.lo.into() && i128::from(most) - reach <= node.hi.into()
}

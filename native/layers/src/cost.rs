//! What a key may ask of whoever checks proofs under it, counted before any of it is done.
//!
//! The limits of the specification bound what a key can be; these bound what a stranger's key may
//! cost: seconds, and some hundred megabytes.

use crate::{Contraction, contractions};
use graph::{Graph, elements};

/// Bytes of a verifying key.
pub const MAX_KEY_BYTES: u64 = 1 << 24;
/// Elements of all tensors together, 4 bytes each.
pub const MAX_CHECK_VALUES: u64 = 1 << 26;
/// Elements of all weighted operands together, 20 bytes each.
pub const MAX_CHECK_OPERANDS: u64 = 1 << 22;
/// Steps of the run without its contractions, and products that weight their operands.
pub const MAX_CHECK_STEPS: u64 = 1 << 30;

/// A key under which checking a proof would take too much.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the verifying key {what}, the limit is {limit}: checking a proof under it would take too much \
     memory or time"
)]
pub struct TooCostly {
    /// What the key is or makes its checker do.
    pub what: String,
    /// The most that is allowed of it.
    pub limit: u64,
}

/// What the cost of proving a graph depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphSize {
    /// Elements of all weight matrices.
    pub weights: u64,
    /// Multiply-adds of all weighted contractions.
    pub products: u64,
    /// The other elementary steps of a run.
    pub steps: u64,
}

impl GraphSize {
    /// That of a graph.
    pub fn of(graph: &Graph) -> Self {
        let (mut products, mut steps) = (0_u64, 0_u64);
        for node in &graph.nodes {
            let own = node.op.weight().map_or(0, |_| graph.products(node));
            products = products.saturating_add(own);
            steps = steps.saturating_add(graph.work(node) - own);
        }
        Self {
            weights: graph.weight_bytes() as u64,
            products,
            steps,
        }
    }
}

/// Whether a key of so many bytes is read at all.
pub fn check_key_size(bytes: usize) -> Result<(), TooCostly> {
    let bytes = bytes as u64;
    within(bytes, MAX_KEY_BYTES, || format!("is of {bytes} bytes"))
}

/// Whether a proof for the graph is checked at all.
pub fn check_cost(graph: &Graph) -> Result<(), TooCostly> {
    let shapes = graph.inputs.iter().map(|input| &input.shape);
    let shapes = shapes.chain(graph.nodes.iter().map(|node| &node.shape));
    let values = sum(shapes.map(|shape| elements(shape)));
    within(values, MAX_CHECK_VALUES, || {
        format!("makes its checker keep {values} values")
    })?;
    let contractions = contractions(graph);
    let operands = sum(contractions.iter().map(Contraction::operand_elements));
    within(operands, MAX_CHECK_OPERANDS, || {
        format!("makes its checker weight {operands} operands")
    })?;
    let products = sum(contractions.iter().map(|each| each.effort().1));
    let steps = GraphSize::of(graph).steps.saturating_add(products);
    within(steps, MAX_CHECK_STEPS, || {
        format!("makes its checker take {steps} steps")
    })
}

fn sum(counts: impl Iterator<Item = usize>) -> u64 {
    counts.fold(0, |sum, count| sum.saturating_add(count as u64))
}

fn within(got: u64, limit: u64, what: impl FnOnce() -> String) -> Result<(), TooCostly> {
    if got <= limit {
        return Ok(());
    }
    Err(TooCostly {
        what: what(),
        limit,
    })
}

//! Runs integer graphs exactly, as `specs/quantisation.md` fixes each operation.
//!
//! ```text
//! execute(graph, inputs, values) = all tensors, or a fault
//! ```
//!
//! [`execute`] computes every tensor from inputs, weights and parameters.
//!
//! Every value is checked against the range that its tensor declares. A well-formed graph cannot
//! overflow 64-bit intermediates, so arithmetic wraps nowhere and nothing panics. Memory is what
//! the graph's tensors take, or fewer of them where not all are kept.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `contract` | weighted contractions: int8 matrices times integer vectors |
//! | `exact` | division and roots of integers, many at a time |
//! | `fault` | why a run ends early |
//! | `movement` | operations that only move elements |
//! | `ops` | all other operations |
//! | `room` | which tensor's memory another one takes when nothing reads it any more |
//!
//! # Soundness
//!
//! What [`execute`] returns is computed from weights and needs no further check. That it lies in the ranges that
//! tensors declare is checked.
#![forbid(unsafe_code)]

mod contract;
mod exact;
mod fault;
mod movement;
mod ops;
mod room;

use graph::{Graph, Node, Op, Values, elements};

pub use fault::Fault;

/// The tensors of a run by id. Used again, it keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct Tensors {
    values: Vec<Vec<i32>>,
    room: room::Room,
    scratch: contract::Scratch,
}

impl Tensors {
    /// Of each run, these tensors and the graph's outputs; by default all are there after it. The
    /// memory of others is used again in the same run, once nothing reads them any more.
    pub fn keeping(ids: impl IntoIterator<Item = usize>) -> Self {
        Self {
            room: room::Room::keeping(ids.into_iter().collect()),
            ..Self::default()
        }
    }

    /// Tensors that were computed elsewhere: tests prove them for others.
    #[cfg(feature = "audit")]
    pub fn holding(values: Vec<Vec<i32>>) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    /// The elements of a tensor, row-major; empty where there is none of that id, or it is not kept.
    pub fn get(&self, id: usize) -> &[i32] {
        self.values.get(id).map_or(&[], Vec::as_slice)
    }

    /// The graph's outputs in order.
    pub fn outputs<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = &'a [i32]> {
        graph.outputs.iter().map(|&id| self.get(id))
    }
}

/// Computes all tensors.
pub fn execute(
    graph: &Graph,
    values: &Values<'_>,
    inputs: &[&[i32]],
    tensors: &mut Tensors,
) -> Result<(), Fault> {
    let weights = values.weights;
    if weights.len() != graph.weight_bytes() {
        return Err(Fault::Weights {
            got: weights.len(),
            expected: graph.weight_bytes(),
        });
    }
    let mut left = weights;
    run(graph, values.parameters, inputs, tensors, |mut work| {
        let size = work.matrix.size();
        let Some((matrix, rest)) = left.split_at_checked(size) else {
            // The sizes add up, as was checked above.
            return Err(Fault::Weights {
                got: left.len(),
                expected: size,
            });
        };
        left = rest;
        contract::contract(&mut work, matrix)
    })
}

/// Checks that there are as many weights and elements of parameters as the graph has, and that these are in
/// the ranges that their nodes declare.
pub fn check_values(graph: &Graph, values: &Values<'_>) -> Result<(), Fault> {
    let (got, expected) = (values.weights.len(), graph.weight_bytes());
    if got != expected {
        return Err(Fault::Weights { got, expected });
    }
    check_parameters(graph, values.parameters)?;
    let mut left = values.parameters;
    for (number, node) in graph.parameters() {
        parameter(number, node, &mut left, &mut Vec::new())?;
    }
    Ok(())
}

fn check_parameters(graph: &Graph, parameters: &[i32]) -> Result<(), Fault> {
    let (got, expected) = (parameters.len(), graph.parameter_elements());
    if got != expected {
        return Err(Fault::Parameters { got, expected });
    }
    Ok(())
}

/// Takes the elements of a parameter from those that are left.
fn parameter(
    number: usize,
    node: &Node,
    left: &mut &[i32],
    out: &mut Vec<i32>,
) -> Result<(), Fault> {
    let Some((given, rest)) = left.split_at_checked(elements(&node.shape)) else {
        // The sizes add up, as was checked before.
        return Err(Fault::Internal);
    };
    *left = rest;
    if !ops::inside(given, node.lo, node.hi) {
        return Err(Fault::range(number, node));
    }
    out.extend_from_slice(given);
    Ok(())
}

/// Computes the tensors of the nodes that are `wanted`, none of which may be a weighted contraction or a
/// parameter, or depend on a node that is not wanted, or on an input where there are none. The other tensors
/// are left empty.
pub fn execute_some(
    graph: &Graph,
    wanted: &[bool],
    inputs: Option<&[&[i32]]>,
    tensors: &mut Tensors,
) -> Result<(), Fault> {
    let values = &mut tensors.values;
    values.clear();
    values.resize_with(graph.tensors(), Vec::new);
    if let Some(inputs) = inputs {
        set_inputs(graph, inputs, values)?;
    }
    let nodes = graph.nodes.iter().enumerate().zip(wanted);
    for ((number, node), _) in nodes.filter(|(_, wanted)| **wanted) {
        let Some((done, [out, ..])) = values.split_at_mut_checked(graph.inputs.len() + number)
        else {
            return Err(Fault::Internal);
        };
        ops::compute(graph, number, node, done, out)?;
        if out.len() != elements(&node.shape) {
            return Err(Fault::Internal);
        }
    }
    Ok(())
}

/// A weighted contraction that is due.
struct Contraction<'a> {
    number: usize,
    node: &'a Node,
    graph: &'a Graph,
    matrix: graph::Weight,
    x: &'a [i32],
    x_shape: &'a [usize],
    /// The largest absolute value in the range of `x`.
    x_bound: i64,
    out: &'a mut Vec<i32>,
    scratch: &'a mut contract::Scratch,
}

fn run(
    graph: &Graph,
    mut parameters: &[i32],
    inputs: &[&[i32]],
    tensors: &mut Tensors,
    mut contraction: impl FnMut(Contraction) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Tensors {
        values,
        room,
        scratch,
    } = tensors;
    check_parameters(graph, parameters)?;
    room.begin(graph, values);
    set_inputs(graph, inputs, values)?;
    for (number, node) in graph.nodes.iter().enumerate() {
        let Some((done, [out, ..])) = values.split_at_mut_checked(graph.inputs.len() + number)
        else {
            return Err(Fault::Internal);
        };
        room.provide(out, elements(&node.shape));
        let matrix = node.op.weight().and_then(|id| graph.weights.get(id));
        if let (Some(&matrix), [operand]) = (matrix, node.operands.as_slice()) {
            let (Some((x_shape, lo, hi)), Some(x)) = (graph.tensor(*operand), done.get(*operand))
            else {
                return Err(Fault::Internal);
            };
            contraction(Contraction {
                number,
                node,
                graph,
                matrix,
                x,
                x_shape,
                x_bound: i64::from(lo.unsigned_abs().max(hi.unsigned_abs())),
                out,
                scratch,
            })?;
        } else if node.op == Op::Parameter {
            parameter(number, node, &mut parameters, out)?;
        } else {
            ops::compute(graph, number, node, done, out)?;
        }
        if out.len() != elements(&node.shape) {
            return Err(Fault::Internal);
        }
        room.end_of_node(graph, number, values);
    }
    Ok(())
}

/// Checks that there are as many inputs and elements of each as the graph has, and that these are in the ranges
/// that it declares.
pub fn check_inputs(graph: &Graph, inputs: &[&[i32]]) -> Result<(), Fault> {
    if inputs.len() != graph.inputs.len() {
        return Err(Fault::Inputs {
            got: inputs.len(),
            expected: graph.inputs.len(),
        });
    }
    for (number, (declared, given)) in graph.inputs.iter().zip(inputs).enumerate() {
        let expected = elements(&declared.shape);
        if given.len() != expected {
            return Err(Fault::InputSize {
                input: number,
                got: given.len(),
                expected,
            });
        }
        let (lo, hi) = (declared.lo, declared.hi);
        if given.iter().any(|value| !(lo..=hi).contains(value)) {
            return Err(Fault::InputRange {
                input: number,
                lo,
                hi,
            });
        }
    }
    Ok(())
}

fn set_inputs(graph: &Graph, inputs: &[&[i32]], values: &mut [Vec<i32>]) -> Result<(), Fault> {
    check_inputs(graph, inputs)?;
    for (given, value) in inputs.iter().zip(values) {
        value.clear();
        value.extend_from_slice(given);
    }
    Ok(())
}

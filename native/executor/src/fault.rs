//! Why a run ends early.

use std::fmt;

use graph::Node;

/// Why a run ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not as many inputs as the graph has.
    Inputs {
        /// How many were given.
        got: usize,
        /// How many there are.
        expected: usize,
    },
    /// An input of another size.
    InputSize {
        /// Its number.
        input: usize,
        /// Elements given.
        got: usize,
        /// Elements declared.
        expected: usize,
    },
    /// An input with a value outside of its range.
    InputRange {
        /// Its number.
        input: usize,
        /// Least value.
        lo: i32,
        /// Greatest value.
        hi: i32,
    },
    /// Another number of weights than the graph's matrices hold.
    Weights {
        /// How many were given.
        got: usize,
        /// How many there are.
        expected: usize,
    },
    /// Another number of elements than the graph's parameters hold.
    Parameters {
        /// How many were given.
        got: usize,
        /// How many there are.
        expected: usize,
    },
    /// A node's value is outside of its range.
    Range {
        /// The node's number.
        node: usize,
        /// Its operation.
        operator: &'static str,
        /// Least value.
        lo: i32,
        /// Greatest value.
        hi: i32,
    },
    /// An operand for which the operation has no result: outside of a table, not positive.
    Operand {
        /// The node's number.
        node: usize,
        /// Its operation.
        operator: &'static str,
        /// What is wrong with the operand.
        why: &'static str,
    },
    /// A well-formed graph does not come here.
    Internal,
}

impl Fault {
    pub(crate) fn range(number: usize, node: &Node) -> Self {
        Self::Range {
            node: number,
            operator: node.op.name(),
            lo: node.lo,
            hi: node.hi,
        }
    }

    pub(crate) fn operand(number: usize, node: &Node, why: &'static str) -> Self {
        Self::Operand {
            node: number,
            operator: node.op.name(),
            why,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inputs { got, expected } => {
                write!(f, "the graph takes {expected} inputs, not {got}")
            }
            Self::InputSize {
                input,
                got,
                expected,
            } => write!(f, "input {input} takes {expected} integers, not {got}"),
            Self::InputRange { input, lo, hi } => {
                write!(f, "input {input} holds a value outside of {lo} to {hi}")
            }
            Self::Weights { got, expected } => {
                write!(f, "the graph takes {expected} weights, not {got}")
            }
            Self::Parameters { got, expected } => write!(
                f,
                "the graph takes {expected} elements of parameters, not {got}"
            ),
            Self::Range {
                node,
                operator,
                lo,
                hi,
            } => write!(
                f,
                "node {node} ({operator}) gives a value outside of {lo} to {hi}"
            ),
            Self::Operand {
                node,
                operator,
                why,
            } => write!(f, "node {node} ({operator}) has no result: {why}"),
            Self::Internal => write!(f, "the executor does not agree with the graph"),
        }
    }
}

impl std::error::Error for Fault {}

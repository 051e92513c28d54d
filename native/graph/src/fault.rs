//! Why bytes or parts are not a graph.

use std::fmt;

/// Which tensor, constant or matrix a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// An input.
    Input(usize),
    /// A weight matrix.
    Weight(usize),
    /// A constant.
    Constant(usize),
    /// What a node puts out.
    Node(usize),
}

/// Why bytes or parts are not a graph. The words are those of the Python side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are not the canonical encoding.
    Encoding(String),
    /// Too few or too many of something.
    Count {
        /// Of what.
        what: &'static str,
        /// How many there are.
        got: u64,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// A malformed tensor, constant or matrix.
    Tensor {
        /// Which one.
        which: Which,
        /// Why.
        why: String,
    },
    /// A malformed node.
    Node {
        /// Its number.
        node: usize,
        /// Its operation.
        operator: &'static str,
        /// Why.
        why: String,
    },
    /// An output that there is no tensor for.
    Output(usize),
    /// Matrices are not used one by one in rising order.
    Weight {
        /// The one that is used, if any.
        got: Option<usize>,
        /// The one that is due.
        expected: usize,
    },
}

impl Fault {
    /// The code of the reason on the Python side.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Encoding(_) => "GRAPH_ENCODING",
            Self::Count { .. } => "GRAPH_COUNT",
            Self::Tensor { .. } => "GRAPH_TENSOR",
            Self::Node { .. } => "GRAPH_NODE",
            Self::Output(_) => "GRAPH_OUTPUT",
            Self::Weight { .. } => "GRAPH_WEIGHT",
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(n) => write!(f, "input {n}"),
            Self::Weight(n) => write!(f, "weight matrix {n}"),
            Self::Constant(n) => write!(f, "constant {n}"),
            Self::Node(n) => write!(f, "the output of node {n}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(why) => {
                write!(
                    f,
                    "the integer graph is not in its canonical encoding: {why}"
                )
            }
            Self::Count {
                what,
                got,
                least,
                most,
            } => write!(
                f,
                "the integer graph has {got} {what}; {least} to {most} are allowed"
            ),
            Self::Tensor { which, why } => {
                write!(f, "{which} of the integer graph is malformed: {why}")
            }
            Self::Node {
                node,
                operator,
                why,
            } => write!(
                f,
                "node {node} ({operator}) of the integer graph is malformed: {why}"
            ),
            Self::Output(tensor) => write!(
                f,
                "the integer graph puts out tensor {tensor}, which it does not have"
            ),
            Self::Weight { got, expected } => {
                let got = got.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
                write!(
                    f,
                    "the integer graph uses weight matrix {got} where {expected} is due; each is \
                     used by one node, in rising order"
                )
            }
        }
    }
}

impl std::error::Error for Fault {}

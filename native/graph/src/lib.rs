//! The integer graph: what is proven, as values with one encoding.
//!
//! ```text
//! tensor[inputs + n] = op_n(tensor[operands of n], weights, constants),   lo <= v <= hi,   |v| < 2^29
//! encode(decode(bytes)) = bytes
//! ```
//!
//! A graph maps integer tensors to integer tensors. Tensor ids count the inputs first, then one
//! tensor per node in order. Weight matrices are int8 and committed, and so are the tensors of
//! parameters. What each operation computes is fixed in `specs/quantisation.md`.
//!
//! A [`Graph`] comes from [`Graph::decode`] or [`Graph::new`], and its parts cannot be changed.
//! Nothing here panics, and nothing is allocated that the bytes at hand do not pay for.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `bytes` | the encoding, little-endian, one form for one graph |
//! | `fault` | why bytes or parts are not a graph |
//! | `ops` | the operations and their attributes |
//! | `wellformed` | sizes, operands, shapes, addresses and ranges of a graph |
//!
//! # Soundness
//!
//! A [`Graph`] is well formed and nothing more: that it is the graph of the model in question is for
//! the caller to check, by its digest or by the key that it stands in. The graph names the sizes of its
//! weights and the shapes and ranges of its parameters, never their values. Bytes that no key vouches for may be large: the caller bounds what it
//! decodes, and what it computes, by counting (`layers::GraphSize`) before it starts.

mod bytes;
mod fault;
mod ops;
mod wellformed;

pub use fault::{Fault, Which};
pub use ops::{Conv, Op};

/// Version of the encoding of a graph without parameters.
pub const VERSION: u32 = 1;
/// Version of the encoding of a graph with parameters.
pub const VERSION_WITH_PARAMETERS: u32 = 2;
/// First bytes of an encoded graph.
pub const MAGIC: &[u8; 8] = b"INFGRAPH";
/// Every value `v` of every tensor has `|v| <` this.
pub const VALUE_LIMIT: i32 = 1 << 29;
/// Of an encoded graph.
pub const MAX_BYTES: usize = 1 << 28;
/// Dimensions of a tensor.
pub const MAX_RANK: usize = 8;
/// Of one tensor, one constant, one weight matrix.
pub const MAX_ELEMENTS: usize = 1 << 24;
/// Of all tensors of a graph together.
pub const MAX_TOTAL_ELEMENTS: usize = 1 << 27;
/// Of all weight matrices of a graph together.
pub const MAX_WEIGHT_BYTES: usize = 1 << 28;
/// Inputs of a graph.
pub const MAX_INPUTS: usize = 64;
/// Outputs of a graph.
pub const MAX_OUTPUTS: usize = 64;
/// Weight matrices of a graph.
pub const MAX_WEIGHTS: usize = 1 << 12;
/// Constants of a graph.
pub const MAX_CONSTANTS: usize = 1 << 16;
/// Nodes of a graph.
pub const MAX_NODES: usize = 1 << 16;
/// Operands of a node.
pub const MAX_OPERANDS: usize = 1 << 12;
/// Elementary steps (multiply-adds, comparisons, copies) of one run.
pub const MAX_WORK: u64 = 1 << 36;
/// Largest shift of a Rescale.
pub const MAX_SHIFT: u32 = 40;

/// Sizes of the dimensions of a tensor.
pub type Shape = Vec<usize>;

/// How many elements a tensor of this shape has, saturating.
pub fn elements(shape: &[usize]) -> usize {
    shape
        .iter()
        .fold(1_usize, |product, &size| product.saturating_mul(size))
}

/// An input tensor and the range its values are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its shape.
    pub shape: Shape,
    /// Least value.
    pub lo: i32,
    /// Greatest value.
    pub hi: i32,
}

/// The size of a committed int8 matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Outputs of the contraction.
    pub rows: usize,
    /// Length of the contraction.
    pub cols: usize,
}

impl Weight {
    /// Bytes of the matrix.
    pub fn size(&self) -> usize {
        self.rows.saturating_mul(self.cols)
    }
}

/// A public constant: any 32-bit integers, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    /// Its shape.
    pub shape: Shape,
    /// As many as the shape says.
    pub values: Vec<i32>,
}

/// One operation, its operands' tensor ids, and shape and range of what it computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// Tensor ids, all smaller than the node's own.
    pub operands: Vec<usize>,
    /// Shape of the result.
    pub shape: Shape,
    /// Least value of the result.
    pub lo: i32,
    /// Greatest value of the result.
    pub hi: i32,
}

/// What a graph is made of; well formed once it is inside of a [`Graph`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Input tensors.
    pub inputs: Vec<Input>,
    /// Sizes of the committed matrices, in the order of their use.
    pub weights: Vec<Weight>,
    /// Public constants.
    pub constants: Vec<Constant>,
    /// Operations in order.
    pub nodes: Vec<Node>,
    /// Tensor ids.
    pub outputs: Vec<usize>,
}

impl Parts {
    /// How many tensors there are.
    pub fn tensors(&self) -> usize {
        self.inputs.len() + self.nodes.len()
    }

    /// Shape and range of a tensor; `None` where there is no such tensor.
    pub fn tensor(&self, id: usize) -> Option<(&[usize], i32, i32)> {
        if let Some(input) = self.inputs.get(id) {
            return Some((&input.shape, input.lo, input.hi));
        }
        let node = self.nodes.get(id - self.inputs.len())?;
        Some((&node.shape, node.lo, node.hi))
    }

    /// Bytes of all weight matrices together.
    pub fn weight_bytes(&self) -> usize {
        self.weights
            .iter()
            .fold(0, |sum, weight| sum.saturating_add(weight.size()))
    }

    /// The nodes that are parameters, with their numbers, in order.
    pub fn parameters(&self) -> impl Iterator<Item = (usize, &Node)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(_, node)| node.op == Op::Parameter)
    }

    /// Elements of all parameters together.
    pub fn parameter_elements(&self) -> usize {
        self.parameters().fold(0, |sum: usize, (_, node)| {
            sum.saturating_add(elements(&node.shape))
        })
    }

    /// The elementary steps of a node: its elements, its operands' elements, and multiply-adds.
    pub fn work(&self, node: &Node) -> u64 {
        let size = elements(&node.shape) as u64;
        let tensors = node.operands.iter().filter_map(|&id| self.tensor(id));
        let moved = tensors.fold(size, |sum, (shape, ..)| {
            sum.saturating_add(elements(shape) as u64)
        });
        moved.saturating_add(self.products(node))
    }

    /// The multiply-adds of a node.
    pub fn products(&self, node: &Node) -> u64 {
        let depth = match &node.op {
            Op::MatMul => node.operands.first().and_then(|&id| {
                let (shape, ..) = self.tensor(id)?;
                shape.last().copied()
            }),
            op => op
                .weight()
                .and_then(|id| self.weights.get(id))
                .map(|weight| weight.cols),
        };
        (elements(&node.shape) as u64).saturating_mul(depth.unwrap_or(0) as u64)
    }
}

/// What a graph leaves open and a commitment hides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values<'a> {
    /// The weight matrices one after another, row-major.
    pub weights: &'a [i8],
    /// The elements of the parameters one after another in the order of their nodes, row-major.
    pub parameters: &'a [i32],
}

/// A well-formed graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph(Parts);

impl Graph {
    /// The graph of these parts, when they are well formed.
    pub fn new(parts: Parts) -> Result<Self, Fault> {
        wellformed::check(&parts)?;
        Ok(Self(parts))
    }

    /// The graph of these bytes; any other bytes than those of [`Graph::encode`] are a [`Fault`].
    pub fn decode(data: &[u8]) -> Result<Self, Fault> {
        Self::new(bytes::read(data)?)
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        bytes::write(&self.0)
    }
}

impl std::ops::Deref for Graph {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

//! The operations.

use crate::Shape;

/// What a node computes. The numbers are the operation's in the encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// 1: `y[…, n] = Σ_k W[n, k]·x[…, k] + b[n]`.
    Linear {
        /// Matrix id.
        weight: usize,
        /// Constant id.
        bias: Option<usize>,
    },
    /// 2: cross-correlation over one or two spatial dimensions.
    Conv(Conv),
    /// 3: `a[…, M, K]` times `b[…, K, N]`.
    MatMul,
    /// 4: the sum of coefficient times operand, plus a constant of that shape or of one element.
    Add {
        /// One for each operand.
        coefficients: Vec<i32>,
        /// Constant id.
        constant: Option<usize>,
    },
    /// 5: element by element.
    Mul,
    /// 6: `clamp(floor((m·x + half) / 2^shift), lo, hi)`.
    Rescale {
        /// Constant id; one element, or as many as the operand along `axis`.
        multipliers: usize,
        /// 0 for a single multiplier.
        axis: usize,
        /// At most [`crate::MAX_SHIFT`].
        shift: u32,
    },
    /// 7: `table[x − first]`.
    Lookup {
        /// Constant id.
        table: usize,
        /// The value whose result is the table's first entry.
        first: i32,
    },
    /// 8: `y[i…] = x.flat[offset + Σ i_j·stride_j]`.
    View {
        /// Address of the first element.
        offset: i64,
        /// One for each dimension of the result.
        strides: Vec<i64>,
    },
    /// 9: the operand with `fill` around it.
    Pad {
        /// Elements before, per dimension.
        begin: Shape,
        /// Elements after, per dimension.
        end: Shape,
        /// The value of those elements.
        fill: i32,
    },
    /// 10: the operands one after another.
    Concat {
        /// The dimension along which they follow each other.
        axis: usize,
    },
    /// 11: `y = x.flat[map]`, where −1 gives 0.
    Take {
        /// Constant id; the result has its shape.
        map: usize,
    },
    /// 12: `y[I…, rest…] = x[index[I…], rest…]`.
    Pick,
    /// 13: the sum over the last dimensions.
    Sum {
        /// How many.
        axes: usize,
    },
    /// 14: the maximum over the last dimensions.
    Max {
        /// How many.
        axes: usize,
    },
    /// 15: the index of the maximum over the last dimension.
    ArgMax {
        /// Of equals the last instead of the first.
        last: bool,
    },
    /// 16: `floor((2·k·a + b) / (2·b))` for `b > 0`.
    Divide {
        /// Positive.
        k: i32,
    },
    /// 17: `floor(sqrt(k·x))` for `x ≥ 0`.
    SquareRoot {
        /// Positive.
        k: i32,
    },
    /// 18: a constant as a tensor.
    Const {
        /// Constant id.
        constant: usize,
    },
    /// 19: a committed tensor, whose elements are not in the graph.
    Parameter,
}

/// Cross-correlation of `x[B, C, s…]`; padding reads 0. Lists have one entry per spatial dimension.
///
/// Rows of the matrix are output channels, columns (channel in group, kernel…), row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Matrix id.
    pub weight: usize,
    /// Constant id.
    pub bias: Option<usize>,
    /// Divides input and output channels.
    pub groups: usize,
    /// Size of the window.
    pub kernel: Shape,
    /// Step of the window.
    pub stride: Shape,
    /// Step within the window.
    pub dilation: Shape,
    /// Zeros before.
    pub pad_begin: Shape,
    /// Zeros after.
    pub pad_end: Shape,
}

impl Op {
    /// The operation's number in the encoding.
    pub fn code(&self) -> u8 {
        match self {
            Self::Linear { .. } => 1,
            Self::Conv(_) => 2,
            Self::MatMul => 3,
            Self::Add { .. } => 4,
            Self::Mul => 5,
            Self::Rescale { .. } => 6,
            Self::Lookup { .. } => 7,
            Self::View { .. } => 8,
            Self::Pad { .. } => 9,
            Self::Concat { .. } => 10,
            Self::Take { .. } => 11,
            Self::Pick => 12,
            Self::Sum { .. } => 13,
            Self::Max { .. } => 14,
            Self::ArgMax { .. } => 15,
            Self::Divide { .. } => 16,
            Self::SquareRoot { .. } => 17,
            Self::Const { .. } => 18,
            Self::Parameter => 19,
        }
    }

    /// The operation's name in messages and specifications.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "Linear",
            Self::Conv(_) => "Conv",
            Self::MatMul => "MatMul",
            Self::Add { .. } => "Add",
            Self::Mul => "Mul",
            Self::Rescale { .. } => "Rescale",
            Self::Lookup { .. } => "Lookup",
            Self::View { .. } => "View",
            Self::Pad { .. } => "Pad",
            Self::Concat { .. } => "Concat",
            Self::Take { .. } => "Take",
            Self::Pick => "Pick",
            Self::Sum { .. } => "Sum",
            Self::Max { .. } => "Max",
            Self::ArgMax { .. } => "ArgMax",
            Self::Divide { .. } => "Divide",
            Self::SquareRoot { .. } => "SquareRoot",
            Self::Const { .. } => "Const",
            Self::Parameter => "Parameter",
        }
    }

    /// The matrix that a weighted contraction (Linear, Conv) uses.
    pub fn weight(&self) -> Option<usize> {
        match self {
            Self::Linear { weight, .. } => Some(*weight),
            Self::Conv(conv) => Some(conv.weight),
            _ => None,
        }
    }

    /// The bias of a weighted contraction.
    pub fn bias(&self) -> Option<usize> {
        match self {
            Self::Linear { bias, .. } => *bias,
            Self::Conv(conv) => conv.bias,
            _ => None,
        }
    }
}

//! Models for the tests.
#![allow(dead_code)]

use commitment::Profile;
use graph::{Constant, Conv, Graph, Input, Node, Op, Parts, Weight};
use key::VerifyingKey;
use prover::ProvingKey;

pub const STATEMENT: [u8; 32] = [7; 32];
const LIMIT: i32 = (1 << 29) - 1;

/// Small pseudo-random integers in -bound..=bound.
pub fn integers(count: usize, bound: i32, seed: u64) -> Vec<i32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let span = 2 * bound as u64 + 1;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % span) as i32 - bound
        })
        .collect()
}

pub fn weights(graph: &Graph, seed: u64) -> Vec<i8> {
    integers(graph.weight_bytes(), 127, seed)
        .into_iter()
        .map(|value| value as i8)
        .collect()
}

/// A graph under construction.
pub struct Builder {
    parts: Parts,
}

impl Builder {
    pub fn new(shape: &[usize], bound: i32) -> Self {
        Self {
            parts: Parts {
                inputs: vec![Input {
                    shape: shape.to_vec(),
                    lo: -bound,
                    hi: bound,
                }],
                ..Parts::default()
            },
        }
    }

    fn node(&mut self, op: Op, operands: Vec<usize>, shape: &[usize], lo: i32, hi: i32) -> usize {
        self.parts.nodes.push(Node {
            op,
            operands,
            shape: shape.to_vec(),
            lo,
            hi,
        });
        self.parts.tensors() - 1
    }

    fn constant(&mut self, shape: &[usize], values: Vec<i32>) -> usize {
        self.parts.constants.push(Constant {
            shape: shape.to_vec(),
            values,
        });
        self.parts.constants.len() - 1
    }

    fn weight(&mut self, rows: usize, cols: usize) -> usize {
        self.parts.weights.push(Weight { rows, cols });
        self.parts.weights.len() - 1
    }

    pub fn linear(&mut self, x: usize, rows: usize, bias: bool) -> usize {
        let (shape, ..) = self.parts.tensor(x).unwrap();
        let mut shape = shape.to_vec();
        let cols = shape.pop().unwrap();
        shape.push(rows);
        let weight = self.weight(rows, cols);
        let bias = bias.then(|| self.constant(&[rows], integers(rows, 100_000, 5)));
        self.node(Op::Linear { weight, bias }, vec![x], &shape, -LIMIT, LIMIT)
    }

    pub fn conv(&mut self, x: usize, rows: usize, groups: usize, step: &[[usize; 5]]) -> usize {
        let (shape, ..) = self.parts.tensor(x).unwrap();
        let x_shape = shape.to_vec();
        let channels = x_shape[1] / groups;
        let mut y_shape = vec![x_shape[0], rows];
        let mut cols = channels;
        for (size, [kernel, stride, dilation, begin, end]) in x_shape[2..].iter().zip(step) {
            y_shape.push((size + begin + end - dilation * (kernel - 1) - 1) / stride + 1);
            cols *= kernel;
        }
        let weight = self.weight(rows, cols);
        let bias = Some(self.constant(&[rows], integers(rows, 1000, 6)));
        let column = |index: usize| step.iter().map(|step| step[index]).collect();
        let conv = Conv {
            weight,
            bias,
            groups,
            kernel: column(0),
            stride: column(1),
            dilation: column(2),
            pad_begin: column(3),
            pad_end: column(4),
        };
        self.node(Op::Conv(conv), vec![x], &y_shape, -LIMIT, LIMIT)
    }

    /// Half-open rectifier: to 0..=127.
    pub fn rescale(&mut self, x: usize, shift: u32) -> usize {
        let (shape, ..) = self.parts.tensor(x).unwrap();
        let shape = shape.to_vec();
        let multipliers = self.constant(&[1], vec![3]);
        let op = Op::Rescale {
            multipliers,
            axis: 0,
            shift,
        };
        self.node(op, vec![x], &shape, 0, 127)
    }

    pub fn flatten(&mut self, x: usize) -> usize {
        let (shape, lo, hi) = self.parts.tensor(x).unwrap();
        let count: usize = shape[1..].iter().product();
        let shape = [shape[0], count];
        let op = Op::View {
            offset: 0,
            strides: vec![count as i64, 1],
        };
        self.node(op, vec![x], &shape, lo, hi)
    }

    pub fn finish(mut self, outputs: &[usize]) -> Graph {
        self.parts.outputs = outputs.to_vec();
        Graph::new(self.parts).unwrap()
    }
}

/// One matrix of 3 × 5.
pub fn tiny() -> Graph {
    let mut graph = Builder::new(&[2, 5], 127);
    let y = graph.linear(0, 3, true);
    graph.finish(&[y])
}

/// Layers of fully connected nodes with rectifiers between.
pub fn mlp(widths: &[usize]) -> Graph {
    let mut graph = Builder::new(&[1, widths[0]], 127);
    let mut x = 0;
    for (index, &width) in widths[1..].iter().enumerate() {
        x = graph.linear(x, width, true);
        if index + 2 < widths.len() {
            x = graph.rescale(x, 14);
        }
    }
    graph.finish(&[x])
}

/// Convolutions with one group, several, and one for each channel; two outputs.
pub fn cnn() -> Graph {
    let mut graph = Builder::new(&[2, 4, 9, 7], 127);
    let x = graph.conv(0, 6, 1, &[[3, 2, 1, 1, 1], [3, 1, 2, 2, 1]]);
    let x = graph.rescale(x, 9);
    let x = graph.conv(x, 9, 3, &[[2, 1, 1, 0, 0], [3, 1, 1, 1, 1]]);
    let side = graph.rescale(x, 9);
    let x = graph.conv(side, 9, 9, &[[3, 1, 1, 1, 1], [1, 1, 1, 0, 0]]);
    let x = graph.rescale(x, 7);
    let x = graph.flatten(x);
    let x = graph.linear(x, 10, false);
    graph.finish(&[x, side])
}

/// LeNet-5 with strided convolutions in place of pooling.
pub fn lenet() -> Graph {
    let mut graph = Builder::new(&[1, 1, 28, 28], 127);
    let x = graph.conv(0, 6, 1, &[[5, 2, 1, 2, 2]; 2]);
    let x = graph.rescale(x, 11);
    let x = graph.conv(x, 16, 1, &[[5, 2, 1, 0, 0]; 2]);
    let x = graph.rescale(x, 12);
    let x = graph.flatten(x);
    let x = graph.linear(x, 120, true);
    let x = graph.rescale(x, 13);
    let x = graph.linear(x, 84, true);
    let x = graph.rescale(x, 13);
    let x = graph.linear(x, 10, true);
    graph.finish(&[x])
}

/// A convolution over one dimension.
pub fn conv1d() -> Graph {
    let mut graph = Builder::new(&[1, 3, 20], 127);
    let x = graph.conv(0, 5, 1, &[[4, 3, 2, 2, 3]]);
    graph.finish(&[x])
}

pub fn inputs(graph: &Graph, seed: u64) -> Vec<Vec<i32>> {
    graph
        .inputs
        .iter()
        .map(|input| integers(graph::elements(&input.shape), input.hi, seed))
        .collect()
}

pub fn views(tensors: &[Vec<i32>]) -> Vec<&[i32]> {
    tensors.iter().map(Vec::as_slice).collect()
}

pub fn key(graph: Graph, profile: Profile) -> ProvingKey {
    let weights = weights(&graph, 1);
    ProvingKey::new(graph, &weights, profile).unwrap()
}

/// A key without a commitment.
pub fn bare_key(graph: Graph, profile: Profile) -> Result<VerifyingKey, key::KeyError> {
    VerifyingKey::new(graph, profile)
}

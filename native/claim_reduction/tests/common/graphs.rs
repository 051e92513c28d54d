//! Random graphs.

use graph::{Constant, Conv, Fault, Graph, Input, Node, Op, Parts, Weight, elements};

/// Small pseudo-random numbers.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, count: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % count
    }

    pub fn between(&mut self, lo: i64, hi: i64) -> i32 {
        (lo + self.below((hi - lo + 1) as usize) as i64) as i32
    }

    pub fn numbers(&mut self, count: usize, lo: i64, hi: i64) -> Vec<i32> {
        (0..count).map(|_| self.between(lo, hi)).collect()
    }
}

/// A graph under construction.
pub struct Builder {
    pub parts: Parts,
    pub random: Random,
}

impl Builder {
    pub fn new(seed: u64) -> Self {
        Self {
            parts: Parts::default(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        }
    }

    pub fn input(&mut self, shape: &[usize], lo: i32, hi: i32) -> usize {
        assert!(self.parts.nodes.is_empty());
        self.parts.inputs.push(Input {
            shape: shape.to_vec(),
            lo,
            hi,
        });
        self.parts.inputs.len() - 1
    }

    pub fn of(&self, id: usize) -> (Vec<usize>, i64, i64) {
        let (shape, lo, hi) = self.parts.tensor(id).unwrap();
        (shape.to_vec(), lo.into(), hi.into())
    }

    pub fn node(&mut self, op: Op, operands: &[usize], shape: &[usize], lo: i64, hi: i64) -> usize {
        let limit = (1 << 29) - 1;
        assert!(lo <= hi && lo >= -limit && hi <= limit, "{op:?} {lo} {hi}");
        self.parts.nodes.push(Node {
            op,
            operands: operands.to_vec(),
            shape: shape.to_vec(),
            lo: lo as i32,
            hi: hi as i32,
        });
        self.parts.tensors() - 1
    }

    pub fn constant(&mut self, shape: &[usize], values: Vec<i32>) -> usize {
        self.parts.constants.push(Constant {
            shape: shape.to_vec(),
            values,
        });
        self.parts.constants.len() - 1
    }

    pub fn linear(&mut self, x: usize, rows: usize, bias: bool) -> usize {
        let (mut shape, lo, hi) = self.of(x);
        let cols = shape.pop().unwrap();
        shape.push(rows);
        self.parts.weights.push(Weight { rows, cols });
        let weight = self.parts.weights.len() - 1;
        let most = 128 * cols as i64 * lo.abs().max(hi.abs()) + 1000;
        let values = self.random.numbers(rows, -1000, 1000);
        let bias = bias.then(|| self.constant(&[rows], values));
        self.node(Op::Linear { weight, bias }, &[x], &shape, -most, most)
    }

    /// Of each spatial axis: kernel, stride, dilation, padding before and after.
    pub fn conv(&mut self, x: usize, rows: usize, groups: usize, axes: &[[usize; 5]]) -> usize {
        let (x_shape, lo, hi) = self.of(x);
        let mut shape = vec![x_shape[0], rows];
        let mut cols = x_shape[1] / groups;
        for (size, [kernel, stride, dilation, begin, end]) in x_shape[2..].iter().zip(axes) {
            shape.push((size + begin + end - dilation * (kernel - 1) - 1) / stride + 1);
            cols *= kernel;
        }
        self.parts.weights.push(Weight { rows, cols });
        let values = self.random.numbers(rows, -1000, 1000);
        let bias = Some(self.constant(&[rows], values));
        let column = |index: usize| axes.iter().map(|axis| axis[index]).collect();
        let conv = Conv {
            weight: self.parts.weights.len() - 1,
            bias,
            groups,
            kernel: column(0),
            stride: column(1),
            dilation: column(2),
            pad_begin: column(3),
            pad_end: column(4),
        };
        let most = 128 * cols as i64 * lo.abs().max(hi.abs()) + 1000;
        self.node(Op::Conv(conv), &[x], &shape, -most, most)
    }

    pub fn rescale(
        &mut self,
        x: usize,
        multipliers: &[i32],
        axis: usize,
        shift: u32,
        lo: i64,
        hi: i64,
    ) -> usize {
        let (shape, ..) = self.of(x);
        let multipliers = self.constant(&[multipliers.len()], multipliers.to_vec());
        let op = Op::Rescale {
            multipliers,
            axis,
            shift,
        };
        self.node(op, &[x], &shape, lo, hi)
    }

    /// A rescaling to about so many bits, with what else is random.
    pub fn tame(&mut self, x: usize, bits: u32) -> usize {
        let (shape, lo, hi) = self.of(x);
        let most = lo.abs().max(hi.abs()).max(1);
        let shift = (64 - most.leading_zeros()).saturating_sub(bits).min(28);
        let axis = self.random.below(shape.len().max(1));
        let many = shape.len() > axis && shape[axis] > 1 && self.random.below(2) == 0;
        let multipliers = if many {
            self.random.numbers(shape[axis], -1, 1)
        } else {
            vec![1]
        };
        let reach = 1_i64 << bits;
        let (lo, hi) = match self.random.below(4) {
            0 => (0, reach / 3),
            1 => (-reach / 2, reach / 2),
            2 => (-2 * reach, 2 * reach),
            _ => (-reach / 5, 2 * reach),
        };
        self.rescale(x, &multipliers, if many { axis } else { 0 }, shift, lo, hi)
    }

    pub fn lookup(&mut self, x: usize) -> usize {
        let (shape, lo, hi) = self.of(x);
        let count = (hi - lo + 1) as usize;
        let values = self.random.numbers(count, -500, 500);
        let table = self.constant(&[count], values);
        let first = lo as i32;
        self.node(Op::Lookup { table, first }, &[x], &shape, -500, 500)
    }

    pub fn max(&mut self, x: usize, axes: usize) -> usize {
        let (shape, lo, hi) = self.of(x);
        let kept = shape[..shape.len() - axes].to_vec();
        self.node(Op::Max { axes }, &[x], &kept, lo, hi)
    }

    /// The place of the maximum on the last axis.
    pub fn arg_max(&mut self, x: usize, last: bool) -> usize {
        let (mut shape, ..) = self.of(x);
        let size = shape.pop().unwrap() as i64;
        self.node(Op::ArgMax { last }, &[x], &shape, 0, size - 1)
    }

    /// The rows that an index names.
    pub fn pick(&mut self, x: usize, index: usize) -> usize {
        let (rows, lo, hi) = self.of(x);
        let (mut shape, ..) = self.of(index);
        shape.extend(&rows[1..]);
        self.node(Op::Pick, &[x, index], &shape, lo, hi)
    }

    pub fn add(
        &mut self,
        operands: &[usize],
        coefficients: &[i32],
        constant: Option<usize>,
    ) -> usize {
        let (shape, ..) = self.of(operands[0]);
        let (mut lo, mut hi) = (0, 0);
        if let Some(id) = constant {
            let values = &self.parts.constants[id].values;
            lo = i64::from(*values.iter().min().unwrap());
            hi = i64::from(*values.iter().max().unwrap());
        }
        for (&id, &c) in operands.iter().zip(coefficients) {
            let (_, from, to) = self.of(id);
            let ends = [from * i64::from(c), to * i64::from(c)];
            lo += ends[0].min(ends[1]);
            hi += ends[0].max(ends[1]);
        }
        let op = Op::Add {
            coefficients: coefficients.to_vec(),
            constant,
        };
        self.node(op, operands, &shape, lo, hi)
    }

    pub fn mul(&mut self, a: usize, b: usize) -> usize {
        let (shape, lo, hi) = self.of(a);
        let (_, from, to) = self.of(b);
        let most = lo.abs().max(hi.abs()) * from.abs().max(to.abs());
        self.node(Op::Mul, &[a, b], &shape, -most, most)
    }

    pub fn matmul(&mut self, a: usize, b: usize) -> usize {
        let (mut shape, lo, hi) = self.of(a);
        let (other, from, to) = self.of(b);
        let depth = shape.pop().unwrap() as i64;
        shape.push(*other.last().unwrap());
        let most = depth * lo.abs().max(hi.abs()) * from.abs().max(to.abs());
        self.node(Op::MatMul, &[a, b], &shape, -most, most)
    }

    pub fn view(&mut self, x: usize, offset: i64, strides: &[i64], shape: &[usize]) -> usize {
        let (_, lo, hi) = self.of(x);
        let op = Op::View {
            offset,
            strides: strides.to_vec(),
        };
        self.node(op, &[x], shape, lo, hi)
    }

    pub fn pad(&mut self, x: usize, begin: &[usize], end: &[usize], fill: i32) -> usize {
        let (shape, lo, hi) = self.of(x);
        let pads = begin.iter().zip(end).zip(&shape);
        let padded: Vec<usize> = pads.map(|((b, e), n)| b + e + n).collect();
        let op = Op::Pad {
            begin: begin.to_vec(),
            end: end.to_vec(),
            fill,
        };
        self.node(op, &[x], &padded, lo.min(fill.into()), hi.max(fill.into()))
    }

    pub fn concat(&mut self, operands: &[usize], axis: usize) -> usize {
        let (mut shape, mut lo, mut hi) = self.of(operands[0]);
        for &id in &operands[1..] {
            let (other, from, to) = self.of(id);
            shape[axis] += other[axis];
            lo = lo.min(from);
            hi = hi.max(to);
        }
        self.node(Op::Concat { axis }, operands, &shape, lo, hi)
    }

    pub fn take(&mut self, x: usize, shape: &[usize]) -> usize {
        let (from, lo, hi) = self.of(x);
        let count = elements(&from) as i64;
        let map = self.random.numbers(elements(shape), -1, count - 1);
        let map = self.constant(shape, map);
        self.node(Op::Take { map }, &[x], shape, lo.min(0), hi.max(0))
    }

    pub fn sum(&mut self, x: usize, axes: usize) -> usize {
        let (shape, lo, hi) = self.of(x);
        let (kept, summed) = shape.split_at(shape.len() - axes);
        let count = elements(summed) as i64;
        self.node(Op::Sum { axes }, &[x], kept, lo * count, hi * count)
    }

    /// k·a/b to the nearest, b being positive.
    pub fn divide(&mut self, a: usize, b: usize, k: i32) -> usize {
        let (shape, lo, hi) = self.of(a);
        let (_, least, _) = self.of(b);
        let most = lo.abs().max(hi.abs()) * i64::from(k) / least.max(1) + 1;
        let most = most.min((1 << 29) - 1);
        let lo = if lo < 0 { -most } else { 0 };
        self.node(Op::Divide { k }, &[a, b], &shape, lo, most)
    }

    pub fn square_root(&mut self, x: usize, k: i32) -> usize {
        let (shape, _, hi) = self.of(x);
        let most = (hi.unsigned_abs() * u64::from(k.unsigned_abs())).isqrt() as i64;
        self.node(Op::SquareRoot { k }, &[x], &shape, 0, most)
    }

    /// A tensor of one axis less, repeated along a new last axis.
    pub fn repeat(&mut self, x: usize, times: usize) -> usize {
        let (mut shape, ..) = self.of(x);
        let mut strides = row_major(&shape);
        shape.push(times);
        strides.push(0);
        self.view(x, 0, &strides, &shape)
    }

    /// The graph whose outputs are these, and all that nothing else uses.
    pub fn finish(self, outputs: &[usize]) -> Graph {
        self.graph(outputs).unwrap()
    }

    /// The same, if it is one.
    pub fn graph(mut self, outputs: &[usize]) -> Result<Graph, Fault> {
        let mut outputs = outputs.to_vec();
        for id in self.parts.inputs.len()..self.parts.tensors() {
            let used = self
                .parts
                .nodes
                .iter()
                .any(|node| node.operands.contains(&id));
            if !used && !outputs.contains(&id) {
                outputs.push(id);
            }
        }
        self.parts.outputs = outputs;
        Graph::new(self.parts)
    }
}

/// A graph of all operations that are covered, by a seed.
pub fn random_graph(seed: u64) -> Graph {
    let mut b = Builder::new(seed);
    let sizes = [[2, 3, 6, 5], [1, 4, 8, 8], [2, 2, 7, 4], [1, 6, 5, 9]];
    let shape = sizes[b.random.below(sizes.len())];
    let mut all = vec![b.input(&shape, -100, 90)];
    for _ in 0..6 {
        let x = all[all.len() - 1 - b.random.below(all.len().min(3))];
        let (shape, lo, hi) = b.of(x);
        let large = lo.abs().max(hi.abs()) > 3000;
        let x = if large { b.tame(x, 9) } else { x };
        let rank = shape.len();
        let made = match b.random.below(13) {
            0 => b.linear(x, 1 + seed as usize % 6, true),
            1 if rank == 4 => {
                let axes = [
                    [1 + b.random.below(3), 1 + b.random.below(2), 1, 1, 1],
                    [2, 1, 1, 0, 1],
                ];
                let depthwise = b.random.below(2) == 0;
                let (rows, groups) = if depthwise {
                    (2 * shape[1], shape[1])
                } else {
                    (3, 1)
                };
                b.conv(x, rows, groups, &axes)
            }
            2 => {
                let other = b.lookup(x);
                b.mul(x, other)
            }
            3 if rank >= 2 => {
                // x · xᵀ of the last two axes.
                let strides = row_major(&shape);
                let (mut turned, mut by) = (shape.clone(), strides);
                turned.swap(rank - 1, rank - 2);
                by.swap(rank - 1, rank - 2);
                let y = b.view(x, 0, &by, &turned);
                b.matmul(x, y)
            }
            4 => {
                let size = elements(&shape);
                let values = b.random.numbers(size, -9, 9);
                let whole = b.constant(&shape, values);
                let y = b.add(&[x], &[-3], Some(whole));
                let one = b.constant(&[1], vec![-5]);
                b.add(&[x, y, x], &[2, 1, -7], Some(one))
            }
            5 => {
                let begin: Vec<usize> = (0..rank).map(|_| b.random.below(2)).collect();
                let end: Vec<usize> = (0..rank).map(|_| b.random.below(2)).collect();
                b.pad(x, &begin, &end, 7)
            }
            6 if rank > 0 => {
                let axis = b.random.below(rank);
                b.concat(&[x, x, x], axis)
            }
            7 => b.take(x, &[3, 5]),
            8 if rank > 1 => {
                let axes = 1 + b.random.below(rank - 1);
                b.sum(x, axes)
            }
            9 if rank > 1 => {
                let axes = 1 + b.random.below(rank - 1);
                b.max(x, axes)
            }
            10 => b.lookup(x),
            11 => {
                // A slice, reversed along the last axis, and everything repeated in front.
                let mut strides = row_major(&shape);
                let mut sizes = shape.clone();
                let mut offset = 0;
                if let (Some(last), Some(&size)) = (strides.last_mut(), shape.last()) {
                    *last = -1;
                    offset = size as i64 - 1;
                }
                if rank > 1 && shape[rank - 2] > 1 {
                    sizes[rank - 2] -= 1;
                    offset += strides[rank - 2];
                }
                strides.insert(0, 0);
                sizes.insert(0, 3);
                b.view(x, offset, &strides, &sizes)
            }
            _ => b.view(x, 0, &[1], &[elements(&shape)]),
        };
        let bits = 6 + b.random.below(3) as u32;
        all.push(b.tame(made, bits));
        if b.random.below(3) == 0 {
            all.push(made);
        }
    }
    let last = *all.last().unwrap();
    b.finish(&[last])
}

/// Rows of what weights yield, of an input and of a constant, named by an index of any shape, and by
/// places of maxima.
pub fn picking(seed: u64) -> Graph {
    let mut b = Builder::new(seed);
    let shapes: [&[usize]; 5] = [&[], &[1], &[3], &[2, 5], &[16, 16]];
    let shape = shapes[b.random.below(shapes.len())];
    let rows = [1, 2, 5, 8, 13][b.random.below(5)];
    let rest = 1 + b.random.below(4);
    let x = b.input(&[rows, rest], -300, 300);
    let index = b.input(shape, 0, rows as i32 - 1);
    let y = b.linear(x, 3, true);
    let picked = b.pick(y, index);
    let of_input = b.pick(x, index);
    let values = b.random.numbers(3, -9, 9);
    let labels = b.constant(&[3], values);
    let labels = b.node(Op::Const { constant: labels }, &[], &[3], -9, 9);
    let place = b.arg_max(picked, false);
    let label = b.pick(labels, place);
    // A sum reads the padding of what is picked.
    let (shape, ..) = b.of(picked);
    let sum = b.sum(picked, shape.len());
    b.finish(&[picked, of_input, label, sum])
}

/// Places of maxima on axes of random sizes, of numbers of which many are equal, and what comes of
/// such places: behind weights, which have a padding of their own, and of wide and of narrow ranges.
pub fn choosing(seed: u64) -> Graph {
    let mut b = Builder::new(seed);
    let shapes: [&[usize]; 6] = [&[3, 5], &[2, 3, 4], &[8, 8], &[1, 1], &[20], &[5, 33]];
    let shape = shapes[b.random.below(shapes.len())];
    let most = [1, 3, 500, 1 << 20][b.random.below(4)];
    let x = b.input(shape, -most, most);
    let first = b.arg_max(x, false);
    let last = b.arg_max(x, true);
    let behind = b.rescale(x, &[1], 0, if most > 500 { 13 } else { 0 }, -90, 90);
    let rows = 1 + b.random.below(6);
    let y = b.linear(behind, rows, true);
    let place = b.arg_max(y, false);
    let small = b.tame(y, 2);
    let of_small = b.arg_max(small, true);
    let (shape, ..) = b.of(place);
    // In the padding of the lines the places of the last are not zero.
    let sum = if shape.is_empty() {
        b.add(&[place, of_small], &[3, -2], None)
    } else {
        let both = b.mul(place, of_small);
        b.sum(both, 1)
    };
    b.finish(&[first, last, sum])
}

fn row_major(shape: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as i64;
    }
    strides
}

/// Four dense layers that are rescaled by two shifts to nearly the same range.
pub fn clamps(lo: i64, hi: i64) -> Graph {
    let mut b = Builder::new(4);
    let x = b.input(&[3, 7], -90, 100);
    let outputs: Vec<usize> = (0..4)
        .map(|layer| {
            let y = b.linear(x, 5, true);
            let by = i64::from(layer);
            b.rescale(y, &[1], 0, 8 + layer % 2, lo + by, hi + by)
        })
        .collect();
    b.finish(&outputs)
}

/// Shares of a sum, and what is divided by the root of a mean of squares, as attention and layer
/// normalisation have them, of random sizes and scales.
pub fn normalised(seed: u64) -> Graph {
    let mut b = Builder::new(seed);
    let shapes: [&[usize]; 5] = [&[3, 5], &[2, 3, 4], &[8, 8], &[1, 6, 7], &[20]];
    let shape = shapes[b.random.below(shapes.len())];
    let last = shape[shape.len() - 1];
    let x = b.input(shape, -300, 300);
    // Shares: a table of positive numbers over their sum.
    let count = 601;
    let most = 1 << (4 + b.random.below(13));
    let values = b.random.numbers(count, 0, most);
    let values = values.into_iter().map(|v| v.max(1)).collect();
    let table = b.constant(&[count], values);
    let weights = b.node(Op::Lookup { table, first: -300 }, &[x], shape, 0, most);
    let sum = b.sum(weights, 1);
    let (sums, _, hi) = b.of(sum);
    let one = b.constant(&[1], vec![1]);
    let op = Op::Add {
        coefficients: vec![1],
        constant: Some(one),
    };
    let sum = b.node(op, &[sum], &sums, 1, hi + 1);
    let wide = b.repeat(sum, last);
    let k = b.random.between(1, 1 << 16);
    let shares = b.divide(weights, wide, k);
    // Deviations: what a contraction yields is held to no range.
    let y = if b.random.below(2) == 0 {
        b.linear(x, last, true)
    } else {
        b.rescale(x, &[5], 0, 2, -200, 200)
    };
    let small = b.tame(y, 8);
    let squares = b.mul(small, small);
    let (_, _, hi) = b.of(squares);
    let one = b.constant(&[1], vec![1]);
    let op = Op::Add {
        coefficients: vec![1],
        constant: Some(one),
    };
    let squares = b.node(op, &[squares], shape, 1, hi + 1);
    let total = b.max(squares, 1);
    let k = b.random.between(1, 1 << 24);
    let root = b.square_root(total, k);
    let (own, _, hi) = b.of(root);
    // The root of at least k is not zero.
    let one = b.constant(&[1], vec![1]);
    let op = Op::Add {
        coefficients: vec![1],
        constant: Some(one),
    };
    let root = b.node(op, &[root], &own, 1, hi + 1);
    let wide = b.repeat(root, last);
    let k = b.random.between(1, 1 << 12);
    let normal = b.divide(y, wide, k);
    b.finish(&[shares, normal])
}

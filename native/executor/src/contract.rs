//! Weighted contractions: int8 matrices times integer vectors.
//!
//! Most activations fit 16 bits, so that a product with an int8 weight fits 23 and hundreds of them
//! fit a 32-bit sum: the inner loop is then the multiply-add of 16-bit pairs that compilers find.
//! Sums are proven to fit by the operand's declared range, never by looking at values; where they
//! need not fit, they are taken in 64 bits.

use graph::{Conv, Op, elements};

use crate::{Contraction, Fault};

/// Memory that one contraction leaves to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    narrow: Vec<i16>,
    wide: Vec<i32>,
    sums: Vec<i64>,
}

/// The largest absolute weight.
const WEIGHT_BOUND: i64 = 128;
/// Vectors that share one pass over the matrix.
const TOGETHER: usize = 8;
/// With fewer than one in so many elements other than 0, as in one-hot rows, only these are read.
const SPARSE: usize = 64;
/// Elements of the vectors of a convolution that are laid out at a time.
const LAID_OUT: usize = 1 << 16;
/// With fewer output channels per group than this, vectors are not worth laying out.
const FEW_ROWS: usize = 4;

pub(crate) fn contract(work: &mut Contraction, matrix: &[i8]) -> Result<(), Fault> {
    let bias = work
        .node
        .op
        .bias()
        .and_then(|id| work.graph.constants.get(id));
    let bias = bias.map_or(&[] as &[i32], |constant| constant.values.as_slice());
    work.out.resize(elements(&work.node.shape), 0);
    let mut target = Target {
        lo: i64::from(work.node.lo),
        hi: i64::from(work.node.hi),
        bias,
        out: work.out.as_mut_slice(),
        outside: false,
    };
    let (cols, bound) = (work.matrix.cols, work.x_bound);
    match &work.node.op {
        Op::Linear { .. } => {
            let rows = work.matrix.rows;
            let put = |at: usize, row: usize, sum| target.put(at * rows + row, row, sum);
            let filled = work.x.iter().filter(|&&value| value != 0).count();
            if filled.saturating_mul(SPARSE) <= work.x.len() {
                sparse_product(work.x, cols, matrix, put);
            } else if bound <= i64::from(i16::MAX) {
                let narrow = &mut work.scratch.narrow;
                narrow.clear();
                narrow.extend(work.x.iter().map(|&value| value as i16));
                product(narrow, cols, bound, matrix, put);
            } else {
                product(work.x, cols, bound, matrix, put);
            }
        }
        Op::Conv(conv) => {
            let plan = Plan::new(conv, work.x_shape, &work.node.shape, work.matrix.rows);
            if plan.rows < FEW_ROWS {
                plan.direct(work.x, matrix, &mut work.scratch.sums, &mut target);
            } else if bound <= i64::from(i16::MAX) {
                plan.laid_out(work.x, bound, matrix, &mut work.scratch.narrow, &mut target);
            } else {
                plan.laid_out(work.x, bound, matrix, &mut work.scratch.wide, &mut target);
            }
        }
        _ => return Err(Fault::Internal),
    }
    if target.outside {
        return Err(Fault::range(work.number, work.node));
    }
    Ok(())
}

/// Where sums go: the bias is added and the range checked.
struct Target<'a> {
    lo: i64,
    hi: i64,
    bias: &'a [i32],
    out: &'a mut [i32],
    outside: bool,
}

impl Target<'_> {
    fn put(&mut self, address: usize, row: usize, sum: i64) {
        // |sum| < 2^60 and |bias| <= 2^31.
        let value = sum.wrapping_add(self.bias.get(row).map_or(0, |&bias| i64::from(bias)));
        self.outside |= value < self.lo || value > self.hi;
        if let Some(slot) = self.out.get_mut(address) {
            *slot = value as i32;
        }
    }
}

/// An element of an operand vector.
trait Element: Copy + Default {
    fn from_value(value: i32) -> Self;
    /// The scalar product with weights; `bound` is the largest absolute element.
    fn dot(weights: &[i8], x: &[Self], bound: i64) -> i64;
}

impl Element for i16 {
    fn from_value(value: i32) -> Self {
        value as Self
    }

    fn dot(weights: &[i8], x: &[Self], bound: i64) -> i64 {
        let fits = fits_i32(bound);
        if weights.len() <= fits {
            return i64::from(dot_i16(weights, x));
        }
        let parts = weights.chunks(fits).zip(x.chunks(fits));
        parts.fold(0, |sum, (weights, x)| {
            sum.wrapping_add(i64::from(dot_i16(weights, x)))
        })
    }
}

impl Element for i32 {
    fn from_value(value: i32) -> Self {
        value
    }

    fn dot(weights: &[i8], x: &[Self], bound: i64) -> i64 {
        if weights.len() <= fits_i32(bound) {
            let products = weights.iter().zip(x);
            let sum = products.fold(0_i32, |sum, (&weight, &x)| {
                sum.wrapping_add(i32::from(weight).wrapping_mul(x))
            });
            return i64::from(sum);
        }
        weights.iter().zip(x).fold(0, |sum, (&weight, &x)| {
            sum.wrapping_add(i64::from(weight).wrapping_mul(i64::from(x)))
        })
    }
}

/// How many products of a weight and an element surely fit a 32-bit sum.
fn fits_i32(bound: i64) -> usize {
    (i64::from(i32::MAX) / (WEIGHT_BOUND * bound.max(1))) as usize
}

fn dot_i16(weights: &[i8], x: &[i16]) -> i32 {
    weights.iter().zip(x).fold(0_i32, |sum, (&weight, &x)| {
        sum.wrapping_add(i32::from(i16::from(weight)).wrapping_mul(i32::from(x)))
    })
}

/// Gives `put(vector, row, sum)` for every vector of `x` and every row of the matrix.
fn product<E: Element>(
    x: &[E],
    cols: usize,
    bound: i64,
    matrix: &[i8],
    mut put: impl FnMut(usize, usize, i64),
) {
    for (block, vectors) in x.chunks(TOGETHER * cols).enumerate() {
        for (row, weights) in matrix.chunks_exact(cols).enumerate() {
            for (vector, x) in vectors.chunks_exact(cols).enumerate() {
                put(block * TOGETHER + vector, row, E::dot(weights, x, bound));
            }
        }
    }
}

/// The same as [`product`] for vectors of which hardly any element is not 0.
fn sparse_product(x: &[i32], cols: usize, matrix: &[i8], mut put: impl FnMut(usize, usize, i64)) {
    let mut filled: Vec<(usize, i64)> = Vec::new();
    for (vector, x) in x.chunks_exact(cols).enumerate() {
        let all = x.iter().map(|&value| i64::from(value)).enumerate();
        filled.clear();
        filled.extend(all.filter(|&(_, value)| value != 0));
        for (row, weights) in matrix.chunks_exact(cols).enumerate() {
            let products = filled.iter().filter_map(|&(column, value)| {
                let weight = i64::from(*weights.get(column)?);
                Some(weight.wrapping_mul(value))
            });
            put(vector, row, products.fold(0, i64::wrapping_add));
        }
    }
}

/// One spatial dimension of a convolution.
#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    out: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    pad: usize,
}

impl Axis {
    const SINGLE: Self = Self {
        size: 1,
        out: 1,
        kernel: 1,
        stride: 1,
        dilation: 1,
        pad: 0,
    };

    /// For one place of the window: the output positions that read the operand and not padding,
    /// as first and one past the last, and where the first of them reads.
    fn reach(&self, place: usize) -> (usize, usize, usize) {
        let shift = place * self.dilation;
        let first = self.pad.saturating_sub(shift).div_ceil(self.stride);
        let past = (self.size + self.pad)
            .saturating_sub(shift)
            .div_ceil(self.stride);
        let past = past.min(self.out).max(first);
        (
            first,
            past,
            (first * self.stride + shift).saturating_sub(self.pad),
        )
    }

    /// What one output position reads at one place of the window; `None` is padding.
    fn at(&self, position: usize, place: usize) -> Option<usize> {
        let padded = position * self.stride + place * self.dilation;
        padded.checked_sub(self.pad).filter(|&at| at < self.size)
    }
}

/// A convolution over two spatial dimensions; the first is 1 where there is only one.
struct Plan {
    channels: usize,
    /// Channels of the operand in a group.
    depth: usize,
    /// Output channels in a group.
    rows: usize,
    y: Axis,
    x: Axis,
}

impl Plan {
    fn new(conv: &Conv, x_shape: &[usize], out_shape: &[usize], rows: usize) -> Self {
        let axis = |number: usize| {
            let of = |list: &[usize]| list.get(number).copied().unwrap_or(1);
            Axis {
                size: of(x_shape.get(2..).unwrap_or(&[])),
                out: of(out_shape.get(2..).unwrap_or(&[])),
                kernel: of(&conv.kernel),
                stride: of(&conv.stride),
                dilation: of(&conv.dilation),
                pad: of(&conv.pad_begin),
            }
        };
        let channels = x_shape.get(1).copied().unwrap_or(1);
        let (y, x) = if conv.kernel.len() == 1 {
            (Axis::SINGLE, axis(0))
        } else {
            (axis(0), axis(1))
        };
        Self {
            channels,
            depth: channels / conv.groups,
            rows: rows / conv.groups,
            y,
            x,
        }
    }

    fn cols(&self) -> usize {
        self.depth * self.y.kernel * self.x.kernel
    }

    fn groups(&self) -> usize {
        self.channels / self.depth
    }

    /// For each batch item and group: first output channel overall, address of that channel's
    /// first element, the operand's channels of the group, the group's rows of the matrix.
    fn parts<'a>(
        &'a self,
        x: &'a [i32],
        matrix: &'a [i8],
    ) -> impl Iterator<Item = (usize, usize, &'a [i32], &'a [i8])> {
        let operands = x.chunks_exact(self.depth * self.y.size * self.x.size);
        let matrices = matrix.chunks_exact(self.rows * self.cols()).cycle();
        let groups = self.groups();
        operands
            .zip(matrices)
            .enumerate()
            .map(move |(number, (x, matrix))| {
                let channel = number % groups * self.rows;
                let address = number * self.rows * self.y.out * self.x.out;
                (channel, address, x, matrix)
            })
    }

    /// Lays out the window of each output position as one vector, and multiplies.
    fn laid_out<E: Element>(
        &self,
        x: &[i32],
        bound: i64,
        matrix: &[i8],
        laid: &mut Vec<E>,
        target: &mut Target,
    ) {
        let cols = self.cols();
        let line = cols * self.x.out;
        let lines = (LAID_OUT / line).clamp(1, self.y.out);
        let positions = self.y.out * self.x.out;
        for (channel, address, x, matrix) in self.parts(x, matrix) {
            for first in (0..self.y.out).step_by(lines) {
                let count = lines.min(self.y.out - first);
                laid.clear();
                laid.resize(count * line, E::default());
                for (number, line) in laid.chunks_exact_mut(line).enumerate() {
                    self.lay_line(x, first + number, line);
                }
                let start = address + first * self.x.out;
                product(laid, cols, bound, matrix, |at, row, sum| {
                    target.put(start + row * positions + at, channel + row, sum);
                });
            }
        }
    }

    /// Fills the vectors of one line of output positions, which hold zeros.
    fn lay_line<E: Element>(&self, x: &[i32], position: usize, line: &mut [E]) {
        let cols = self.cols();
        let window = self.y.kernel * self.x.kernel;
        for (channel, plane) in x.chunks_exact(self.y.size * self.x.size).enumerate() {
            for ky in 0..self.y.kernel {
                let Some(row) = self.y.at(position, ky) else {
                    continue;
                };
                let Some(row) = plane.chunks_exact(self.x.size).nth(row) else {
                    continue;
                };
                for kx in 0..self.x.kernel {
                    let (first, past, start) = self.x.reach(kx);
                    let col = channel * window + ky * self.x.kernel + kx;
                    let Some(from) = row.get(start..) else {
                        continue;
                    };
                    let Some(to) = line.get_mut(first * cols + col..) else {
                        continue;
                    };
                    let pairs = to
                        .iter_mut()
                        .step_by(cols)
                        .zip(from.iter().step_by(self.x.stride));
                    for (slot, &value) in pairs.take(past - first) {
                        *slot = E::from_value(value);
                    }
                }
            }
        }
    }

    /// Adds up each weight times the part of the operand that it meets.
    fn direct(&self, x: &[i32], matrix: &[i8], sums: &mut Vec<i64>, target: &mut Target) {
        let window = self.y.kernel * self.x.kernel;
        let positions = self.y.out * self.x.out;
        for (channel, address, x, matrix) in self.parts(x, matrix) {
            for (row, weights) in matrix.chunks_exact(self.cols()).enumerate() {
                sums.clear();
                sums.resize(positions, 0);
                let planes = x.chunks_exact(self.y.size * self.x.size);
                for (plane, weights) in planes.zip(weights.chunks_exact(window)) {
                    self.add_plane(plane, weights, sums);
                }
                for (at, &sum) in sums.iter().enumerate() {
                    target.put(address + row * positions + at, channel + row, sum);
                }
            }
        }
    }

    fn add_plane(&self, plane: &[i32], weights: &[i8], sums: &mut [i64]) {
        for (position, line) in sums.chunks_exact_mut(self.x.out).enumerate() {
            for (ky, weights) in weights.chunks_exact(self.x.kernel).enumerate() {
                let Some(row) = self.y.at(position, ky) else {
                    continue;
                };
                let Some(row) = plane.chunks_exact(self.x.size).nth(row) else {
                    continue;
                };
                for (kx, &weight) in weights.iter().enumerate() {
                    let (first, past, start) = self.x.reach(kx);
                    let (Some(from), Some(to)) = (row.get(start..), line.get_mut(first..past))
                    else {
                        continue;
                    };
                    let weight = i64::from(weight);
                    for (sum, &value) in to.iter_mut().zip(from.iter().step_by(self.x.stride)) {
                        *sum = sum.wrapping_add(weight.wrapping_mul(i64::from(value)));
                    }
                }
            }
        }
    }
}

//! All operations but weighted contractions.
//!
//! Each writes as many elements as its node's shape has. Arithmetic is in 64 bits, which a
//! well-formed graph cannot overflow; the wrapping forms only spare the checks.

use graph::{Graph, Node, Op, elements};

use crate::Fault;
use crate::exact::{combine, floor_of, largest};
use crate::movement::{pad, view};

/// A node that is due, with its operands.
struct Work<'a> {
    graph: &'a Graph,
    number: usize,
    node: &'a Node,
    operands: Vec<(&'a [usize], &'a [i32])>,
}

/// Computes a node from the tensors before it.
pub(crate) fn compute(
    graph: &Graph,
    number: usize,
    node: &Node,
    done: &[Vec<i32>],
    out: &mut Vec<i32>,
) -> Result<(), Fault> {
    let find = |&id: &usize| {
        let (shape, ..) = graph.tensor(id)?;
        Some((shape, done.get(id)?.as_slice()))
    };
    let operands: Option<Vec<_>> = node.operands.iter().map(find).collect();
    let work = Work {
        graph,
        number,
        node,
        operands: operands.ok_or(Fault::Internal)?,
    };
    match (&node.op, work.operands.as_slice()) {
        (
            Op::Add {
                coefficients,
                constant,
            },
            operands,
        ) => work.add(coefficients, *constant, operands, out),
        (Op::Concat { axis }, operands) => work.concat(*axis, operands, out),
        (Op::Const { constant }, []) => {
            let values = work.constant(*constant)?;
            work.emit(out, values.iter().map(|&value| i64::from(value)))
        }
        (op, [x]) => work.unary(op, x.0, x.1, out),
        (op, [a, b]) => work.binary(op, *a, *b, out),
        _ => Err(Fault::Internal),
    }
}

impl Work<'_> {
    fn constant(&self, id: usize) -> Result<&[i32], Fault> {
        let found = self.graph.constants.get(id);
        Ok(&found.ok_or(Fault::Internal)?.values)
    }

    /// Appends values after checking each against the node's range.
    fn emit(&self, out: &mut Vec<i32>, values: impl Iterator<Item = i64>) -> Result<(), Fault> {
        let (lo, hi) = (i64::from(self.node.lo), i64::from(self.node.hi));
        let mut outside = false;
        out.extend(values.map(|value| {
            outside |= value < lo || value > hi;
            value as i32
        }));
        if outside {
            return Err(Fault::range(self.number, self.node));
        }
        Ok(())
    }

    /// Checks elements that were copied, not computed.
    fn check(&self, out: &[i32]) -> Result<(), Fault> {
        if inside(out, self.node.lo, self.node.hi) {
            Ok(())
        } else {
            Err(Fault::range(self.number, self.node))
        }
    }

    fn refuse(&self, why: &'static str) -> Fault {
        Fault::operand(self.number, self.node, why)
    }

    fn unary(&self, op: &Op, shape: &[usize], x: &[i32], out: &mut Vec<i32>) -> Result<(), Fault> {
        match op {
            Op::Rescale {
                multipliers,
                axis,
                shift,
            } => {
                self.rescale(self.constant(*multipliers)?, *axis, *shift, shape, x, out);
                Ok(())
            }
            Op::Lookup { table, first } => {
                let table = self.constant(*table)?;
                let mut outside = false;
                out.extend(x.iter().map(|&value| {
                    // A table is shorter than 2^25, so that no wrapped index is one of it.
                    let at = value.wrapping_sub(*first).cast_unsigned();
                    let entry = table.get(at as usize);
                    outside |= entry.is_none();
                    entry.copied().unwrap_or(0)
                }));
                if outside {
                    return Err(self.refuse("outside of the table"));
                }
                self.check(out)
            }
            Op::View { offset, strides } => {
                view(x, *offset, strides, &self.node.shape, out);
                self.check(out)
            }
            Op::Pad { begin, end, fill } => {
                pad(x, shape, begin, end, *fill, out);
                self.check(out)
            }
            Op::Take { map } => {
                let read = |&at: &i32| {
                    let at = usize::try_from(at).ok();
                    at.and_then(|at| x.get(at)).copied().unwrap_or(0)
                };
                out.extend(self.constant(*map)?.iter().map(read));
                self.check(out)
            }
            Op::Sum { axes } => {
                let size = last(shape, *axes);
                let sums = x.chunks_exact(size).map(|part| {
                    part.iter()
                        .fold(0_i64, |sum, &value| sum.wrapping_add(i64::from(value)))
                });
                self.emit(out, sums)
            }
            Op::Max { axes } => {
                let parts = x.chunks_exact(last(shape, *axes));
                out.extend(parts.map(|part| part.iter().copied().fold(i32::MIN, i32::max)));
                self.check(out)
            }
            Op::ArgMax { last: latest } => {
                let parts = x.chunks_exact(last(shape, 1));
                self.emit(out, parts.map(|part| arg_max(part, *latest)))
            }
            Op::SquareRoot { k } => {
                if x.iter().any(|&value| value < 0) {
                    return Err(self.refuse("the root of a negative number"));
                }
                let k = i64::from(*k);
                let roots = x.iter().map(|&value| i64::from(value).wrapping_mul(k));
                self.emit(
                    out,
                    roots.map(|square| square.unsigned_abs().isqrt() as i64),
                )
            }
            _ => Err(Fault::Internal),
        }
    }

    fn rescale(
        &self,
        multipliers: &[i32],
        axis: usize,
        shift: u32,
        shape: &[usize],
        x: &[i32],
        out: &mut Vec<i32>,
    ) {
        let half = if shift == 0 { 0 } else { 1_i64 << (shift - 1) };
        let (lo, hi) = (i64::from(self.node.lo), i64::from(self.node.hi));
        let scale = |value: i32, multiplier: i32| {
            let product = i64::from(value).wrapping_mul(i64::from(multiplier));
            (product.wrapping_add(half) >> shift).clamp(lo, hi) as i32
        };
        if let [multiplier] = multipliers {
            out.extend(x.iter().map(|&value| scale(value, *multiplier)));
            return;
        }
        let inner = elements(shape.get(axis + 1..).unwrap_or(&[]));
        if inner == 1 {
            for line in x.chunks_exact(multipliers.len()) {
                let pairs = line.iter().zip(multipliers);
                out.extend(pairs.map(|(&value, &multiplier)| scale(value, multiplier)));
            }
            return;
        }
        for (slice, &multiplier) in x.chunks_exact(inner).zip(multipliers.iter().cycle()) {
            out.extend(slice.iter().map(|&value| scale(value, multiplier)));
        }
    }

    fn binary(
        &self,
        op: &Op,
        (a_shape, a): (&[usize], &[i32]),
        (b_shape, b): (&[usize], &[i32]),
        out: &mut Vec<i32>,
    ) -> Result<(), Fault> {
        let pairs = a.iter().zip(b).map(|(&a, &b)| (i64::from(a), i64::from(b)));
        match op {
            Op::Mul => self.emit(out, pairs.map(|(a, b)| a.wrapping_mul(b))),
            Op::Divide { k } => {
                if b.iter().any(|&value| value <= 0) {
                    return Err(self.refuse("a divisor that is not positive"));
                }
                let k = 2 * i64::from(*k);
                let quotient = |(a, b): (i64, i64)| {
                    floor_of(a.wrapping_mul(k).wrapping_add(b), b.wrapping_mul(2))
                };
                self.emit(out, pairs.map(quotient))
            }
            Op::MatMul => {
                let (Some(&depth), Some(&width)) = (a_shape.last(), b_shape.last()) else {
                    return Err(Fault::Internal);
                };
                self.matmul(a, b, depth, width, a_shape, out)
            }
            Op::Pick => {
                let rest = elements(a_shape.get(1..).unwrap_or(&[]));
                for &index in b {
                    let row = usize::try_from(index).ok();
                    let row = row.and_then(|row| a.chunks_exact(rest).nth(row));
                    out.extend_from_slice(row.ok_or_else(|| self.refuse("an index without row"))?);
                }
                self.check(out)
            }
            _ => Err(Fault::Internal),
        }
    }

    fn matmul(
        &self,
        a: &[i32],
        b: &[i32],
        depth: usize,
        width: usize,
        a_shape: &[usize],
        out: &mut Vec<i32>,
    ) -> Result<(), Fault> {
        let rows = a_shape
            .len()
            .checked_sub(2)
            .and_then(|axis| a_shape.get(axis));
        let rows = rows.copied().ok_or(Fault::Internal)?;
        let matrices = a
            .chunks_exact(rows * depth)
            .zip(b.chunks_exact(depth * width));
        let most = largest(a).saturating_mul(largest(b));
        if i32::try_from(most.saturating_mul(depth as u64)).is_ok() {
            let mut sums = vec![0_i32; width];
            for (a, b) in matrices {
                for row in a.chunks_exact(depth) {
                    sums.fill(0);
                    combine(&mut sums, row, b);
                    out.extend_from_slice(&sums);
                }
            }
            return self.check(out);
        }
        let mut sums = vec![0_i64; width];
        for (a, b) in matrices {
            for row in a.chunks_exact(depth) {
                sums.fill(0);
                for (&factor, line) in row.iter().zip(b.chunks_exact(width)) {
                    let factor = i64::from(factor);
                    for (sum, &value) in sums.iter_mut().zip(line) {
                        *sum = sum.wrapping_add(factor.wrapping_mul(i64::from(value)));
                    }
                }
                self.emit(out, sums.iter().copied())?;
            }
        }
        Ok(())
    }

    fn add(
        &self,
        coefficients: &[i32],
        constant: Option<usize>,
        operands: &[(&[usize], &[i32])],
        out: &mut Vec<i32>,
    ) -> Result<(), Fault> {
        let constant = constant.map(|id| self.constant(id)).transpose()?;
        let term = |c: &i32, value: &i32| i64::from(*c).wrapping_mul(i64::from(*value));
        let fixed = match constant {
            Some([single]) => i64::from(*single),
            _ => 0,
        };
        let each = constant.filter(|values| values.len() > 1);
        match (coefficients, operands, each) {
            ([c], [(_, x)], None) => {
                let sums = x.iter().map(|x| term(c, x).wrapping_add(fixed));
                self.emit(out, sums)
            }
            ([c, d], [(_, x), (_, y)], None) => {
                let pairs = x.iter().zip(*y);
                let sums = pairs.map(|(x, y)| term(c, x).wrapping_add(term(d, y)));
                self.emit(out, sums.map(|sum| sum.wrapping_add(fixed)))
            }
            _ => {
                let mut sums = match each {
                    Some(values) => values.iter().map(|&value| i64::from(value)).collect(),
                    None => vec![fixed; elements(&self.node.shape)],
                };
                for (c, (_, x)) in coefficients.iter().zip(operands) {
                    for (sum, x) in sums.iter_mut().zip(*x) {
                        *sum = sum.wrapping_add(term(c, x));
                    }
                }
                self.emit(out, sums.into_iter())
            }
        }
    }

    fn concat(
        &self,
        axis: usize,
        operands: &[(&[usize], &[i32])],
        out: &mut Vec<i32>,
    ) -> Result<(), Fault> {
        let sized = operands.iter().map(|(shape, x)| {
            let size = elements(shape.get(axis..).unwrap_or(&[]));
            x.chunks_exact(size)
        });
        let mut parts: Vec<_> = sized.collect();
        let outer = elements(self.node.shape.get(..axis).unwrap_or(&[]));
        for _ in 0..outer {
            for part in &mut parts {
                out.extend_from_slice(part.next().ok_or(Fault::Internal)?);
            }
        }
        self.check(out)
    }
}

/// Whether all are within the range.
pub(crate) fn inside(values: &[i32], lo: i32, hi: i32) -> bool {
    // Without leaving early, so that it is done many at a time.
    let outside = |&value: &i32| i32::from(value < lo) | i32::from(value > hi);
    values.iter().map(outside).fold(0, std::ops::BitOr::bitor) == 0
}

/// Elements of the last dimensions together.
fn last(shape: &[usize], axes: usize) -> usize {
    elements(shape.get(shape.len().saturating_sub(axes)..).unwrap_or(&[]))
}

fn arg_max(values: &[i32], latest: bool) -> i64 {
    let mut best = (i32::MIN, 0);
    for (at, &value) in values.iter().enumerate() {
        if value > best.0 || (latest && value == best.0) {
            best = (value, at);
        }
    }
    best.1 as i64
}

//! Weighted contractions: Linear and Conv.
//!
//! At a point (ρ of the rows, π of the positions) the result is Σ_{n,k} T[n,k]·W[n,k] as
//! `layers` has it, but for the operand, which is not known here. One sumcheck ends at a point of W
//! and at the value of T there; a second one takes that value, which is linear in the operand, to a
//! point of the operand. A Linear needs no second one. Neither reads the padding of the operand: T of
//! a Conv is made of its elements, and the sum of a Linear is masked where that padding may be anything.

use crate::linear::{About, Claim, functional};
use crate::mask::Mask;
use crate::protocol_role::{Place, ProtocolRole, Rejected, Witness};
use crate::shape::{coordinates, evaluate, indicator_of, split};
use commitment::{MatrixPoint, combine_rows, variables};
use layers::{Contraction, lift, weighted_operand};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, add_scaled, dot, equality};
use transcript::Extension;

/// That a weight matrix, as a polynomial, has a value at a point.
#[derive(Clone, Debug)]
pub struct MatrixClaim<V = Extension> {
    /// The matrix.
    pub matrix: usize,
    /// The point.
    pub point: MatrixPoint,
    /// The value there.
    pub value: V,
}

/// A claim on the matrix, and one on the operand.
type Reduced<V> = (MatrixClaim<V>, Claim<V>);

/// A contraction with the shapes of operand and result.
pub struct Shaped<'a> {
    /// The contraction; its batch is not used, because each axis has coordinates of its own.
    pub contraction: &'a Contraction,
    /// Matrix id.
    pub matrix: usize,
    /// Shape of the operand.
    pub x: &'a [usize],
    /// Shape of the result.
    pub y: &'a [usize],
    /// The bias, where there is one.
    pub bias: Option<&'a [i32]>,
    /// Whether the padding of the operand may be anything.
    pub masked: bool,
    /// Of what the result is.
    pub place: Place,
}

impl Shaped<'_> {
    /// Reduces a claim about the result.
    pub fn reduce<P: ProtocolRole>(
        &self,
        protocol: &mut P,
        claim: &Claim<P::Value>,
    ) -> Result<Reduced<P::Value>, Rejected> {
        let value = self.unbiased(claim);
        if self.contraction.axes.is_empty() {
            self.linear(protocol, claim, value)
        } else {
            self.convolution(protocol, claim, value)
        }
    }

    /// The axis of the rows: the last one of a Linear, the second of a Conv.
    fn row_axis(&self) -> usize {
        if self.contraction.axes.is_empty() {
            self.y.len().saturating_sub(1)
        } else {
            1
        }
    }

    fn unbiased<V: Value>(&self, claim: &Claim<V>) -> V {
        let Some(bias) = self.bias else {
            return claim.value.clone();
        };
        let parts = split(self.y, &claim.point);
        let row = self.row_axis();
        let positions: Extension = self
            .y
            .iter()
            .zip(&parts)
            .enumerate()
            .filter(|(axis, _)| *axis != row)
            .map(|(_, (&size, part))| crate::shape::indicator(part, size))
            .product();
        let weights = equality(parts[row], bias.len());
        let biases = weights.iter().zip(bias).map(|(&w, &b)| w * lift(b));
        claim.value.clone() - positions * biases.sum::<Extension>()
    }

    fn linear<P: ProtocolRole>(
        &self,
        protocol: &mut P,
        claim: &Claim<P::Value>,
        value: P::Value,
    ) -> Result<Reduced<P::Value>, Rejected> {
        let size = self.contraction.size;
        let rounds = variables(size.columns);
        let (lead, row) = claim
            .point
            .split_at(claim.point.len() - variables(size.rows));
        let mut point: Vec<_> = lead.iter().copied().map(Some).collect();
        point.resize(point.len() + rounds, None);
        let inner = self.x.last().copied().unwrap_or(1);
        let mask = Mask::of(inner, self.masked);
        let degree = 2 + usize::from(mask.is_some());
        let ended = protocol.sumcheck(rounds, degree, value, |witness| {
            let (shape, values) = witness.tensor(self.contraction.operand);
            let weights = equality(row, size.rows);
            let mut matrix = combine_rows(&weights, witness.matrix(self.matrix), size.columns);
            matrix.resize(1 << rounds, Extension::ZERO);
            let mut tables = vec![matrix, crate::shape::restrict(values, shape, &point)];
            tables.extend(mask.map(Mask::table));
            tables
        })?;
        let sent = protocol.values(2, |_| ended.values.iter().take(2).copied().collect())?;
        let [matrix, operand] = sent.as_slice() else {
            return Err(Rejected::Short);
        };
        let (matrix, operand) = (matrix.clone(), operand.clone());
        protocol.product(self.place, || {
            let weighted = matrix.clone() * Mask::at(mask, &ended.point);
            [weighted, operand.clone(), ended.left]
        })?;
        Ok((
            MatrixClaim {
                matrix: self.matrix,
                point: MatrixPoint {
                    row: row.to_vec(),
                    column: ended.point.clone(),
                },
                value: matrix,
            },
            Claim {
                point: crate::linear::fill(&point, &ended.point),
                value: operand,
            },
        ))
    }

    fn convolution<P: ProtocolRole>(
        &self,
        protocol: &mut P,
        claim: &Claim<P::Value>,
        value: P::Value,
    ) -> Result<Reduced<P::Value>, Rejected> {
        let contraction = self.contraction;
        let size = contraction.size;
        let parts = split(self.y, &claim.point);
        let (batch, row) = (parts[0], parts[1]);
        let positions: Vec<Vec<Extension>> = contraction
            .axes
            .iter()
            .zip(&parts[2..])
            .map(|(axis, part)| equality(part, axis.output))
            .collect();
        let rows = equality(row, size.rows);
        let ended = protocol.sumcheck(contraction.rounds(), 2, value, |witness| {
            self.tables(witness, batch, &positions, &rows)
        })?;
        let sent = protocol.values(2, |_| ended.values.clone())?;
        let [matrix, table] = sent.as_slice() else {
            return Err(Rejected::Short);
        };
        let (matrix, table) = (matrix.clone(), table.clone());
        protocol.product(self.place, || [matrix.clone(), table.clone(), ended.left])?;
        let split_at = ended.point.len() - contraction.column_variables();
        let (own, column) = ended.point.split_at(split_at);
        let columns = equality(column, size.columns);
        // What the rows of each group weigh together.
        let groups: Vec<Extension> = if contraction.groups == 1 {
            vec![Extension::ONE]
        } else {
            let at = equality(own, size.rows);
            let of_group = size.rows / contraction.groups;
            let lines = at.chunks_exact(of_group).zip(rows.chunks_exact(of_group));
            lines.map(|(at, rows)| dot(at, rows)).collect()
        };
        let reading = Reading {
            shaped: self,
            groups: &groups,
            columns: &columns,
            positions: &positions,
        };
        let mut point: Vec<_> = batch.iter().copied().map(Some).collect();
        point.resize(coordinates(self.x), None);
        let about = About {
            tensor: contraction.operand,
            place: self.place,
        };
        let operand = functional(
            protocol,
            about,
            &point,
            table,
            || reading.table(),
            |ends| reading.at(ends),
        )?;
        let row = if contraction.groups == 1 { row } else { own };
        let point = MatrixPoint {
            row: row.to_vec(),
            column: column.to_vec(),
        };
        let claim = MatrixClaim {
            matrix: self.matrix,
            point,
            value: matrix,
        };
        Ok((claim, operand))
    }

    /// The matrix and T, over the columns, or over rows and columns where there are groups.
    fn tables(
        &self,
        witness: &Witness<'_>,
        batch: &[Extension],
        positions: &[Vec<Extension>],
        rows: &[Extension],
    ) -> Vec<Vec<Extension>> {
        let contraction = self.contraction;
        let size = contraction.size;
        let values = witness.tensor(contraction.operand).1;
        let batch = equality(batch, contraction.batch);
        let operand = weighted_operand(contraction, &batch, positions, values);
        let matrix = witness.matrix(self.matrix);
        let stride = 1 << contraction.column_variables();
        if contraction.groups == 1 {
            let mut committed = combine_rows(rows, matrix, size.columns);
            let mut known = operand;
            committed.resize(stride, Extension::ZERO);
            known.resize(stride, Extension::ZERO);
            return vec![committed, known];
        }
        let length = stride << contraction.row_variables();
        let mut committed = vec![Extension::ZERO; length];
        let mut known = committed.clone();
        for (row, values) in matrix.chunks_exact(size.columns).enumerate() {
            let group = row / (size.rows / contraction.groups);
            for (column, &value) in values.iter().enumerate() {
                let place = row * stride + column;
                committed[place] = lift(i32::from(value)).into();
                known[place] = rows[row] * operand[group * size.columns + column];
            }
        }
        vec![committed, known]
    }
}

/// The functional by which T at a point is made of the operand.
struct Reading<'a> {
    shaped: &'a Shaped<'a>,
    groups: &'a [Extension],
    columns: &'a [Extension],
    positions: &'a [Vec<Extension>],
}

impl Reading<'_> {
    /// Its weights over channels and positions of the operand, padded.
    fn table(&self) -> Vec<Extension> {
        let contraction = self.shaped.contraction;
        let kernel = contraction.size.columns / contraction.channels.max(1);
        // For each window position the weights along each axis; then channel by channel.
        let along: Vec<Vec<Vec<(usize, Extension)>>> = contraction
            .axes
            .iter()
            .zip(self.positions)
            .map(|(axis, positions)| {
                let of = |kernel: usize| {
                    let pairs = positions.iter().enumerate();
                    pairs
                        .filter_map(|(output, &weight)| {
                            Some((axis.source(output, kernel)?, weight))
                        })
                        .collect()
                };
                (0..axis.kernel).map(of).collect()
            })
            .collect();
        let widths: Vec<usize> = contraction
            .axes
            .iter()
            .map(|a| variables(a.input))
            .collect();
        let image = widths.iter().sum::<usize>();
        let mut table =
            vec![Extension::ZERO; 1 << coordinates(self.shaped.x.get(1..).unwrap_or(&[]))];
        let mut windows = vec![Extension::ZERO; contraction.channels << image];
        for (channel, window) in windows.chunks_exact_mut(1 << image).enumerate() {
            let weights = &self.columns[channel * kernel..][..kernel];
            match (along.as_slice(), contraction.axes.as_slice()) {
                ([only], _) => {
                    for (weights, pairs) in weights.iter().zip(only) {
                        for &(at, weight) in pairs {
                            window[at] += *weights * weight;
                        }
                    }
                }
                ([rows, lines], [_, line]) => {
                    for (number, row) in rows.iter().enumerate() {
                        let mut sums = vec![Extension::ZERO; 1 << widths[1]];
                        let own = &weights[number * line.kernel..][..line.kernel];
                        for (&weight, pairs) in own.iter().zip(lines) {
                            for &(at, along) in pairs {
                                sums[at] += weight * along;
                            }
                        }
                        for &(at, weight) in row {
                            let target = &mut window[at << widths[1]..][..sums.len()];
                            add_scaled(target, weight, &sums);
                        }
                    }
                }
                _ => {}
            }
        }
        for (group, &weight) in self.groups.iter().enumerate() {
            let start = (group * contraction.channels) << image;
            add_scaled(&mut table[start..][..windows.len()], weight, &windows);
        }
        table
    }

    /// Its value at a point.
    fn at(&self, ends: &[Extension]) -> Extension {
        let contraction = self.shaped.contraction;
        let parts = split(self.shaped.x.get(1..).unwrap_or(&[]), ends);
        let Some((channel, spatial)) = parts.split_first() else {
            return Extension::ZERO;
        };
        let mut kernel = vec![Extension::ONE];
        for ((axis, positions), part) in contraction.axes.iter().zip(self.positions).zip(spatial) {
            let own = equality(part, axis.input);
            let weights: Vec<Extension> = (0..axis.kernel)
                .map(|kernel| {
                    let pairs = positions.iter().enumerate();
                    pairs
                        .filter_map(|(output, &weight)| {
                            Some(weight * own[axis.source(output, kernel)?])
                        })
                        .sum()
                })
                .collect();
            kernel = kernel
                .iter()
                .flat_map(|&outer| weights.iter().map(move |&inner| outer * inner))
                .collect();
        }
        let channels = equality(channel, contraction.groups * contraction.channels);
        let mut own = vec![Extension::ZERO; contraction.channels];
        for (line, &weight) in channels.chunks_exact(contraction.channels).zip(self.groups) {
            for (sum, &value) in own.iter_mut().zip(line) {
                *sum += weight * value;
            }
        }
        let windows = self.columns.chunks_exact(kernel.len().max(1));
        own.iter()
            .zip(windows)
            .map(|(&w, line)| w * dot(&kernel, line))
            .sum()
    }
}

/// Demands that a known tensor has the value of a claim.
pub fn known<P: ProtocolRole>(
    protocol: &mut P,
    place: Place,
    shape: &[usize],
    values: &[i32],
    claim: &Claim<P::Value>,
) -> Result<(), Rejected> {
    protocol.equal(place, || {
        let known = evaluate(values, shape, &claim.point);
        Ok([known.into(), claim.value.clone()])
    })
}

/// The polynomial of a constant that has one element for the whole shape, or the shape itself.
pub fn constant(values: &[i32], shape: &[usize], point: &[Extension]) -> Extension {
    if let [value] = values {
        return indicator_of(shape, point) * lift(*value);
    }
    evaluate(values, shape, point)
}

//! From the result of a contraction to a claim about its weights.
//!
//! At a random point the result of y = W·x becomes Σ_{n,k} T[n,k] · W[n,k] for a table T of what
//! both sides know: T[n,k] = eq(row, n) · v_g(k), where v_g is the operand, weighted over the
//! positions, of the group g of row n.

use crate::linear::{accumulate, accumulate_elements, dot, dot_integers, lift};
use crate::shape::{Axis, Contraction};
use commitment::equality;
use p3_field::PrimeCharacteristicRing;
use transcript::{Extension, Transcript};

/// The point at which the result of a contraction is checked.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Coordinates of the rows.
    pub row: Vec<Extension>,
    /// Coordinates of the positions: of the batch, then of each spatial dimension.
    pub positions: Vec<Vec<Extension>>,
}

impl Challenge {
    /// Draws a point, coordinates of the rows first.
    pub fn draw(contraction: &Contraction, transcript: &mut Transcript) -> Self {
        Self {
            row: transcript.point(contraction.row_variables()),
            positions: contraction
                .position_variables()
                .map(|variables| transcript.point(variables))
                .collect(),
        }
    }
}

/// Weights of rows and positions at a challenge.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Of each row.
    pub row: Vec<Extension>,
    batch: Vec<Extension>,
    axes: Vec<Vec<Extension>>,
}

impl Weights {
    /// The weights at `challenge`.
    pub fn new(contraction: &Contraction, challenge: &Challenge) -> Self {
        let mut positions = challenge.positions.iter();
        let mut next = |count| {
            positions
                .next()
                .map_or_else(Vec::new, |point| equality(point, count))
        };
        Self {
            row: equality(&challenge.row, contraction.size.rows),
            batch: next(contraction.batch),
            axes: contraction
                .axes
                .iter()
                .map(|axis| next(axis.output))
                .collect(),
        }
    }

    /// Weights of rows, of the batch and of the positions of each axis.
    pub const fn of(row: Vec<Extension>, batch: Vec<Extension>, axes: Vec<Vec<Extension>>) -> Self {
        Self { row, batch, axes }
    }

    /// The result without its bias at the challenge: what Σ T·W must be.
    pub fn claim(&self, result: &[i32], bias: Option<&[i32]>) -> Extension {
        let mut dimensions = vec![&self.batch, &self.row];
        dimensions.extend(&self.axes);
        let mut levels = dimensions.iter().rev();
        let innermost = levels.next().map_or(&[][..], |weights| weights.as_slice());
        let mut sums: Vec<Extension> = result
            .chunks_exact(innermost.len().max(1))
            .map(|values| dot_integers(innermost, values.iter().copied()))
            .collect();
        for weights in levels {
            sums = sums
                .chunks_exact(weights.len().max(1))
                .map(|values| dot(weights, values))
                .collect();
        }
        let total: Extension = sums.into_iter().sum();
        let Some(bias) = bias else { return total };
        let positions: Extension = std::iter::once(&self.batch)
            .chain(&self.axes)
            .map(|weights| weights.iter().copied().sum::<Extension>())
            .product();
        total - positions * dot_integers(&self.row, bias.iter().copied())
    }

    /// The operand weighted over the positions: v_g(k), group after group.
    pub fn operand(&self, contraction: &Contraction, operand: &[i32]) -> Vec<Extension> {
        let columns = contraction.groups * contraction.size.columns;
        let mut sums = vec![Extension::ZERO; columns];
        if contraction.axes.is_empty() {
            for (values, &weight) in operand.chunks_exact(columns.max(1)).zip(&self.batch) {
                accumulate(&mut sums, weight, values);
            }
            return sums;
        }
        let image: usize = contraction.axes.iter().map(|axis| axis.input).product();
        let channels = contraction.groups * contraction.channels;
        let images = operand.chunks_exact((image * channels).max(1));
        for (image, &weight) in images.zip(&self.batch) {
            let windows = self.windows(contraction, image);
            accumulate_elements(&mut sums, weight, &windows);
        }
        sums
    }

    /// One batch element's channels, contracted with the position weights of every axis in turn,
    /// the last one first: channels × kernel positions.
    fn windows(&self, contraction: &Contraction, image: &[i32]) -> Vec<Extension> {
        let (Some(last), Some(weights)) = (contraction.axes.last(), self.axes.last()) else {
            return Vec::new();
        };
        // A line that no result reads is not worth its sums, and might outnumber those that are read.
        let read = match contraction.axes.as_slice() {
            [lines, _] => lines.sources(),
            _ => vec![true],
        };
        let mut tensor = Vec::with_capacity(image.len() / last.input * last.kernel);
        for (line, &read) in image.chunks_exact(last.input).zip(read.iter().cycle()) {
            for kernel in 0..last.kernel {
                tensor.push(if read {
                    slide(last, weights, kernel, |weight, source| {
                        weight * lift(line[source])
                    })
                } else {
                    Extension::ZERO
                });
            }
        }
        let mut inner = last.kernel;
        let outer = contraction.axes.iter().zip(&self.axes).rev().skip(1);
        for (axis, weights) in outer {
            let mut next = Vec::with_capacity(tensor.len() / axis.input * axis.kernel);
            for plane in tensor.chunks_exact(axis.input * inner) {
                for kernel in 0..axis.kernel {
                    for offset in 0..inner {
                        next.push(slide(axis, weights, kernel, |weight, source| {
                            weight * plane[source * inner + offset]
                        }));
                    }
                }
            }
            tensor = next;
            inner *= axis.kernel;
        }
        tensor
    }
}

fn slide(
    axis: &Axis,
    weights: &[Extension],
    kernel: usize,
    term: impl Fn(Extension, usize) -> Extension,
) -> Extension {
    weights
        .iter()
        .enumerate()
        .filter_map(|(output, &weight)| Some(term(weight, axis.source(output, kernel)?)))
        .sum()
}

/// T at a point: with one group over the columns only, eq(row, ·) having been fixed at `row`.
pub fn table_at(
    contraction: &Contraction,
    weights: &Weights,
    operand: &[Extension],
    point: &[Extension],
) -> Extension {
    let split = point.len() - contraction.column_variables();
    let (row, column) = point.split_at(split);
    let columns = equality(column, contraction.size.columns);
    if contraction.groups == 1 {
        return dot(&columns, operand);
    }
    let rows = equality(row, contraction.size.rows);
    let of_group = contraction.size.rows / contraction.groups;
    operand
        .chunks_exact(contraction.size.columns)
        .zip(rows.chunks_exact(of_group))
        .zip(weights.row.chunks_exact(of_group))
        .map(|((values, rows), weights)| dot(rows, weights) * dot(&columns, values))
        .sum()
}

/// The points of the weight matrix at which a contraction ends, coordinates of rows and columns.
pub fn matrix_point(
    contraction: &Contraction,
    challenge: &Challenge,
    point: &[Extension],
) -> (Vec<Extension>, Vec<Extension>) {
    let (row, column) = point.split_at(point.len() - contraction.column_variables());
    if contraction.groups == 1 {
        (challenge.row.clone(), column.to_vec())
    } else {
        (row.to_vec(), column.to_vec())
    }
}

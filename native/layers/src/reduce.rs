//! From the result of a contraction to a claim about its weights.
//!
//! At a random point the result of y = W·x becomes Σ_{n,k} T[n,k] · W[n,k] for a table T of what
//! both sides know: T[n,k] = eq(row, n) · v_g(k), where v_g is the operand, weighted over the
//! positions, of the group g of row n.

use crate::integers::{Row, combine_rows, fits};
use crate::linear::dot_integers;
use crate::shape::Contraction;
use crate::windows::{depthwise_at, is_depthwise, windows};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{dot, equality};
use transcript::{Extension, Transcript};

/// With fewer rows than this, sums over them are too short to be taken side by side.
const FEW: usize = 8;
/// Coordinates over which integers are summed up before challenges are multiplied.
const LOW_VARIABLES: usize = 9;

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
        let total = if self.axes.is_empty() {
            self.rows_of_positions(result)
        } else {
            self.positions_of_rows(result)
        };
        let Some(bias) = bias else { return total };
        let positions: Extension = std::iter::once(&self.batch)
            .chain(&self.axes)
            .map(|weights| weights.iter().copied().sum::<Extension>())
            .product();
        total - positions * dot_integers(&self.row, bias.iter().copied())
    }

    /// Without spatial dimensions: each position has its rows side by side.
    fn rows_of_positions(&self, result: &[i32]) -> Extension {
        let rows = self.row.len().max(1);
        if rows < FEW {
            return dot(&self.row, &combine_rows(&self.batch, result, rows));
        }
        let (row, fits) = (Row::new(&self.row), fits(result));
        let sums = result
            .chunks_exact(rows)
            .map(|values| row.dot(values, fits));
        sums.zip(&self.batch)
            .map(|(sum, &weight)| sum * weight)
            .sum()
    }

    /// With spatial dimensions: each row has its positions side by side. What is fewer of rows and
    /// positions is what is left to be multiplied by challenges.
    fn positions_of_rows(&self, result: &[i32]) -> Extension {
        let positions = self.positions();
        let (count, rows) = (positions.len().max(1), self.row.len());
        let (plane, fits) = (Row::new(&positions), fits(result));
        let images = result.chunks_exact((count * rows).max(1));
        let sums = images.map(|image| {
            if count < rows {
                return dot(&positions, &combine_rows(&self.row, image, count));
            }
            let planes = image.chunks_exact(count).zip(&self.row);
            planes
                .map(|(values, &row)| row * plane.dot(values, fits))
                .sum()
        });
        sums.zip(&self.batch)
            .map(|(sum, &weight)| weight * sum)
            .sum()
    }

    /// Weights of all positions of the spatial dimensions, the last one fastest.
    fn positions(&self) -> Vec<Extension> {
        let one = vec![Extension::ONE];
        self.axes.iter().fold(one, |outer, inner| {
            let pairs = outer
                .iter()
                .flat_map(|&outer| inner.iter().map(move |&inner| outer * inner));
            pairs.collect()
        })
    }

    /// Without spatial dimensions, the weighted operand at a point of the columns: the columns of
    /// each position are summed up first, low coordinates before high ones, so that hardly any
    /// product is one of challenges.
    fn flat_operand_at(&self, columns: usize, operand: &[i32], point: &[Extension]) -> Extension {
        let (high, low) = point.split_at(point.len().saturating_sub(LOW_VARIABLES));
        let run = 1 << low.len();
        let low = Row::new(&equality(low, run));
        let high = equality(high, columns.div_ceil(run));
        let fits = fits(operand);
        let positions = operand.chunks_exact(columns.max(1)).zip(&self.batch);
        positions
            .map(|(values, &weight)| {
                let runs = values.chunks(run).zip(&high);
                weight
                    * runs
                        .map(|(values, &high)| high * low.dot(values, fits))
                        .sum::<Extension>()
            })
            .sum()
    }

    /// The operand weighted over the positions: v_g(k), group after group.
    pub fn operand(&self, contraction: &Contraction, operand: &[i32]) -> Vec<Extension> {
        let columns = contraction.groups * contraction.size.columns;
        if contraction.axes.is_empty() {
            return combine_rows(&self.batch, operand, columns);
        }
        let mut sums = vec![Extension::ZERO; columns];
        self.each_image(contraction, operand, |axes, image| {
            for (sum, value) in sums.iter_mut().zip(windows(contraction, axes, image)) {
                *sum += value;
            }
        });
        sums
    }

    /// Gives the channels of each element of the batch to `of_image`, with the weights of the
    /// dimensions, of which the first carry the weight of the batch.
    fn each_image(
        &self,
        contraction: &Contraction,
        operand: &[i32],
        mut of_image: impl FnMut(&[Vec<Extension>], &[i32]),
    ) {
        let image = contraction.axes.iter().map(|axis| axis.input);
        let channels = contraction.groups * contraction.channels;
        let image = image.fold(channels, usize::saturating_mul);
        let mut axes = self.axes.clone();
        for (image, &weight) in operand.chunks_exact(image.max(1)).zip(&self.batch) {
            if let (Some(scaled), Some(own)) = (axes.first_mut(), self.axes.first()) {
                for (scaled, &own) in scaled.iter_mut().zip(own) {
                    *scaled = own * weight;
                }
            }
            of_image(&axes, image);
        }
    }
}

/// T at a point for this operand, the point being where the sumcheck ends: with one group over the
/// columns only, eq(row, ·) having been fixed at `row`.
pub fn table_of(
    contraction: &Contraction,
    weights: &Weights,
    operand: &[i32],
    point: &[Extension],
) -> Extension {
    let columns = contraction.size.columns;
    if contraction.axes.is_empty() {
        return weights.flat_operand_at(columns, operand, point);
    }
    let (row, column) = point.split_at(point.len() - contraction.column_variables());
    let column = equality(column, columns);
    if contraction.groups == 1 {
        return dot(&column, &weights.operand(contraction, operand));
    }
    let rows = equality(row, contraction.size.rows);
    let of_group = contraction.size.rows / contraction.groups;
    let groups = rows
        .chunks_exact(of_group)
        .zip(weights.row.chunks_exact(of_group));
    let groups: Vec<Extension> = groups.map(|(rows, weights)| dot(rows, weights)).collect();
    if is_depthwise(contraction) {
        let mut sum = Extension::ZERO;
        weights.each_image(contraction, operand, |axes, image| {
            sum += depthwise_at(contraction, axes, (&groups, &column), image);
        });
        return sum;
    }
    let operand = weights.operand(contraction, operand);
    let of_groups = operand.chunks_exact(columns).zip(&groups);
    of_groups
        .map(|(values, &group)| group * dot(&column, values))
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

//! The operand of a convolution, weighted over the positions at which each place of the window
//! reads it: channels × places of the window.

use crate::integers::{Row, fits, limbs};
use crate::lift;
use crate::shape::{Axis, Contraction};
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// As many products of [`at_once`] take no longer than one of [`axis_by_axis`].
const CHEAPER: usize = 8;

/// One batch element's channels, contracted with the position weights of every axis.
pub(crate) fn windows(
    contraction: &Contraction,
    axes: &[Vec<Extension>],
    image: &[i32],
) -> Vec<Extension> {
    let inputs = contraction.axes.iter().map(|axis| axis.input);
    let places = contraction.axes.iter().map(|axis| axis.kernel);
    let channels = contraction.groups * contraction.channels;
    let products = inputs.chain(places).fold(channels, usize::saturating_mul);
    let (_, by_axis) = contraction.effort();
    // Beyond that, as with windows as large as the operand, the key's limits do not bound it.
    if products / CHEAPER <= by_axis / contraction.batch.max(1) {
        at_once(contraction, axes, image)
    } else {
        axis_by_axis(contraction, axes, image)
    }
}

/// How a convolution over one or two dimensions reads its operand, the first of two being of one
/// position where there is only one.
struct Reading {
    lines: Axis,
    columns: Axis,
    /// Of each position, the last dimension fastest.
    weights: Vec<Extension>,
}

impl Reading {
    fn new(contraction: &Contraction, axes: &[Vec<Extension>]) -> Option<Self> {
        let one = [Extension::ONE];
        let (lines, columns, of_lines, of_columns) = match (contraction.axes.as_slice(), axes) {
            (&[columns], [weights]) => (Axis::SINGLE, columns, &one[..], weights),
            (&[lines, columns], [outer, inner]) => (lines, columns, outer.as_slice(), inner),
            _ => return None,
        };
        let pairs = of_lines.iter();
        let pairs = pairs.flat_map(|&line| of_columns.iter().map(move |&column| line * column));
        Some(Self {
            lines,
            columns,
            weights: pairs.collect(),
        })
    }

    /// Elements of one channel.
    const fn plane(&self) -> usize {
        self.lines.input * self.columns.input
    }

    /// Places of the window.
    const fn window(&self) -> usize {
        self.lines.kernel * self.columns.kernel
    }

    /// The positions that read the operand at a place of the window, each with what it reads.
    fn at(&self, place: usize) -> impl Iterator<Item = (usize, usize)> {
        let (lines, columns) = (self.lines, self.columns);
        let of_columns = columns.reach(place % columns.kernel);
        let of_lines = lines.reach(place / columns.kernel);
        of_lines.flat_map(move |(output, line)| {
            let (outputs, inputs) = (output * columns.output, line * columns.input);
            let of_columns = of_columns.clone();
            of_columns.map(move |(output, column)| (outputs + output, inputs + column))
        })
    }
}

/// For each place of the window, the weights as they lie over the operand, and their sum with each
/// channel.
fn at_once(contraction: &Contraction, axes: &[Vec<Extension>], image: &[i32]) -> Vec<Extension> {
    let Some(reading) = Reading::new(contraction, axes) else {
        return Vec::new();
    };
    let (plane, window) = (reading.plane(), reading.window());
    let weights: Vec<_> = reading.weights.iter().copied().map(limbs).collect();
    let mut sums = vec![Extension::ZERO; image.len() / plane * window];
    let mut row = Row::zeros(plane);
    let fits = fits(image);
    for place in 0..window {
        row.clear();
        for (position, read) in reading.at(place) {
            row.set(read, weights[position]);
        }
        let of_place = sums.iter_mut().skip(place).step_by(window);
        for (sum, values) in of_place.zip(image.chunks_exact(plane)) {
            *sum = row.dot(values, fits);
        }
    }
    sums
}

/// Axis after axis, the last one first.
fn axis_by_axis(
    contraction: &Contraction,
    axes: &[Vec<Extension>],
    image: &[i32],
) -> Vec<Extension> {
    let (Some(last), Some(weights)) = (contraction.axes.last(), axes.last()) else {
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
    let outer = contraction.axes.iter().zip(axes).rev().skip(1);
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

fn slide(
    axis: &Axis,
    weights: &[Extension],
    kernel: usize,
    term: impl Fn(Extension, usize) -> Extension,
) -> Extension {
    let read = axis.reach(kernel);
    read.map(|(output, source)| term(weights[output], source))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{at_once, axis_by_axis, windows};
    use crate::shape::{Axis, Contraction};
    use commitment::Size;
    use transcript::{Extension, Transcript};

    fn axis(input: usize, kernel: usize, stride: usize, dilation: usize, pad: usize) -> Axis {
        let padded = input + 2 * pad;
        Axis {
            input,
            output: (padded - (kernel - 1) * dilation - 1) / stride + 1,
            kernel,
            stride,
            dilation,
            pad,
        }
    }

    fn contraction(channels: usize, axes: Vec<Axis>) -> Contraction {
        let window = axes.iter().map(|axis| axis.kernel).product::<usize>();
        Contraction {
            operand: 0,
            result: 1,
            bias: None,
            size: Size {
                rows: 1,
                columns: channels * window,
            },
            batch: 1,
            groups: 1,
            channels,
            axes,
        }
    }

    #[test]
    fn both_ways_give_the_same_sums() {
        let mut transcript = Transcript::new();
        for axes in [
            vec![axis(7, 3, 1, 1, 1)],
            vec![axis(9, 2, 3, 2, 0)],
            vec![axis(3, 5, 1, 1, 4)],
            vec![axis(6, 3, 1, 1, 1), axis(5, 3, 2, 1, 1)],
            vec![axis(1, 1, 1, 1, 0), axis(16, 3, 2, 2, 3)],
            vec![axis(8, 2, 4, 1, 1), axis(2, 4, 1, 3, 6)],
        ] {
            let weights: Vec<Vec<Extension>> = axes
                .iter()
                .map(|axis| transcript.point(axis.output))
                .collect();
            let image: usize = axes.iter().map(|axis| axis.input).product();
            let image: Vec<i32> = (0..3 * image as i32).map(|at| at * 7919 - 40_000).collect();
            let contraction = contraction(3, axes);
            let expected = axis_by_axis(&contraction, &weights, &image);
            assert_eq!(expected.len(), contraction.size.columns);
            assert_eq!(at_once(&contraction, &weights, &image), expected);
            assert_eq!(windows(&contraction, &weights, &image), expected);
        }
    }
}

//! Columns of the base field at points and under weights.

use p3_field::{BasedVectorSpace, Field, PackedValue, PrimeCharacteristicRing};
use std::ops::Range;
use sumcheck::{dot, equality};
use transcript::{Base, DEGREE, Extension};

type Lanes = <Base as Field>::Packing;

/// The coefficients of elements, each kind for itself.
fn planes(elements: &[Extension]) -> [Vec<Base>; DEGREE] {
    std::array::from_fn(|limb| {
        let limb = |element: &Extension| {
            let slice: &[Base] = element.as_basis_coefficients_slice();
            slice[limb]
        };
        elements.iter().map(limb).collect()
    })
}

/// Products that are reduced together.
const TOGETHER: usize = 4;
/// Elements of the base field that are summed up with weights in a nanosecond, by which work is split.
pub const SUMMED: usize = 2;

/// Σ a[i] · b[i] over the base field.
fn base_dot(a: &[Base], b: &[Base]) -> Base {
    let step = TOGETHER * Lanes::WIDTH;
    let whole = a.len().min(b.len()) / step * step;
    let mut sum = Lanes::ZERO;
    for (a, b) in a[..whole].chunks_exact(step).zip(b.chunks_exact(step)) {
        let (a, b) = (Lanes::pack_slice(a), Lanes::pack_slice(b));
        let pick = |values: &[Lanes]| std::array::from_fn::<_, TOGETHER, _>(|index| values[index]);
        sum += Lanes::dot_product(&pick(a), &pick(b));
    }
    let tail = a[whole..].iter().zip(&b[whole..]);
    sum.as_slice().iter().copied().sum::<Base>() + tail.map(|(&a, &b)| a * b).sum::<Base>()
}

/// Σ over columns of weights[column] · matrix[row][column], for each row.
fn combine_columns(weights: &[Extension], matrix: &[Base]) -> Vec<Extension> {
    combine_slices(weights, matrix.chunks_exact(weights.len().max(1)))
}

/// The sum of a slice, each element with its weight, for each slice.
pub fn combine_slices<'a>(
    weights: &[Extension],
    slices: impl Iterator<Item = &'a [Base]>,
) -> Vec<Extension> {
    let planes = planes(weights);
    let slices: Vec<&[Base]> = slices.collect();
    parallel::map(slices.len(), weights.len() / SUMMED, |index| {
        let sums = planes
            .each_ref()
            .map(|plane| base_dot(plane, slices[index]));
        Extension::from_basis_coefficients_fn(|limb| sums[limb])
    })
}

/// A column at a point, the first coordinate being the highest bit.
pub fn evaluate(column: &[Base], point: &[Extension]) -> Extension {
    let (high, low) = point.split_at(point.len() / 2);
    let sums = combine_columns(&equality(low, 1 << low.len()), column);
    dot(&equality(high, sums.len()), &sums)
}

/// Σ over rows of weights[row] · matrix[row][column], for each column. There MUST be a multiple of four
/// rows.
pub fn combine_rows(weights: &[Extension], matrix: &[Base]) -> Vec<Extension> {
    let columns = matrix.len() / weights.len().max(1);
    let planes = planes(weights);
    let lanes = Lanes::WIDTH;
    let vectors = columns / lanes;
    let of_vectors = |vectors: Range<usize>| {
        let mut combined = Vec::with_capacity(vectors.len() * lanes);
        for start in vectors.map(|vector| vector * lanes) {
            let mut sums = [Lanes::ZERO; DEGREE];
            for row in (0..weights.len()).step_by(TOGETHER) {
                let values: [Lanes; TOGETHER] = std::array::from_fn(|index| {
                    let at = (row + index) * columns + start;
                    *Lanes::from_slice(&matrix[at..at + lanes])
                });
                for (sum, plane) in sums.iter_mut().zip(&planes) {
                    let of_rows: [Lanes; TOGETHER] =
                        std::array::from_fn(|index| Lanes::from(plane[row + index]));
                    *sum += Lanes::dot_product(&of_rows, &values);
                }
            }
            combined.extend((0..lanes).map(|lane| {
                Extension::from_basis_coefficients_fn(|limb| sums[limb].as_slice()[lane])
            }));
        }
        combined
    };
    let cost = weights.len() * lanes / SUMMED;
    let mut combined = parallel::joined(vectors, cost, of_vectors);
    for column in vectors * lanes..columns {
        let rows = weights.iter().enumerate();
        combined.push(
            rows.map(|(row, &weight)| weight * matrix[row * columns + column])
                .sum(),
        );
    }
    combined
}

#[cfg(test)]
mod tests {
    use super::{combine_columns, combine_rows, evaluate};
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::equality;
    use transcript::{Base, Extension, Transcript};

    #[test]
    fn columns_evaluate_as_their_elements_do() {
        for variables in [0, 1, 5, 9, 12] {
            let column: Vec<Base> = (0..1_usize << variables)
                .map(|index| Base::from_usize(index * index * 31 + 5))
                .collect();
            let point = Transcript::new().point(variables);
            let weights = equality(&point, column.len());
            let expected: Extension = weights.iter().zip(&column).map(|(&w, &v)| w * v).sum();
            assert_eq!(evaluate(&column, &point), expected);
        }
    }

    #[test]
    fn packed_sums_are_those_of_one_element_at_a_time() {
        let mut transcript = Transcript::new();
        for (rows, columns) in [(128, 1), (128, 2), (256, 5), (4, 64), (8, 128), (128, 100)] {
            let matrix: Vec<Base> = (0..rows * columns)
                .map(|index| Base::from_usize(index * index * 7919 + 3))
                .collect();
            let of_rows = transcript.point(rows);
            let found = combine_rows(&of_rows, &matrix);
            assert_eq!(found.len(), columns);
            for (column, found) in found.into_iter().enumerate() {
                let values = matrix.iter().skip(column).step_by(columns);
                let expected: Extension = of_rows.iter().zip(values).map(|(&w, &v)| w * v).sum();
                assert_eq!(found, expected);
            }
            let of_columns = transcript.point(columns);
            let found = combine_columns(&of_columns, &matrix);
            assert_eq!(found.len(), rows);
            for (row, found) in matrix.chunks(columns).zip(found) {
                let expected: Extension = of_columns.iter().zip(row).map(|(&w, &v)| w * v).sum();
                assert_eq!(found, expected);
            }
        }
    }
}

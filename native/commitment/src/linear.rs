//! Multilinear algebra over int8 matrices.

use crate::wide::{Wide, unpack};
use int8::{LIMBS, Sum, Weight};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use transcript::{Base, Extension};

/// The weights eq(`point`, i) for i below `count`, the first coordinate being the highest bit.
pub fn equality(point: &[Extension], count: usize) -> Vec<Extension> {
    let lanes = Wide::WIDTH.ilog2() as usize;
    let mut table = if point.len() > lanes {
        unpack(&wide_equality(point))
    } else {
        plain_equality(point)
    };
    table.truncate(count);
    table
}

/// All weights packed, of a point with a coordinate for each bit of a lane at least.
pub fn wide_equality(point: &[Extension]) -> Vec<Wide> {
    let lanes = Wide::WIDTH.ilog2() as usize;
    let (of_vectors, of_lanes) = point.split_at(point.len() - lanes);
    let mut table = Vec::with_capacity(1 << of_vectors.len());
    table.push(Wide::pack(&plain_equality(of_lanes)));
    for &x in of_vectors.iter().rev() {
        let x = Wide::from(x);
        for index in 0..table.len() {
            let whole = table[index];
            let high = whole * x;
            table[index] = whole - high;
            table.push(high);
        }
    }
    table
}

fn plain_equality(point: &[Extension]) -> Vec<Extension> {
    let mut table = vec![Extension::ONE];
    for &x in point {
        let mut next = Vec::with_capacity(2 * table.len());
        for &weight in &table {
            let high = weight * x;
            next.push(weight - high);
            next.push(high);
        }
        table = next;
    }
    table
}

/// Σ over rows of weights[row] · matrix[row][column], for each column.
pub fn combine_rows(weights: &[Extension], matrix: &[i8], columns: usize) -> Vec<Extension> {
    elements(int8::combine_rows(&limbs(weights), matrix, columns))
}

/// Σ over columns of weights[column] · matrix[row][column], for each row.
pub(crate) fn combine_columns(weights: &[Extension], matrix: &[i8]) -> Vec<Extension> {
    elements(int8::combine_columns(&limbs(weights), matrix))
}

/// The coefficients of each element as whole numbers below the modulus.
fn limbs(elements: &[Extension]) -> Vec<Weight> {
    let limbs = elements.iter().map(|element| {
        let mut limbs = [0; LIMBS];
        let coefficients: &[Base] = element.as_basis_coefficients_slice();
        for (limb, coefficient) in limbs.iter_mut().zip(coefficients) {
            *limb = coefficient.as_canonical_u32();
        }
        limbs
    });
    limbs.collect()
}

/// The elements whose coefficients are these, up to multiples of the modulus.
fn elements(sums: Vec<Sum>) -> Vec<Extension> {
    let elements = sums.into_iter().map(|sum| {
        let coefficients = sum.map(reduced);
        Extension::from_basis_coefficients_fn(|index| coefficients[index])
    });
    elements.collect()
}

/// A whole number as an element of the base field.
pub(crate) fn reduced(sum: i64) -> Base {
    Base::from_u32(sum.rem_euclid(i64::from(Base::ORDER_U32)) as u32)
}

#[cfg(test)]
mod tests {
    use super::{combine_columns, combine_rows, equality, plain_equality};
    use p3_field::PrimeCharacteristicRing;
    use transcript::{Base, Extension, Transcript};

    fn dot<'a>(weights: &[Extension], values: impl Iterator<Item = &'a i8>) -> Extension {
        weights
            .iter()
            .zip(values)
            .map(|(&weight, &value)| weight * Base::from_i8(value))
            .sum()
    }

    #[test]
    fn packed_weights_are_those_of_one_coordinate_after_another() {
        for variables in 0..=9 {
            let point = Transcript::new().point(variables);
            let expected = plain_equality(&point);
            assert_eq!(equality(&point, 1 << variables), expected);
            assert_eq!(equality(&point, 3), expected[..expected.len().min(3)]);
        }
    }

    #[test]
    fn columns_are_combined_as_one_by_one() {
        let weights = Transcript::new().point(37);
        let matrix: Vec<i8> = (0..3 * 37)
            .map(|index| (index * 91 % 256) as u8 as i8)
            .collect();
        let combined = combine_columns(&weights, &matrix);
        for (row, found) in matrix.chunks(37).zip(combined) {
            assert_eq!(found, dot(&weights, row.iter()));
        }
    }

    #[test]
    fn rows_are_combined_as_one_by_one() {
        for (rows, columns) in [(1, 1), (4, 3), (7, 300), (9, 512)] {
            let mut weights = Transcript::new().point(rows);
            weights[rows - 1] = (-Base::ONE).into();
            let matrix: Vec<i8> = (0..rows * columns)
                .map(|index| (index * 37 % 256) as u8 as i8)
                .collect();
            let combined = combine_rows(&weights, &matrix, columns);
            assert_eq!(combined.len(), columns);
            for (column, &found) in combined.iter().enumerate() {
                let values = matrix.iter().skip(column).step_by(columns);
                assert_eq!(found, dot(&weights, values));
            }
        }
    }
}

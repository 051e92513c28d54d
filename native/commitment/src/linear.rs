//! Multilinear algebra over int8 matrices.

use int8::{LIMBS, Sum, Weight};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use transcript::{Base, Extension};

/// Σ over rows of weights[row] · matrix[row][column], for each column.
pub fn combine_rows(weights: &[Extension], matrix: &[i8], columns: usize) -> Vec<Extension> {
    elements(int8::combine_rows(&limbs(weights), matrix, columns))
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
fn reduced(sum: i64) -> Base {
    Base::from_u32(sum.rem_euclid(i64::from(Base::ORDER_U32)) as u32)
}

#[cfg(test)]
mod tests {
    use super::combine_rows;
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

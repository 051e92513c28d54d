//! Multilinear algebra over int8 matrices.

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, Extension};

/// The weights eq(`point`, i) for i below `count`, the first coordinate being the highest bit.
pub fn equality(point: &[Extension], count: usize) -> Vec<Extension> {
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
    table.truncate(count);
    table
}

/// Columns that are summed up at a time: their sums stay in the nearest cache.
const TILE: usize = 256;
/// Rows that are taken together, so that sums are loaded and stored once for all of them.
const ROWS: usize = 4;

/// Σ over rows of weights[row] · matrix[row][column], for each column.
///
/// Each coefficient is summed as a 64-bit integer: 2^24 rows of products below 2^31 · 2^7.
pub fn combine_rows(weights: &[Extension], matrix: &[i8], columns: usize) -> Vec<Extension> {
    let limbs: Vec<[i32; 5]> = weights.iter().map(|&weight| limbs(weight)).collect();
    let mut combined = Vec::with_capacity(columns);
    for start in (0..columns).step_by(TILE) {
        let tile = start..(start + TILE).min(columns);
        let mut sums = [[0_i64; TILE]; 5];
        let mut rows = matrix.chunks_exact(columns).map(|row| &row[tile.clone()]);
        for limbs in limbs.chunks(ROWS) {
            if let &[a, b, c, d] = limbs {
                let rows = [(); ROWS].map(|()| rows.next().unwrap_or_default());
                add_rows(&mut sums, rows, [a, b, c, d]);
            } else {
                for &limbs in limbs {
                    add_rows(&mut sums, [rows.next().unwrap_or_default()], [limbs]);
                }
            }
        }
        combined.extend((0..tile.len()).map(|column| {
            let coefficients = sums.map(|sums| Base::from_i64(sums[column]));
            Extension::from_basis_coefficients_fn(|index| coefficients[index])
        }));
    }
    combined
}

/// Adds limbs[row] · rows[row] to the sums. Factors are widened from 32 bits in sight of the
/// compiler, which then multiplies 32-bit lanes.
#[inline]
fn add_rows<const R: usize>(sums: &mut [[i64; TILE]; 5], rows: [&[i8]; R], limbs: [[i32; 5]; R]) {
    let width = rows
        .iter()
        .map(|row| row.len())
        .min()
        .unwrap_or(0)
        .min(TILE);
    let rows = rows.map(|row| &row[..width]);
    for column in 0..width {
        let values = rows.map(|row| i64::from(row[column]));
        for limb in 0..5 {
            let mut sum = sums[limb][column];
            for (value, limbs) in values.iter().zip(&limbs) {
                sum = sum.wrapping_add(value.wrapping_mul(i64::from(limbs[limb])));
            }
            sums[limb][column] = sum;
        }
    }
}

fn limbs(element: Extension) -> [i32; 5] {
    use p3_field::PrimeField32;
    let mut limbs = [0; 5];
    let coefficients: &[Base] = element.as_basis_coefficients_slice();
    for (limb, coefficient) in limbs.iter_mut().zip(coefficients) {
        // Below the modulus, which is below 2^31.
        *limb = coefficient.as_canonical_u32() as i32;
    }
    limbs
}

/// Σ over columns of weights[column] · matrix[row][column], for each row.
pub(crate) fn combine_columns(weights: &[Extension], matrix: &[i8]) -> Vec<Extension> {
    let mut planes = [(); 5].map(|()| Vec::with_capacity(weights.len()));
    for &weight in weights {
        for (plane, limb) in planes.iter_mut().zip(limbs(weight)) {
            plane.push(limb);
        }
    }
    matrix
        .chunks_exact(weights.len().max(1))
        .map(|row| {
            let sums = planes.each_ref().map(|plane| {
                let products = plane.iter().zip(row);
                let sum = products.fold(0_i64, |sum, (&limb, &value)| {
                    sum.wrapping_add(i64::from(limb).wrapping_mul(i64::from(value)))
                });
                Base::from_i64(sum)
            });
            Extension::from_basis_coefficients_fn(|index| sums[index])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{combine_columns, combine_rows};
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

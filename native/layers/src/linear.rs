//! Multilinear algebra over integers and challenges.

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, Extension};

/// The integer as an element of the base field.
pub fn lift(value: i32) -> Base {
    Base::from_i32(value)
}

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

/// Σ weights[i] · values[i].
pub fn dot(weights: &[Extension], values: &[Extension]) -> Extension {
    weights.iter().zip(values).map(|(&w, &v)| w * v).sum()
}

/// Σ weights[i] · values[i] over integers.
pub fn dot_integers(weights: &[Extension], values: impl Iterator<Item = i32>) -> Extension {
    weights
        .iter()
        .zip(values)
        .map(|(&weight, value)| weight * lift(value))
        .sum()
}

/// Adds weight · values[i] to sums[i].
pub fn accumulate(sums: &mut [Extension], weight: Extension, values: &[i32]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += weight * lift(value);
    }
}

/// Adds weight · values[i] to sums[i].
pub fn accumulate_elements(sums: &mut [Extension], weight: Extension, values: &[Extension]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += weight * value;
    }
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

#[cfg(test)]
mod tests {
    use super::{combine_rows, dot_integers};
    use p3_field::PrimeCharacteristicRing;
    use transcript::{Base, Transcript};

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
                let expected = dot_integers(&weights, values.map(|&value| i32::from(value)));
                assert_eq!(found, expected);
            }
        }
    }
}

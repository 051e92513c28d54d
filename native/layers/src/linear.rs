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

/// Σ over rows of weights[row] · matrix[row][column], for each column.
///
/// Each coefficient is summed as a 64-bit integer: 2^24 rows of products below 2^31 · 2^7.
pub fn combine_rows(weights: &[Extension], matrix: &[i8], columns: usize) -> Vec<Extension> {
    const TILE: usize = 256;
    let mut combined = Vec::with_capacity(columns);
    let limbs: Vec<[i64; 5]> = weights.iter().map(|&weight| limbs(weight)).collect();
    for start in (0..columns).step_by(TILE) {
        let width = TILE.min(columns - start);
        let mut sums = [[0_i64; TILE]; 5];
        for (row, limbs) in matrix.chunks_exact(columns).zip(&limbs) {
            let row = &row[start..start + width];
            for (sums, &limb) in sums.iter_mut().zip(limbs) {
                for (sum, &weight) in sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(limb.wrapping_mul(i64::from(weight)));
                }
            }
        }
        combined.extend((0..width).map(|column| {
            let coefficients = sums.map(|sums| Base::from_i64(sums[column]));
            Extension::from_basis_coefficients_fn(|index| coefficients[index])
        }));
    }
    combined
}

fn limbs(element: Extension) -> [i64; 5] {
    use p3_field::PrimeField32;
    let mut limbs = [0; 5];
    let coefficients: &[Base] = element.as_basis_coefficients_slice();
    for (limb, coefficient) in limbs.iter_mut().zip(coefficients) {
        *limb = i64::from(coefficient.as_canonical_u32());
    }
    limbs
}

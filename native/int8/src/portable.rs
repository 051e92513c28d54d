//! The sums in plain Rust, written so that the compiler multiplies several lanes at a time.

use super::{LIMBS, Sum, Weight};

/// Columns that are summed up at a time: their sums stay in the nearest cache.
const TILE: usize = 256;
/// Rows that are taken together, so that sums are loaded and stored once for all of them.
const ROWS: usize = 4;

type Sums = [[i64; TILE]; LIMBS];

pub fn combine_rows(weights: &[Weight], matrix: &[i8], columns: usize) -> Vec<Sum> {
    let mut combined = Vec::with_capacity(columns);
    for start in (0..columns).step_by(TILE) {
        let tile = start..(start + TILE).min(columns);
        let mut sums = [[0_i64; TILE]; LIMBS];
        let mut rows = matrix.chunks_exact(columns).map(|row| &row[tile.clone()]);
        for weights in weights.chunks(ROWS) {
            if let &[a, b, c, d] = weights {
                let rows = [(); ROWS].map(|()| rows.next().unwrap_or_default());
                add_rows(&mut sums, rows, [a, b, c, d]);
            } else {
                for &weight in weights {
                    add_rows(&mut sums, [rows.next().unwrap_or_default()], [weight]);
                }
            }
        }
        combined.extend((0..tile.len()).map(|column| sums.map(|sums| sums[column])));
    }
    combined
}

/// Adds weights[row] · rows[row] to the sums. Factors are widened from 32 bits in sight of the
/// compiler, which then multiplies 32-bit lanes.
#[inline]
fn add_rows<const R: usize>(sums: &mut Sums, rows: [&[i8]; R], weights: [Weight; R]) {
    let widths = rows.iter().map(|row| row.len());
    let width = widths.min().unwrap_or(0).min(TILE);
    let rows = rows.map(|row| &row[..width]);
    let weights = weights.map(|weight| weight.map(|limb| limb as i32));
    for column in 0..width {
        let values = rows.map(|row| i64::from(row[column]));
        for limb in 0..LIMBS {
            let mut sum = sums[limb][column];
            for (value, weight) in values.iter().zip(&weights) {
                sum = sum.wrapping_add(value.wrapping_mul(i64::from(weight[limb])));
            }
            sums[limb][column] = sum;
        }
    }
}

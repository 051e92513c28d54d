//! Sums of integers with challenges as weights, reduced once at their end.
//!
//! A coefficient of a challenge, taken between −p/2 and p/2, is at most 2^30. The largest of the
//! integers tells how many products 64 bits hold the sum of; such sums are added up by their halves,
//! for which there is room for 2^31 of them. Loops are written so that the compiler multiplies
//! several lanes at a time.

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use transcript::{Base, DEGREE, Extension};

/// The largest absolute coefficient.
const LIMB_BOUND: i64 = 1 << 30;
/// Columns that are summed up at a time: their sums stay in the nearest cache.
const TILE: usize = 128;
/// Rows that are taken together, so that sums are loaded and stored once for all of them.
const ROWS: usize = 4;

/// The coefficients of a weight, between −p/2 and p/2.
pub(crate) type Limbs = [i32; DEGREE];

/// The coefficients of an element.
pub(crate) fn limbs(weight: Extension) -> Limbs {
    let mut limbs = [0; DEGREE];
    let coefficients: &[Base] = weight.as_basis_coefficients_slice();
    for (limb, coefficient) in limbs.iter_mut().zip(coefficients) {
        let whole = coefficient.as_canonical_u32();
        let above = whole > Base::ORDER_U32 / 2;
        *limb = whole.wrapping_sub(if above { Base::ORDER_U32 } else { 0 }) as i32;
    }
    limbs
}

/// A sum of more products than fit 64 bits: lower halves and upper halves of partial sums.
#[derive(Clone, Copy, Default)]
struct Halves {
    low: i64,
    high: i64,
}

impl Halves {
    const fn add(&mut self, part: i64) {
        self.low = self.low.wrapping_add(part & 0xffff_ffff);
        self.high = self.high.wrapping_add(part >> 32);
    }

    fn element(self) -> Base {
        let modulus = Base::ORDER_U32;
        let high = self.high.rem_euclid(i64::from(modulus)) as u64;
        // low < 2^63, and high < 2^31.
        let whole = (high << 32).wrapping_add(self.low as u64);
        Base::from_u32((whole % u64::from(modulus)) as u32)
    }
}

fn extension(sums: [Halves; DEGREE]) -> Extension {
    Extension::from_basis_coefficients_fn(|index| sums[index].element())
}

/// The element of sums that 64 bits hold.
fn whole(sums: [i64; DEGREE]) -> Extension {
    let modulus = i64::from(Base::ORDER_U32);
    let sums = sums.map(|sum| Base::from_u32(sum.rem_euclid(modulus) as u32));
    Extension::from_basis_coefficients_fn(|index| sums[index])
}

/// How many products of a coefficient and one of these integers surely fit 64 bits, at least 3.
pub(crate) fn fits(values: &[i32]) -> usize {
    let largest = values.iter().map(|value| value.unsigned_abs()).max();
    let largest = i64::from(largest.unwrap_or(0).max(1));
    (i64::MAX / (LIMB_BOUND * largest)) as usize
}

/// Weights for sums over integers side by side.
pub(crate) struct Row {
    planes: [Vec<i32>; DEGREE],
}

impl Row {
    /// `count` weights of 0.
    pub(crate) fn zeros(count: usize) -> Self {
        Self {
            planes: [(); DEGREE].map(|()| vec![0; count]),
        }
    }

    /// All weights become 0.
    pub(crate) fn clear(&mut self) {
        for plane in &mut self.planes {
            plane.fill(0);
        }
    }

    pub(crate) fn set(&mut self, at: usize, limbs: Limbs) {
        for (plane, limb) in self.planes.iter_mut().zip(limbs) {
            plane[at] = limb;
        }
    }

    /// Σ weights[i] · values[i] over as many as there are of both. `fits` is [`fits`] of the values.
    pub(crate) fn dot(&self, values: &[i32], fits: usize) -> Extension {
        let planes = self.planes.each_ref().map(Vec::as_slice);
        if values.len() <= fits {
            return whole(multiply(planes, values));
        }
        let mut sums = [Halves::default(); DEGREE];
        for (number, values) in values.chunks(fits).enumerate() {
            let planes = planes.map(|plane| plane.get(number * fits..).unwrap_or_default());
            for (sum, part) in sums.iter_mut().zip(multiply(planes, values)) {
                sum.add(part);
            }
        }
        extension(sums)
    }
}

fn multiply(planes: [&[i32]; DEGREE], values: &[i32]) -> [i64; DEGREE] {
    let count = planes.iter().map(|plane| plane.len()).min();
    let count = count.unwrap_or(0).min(values.len());
    let (planes, values) = (planes.map(|plane| &plane[..count]), &values[..count]);
    let mut sums = [0_i64; DEGREE];
    for at in 0..count {
        let value = i64::from(values[at]);
        for (sum, plane) in sums.iter_mut().zip(planes) {
            *sum = sum.wrapping_add(i64::from(plane[at]).wrapping_mul(value));
        }
    }
    sums
}

/// Σ over rows of weights[row] · matrix[row][column], for each of `columns` columns. There are as
/// many rows as weights.
pub(crate) fn combine_rows(
    weights: &[Extension],
    matrix: &[i32],
    columns: usize,
) -> Vec<Extension> {
    let weights: Vec<Limbs> = weights.iter().copied().map(limbs).collect();
    let mut combined = Vec::with_capacity(columns);
    let fits = fits(matrix);
    for start in (0..columns).step_by(TILE) {
        let tile = start..(start + TILE).min(columns);
        let mut rows = matrix.chunks_exact(columns).map(|row| &row[tile.clone()]);
        if weights.len() <= fits {
            let parts = combine_tile(&weights, &mut rows);
            combined.extend((0..tile.len()).map(|column| whole(parts.map(|part| part[column]))));
            continue;
        }
        let mut sums = [[Halves::default(); TILE]; DEGREE];
        for weights in weights.chunks(fits) {
            let parts = combine_tile(weights, &mut rows);
            for (sums, parts) in sums.iter_mut().zip(&parts) {
                for (sum, &part) in sums.iter_mut().zip(parts) {
                    sum.add(part);
                }
            }
        }
        combined.extend((0..tile.len()).map(|column| extension(sums.map(|sums| sums[column]))));
    }
    combined
}

/// Sums of as many of the rows as there are weights, which 64 bits hold.
fn combine_tile<'a>(
    weights: &[Limbs],
    rows: &mut impl Iterator<Item = &'a [i32]>,
) -> [[i64; TILE]; DEGREE] {
    let mut parts = [[0; TILE]; DEGREE];
    let (fours, rest) = weights.as_chunks::<ROWS>();
    for &four in fours {
        let rows = [(); ROWS].map(|()| rows.next().unwrap_or_default());
        add_rows(&mut parts, rows, four);
    }
    for &one in rest {
        add_rows(&mut parts, [rows.next().unwrap_or_default()], [one]);
    }
    parts
}

#[inline]
fn add_rows<const R: usize>(
    parts: &mut [[i64; TILE]; DEGREE],
    rows: [&[i32]; R],
    weights: [Limbs; R],
) {
    let widths = rows.iter().map(|row| row.len());
    let width = widths.min().unwrap_or(0).min(TILE);
    let rows = rows.map(|row| &row[..width]);
    for column in 0..width {
        let values = rows.map(|row| i64::from(row[column]));
        for limb in 0..DEGREE {
            let mut part = parts[limb][column];
            for (value, weight) in values.iter().zip(&weights) {
                part = part.wrapping_add(value.wrapping_mul(i64::from(weight[limb])));
            }
            parts[limb][column] = part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Limbs, Row, combine_rows, fits, limbs};
    use crate::lift;
    use p3_field::{PrimeCharacteristicRing, PrimeField32};
    use transcript::{Base, Extension, Transcript};

    const MOST: i32 = i32::MAX;

    fn row(weights: &[Extension]) -> Row {
        let mut row = Row::zeros(weights.len());
        for (at, &weight) in weights.iter().enumerate() {
            row.set(at, limbs(weight));
        }
        row
    }

    /// Σ weights[i] · values[i], one by one.
    fn dot_integers(weights: &[Extension], values: impl Iterator<Item = i32>) -> Extension {
        let products = weights.iter().zip(values);
        products.map(|(&weight, value)| weight * lift(value)).sum()
    }

    fn weights(count: usize) -> Vec<Extension> {
        let mut weights = Transcript::new().point(count);
        // Coefficients on both sides of p/2, the largest of either sign.
        let half = Base::ORDER_U32 / 2;
        for (weight, whole) in weights.iter_mut().zip([half, half + 1, 0, 1]) {
            *weight = Base::from_u32(whole).into();
        }
        weights
    }

    fn values(count: usize) -> Vec<i32> {
        let spread = (0..count as i64).map(|at| (at * at * 97_003 % i64::from(MOST)) as i32);
        let mut values: Vec<i32> = spread.map(|v| if v % 2 == 0 { v } else { -v }).collect();
        for (value, extreme) in values.iter_mut().zip([MOST, -MOST, MOST]) {
            *value = extreme;
        }
        values
    }

    #[test]
    fn coefficients_are_nearest_to_zero() {
        let half = (Base::ORDER_U32 / 2) as i32;
        let of = |value: i32| -> Limbs { limbs(Base::from_i32(value).into()) };
        for value in [0, 1, -1, half, -half] {
            assert_eq!(of(value)[0], value);
        }
        assert_eq!(of(half + 1)[0], -half);
    }

    #[test]
    fn products_that_fit_are_counted() {
        assert_eq!(fits(&[]), (1 << 33) - 1);
        assert_eq!(fits(&[0, 1, -1]), (1 << 33) - 1);
        assert_eq!(fits(&[3, -(1 << 20)]), (1 << 13) - 1);
        assert_eq!(fits(&[i32::MIN]), 3);
    }

    #[test]
    fn sums_are_those_one_by_one() {
        for count in [0, 1, 7, 8, 9, 127, 128, 129, 1000, 4133] {
            let (weights, values) = (weights(count), values(count));
            let expected = dot_integers(&weights, values.iter().copied());
            assert_eq!(
                row(&weights).dot(&values, fits(&values)),
                expected,
                "{count}"
            );
            // Fewer values than weights.
            let fewer = count / 3;
            let expected = dot_integers(&weights, values[..fewer].iter().copied());
            let found = row(&weights).dot(&values[..fewer], fits(&values));
            assert_eq!(found, expected, "{count}");
        }
    }

    #[test]
    fn the_largest_sums_are_exact() {
        let half = Base::ORDER_U32 / 2;
        for (whole, value) in [
            (half, MOST),
            (half, -MOST),
            (half + 1, MOST),
            (half + 1, i32::MIN),
        ] {
            let weight = Extension::from(Base::from_u32(whole));
            let count = 100_003;
            let expected = weight * Base::from_i32(value) * Base::from_u32(count);
            let weights = vec![weight; count as usize];
            let values = vec![value; count as usize];
            assert_eq!(row(&weights).dot(&values, fits(&values)), expected);
            assert_eq!(combine_rows(&weights, &values, 1), [expected]);
        }
    }

    #[test]
    fn rows_are_combined_as_one_by_one() {
        for (rows, columns) in [(1, 1), (3, 5), (4, 128), (17, 129), (60, 384), (130, 3)] {
            let (weights, matrix) = (weights(rows), values(rows * columns));
            let combined = combine_rows(&weights, &matrix, columns);
            assert_eq!(combined.len(), columns);
            for (column, &found) in combined.iter().enumerate() {
                let values = matrix.iter().skip(column).step_by(columns).copied();
                assert_eq!(found, dot_integers(&weights, values), "{rows} {columns}");
            }
        }
        assert!(combine_rows(&weights(3), &[], 0).is_empty());
    }
}

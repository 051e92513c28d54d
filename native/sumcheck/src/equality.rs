//! Weights of points, and sums with them.

use crate::wide::{Wide, unpack};
use p3_field::PrimeCharacteristicRing;
use std::ops::Range;
use transcript::Extension;

/// Nanoseconds that a vector of products takes.
const VECTOR: usize = 100;

/// The weights eq(`point`, i) for i below `count`, the first coordinate being the highest bit.
pub fn equality(point: &[Extension], count: usize) -> Vec<Extension> {
    let lanes = Wide::WIDTH.ilog2() as usize;
    let mut table = if point.len() > lanes {
        unpack(&wide_equality(point))
    } else {
        scalar_equality(point)
    };
    table.truncate(count);
    table
}

/// All weights packed, of a point with a coordinate for each bit of a lane at least.
pub fn wide_equality(point: &[Extension]) -> Vec<Wide> {
    let lanes = Wide::WIDTH.ilog2() as usize;
    let (of_vectors, of_lanes) = point.split_at(point.len() - lanes);
    let mut table = Vec::with_capacity(1 << of_vectors.len());
    table.push(Wide::pack(&scalar_equality(of_lanes)));
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

fn scalar_equality(point: &[Extension]) -> Vec<Extension> {
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

/// eq of a point and the bits of one index, the first coordinate being the highest bit.
pub fn equality_at(point: &[Extension], index: usize) -> Extension {
    point
        .iter()
        .rev()
        .enumerate()
        .map(|(bit, &x)| {
            if (index >> bit) & 1 == 1 {
                x
            } else {
                Extension::ONE - x
            }
        })
        .product()
}

/// Powers of `base` from 1 upward.
pub fn powers(base: Extension, count: usize) -> Vec<Extension> {
    std::iter::successors(Some(Extension::ONE), |&power| Some(power * base))
        .take(count)
        .collect()
}

/// Σ weights[i] · values[i].
pub fn dot(weights: &[Extension], values: &[Extension]) -> Extension {
    let length = weights.len().min(values.len());
    let vectors = length / Wide::WIDTH;
    let of_vectors = |range: Range<usize>| {
        let range = range.start * Wide::WIDTH..range.end * Wide::WIDTH;
        let weights = weights[range.clone()].chunks_exact(Wide::WIDTH);
        let values = values[range].chunks_exact(Wide::WIDTH);
        let products = weights.zip(values);
        products.fold(Wide::ZERO, |sum, (weights, values)| {
            sum + Wide::pack(weights) * Wide::pack(values)
        })
    };
    let sums = parallel::ranges(vectors, VECTOR, of_vectors);
    let rest = weights[vectors * Wide::WIDTH..].iter();
    let rest = rest.zip(&values[vectors * Wide::WIDTH..]);
    let sums = sums.iter().flat_map(Wide::lanes);
    sums.chain(rest.map(|(&w, &v)| w * v)).sum()
}

#[cfg(test)]
mod tests {
    use super::{dot, equality, equality_at, scalar_equality};
    use transcript::{Extension, Transcript};

    #[test]
    fn products_are_summed_up_at_any_length() {
        let mut transcript = Transcript::new();
        for (own, other) in [(0, 0), (1, 1), (15, 16), (16, 16), (100, 100), (70, 40)] {
            let (weights, values) = (transcript.point(own), transcript.point(other));
            let expected = weights.iter().zip(&values).map(|(&w, &v)| w * v);
            assert_eq!(dot(&weights, &values), expected.sum::<Extension>());
        }
    }

    #[test]
    fn packed_weights_are_those_of_one_coordinate_after_another() {
        for variables in 0..=9 {
            let point = Transcript::new().point(variables);
            let expected = scalar_equality(&point);
            assert_eq!(equality(&point, 1 << variables), expected);
            assert_eq!(equality(&point, 3), expected[..expected.len().min(3)]);
            for (index, &weight) in expected.iter().enumerate() {
                assert_eq!(equality_at(&point, index), weight);
            }
        }
    }
}

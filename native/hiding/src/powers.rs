//! Weights of opened leaves: powers of their points.

use p3_field::{PackedValue, PrimeCharacteristicRing};
use sumcheck::{Combination, Lanes, Wide};
use transcript::{Base, Extension};

/// Points whose powers are summed up with one reduction.
const TOGETHER: usize = 4;

/// Nanoseconds that a group takes for one vector of powers.
const GROUP: usize = 30;

/// Points whose powers are advanced together, as many at a time as there are lanes.
struct Group {
    scales: Combination<TOGETHER>,
    powers: [Lanes; TOGETHER],
    steps: [Lanes; TOGETHER],
}

impl Group {
    /// Of at most so many points, each with its scale, from the power `first` on.
    fn new(points: &[(Extension, Base)], first: usize) -> Self {
        let of = |index: usize| points.get(index).copied().unwrap_or_default();
        let point = |index: usize| of(index).1;
        Self {
            scales: Combination::new(&std::array::from_fn(|index| of(index).0)),
            powers: std::array::from_fn(|index| {
                let mut power = point(index).exp_u64(first as u64);
                Lanes::from_fn(|_| {
                    let own = power;
                    power *= point(index);
                    own
                })
            }),
            steps: std::array::from_fn(|index| {
                Lanes::from(point(index).exp_u64(Lanes::WIDTH as u64))
            }),
        }
    }

    fn next(&mut self) -> Wide {
        let sum = self.scales.of(&self.powers);
        for (power, &step) in self.powers.iter_mut().zip(&self.steps) {
            *power *= step;
        }
        sum
    }
}

/// Adds Σ scale · x^i over all points x with their scales to weight i.
pub(crate) fn add_powers(weights: &mut [Extension], points: &[(Extension, Base)]) {
    let cost = GROUP * points.len().div_ceil(TOGETHER);
    parallel::fill(weights, Wide::WIDTH, cost, |first, weights| {
        let groups = points.chunks(TOGETHER);
        let mut groups: Vec<Group> = groups
            .map(|points| Group::new(points, first * Wide::WIDTH))
            .collect();
        let mut chunks = weights.chunks_exact_mut(Wide::WIDTH);
        for chunk in chunks.by_ref() {
            let mut sum = Wide::pack(chunk);
            for group in &mut groups {
                sum += group.next();
            }
            sum.write(chunk);
        }
        let rest = chunks.into_remainder();
        for group in &mut groups {
            let sum = group.next();
            for (weight, power) in rest.iter_mut().zip(sum.lanes()) {
                *weight += power;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::add_powers;
    use p3_field::PrimeCharacteristicRing;
    use transcript::{Base, Transcript};

    #[test]
    fn powers_are_added_at_any_length_and_for_any_number_of_points() {
        let mut transcript = Transcript::new();
        for (length, count) in [(64, 5), (8, 3), (2, 4), (256, 1), (33, 9), (16, 0)] {
            let mut weights = transcript.point(length);
            let points: Vec<_> = (0..count)
                .map(|index| (transcript.challenge(), Base::from_usize(3 * index + 2)))
                .collect();
            let mut expected = weights.clone();
            for &(scale, x) in &points {
                for (weight, power) in expected.iter_mut().zip(x.powers()) {
                    *weight += scale * power;
                }
            }
            let mut by_many = weights.clone();
            add_powers(&mut weights, &points);
            assert_eq!(weights, expected);
            let pool = parallel::Pool::eager(2).unwrap();
            pool.run(|| add_powers(&mut by_many, &points));
            assert_eq!(by_many, expected);
        }
    }
}

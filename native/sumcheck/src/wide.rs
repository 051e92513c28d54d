//! Elements of the extension field, one in each lane of the machine's vectors.
// A call would pass operands of five vectors each through memory.
#![allow(clippy::inline_always)]

use p3_field::{BasedVectorSpace, Field, PackedValue, PrimeCharacteristicRing};
use std::array::from_fn;
use std::ops::{Add, AddAssign, Mul, Sub};
use transcript::{Base, DEGREE, Extension};

/// Elements of the base field, one in each lane.
pub type Lanes = <Base as Field>::Packing;

/// As many elements as there are lanes, coefficient by coefficient.
#[derive(Clone, Copy, Debug)]
pub struct Wide([Lanes; DEGREE]);

const _: () = assert!(DEGREE == 5, "products are written for five coefficients");

impl Wide {
    /// Elements in one.
    pub const WIDTH: usize = Lanes::WIDTH;
    /// Zeros.
    pub const ZERO: Self = Self([Lanes::ZERO; DEGREE]);

    /// The first [`Self::WIDTH`] of these elements.
    #[inline]
    pub fn pack(elements: &[Extension]) -> Self {
        let elements = &elements[..Self::WIDTH];
        Self(from_fn(|limb| {
            Lanes::from_fn(|lane| coefficients(&elements[lane])[limb])
        }))
    }

    /// The elements with these coefficients.
    #[inline(always)]
    pub(crate) const fn from_coefficients(coefficients: [Lanes; DEGREE]) -> Self {
        Self(coefficients)
    }

    /// The coefficients, each one packed.
    #[inline(always)]
    pub(crate) const fn coefficients(&self) -> &[Lanes; DEGREE] {
        &self.0
    }

    /// The element of one lane.
    #[inline]
    pub fn lane(&self, lane: usize) -> Extension {
        Extension::from_basis_coefficients_fn(|limb| self.0[limb].as_slice()[lane])
    }

    /// Puts the elements where they belong one by one.
    #[inline]
    pub fn write(&self, elements: &mut [Extension]) {
        for (element, lane) in elements.iter_mut().zip(self.lanes()) {
            *element = lane;
        }
    }

    /// All elements.
    pub fn lanes(&self) -> impl Iterator<Item = Extension> + '_ {
        (0..Self::WIDTH).map(|lane| self.lane(lane))
    }

    /// These elements by those of the base field.
    #[inline(always)]
    #[must_use]
    pub fn scaled(self, lanes: Lanes) -> Self {
        Self(from_fn(|limb| self.0[limb] * lanes))
    }

    /// These elements and those of the base field.
    #[inline(always)]
    #[must_use]
    pub fn plus(mut self, lanes: Lanes) -> Self {
        self.0[0] += lanes;
        self
    }

    /// The field's X^5 is 1 - X^2, so that each coefficient is a sum of five products with sums of
    /// coefficients of the second factor, which are made once; the library's own product reduces nine
    /// sums.
    #[inline(always)]
    pub(crate) fn product(&self, other: &Self) -> Self {
        let (a, &[b0, b1, b2, b3, b4]) = (&self.0, &other.0);
        let (c0, c1, c4) = (b0 - b3, b1 - b4, b4 - b2);
        Self([
            Lanes::dot_product(a, &[b0, b4, b3, b2, c1]),
            Lanes::dot_product(a, &[b1, b0, b4, b3, b2]),
            Lanes::dot_product(a, &[b2, c1, c0, c4, b3 - c1]),
            Lanes::dot_product(a, &[b3, b2, c1, c0, c4]),
            Lanes::dot_product(a, &[b4, b3, b2, c1, c0]),
        ])
    }
}

fn coefficients(element: &Extension) -> &[Base] {
    element.as_basis_coefficients_slice()
}

/// The elements packed, as many as there are whole vectors.
pub fn pack(elements: &[Extension]) -> Vec<Wide> {
    elements.chunks_exact(Wide::WIDTH).map(Wide::pack).collect()
}

/// The elements one by one.
pub fn unpack(packed: &[Wide]) -> Vec<Extension> {
    let mut elements = Vec::with_capacity(packed.len() * Wide::WIDTH);
    for wide in packed {
        elements.extend(wide.lanes());
    }
    elements
}

/// Adds `weight` · `values` to as many elements.
pub fn add_scaled(targets: &mut [Extension], weight: Extension, values: &[Extension]) {
    let wide = Wide::from(weight);
    let (mut targets, mut values) = (
        targets.chunks_exact_mut(Wide::WIDTH),
        values.chunks_exact(Wide::WIDTH),
    );
    for (targets, values) in targets.by_ref().zip(values.by_ref()) {
        (Wide::pack(targets) + Wide::pack(values) * wide).write(targets);
    }
    let rest = targets.into_remainder().iter_mut().zip(values.remainder());
    for (target, &value) in rest {
        *target += weight * value;
    }
}

/// Multiplies all elements by a factor.
pub fn scale(targets: &mut [Extension], factor: Extension) {
    let wide = Wide::from(factor);
    let mut targets = targets.chunks_exact_mut(Wide::WIDTH);
    for targets in targets.by_ref() {
        (Wide::pack(targets) * wide).write(targets);
    }
    for target in targets.into_remainder() {
        *target *= factor;
    }
}

impl Default for Wide {
    fn default() -> Self {
        Self::ZERO
    }
}

impl From<Extension> for Wide {
    #[inline]
    fn from(element: Extension) -> Self {
        Self(from_fn(|limb| Lanes::from(coefficients(&element)[limb])))
    }
}

impl Add for Wide {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(from_fn(|limb| self.0[limb] + other.0[limb]))
    }
}

impl Sub for Wide {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(from_fn(|limb| self.0[limb] - other.0[limb]))
    }
}

impl AddAssign for Wide {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul for Wide {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.product(&other)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lanes, Wide, add_scaled, pack, scale, unpack};
    use p3_field::{PackedValue, PrimeCharacteristicRing};
    use transcript::{Base, Extension, Transcript};

    #[test]
    fn lanes_are_computed_as_one_by_one() {
        let mut transcript = Transcript::new();
        let mut draw = || transcript.point(3 * Wide::WIDTH);
        let (mut a, b) = (draw(), draw());
        a[0] = Extension::ZERO - Extension::ONE;
        a[1] = Extension::ZERO;
        let [wide_a, wide_b] = [&a, &b].map(|e| pack(e));
        assert_eq!(unpack(&wide_a), a);
        let base = Lanes::from_fn(|lane| Base::from_u32(lane as u32 * 77 + 5));
        for (at, (&x, &y)) in wide_a.iter().zip(&wide_b).enumerate() {
            for lane in 0..Wide::WIDTH {
                let (a, b) = (a[at * Wide::WIDTH + lane], b[at * Wide::WIDTH + lane]);
                let check = |wide: Wide, expected: Extension| {
                    assert_eq!(wide.lane(lane), expected);
                };
                check(x + y, a + b);
                check(x - y, a - b);
                check(x * y, a * b);
                check(x.scaled(base), a * base.as_slice()[lane]);
                check(Wide::from(a), a);
                check(x.plus(base), a + base.as_slice()[lane]);
            }
        }
    }

    #[test]
    fn scaled_elements_are_added_at_any_length() {
        let mut transcript = Transcript::new();
        for length in [0, 1, Wide::WIDTH, 2 * Wide::WIDTH + 3] {
            let (values, mut targets) = (transcript.point(length), transcript.point(length));
            let weight = transcript.challenge();
            let sums = targets.iter().zip(&values);
            let expected: Vec<_> = sums.map(|(&t, &v)| t + weight * v).collect();
            add_scaled(&mut targets, weight, &values);
            assert_eq!(targets, expected);
            let expected: Vec<_> = targets.iter().map(|&target| target * weight).collect();
            scale(&mut targets, weight);
            assert_eq!(targets, expected);
        }
    }
}

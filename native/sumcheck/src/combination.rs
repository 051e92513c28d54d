//! Products of packed elements, with one reduction for each coefficient.
//!
//! Elements are handed over by reference: a packed one is five vectors, and a copy of it on the way
//! would cost a third of a product.

use crate::wide::{Lanes, Wide};
use p3_field::{Algebra, BasedVectorSpace};
use std::array::from_fn;
use std::ops::Mul;
use transcript::{Base, DEGREE, Extension};

const _: () = assert!(DEGREE == 5, "products are written for five coefficients");

/// a · b, as a call of its own: for loops that would not hold what several products prepare.
#[inline(never)]
pub fn times(a: &Wide, b: &Wide) -> Wide {
    a.product(b)
}

/// Elements of the extension field that N packed elements of the base field are multiplied with and
/// summed up.
#[derive(Clone, Copy, Debug)]
pub struct Combination<const N: usize>([[Base; N]; DEGREE]);

impl<const N: usize> Combination<N> {
    /// Prepares the elements.
    pub fn new(elements: &[Extension; N]) -> Self {
        let coefficients = |index: usize| {
            from_fn(|element| {
                let of: &[Base] = elements[element].as_basis_coefficients_slice();
                of[index]
            })
        };
        Self(from_fn(coefficients))
    }

    /// The sum of the products.
    #[inline]
    pub fn of(&self, lanes: &[Lanes; N]) -> Wide {
        let [a, b, c, d, e] = &self.0;
        // Written out, so that what is prepared of the lanes is prepared once.
        let sums = [
            Lanes::mixed_dot_product(lanes, a),
            Lanes::mixed_dot_product(lanes, b),
            Lanes::mixed_dot_product(lanes, c),
            Lanes::mixed_dot_product(lanes, d),
            Lanes::mixed_dot_product(lanes, e),
        ];
        Wide::from_coefficients(sums)
    }
}

/// One element of the extension field by which many packed ones are multiplied: what their
/// coefficients count for in the product.
pub type Factor = Combination<DEGREE>;

impl From<Extension> for Factor {
    fn from(factor: Extension) -> Self {
        let b: &[Base] = factor.as_basis_coefficients_slice();
        let [b0, b1, b2, b3, b4] = from_fn(|index| b[index]);
        let (c0, c1, c4) = (b0 - b3, b1 - b4, b4 - b2);
        Self([
            [b0, b4, b3, b2, c1],
            [b1, b0, b4, b3, b2],
            [b2, c1, c0, c4, b3 - c1],
            [b3, b2, c1, c0, c4],
            [b4, b3, b2, c1, c0],
        ])
    }
}

impl Factor {
    /// `a` times the factor.
    #[inline(never)]
    pub fn times(&self, a: &Wide) -> Wide {
        self.of(a.coefficients())
    }

    /// The value at the factor of the line through `a` and `b`.
    #[inline(never)]
    pub fn line(&self, a: &Wide, b: &Wide) -> Wide {
        let slope = *b - *a;
        *a + self.of(slope.coefficients())
    }
}

impl Mul<Extension> for Wide {
    type Output = Self;
    #[inline]
    fn mul(self, element: Extension) -> Self {
        Factor::from(element).times(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Combination, Factor, times};
    use crate::wide::{Lanes, Wide};
    use p3_field::{PackedValue, PrimeCharacteristicRing};
    use transcript::{Base, Extension, Transcript};

    #[test]
    fn products_are_those_of_one_lane_at_a_time() {
        let mut transcript = Transcript::new();
        let mut draw = || transcript.point(Lanes::WIDTH);
        let ([a, b], factor) = ([draw(), draw()], draw()[0]);
        let (x, y) = (Wide::pack(&a), Wide::pack(&b));
        let of = Factor::from(factor);
        let lanes: [Lanes; 3] =
            std::array::from_fn(|at| Lanes::from_fn(|lane| Base::from_usize(at * 77 + lane * 5)));
        let sum = Combination::new(&[a[0], b[0], factor]).of(&lanes);
        for lane in 0..Lanes::WIDTH {
            let check = |found: Wide, expected: Extension| {
                assert_eq!(found.lane(lane), expected);
            };
            check(times(&x, &y), a[lane] * b[lane]);
            check(of.times(&x), a[lane] * factor);
            check(x * factor, a[lane] * factor);
            check(of.line(&x, &y), a[lane] + factor * (b[lane] - a[lane]));
            let [p, q, r] = lanes.map(|lanes| lanes.as_slice()[lane]);
            check(sum, a[0] * p + b[0] * q + factor * r);
        }
    }
}

//! Fractions of claimed values, and their sums.

use p3_field::PrimeCharacteristicRing;
use sumcheck::Value;
use transcript::Extension;

/// A fraction of two claimed values.
#[derive(Clone, Copy, Debug)]
pub struct Fraction<V = Extension> {
    /// Above the line.
    pub numerator: V,
    /// Below it.
    pub denominator: V,
}

/// The two halves of a layer.
#[derive(Clone, Copy, Debug)]
pub struct Children<V = Extension>(pub [Fraction<V>; 2]);

impl Children {
    /// The sum of both as one fraction.
    pub(crate) fn sum(&self) -> Fraction {
        let [a, b] = self.0;
        Fraction {
            numerator: a.numerator * b.denominator + b.numerator * a.denominator,
            denominator: a.denominator * b.denominator,
        }
    }
}

impl<V: Value> Children<V> {
    /// The fraction at `branch` of the line through both.
    pub(crate) fn at(&self, branch: Extension) -> Fraction<V> {
        let [a, b] = &self.0;
        let line = |a: &V, b: &V| V::combination([(Extension::ONE - branch, a), (branch, b)]);
        Fraction {
            numerator: line(&a.numerator, &b.numerator),
            denominator: line(&a.denominator, &b.denominator),
        }
    }

    /// `weight` times numerator + `lambda` · denominator of the sum of both, as products:
    /// n₀·d₁ + d₀·(n₁ + λ·d₁).
    pub(crate) fn products(&self, weight: Extension, lambda: Extension) -> [(V, V); 2] {
        let [a, b] = self.0.clone();
        let right = b.numerator + b.denominator.clone() * lambda;
        [
            (a.numerator * weight, b.denominator),
            (a.denominator * weight, right),
        ]
    }
}

/// The children of one tree off the front of a layer's elements.
pub fn take<V: Value>(
    elements: &mut impl Iterator<Item = V>,
    leaves_of_rows: bool,
) -> Option<Children<V>> {
    let mut fraction = || {
        let numerator = if leaves_of_rows {
            Extension::ONE.into()
        } else {
            elements.next()?
        };
        Some(Fraction {
            numerator,
            denominator: elements.next()?,
        })
    };
    Some(Children([fraction()?, fraction()?]))
}

/// Fractions of all trees with powers of `lambda`: numerator, then denominator of each.
pub fn combine<'a, V: Value + 'a>(
    fractions: impl IntoIterator<Item = &'a Fraction<V>>,
    lambda: Extension,
) -> V {
    let powers = std::iter::successors(Some(Extension::ONE), |&power| Some(power * lambda));
    let fractions = fractions.into_iter();
    let values = fractions.flat_map(|fraction| [&fraction.numerator, &fraction.denominator]);
    V::combination(powers.zip(values))
}

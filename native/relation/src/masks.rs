//! The univariate masks of a sumcheck.
//!
//! ```text
//! Σ_{b ∈ {0,1}^n} Σ_i s_i(b_i),   s_i = Σ_{j ≤ 3} s_{i,j} X^j
//! ```
//!
//! Each round shows three coefficients of its polynomial; the round of variable i adds to them those of
//! s_i times a power of two, so that all of them together with the sum are uniform when all s_{i,j}
//! are. (Libra, CRYPTO 2019, section 4.1, has masks of this form.)

use p3_field::PrimeCharacteristicRing;
use sumcheck::powers;
use transcript::Extension;

/// Coefficients of a mask: it has the degree of the round polynomials.
pub const COEFFICIENTS: usize = 4;

/// Masks while their variables are bound one after another.
pub struct Masks<'a> {
    /// Those of variables that are not bound, coefficients from X⁰ upward.
    left: &'a [[Extension; COEFFICIENTS]],
    /// The sum of the values of those that are.
    bound: Extension,
}

impl<'a> Masks<'a> {
    /// One mask for each variable.
    pub const fn new(masks: &'a [[Extension; COEFFICIENTS]]) -> Self {
        Self {
            left: masks,
            bound: Extension::ZERO,
        }
    }

    /// The sum over all values of the variables that are left.
    pub fn sum(&self) -> Extension {
        let Some(others) = self.left.len().checked_sub(1) else {
            return self.bound;
        };
        let ends = self.left.iter().map(ends).sum::<Extension>();
        doubled(self.bound, self.left.len()) + doubled(ends, others)
    }

    /// Coefficients of X⁰, X², X³ of the sum as a polynomial in the next variable.
    pub fn round(&self) -> [Extension; 3] {
        let Some(([constant, _, square, cube], others)) = self.left.split_first() else {
            return [Extension::ZERO; 3];
        };
        let rest = Masks {
            left: others,
            bound: self.bound,
        };
        let scaled = |value| doubled(value, others.len());
        [
            scaled(*constant) + rest.sum(),
            scaled(*square),
            scaled(*cube),
        ]
    }

    /// Binds the next variable.
    pub fn fold(&mut self, x: Extension) {
        if let Some((mask, others)) = self.left.split_first() {
            self.bound += sumcheck::dot(mask, &powers(x, COEFFICIENTS));
            self.left = others;
        }
    }
}

/// s(0) + s(1).
fn ends(mask: &[Extension; COEFFICIENTS]) -> Extension {
    mask[0] + mask.iter().copied().sum::<Extension>()
}

/// value · 2^times.
fn doubled(value: Extension, times: usize) -> Extension {
    (0..times).fold(value, |value, _| value.double())
}

#[cfg(test)]
mod tests {
    use super::{COEFFICIENTS, Masks};
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::{dot, powers};
    use transcript::{Extension, Transcript};

    #[test]
    fn sums_and_rounds_are_those_of_the_cube() {
        let mut transcript = Transcript::new();
        let variables = 4;
        let masks: Vec<[Extension; COEFFICIENTS]> = (0..variables)
            .map(|_| std::array::from_fn(|_| transcript.challenge()))
            .collect();
        let at = |mask: &[Extension; COEFFICIENTS], x| dot(mask, &powers(x, COEFFICIENTS));
        // The sum over all bits of the variables from `bound.len()` on.
        let over_cube = |bound: &[Extension]| {
            let free = variables - bound.len();
            let mut sum = Extension::ZERO;
            for bits in 0..1_usize << free {
                let bits = (0..free).map(|bit| Extension::from_bool(bits >> bit & 1 == 1));
                let point = bound.iter().copied().chain(bits);
                sum += masks
                    .iter()
                    .zip(point)
                    .map(|(m, x)| at(m, x))
                    .sum::<Extension>();
            }
            sum
        };
        let mut state = Masks::new(&masks);
        let mut bound = Vec::new();
        for _ in 0..variables {
            assert_eq!(state.sum(), over_cube(&bound));
            let [constant, square, cube] = state.round();
            let linear = state.sum() - constant.double() - square - cube;
            let x = transcript.challenge();
            bound.push(x);
            state.fold(x);
            let value = dot(&[constant, linear, square, cube], &powers(x, COEFFICIENTS));
            assert_eq!(value, over_cube(&bound));
        }
        assert_eq!(state.sum(), over_cube(&bound));
        assert_eq!(state.round(), [Extension::ZERO; 3]);
    }
}

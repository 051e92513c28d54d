//! How the values of a proof are held by whoever checks it.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul, Sub, SubAssign};
use transcript::Extension;

/// A value that a prover sends or that follows from such values by known coefficients.
///
/// The relations of a proof are written once, for values of either kind: elements of the extension
/// field, where what is sent is known, or affine forms in pads, where it is sent under one-time pads.
/// So there is no product of two values here: a relation that needs one hands it to whoever checks.
/// Points and challenges are known in both worlds and stay [`Extension`].
pub trait Value:
    Clone
    + Debug
    + Default
    + PartialEq
    + From<Extension>
    + Add<Output = Self>
    + Add<Extension, Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Sub<Extension, Output = Self>
    + SubAssign
    + Mul<Extension, Output = Self>
{
    /// Σ factor · value.
    fn combination<'a>(terms: impl IntoIterator<Item = (Extension, &'a Self)>) -> Self
    where
        Self: 'a;
}

impl Value for Extension {
    fn combination<'a>(terms: impl IntoIterator<Item = (Extension, &'a Self)>) -> Self {
        let terms = terms.into_iter();
        terms.map(|(factor, &value)| factor * value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Value;
    use p3_field::PrimeCharacteristicRing;
    use transcript::Extension;

    #[test]
    fn a_combination_is_the_sum_of_its_terms() {
        let [two, three, five] = [2, 3, 5].map(Extension::from_u32);
        let sum = Extension::combination([(two, &three), (five, &five)]);
        assert_eq!(sum, Extension::from_u32(31));
        assert_eq!(Extension::combination([]), Extension::ZERO);
    }
}

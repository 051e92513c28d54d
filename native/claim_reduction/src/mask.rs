//! What keeps an inner sum from reading padding.
//!
//! ```text
//! Σ_{k < 2^v} 1~_K(k)·a[k]·b[k] = Σ_{k < K} a[k]·b[k]          1~_K(k) = 1 for k < K, else 0
//! ```
//!
//! Whoever commits to weights chooses what stands beyond their last row and column, and with it the
//! padding of what they yield. *No element of a result reads the padding of an operand*, so that this
//! choice is of no consequence. Most operations go element by element, or by weights that are zero in
//! the padding; Linear, MatMul and Sum add up along whole axes and need the mask, unless the verifier
//! knows that the padding is zero.

use crate::shape::indicator;
use commitment::variables;
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// The axis that is summed over: how many elements it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask(usize);

impl Mask {
    /// The mask of an axis; none where it has no padding, or where nothing in the padding counts.
    pub(crate) fn of(size: usize, counts: bool) -> Option<Self> {
        (counts && !size.is_power_of_two()).then_some(Self(size))
    }

    /// 1 for each element, 0 in the padding.
    pub(crate) fn table(self) -> Vec<Extension> {
        let mut table = vec![Extension::ONE; self.0];
        table.resize(1 << variables(self.0), Extension::ZERO);
        table
    }

    /// The value of its polynomial; 1 without a mask.
    pub(crate) fn at(mask: Option<Self>, point: &[Extension]) -> Extension {
        mask.map_or(Extension::ONE, |Self(size)| indicator(point, size))
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::{dot, equality};
    use transcript::{Extension, Transcript};

    #[test]
    fn its_polynomial_is_that_of_its_table() {
        for size in [3, 5, 6, 7, 15] {
            let mask = Mask::of(size, true);
            let table = mask.unwrap().table();
            assert_eq!(table.iter().filter(|&&x| x == Extension::ONE).count(), size);
            let point = Transcript::new().point(table.len().ilog2() as usize);
            let expected = dot(&equality(&point, table.len()), &table);
            assert_eq!(Mask::at(mask, &point), expected, "{size}");
        }
    }

    #[test]
    fn there_is_none_without_padding_that_counts() {
        for size in [1, 2, 16] {
            assert!(Mask::of(size, true).is_none());
        }
        assert!(Mask::of(7, false).is_none());
        assert_eq!(Mask::at(None, &[]), Extension::ONE);
    }
}

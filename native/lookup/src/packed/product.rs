//! Products of packed elements, with one reduction for each coefficient.

use super::{Lanes, Wide};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};

/// a · b. The field's X^5 is 1 - X^2, so that each coefficient of the product is a sum of five products
/// with sums of coefficients of b, which are made once; the library's own product reduces nine sums.
#[inline]
pub(super) fn times(a: Wide, b: Wide) -> Wide {
    let (a, b): (&[Lanes], &[Lanes]) = (
        a.as_basis_coefficients_slice(),
        b.as_basis_coefficients_slice(),
    );
    let (&[a0, a1, a2, a3, a4], &[b0, b1, b2, b3, b4]) = (
        <&[Lanes; 5]>::try_from(a).unwrap_or(&[Lanes::ZERO; 5]),
        <&[Lanes; 5]>::try_from(b).unwrap_or(&[Lanes::ZERO; 5]),
    );
    let a = [a0, a1, a2, a3, a4];
    let (c0, c1, c4) = (b0 - b3, b1 - b4, b4 - b2);
    let coefficients = [
        Lanes::dot_product(&a, &[b0, b4, b3, b2, c1]),
        Lanes::dot_product(&a, &[b1, b0, b4, b3, b2]),
        Lanes::dot_product(&a, &[b2, c1, c0, c4, b3 - c1]),
        Lanes::dot_product(&a, &[b3, b2, c1, c0, c4]),
        Lanes::dot_product(&a, &[b4, b3, b2, c1, c0]),
    ];
    Wide::from_basis_coefficients_fn(|index| coefficients[index])
}

//! Sums of int8 matrices with weights of five limbs, exactly.
//!
//! ```text
//! combine_rows(w, M)[c] = Σ_r w[r] · M[r, c]      over the integers, limb by limb
//! ```
//!
//! A weight is five whole numbers below 2^31, as the coefficients of an extension field element
//! are. Nothing is reduced here: a sum is of at most 2^24 products below 2^31 · 2^7, so that 64 bits
//! hold it. Where the processor multiplies bytes (AVX-512 VNNI, chosen when this is compiled), limbs
//! are cut into bytes and four products are added in one step; elsewhere limbs are multiplied as
//! they are. Both give the same numbers.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `portable` | the sums in Rust that any processor runs |
//! | `vnni` | the same sums with AVX-512 VNNI |
//!
//! # Soundness
//!
//! Sums are exact for weights whose limbs are below 2^31 and for at most 2^24 products; nothing here
//! checks either, so the caller MUST hold both. Reducing a sum modulo the field's prime is the caller's
//! part too.

mod portable;
#[cfg(all(
    target_arch = "x86_64",
    target_feature = "avx512vnni",
    target_feature = "avx512bw"
))]
mod vnni;

/// Limbs of a weight.
pub const LIMBS: usize = 5;
/// One weight: limbs below 2^31.
pub type Weight = [u32; LIMBS];
/// One sum, limb by limb.
pub type Sum = [i64; LIMBS];

/// Σ over rows of weights[row] · matrix[row][column], for each of `columns` columns.
pub fn combine_rows(weights: &[Weight], matrix: &[i8], columns: usize) -> Vec<Sum> {
    #[cfg(all(
        target_arch = "x86_64",
        target_feature = "avx512vnni",
        target_feature = "avx512bw"
    ))]
    if columns >= vnni::LANES && weights.len() >= vnni::BYTES {
        return vnni::combine_rows(weights, matrix, columns);
    }
    portable::combine_rows(weights, matrix, columns)
}

#[cfg(test)]
mod tests {
    use super::{LIMBS, Sum, Weight, combine_rows, portable};

    fn weights(count: usize) -> Vec<Weight> {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u32
        };
        let mut made: Vec<Weight> = (0..count).map(|_| [(); LIMBS].map(|()| next())).collect();
        if let Some(first) = made.first_mut() {
            *first = [u32::MAX >> 1; LIMBS];
        }
        made
    }

    fn matrix(count: usize) -> Vec<i8> {
        let bytes = (0..count).map(|index| (index * index * 31 % 251 + index) as u8 as i8);
        bytes.collect()
    }

    fn one_by_one<'a>(weights: &[Weight], values: impl Iterator<Item = &'a i8>) -> Sum {
        let mut sum = [0; LIMBS];
        for (weight, &value) in weights.iter().zip(values) {
            for (sum, &limb) in sum.iter_mut().zip(weight) {
                *sum += i64::from(limb) * i64::from(value);
            }
        }
        sum
    }

    #[test]
    fn rows_are_combined_as_one_by_one() {
        for (rows, columns) in [
            (1, 1),
            (4, 3),
            (7, 300),
            (4, 64),
            (9, 65),
            (130, 200),
            (256, 512),
        ] {
            let (weights, matrix) = (weights(rows), matrix(rows * columns));
            let wanted: Vec<Sum> = (0..columns)
                .map(|column| one_by_one(&weights, matrix[column..].iter().step_by(columns)))
                .collect();
            assert_eq!(
                combine_rows(&weights, &matrix, columns),
                wanted,
                "{rows} {columns}"
            );
            assert_eq!(portable::combine_rows(&weights, &matrix, columns), wanted);
        }
    }

    #[test]
    fn the_largest_sums_are_exact() {
        for value in [i8::MIN, i8::MAX] {
            let (many, columns) = (70_000, 64);
            let weights = vec![[u32::MAX >> 1; LIMBS]; many];
            let wanted = i64::from(u32::MAX >> 1) * i64::from(value) * many as i64;
            let sums = combine_rows(&weights, &vec![value; many * columns], columns);
            assert!(sums.iter().all(|&sum| sum == [wanted; LIMBS]));
        }
    }

    #[test]
    fn nothing_has_no_sums() {
        assert_eq!(combine_rows(&[], &[], 70), vec![[0; LIMBS]; 70]);
        assert!(combine_rows(&weights(70), &[], 0).is_empty());
    }
}

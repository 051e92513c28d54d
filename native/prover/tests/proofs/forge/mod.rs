//! What a prover who knows the challenges can find.
#![allow(dead_code)]

use p3_field::{BasedVectorSpace, Field, PrimeCharacteristicRing, PrimeField32};
use transcript::{Base, Extension};

/// `results` plus the first multiple of `kernel` that keeps them all in range.
pub fn small(kernel: &[Base], results: &[i32]) -> Vec<i32> {
    let centred = |value: Base| {
        let value = i64::from(value.as_canonical_u32());
        let modulus = i64::from(Base::ORDER_U32);
        if value > modulus / 2 {
            value - modulus
        } else {
            value
        }
    };
    (1..100_000)
        .find_map(|factor| {
            results
                .iter()
                .zip(kernel)
                .map(|(&result, &value)| {
                    let forged = i64::from(result) + centred(value * Base::from_u32(factor));
                    i32::try_from(forged)
                        .ok()
                        .filter(|forged| forged.abs() < 1 << 29)
                })
                .collect()
        })
        .unwrap()
}

/// A non-zero vector of base field elements on which the weights vanish.
pub fn kernel(weights: &[Extension]) -> Vec<Base> {
    let mut rows: Vec<Vec<Base>> = (0..5)
        .map(|index| {
            weights
                .iter()
                .map(|weight| {
                    let coefficients: &[Base] = weight.as_basis_coefficients_slice();
                    coefficients[index]
                })
                .collect()
        })
        .collect();
    for pivot in 0..5 {
        let found = (pivot..5)
            .find(|&row| rows[row][pivot] != Base::ZERO)
            .unwrap();
        rows.swap(pivot, found);
        let inverse = rows[pivot][pivot].inverse();
        for value in &mut rows[pivot] {
            *value *= inverse;
        }
        let pivoted = rows[pivot].clone();
        for (row, values) in rows.iter_mut().enumerate() {
            if row != pivot {
                let factor = values[pivot];
                for (value, &other) in values.iter_mut().zip(&pivoted) {
                    *value -= factor * other;
                }
            }
        }
    }
    let mut kernel = vec![Base::ZERO; weights.len()];
    kernel[5] = Base::ONE;
    for (pivot, row) in rows.iter().enumerate() {
        kernel[pivot] = -row[5];
    }
    kernel
}

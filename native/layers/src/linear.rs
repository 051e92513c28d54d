//! Multilinear algebra over integers and challenges.

use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension};

/// The integer as an element of the base field.
pub fn lift(value: i32) -> Base {
    Base::from_i32(value)
}

/// Σ weights[i] · values[i] over integers.
pub fn dot_integers(weights: &[Extension], values: impl Iterator<Item = i32>) -> Extension {
    weights
        .iter()
        .zip(values)
        .map(|(&weight, value)| weight * lift(value))
        .sum()
}

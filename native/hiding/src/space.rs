//! Ranks over the base field, by which tests say what is shown.

use p3_field::{Field, PrimeCharacteristicRing};
use transcript::Base;

/// Vectors in echelon form.
#[derive(Clone, Default)]
pub struct Space {
    /// Each with the place of its first element, which is 1.
    rows: Vec<(usize, Vec<Base>)>,
}

impl Space {
    /// Adds a vector; whether it was outside of the space before.
    pub fn add(&mut self, mut vector: Vec<Base>) -> bool {
        for (first, row) in &self.rows {
            let factor = vector[*first];
            if factor != Base::ZERO {
                let both = vector[*first..].iter_mut().zip(&row[*first..]);
                both.for_each(|(value, &known)| *value -= factor * known);
            }
        }
        let Some(first) = vector.iter().position(|&value| value != Base::ZERO) else {
            return false;
        };
        let inverse = vector[first].inverse();
        for value in &mut vector {
            *value *= inverse;
        }
        self.rows.push((first, vector));
        true
    }

    /// The rank.
    pub const fn rank(&self) -> usize {
        self.rows.len()
    }
}

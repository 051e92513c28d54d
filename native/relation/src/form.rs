//! Affine forms in pads.

use p3_field::PrimeCharacteristicRing;
use std::ops::{Add, AddAssign, Mul, Sub, SubAssign};
use sumcheck::Value;
use transcript::Extension;

/// An affine form c + Σ a_i · pad_i with known c and a_i, few of which are there.
///
/// A prover sends a value m under a pad, as m' = m + pad_i; so whoever knows m' holds m as m' − pad_i.
/// Terms are kept when their coefficient happens to be zero: what a form depends on follows from the
/// relations alone and not from challenges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    constant: Extension,
    /// Pads in rising order, each with its coefficient.
    terms: Vec<(u32, Extension)>,
}

impl Form {
    /// What was sent as `sent` under the pad `index`.
    pub fn hidden(sent: Extension, index: u32) -> Self {
        Self {
            constant: sent,
            terms: vec![(index, -Extension::ONE)],
        }
    }

    /// A pad itself.
    pub fn pad(index: u32) -> Self {
        Self {
            constant: Extension::ZERO,
            terms: vec![(index, Extension::ONE)],
        }
    }

    /// The constant.
    pub const fn constant(&self) -> Extension {
        self.constant
    }

    /// Pads in rising order, each with its coefficient.
    pub fn terms(&self) -> &[(u32, Extension)] {
        &self.terms
    }

    /// The form as an element, where it depends on no pad.
    pub const fn known(&self) -> Option<Extension> {
        if self.terms.is_empty() {
            Some(self.constant)
        } else {
            None
        }
    }

    /// Its value for these pads; nothing if there is one that it depends on and that is not given.
    pub fn at(&self, pads: &[Extension]) -> Option<Extension> {
        let mut sum = self.constant;
        for &(index, factor) in &self.terms {
            sum += factor * *pads.get(index as usize)?;
        }
        Some(sum)
    }

    /// Adds `sign`(the terms of another form).
    fn merge(&mut self, other: Vec<(u32, Extension)>, sign: impl Fn(Extension) -> Extension) {
        let other = other.into_iter().map(|(index, a)| (index, sign(a)));
        let mut other = other.peekable();
        let last = self.terms.last().map(|&(index, _)| index);
        // What is received later has later pads: mostly there is nothing to sort.
        if last
            .zip(other.peek())
            .is_none_or(|(last, next)| last < next.0)
        {
            self.terms.extend(other);
            return;
        }
        let own = std::mem::take(&mut self.terms);
        self.terms.reserve(own.len() + other.len());
        for (index, mut factor) in own {
            while let Some(before) = other.next_if(|next| next.0 < index) {
                self.terms.push(before);
            }
            if let Some((_, more)) = other.next_if(|next| next.0 == index) {
                factor += more;
            }
            self.terms.push((index, factor));
        }
        self.terms.extend(other);
    }
}

impl From<Extension> for Form {
    fn from(constant: Extension) -> Self {
        Self {
            constant,
            terms: Vec::new(),
        }
    }
}

impl AddAssign for Form {
    fn add_assign(&mut self, other: Self) {
        self.constant += other.constant;
        self.merge(other.terms, |factor| factor);
    }
}

impl SubAssign for Form {
    fn sub_assign(&mut self, other: Self) {
        self.constant -= other.constant;
        self.merge(other.terms, |factor| -factor);
    }
}

impl Add for Form {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sub for Form {
    type Output = Self;
    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
    }
}

impl Add<Extension> for Form {
    type Output = Self;
    fn add(mut self, known: Extension) -> Self {
        self.constant += known;
        self
    }
}

impl Sub<Extension> for Form {
    type Output = Self;
    fn sub(mut self, known: Extension) -> Self {
        self.constant -= known;
        self
    }
}

impl Mul<Extension> for Form {
    type Output = Self;
    fn mul(mut self, factor: Extension) -> Self {
        self.constant *= factor;
        for (_, own) in &mut self.terms {
            *own *= factor;
        }
        self
    }
}

impl Value for Form {
    fn combination<'a>(terms: impl IntoIterator<Item = (Extension, &'a Self)>) -> Self {
        let mut sum = Self::default();
        for (weight, form) in terms {
            sum.constant += weight * form.constant;
            let scaled = form.terms.iter().map(|&(index, a)| (index, weight * a));
            sum.terms.extend(scaled);
        }
        // Stable, and quick on runs that are sorted.
        sum.terms.sort_by_key(|&(index, _)| index);
        sum.terms.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::Form;
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::Value;
    use transcript::{Extension, Transcript};

    /// Each operation on forms is that operation on their values.
    #[test]
    fn forms_are_computed_with_as_their_values_are() {
        let mut transcript = Transcript::new();
        let pads = transcript.point(8);
        let mut form = |indices: &[u32]| {
            let mut form = Form::from(transcript.challenge());
            for &index in indices {
                form += Form::hidden(transcript.challenge(), index) * transcript.challenge();
            }
            form
        };
        let forms = [
            form(&[]),
            form(&[0, 2, 5]),
            form(&[5, 1, 0]),
            form(&[6, 7]),
            form(&[3, 3]),
        ];
        let factor = transcript.challenge();
        let at = |form: &Form| form.at(&pads).unwrap();
        for a in &forms {
            assert!(a.terms().is_sorted_by(|a, b| a.0 < b.0));
            assert_eq!(at(&(a.clone() * factor)), at(a) * factor);
            assert_eq!(at(&(a.clone() + factor)), at(a) + factor);
            assert_eq!(at(&(a.clone() - factor)), at(a) - factor);
            for b in &forms {
                let (sum, difference) = (a.clone() + b.clone(), a.clone() - b.clone());
                for result in [&sum, &difference] {
                    assert!(result.terms().is_sorted_by(|a, b| a.0 < b.0));
                }
                assert_eq!(at(&sum), at(a) + at(b));
                assert_eq!(at(&difference), at(a) - at(b));
                let combined = Form::combination([(factor, a), (-Extension::ONE, b), (factor, b)]);
                assert!(combined.terms().is_sorted_by(|a, b| a.0 < b.0));
                let expected = factor * at(a) - at(b) + factor * at(b);
                assert_eq!(at(&combined), expected);
            }
        }
    }

    #[test]
    fn what_a_form_depends_on_does_not_depend_on_its_coefficients() {
        let form = Form::hidden(Extension::TWO, 3);
        assert_eq!(form.at(&[Extension::ONE; 4]), Some(Extension::ONE));
        assert_eq!(form.at(&[Extension::ONE; 3]), None);
        let nothing = form.clone() - form;
        assert_eq!(nothing.known(), None);
        assert_eq!(nothing.at(&[Extension::ONE; 4]), Some(Extension::ZERO));
        assert_eq!(Form::from(Extension::TWO).known(), Some(Extension::TWO));
    }
}

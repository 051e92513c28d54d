//! Provable bits, term by term: the report of a key.

use crate::Profile;
use p3_field::Field;
use std::fmt::Write;
use transcript::Extension;

/// Bits of proof of work before each set of queries.
pub const WORK_BITS: usize = 13;

/// One error term.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What can go wrong.
    pub name: String,
    /// -log2 of the probability with which it does.
    pub bits: f64,
}

impl Term {
    /// A named term.
    pub fn new(name: impl Into<String>, bits: f64) -> Self {
        Self {
            name: name.into(),
            bits,
        }
    }
}

/// -log2 of the sum of the terms' probabilities.
pub fn compose(terms: &[Term]) -> f64 {
    let error: f64 = terms.iter().map(|term| (-term.bits).exp2()).sum();
    -error.log2()
}

/// Provable bits of the proofs for one key, term by term.
#[derive(Clone, Debug, PartialEq)]
pub struct Security {
    /// Bits of all terms together.
    pub provable_bits: f64,
    /// The profile's name.
    pub profile: &'static str,
    /// The error terms.
    pub terms: Vec<Term>,
}

impl Security {
    /// The report of these terms.
    pub fn new(profile: Profile, terms: Vec<Term>) -> Self {
        Self {
            provable_bits: compose(&terms),
            profile: profile.name(),
            terms,
        }
    }

    /// The report as JSON. Bits are rounded down to hundredths.
    pub fn to_json(&self) -> String {
        let mut out = format!(
            "{{\"provable_bits\":{},\"profile\":\"{}\",\"terms\":[",
            floor(self.provable_bits),
            self.profile
        );
        for (index, term) in self.terms.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a string does not fail. Names hold nothing that JSON would escape.
            let _ = write!(
                out,
                "{comma}{{\"name\":\"{}\",\"bits\":{}}}",
                term.name,
                floor(term.bits)
            );
        }
        out.push_str("]}");
        out
    }
}

/// Bits to two decimals, rounded down; a term that cannot fail counts as 999 bits.
fn floor(bits: f64) -> f64 {
    (bits.min(999.0) * 100.0).floor() / 100.0
}

/// A lower bound of log2 of the number of challenges.
pub fn challenge_bits() -> usize {
    let bits = <Extension as Field>::bits();
    bits - 1
}

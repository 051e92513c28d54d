//! The security report.

use crate::VerifyingKey;
use commitment::{Term, compose};
use std::fmt::Write;

/// Provable bits of a proof for one key, term by term.
#[derive(Clone, Debug, PartialEq)]
pub struct Security {
    /// Bits of all terms together.
    pub provable_bits: f64,
    /// The profile's name.
    pub profile: &'static str,
    /// The error terms.
    pub terms: Vec<Term>,
}

impl VerifyingKey {
    /// What is proven about the soundness of proofs for this key, hash and transcript being ideal.
    pub fn security(&self) -> Security {
        let mut terms = layers::security(self.contractions());
        terms.extend(self.scheme().pin_security());
        terms.extend(self.scheme().security());
        Security {
            provable_bits: compose(&terms),
            profile: self.scheme().profile().name(),
            terms,
        }
    }
}

impl Security {
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

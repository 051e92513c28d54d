//! The theorems that an opening rests on, as bounds of its error terms.
//!
//! A code of dimension k and length n has the rate ρ = k/n, exactly: with t tail rows, the first code
//! has the dimension N + t, which is no power of two. All of the bounds hold for any k < n.
//!
//! | | `default` | `conservative` |
//! | --- | --- | --- |
//! | distance δ | 1 − 1.05·√ρ | (1 − ρ)/2 |
//! | candidates Λ within it | 10/ρ, by Johnson's bound at √ρ/20 below the Johnson radius | 1 |
//! | exceptional challenges of a line | (2·10.5⁵ + 3·10.5·δρ)/(3·ρ^1.5)·n + 10.5/√ρ | n |
//!
//! Johnson's bound needs the distance of the code only, so it holds for interleaved codes (rows of all
//! trees together) as for one column. It is met because δ is the Johnson radius 1 − √ρ less √ρ/20.
//! The count of a line is Theorem 1.5 of On Proximity Gaps for Reed-Solomon Codes (ePrint 2025/2055) with
//! m = 10, for mutual correlated agreement by ePrint 2025/2110; its conditions are k ≥ 2, k < n, m ≥ 3 and an
//! agreement of at least (1 + 1/(2m))·√ρ, which 1 − δ is. Theorem 5.12 of ePrint 2026/2056, a preprint, has a
//! smaller count, 8·n·10.5³/(3·(k−1)/n), on which nothing rests. In unique decoding it is Theorem 1.4 of
//! Proximity Gaps for Reed-Solomon Codes (FOCS 2020, ePrint 2020/654).

use commitment::{Profile, challenge_bits};

/// By how much more than √ρ two words have to agree: 1 + 1/(2m).
const AGREEMENT: f64 = 1.05;
/// m of the Johnson bound.
const MULTIPLICITY: f64 = 10.0;

/// A Reed-Solomon code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    dimension: f64,
    length: f64,
}

impl Rate {
    /// Of so many coefficients on so many points. Nothing where the theorems do not apply.
    pub(crate) fn new(dimension: usize, length: usize) -> Option<Self> {
        (2 <= dimension && dimension < length).then_some(Self {
            dimension: dimension as f64,
            length: length as f64,
        })
    }

    fn value(self) -> f64 {
        self.dimension / self.length
    }
}

/// Which of the two sets of bounds holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Regime {
    Johnson,
    Unique,
}

impl Regime {
    pub(crate) const fn of(profile: Profile) -> Self {
        if profile.binds() {
            Self::Johnson
        } else {
            Self::Unique
        }
    }

    /// −log2 of 1 − δ: what one query brings.
    pub(crate) fn query_bits(self, rate: Rate) -> f64 {
        match self {
            Self::Johnson => -(AGREEMENT.log2() + rate.value().log2() / 2.0),
            Self::Unique => -f64::midpoint(1.0, rate.value()).log2(),
        }
    }

    /// log2 of Λ.
    pub(crate) fn candidate_bits(self, rate: Rate) -> f64 {
        match self {
            Self::Johnson => MULTIPLICITY.log2() - rate.value().log2(),
            Self::Unique => 0.0,
        }
    }

    /// Bits of mutual correlated agreement of two words, combined by one challenge.
    pub(crate) fn line_bits(self, rate: Rate) -> f64 {
        let exceptional = match self {
            Self::Johnson => {
                let (m, root) = (MULTIPLICITY + 0.5, rate.value().sqrt());
                let distance = 1.0 - AGREEMENT * root;
                let curves = 2.0 * m.powi(5) + 3.0 * m * distance * rate.value();
                curves / (3.0 * root.powi(3)) * rate.length + m / root
            }
            Self::Unique => rate.length,
        };
        challenge_bits() as f64 - exceptional.log2()
    }

    /// Bits of a check that fails for at most `degree` challenges for each candidate.
    pub(crate) fn check_bits(self, rate: Rate, degree: f64) -> f64 {
        challenge_bits() as f64 - degree.log2() - self.candidate_bits(rate)
    }

    /// Bits with which one answer at a random point tells all pairs of candidates apart, which differ by
    /// polynomials of at most this degree.
    pub(crate) fn sample_bits(self, rate: Rate, degree_bits: f64) -> f64 {
        challenge_bits() as f64 - degree_bits + 1.0 - 2.0 * self.candidate_bits(rate)
    }

    /// Out-of-domain answers that are needed.
    pub(crate) const fn samples(self) -> usize {
        match self {
            Self::Johnson => 1,
            Self::Unique => 0,
        }
    }

    pub(crate) const fn of_lines(self) -> &'static str {
        match self {
            Self::Johnson => {
                "mutual correlated agreement up to the Johnson bound, Theorem 1.5 of ePrint 2025/2055 and ePrint 2025/2110, with m = 10: 2 ≤ k < n, agreement ≥ 1.05·√(k/n)"
            }
            Self::Unique => {
                "correlated agreement in unique decoding, Theorem 1.4 of ePrint 2020/654: k < n, distance ≤ (1 − k/n)/2"
            }
        }
    }

    pub(crate) const fn of_lists(self) -> &'static str {
        match self {
            Self::Johnson => "Schwartz-Zippel for each of Λ = 10·n/k candidates by Johnson's bound",
            Self::Unique => "Schwartz-Zippel for the one candidate of unique decoding",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rate, Regime};

    #[test]
    fn powers_of_two_have_the_bits_that_the_library_counts() {
        // Of p3-security's own tables, at rate 1/4 and dimension 2^20, for 155 bits of challenges: candidates,
        // sumcheck. Its count of a line is another theorem's.
        let rate = Rate::new(1 << 20, 1 << 22).unwrap();
        let regime = Regime::Johnson;
        assert!((regime.candidate_bits(rate) - 5.321_928).abs() < 1e-5);
        assert!((regime.check_bits(rate, 2.0) + 1.0 - 148.678_071).abs() < 1e-5);
        assert!((Regime::Unique.line_bits(rate) + 1.0 - 4.0 - 129.0).abs() < 1e-9);
        assert!((regime.query_bits(rate) - 0.929_611).abs() < 1e-5);
        assert!((Regime::Unique.query_bits(rate) - 0.678_072).abs() < 1e-5);
    }

    #[test]
    fn lines_have_the_bits_of_the_theorem() {
        // By hand: 2·10.5^5 = 255,256.3; δρ = (1 − 0.525)/4; ρ^1.5 = 1/8; n = 2^22; √ρ = 1/2.
        let rate = Rate::new(1 << 20, 1 << 22).unwrap();
        let count = (255_256.312_5_f64 + 31.5 * 0.475 / 4.0) * 8.0 / 3.0 * 4_194_304.0 + 21.0;
        assert!((Regime::Johnson.line_bits(rate) - (154.0 - count.log2())).abs() < 1e-9);
        // And it is a larger one than that of the preprint, in which a bit was kept in reserve.
        let preprint = 8.0 * 4_194_304.0 * 10.5_f64.powi(3) / (3.0 * 0.25);
        assert!(count > 2.0 * preprint);
    }

    #[test]
    fn no_bits_are_counted_where_no_theorem_applies() {
        assert!(Rate::new(1, 16).is_none());
        assert!(Rate::new(16, 16).is_none());
        assert!(Rate::new(17, 16).is_none());
    }
}

//! Protocol parameters by size: never read from a proof.

use p3_security::SecurityAssumption;
use p3_whir::{FoldingFactor, ProtocolParameters};

/// Which theorem the proximity argument rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// List decoding up to the Johnson bound.
    Default,
    /// Unique decoding.
    Conservative,
}

impl Profile {
    /// Both profiles.
    pub const ALL: [Self; 2] = [Self::Default, Self::Conservative];

    /// The profile's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Conservative => "conservative",
        }
    }

    /// The profile of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The profile's byte in a verifying key.
    pub const fn code(self) -> u8 {
        match self {
            Self::Default => 1,
            Self::Conservative => 2,
        }
    }

    /// The profile of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.code() == code)
    }

    /// Whether keys pin the weights: where a root may be close to several codewords.
    pub const fn pins(self) -> bool {
        matches!(self, Self::Default)
    }

    /// The regime in which the errors are computed.
    pub const fn assumption(self) -> SecurityAssumption {
        match self {
            Self::Default => SecurityAssumption::JohnsonBound,
            Self::Conservative => SecurityAssumption::UniqueDecoding,
        }
    }
}

/// Bits that each single error term has to reach.
pub const TERM_BITS: usize = 102;
/// Bits of proof of work before each set of queries.
pub const WORK_BITS: usize = 13;

/// Of the first code, as the number of halvings: more of it makes queries stronger and the
/// codeword, which the prover keeps, larger.
const fn rate(variables: usize) -> usize {
    if variables <= 21 { 3 } else { 2 }
}

/// Variables that the first fold takes.
const fn first_fold(variables: usize) -> usize {
    match variables {
        0..=19 => 7,
        20..=23 => 8,
        _ => 9,
    }
}

/// Variables that every later fold takes at most.
pub(crate) const fn later_fold(variables: usize) -> usize {
    if variables <= 23 { 4 } else { 5 }
}

/// Of the codes after the first: three more halvings each, so that their domains shrink.
const fn later_rate(round: usize) -> usize {
    4 + 3 * round
}

/// The parameters for a polynomial of `variables` variables.
pub(crate) fn parameters(variables: usize, profile: Profile) -> ProtocolParameters {
    let folding_factor =
        FoldingFactor::ConstantFromSecondRound(first_fold(variables), later_fold(variables));
    let rounds = folding_factor
        .compute_number_of_rounds(variables)
        .map_or(0, |(rounds, _)| rounds);
    ProtocolParameters {
        starting_log_inv_rate: rate(variables),
        round_log_inv_rates: (0..rounds).map(later_rate).collect(),
        folding_factor,
        soundness_type: profile.assumption(),
        security_level: TERM_BITS,
        pow_bits: WORK_BITS,
    }
}

/// Variables that the first fold takes where an opening is to be small: what comes after it costs
/// more than where it is to be fast.
const fn small_first_fold(variables: usize) -> usize {
    match variables {
        0..=21 => 6,
        22..=23 => 7,
        _ => 8,
    }
}

/// Variables that every later fold takes at most where an opening is to be small.
pub(crate) const fn small_later_fold(variables: usize) -> usize {
    if variables <= 18 { 3 } else { 4 }
}

/// Bits that each single error term of a small opening has to reach: it has more rounds.
pub const SMALL_TERM_BITS: usize = 103;

/// Halvings of the code after the first fold, beyond those of the first code.
const fn small_step(variables: usize) -> usize {
    if variables <= 18 { 0 } else { 1 }
}

/// The parameters for a smaller opening of a polynomial of `variables` variables.
pub(crate) fn small_parameters(variables: usize, profile: Profile) -> ProtocolParameters {
    let folding_factor = FoldingFactor::ConstantFromSecondRound(
        small_first_fold(variables),
        small_later_fold(variables),
    );
    let rounds = folding_factor
        .compute_number_of_rounds(variables)
        .map_or(0, |(rounds, _)| rounds);
    let rate = rate(variables);
    ProtocolParameters {
        starting_log_inv_rate: rate,
        round_log_inv_rates: (0..rounds)
            .map(|round| rate + small_step(variables) + 2 * round)
            .collect(),
        folding_factor,
        soundness_type: profile.assumption(),
        security_level: SMALL_TERM_BITS,
        pow_bits: WORK_BITS,
    }
}

/// Bits that each term of the opening of a witness has to reach: more than that of the weights, so
/// that both together stay above 100.
pub const WITNESS_TERM_BITS: usize = 105;

/// Halvings of the first code of a witness, which is made anew for each proof.
const fn witness_rate(variables: usize) -> usize {
    match variables {
        0..=14 => 3,
        15..=22 => 2,
        _ => 1,
    }
}

/// Variables that the first fold of a witness takes.
const fn witness_first_fold(variables: usize) -> usize {
    if variables <= 22 { 6 } else { 7 }
}

/// Variables that every later fold of a witness takes at most.
pub(crate) const fn witness_later_fold(variables: usize) -> usize {
    match variables {
        15..=18 => 3,
        _ => 4,
    }
}

/// The parameters for a witness of `variables` variables. Later codes lose what a fold leaves of
/// their domains: one halving less than it takes variables.
pub(crate) fn witness_parameters(variables: usize, profile: Profile) -> ProtocolParameters {
    let later = witness_later_fold(variables);
    let folding_factor =
        FoldingFactor::ConstantFromSecondRound(witness_first_fold(variables), later);
    let rounds = folding_factor
        .compute_number_of_rounds(variables)
        .map_or(0, |(rounds, _)| rounds);
    let rate = witness_rate(variables);
    ProtocolParameters {
        starting_log_inv_rate: rate,
        round_log_inv_rates: (0..rounds)
            .map(|round| rate + 2 + (later - 1) * round)
            .collect(),
        folding_factor,
        soundness_type: profile.assumption(),
        security_level: WITNESS_TERM_BITS,
        pow_bits: WORK_BITS,
    }
}

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

/// What depends on the size: rate of the first code, folds, rates of the later codes.
struct Row {
    rate: usize,
    first_fold: usize,
    fold: usize,
    next_rate: usize,
}

const fn row(variables: usize) -> Row {
    match variables {
        0..=19 => Row {
            rate: 3,
            first_fold: 7,
            fold: 4,
            next_rate: 5,
        },
        20..=21 => Row {
            rate: 3,
            first_fold: 8,
            fold: 4,
            next_rate: 4,
        },
        22..=23 => Row {
            rate: 2,
            first_fold: 8,
            fold: 5,
            next_rate: 3,
        },
        _ => Row {
            rate: 2,
            first_fold: 9,
            fold: 5,
            next_rate: 3,
        },
    }
}

/// What every fold after the first takes at most.
pub(crate) const fn later_fold(variables: usize) -> usize {
    row(variables).fold
}

/// The parameters for a polynomial of `variables` variables.
pub(crate) fn parameters(variables: usize, profile: Profile) -> ProtocolParameters {
    let row = row(variables);
    let folding_factor = FoldingFactor::ConstantFromSecondRound(row.first_fold, row.fold);
    // A code loses at most `fold` halvings of its rate from one round to the next; it loses one
    // less than that, so that the domain at least halves.
    let rounds = folding_factor
        .compute_number_of_rounds(variables)
        .map_or(0, |(rounds, _)| rounds);
    let round_log_inv_rates = (0..rounds)
        .map(|round| row.next_rate + round * (row.fold - 2))
        .collect();
    ProtocolParameters {
        starting_log_inv_rate: row.rate,
        round_log_inv_rates,
        folding_factor,
        soundness_type: profile.assumption(),
        security_level: TERM_BITS,
        pow_bits: WORK_BITS,
    }
}

//! The parameters of the profile `small`, one row for each size: what a search over folds and rates
//! found, which the test beside this makes anew.

use crate::{MIN_VARIABLES, Profile};
use p3_whir::{FoldingFactor, ProtocolParameters};

/// Bits of proof of work before each set of queries.
pub(super) const WORK_BITS: usize = 16;

/// What is chosen for one size.
#[derive(Clone, Copy, Debug)]
struct Row<L = &'static [usize]> {
    /// Bits that each single error term has to reach: the more sets of queries, the more.
    term_bits: usize,
    /// Halvings of each code.
    rates: L,
    /// Variables that each fold takes.
    folds: L,
}

impl<L: AsRef<[usize]>> Row<L> {
    fn parameters(&self) -> ProtocolParameters {
        let (first, later) = match self.rates.as_ref() {
            [first, later @ ..] => (*first, later),
            [] => (0, [].as_slice()),
        };
        ProtocolParameters {
            starting_log_inv_rate: first,
            round_log_inv_rates: later.to_vec(),
            folding_factor: FoldingFactor::PerRound(self.folds.as_ref().to_vec()),
            soundness_type: Profile::Small.assumption(),
            security_level: self.term_bits,
            pow_bits: WORK_BITS,
        }
    }
}

const fn row(term_bits: usize, rates: &'static [usize], folds: &'static [usize]) -> Row {
    Row {
        term_bits,
        rates,
        folds,
    }
}

/// The rows from the least size on.
const ROWS: [Row; 16] = [
    row(101, &[6, 7], &[5, 2]),
    row(101, &[6, 7], &[6, 2]),
    row(101, &[5, 6], &[6, 3]),
    row(101, &[5, 6], &[6, 4]),
    row(102, &[4, 5, 6], &[6, 4, 2]),
    row(102, &[4, 5, 7], &[7, 3, 2]),
    row(102, &[3, 4, 5], &[6, 4, 3]),
    row(102, &[2, 3, 5, 7], &[6, 3, 3, 2]),
    row(102, &[2, 3, 5, 7], &[6, 3, 3, 3]),
    row(102, &[2, 3, 5, 6], &[6, 3, 4, 3]),
    row(102, &[2, 4, 6, 7], &[7, 3, 4, 3]),
    row(102, &[2, 4, 5, 8], &[7, 4, 4, 3]),
    row(102, &[2, 3, 6, 9], &[7, 4, 4, 4]),
    row(103, &[2, 3, 5, 7, 9], &[7, 3, 4, 3, 3]),
    row(103, &[2, 3, 6, 8, 10], &[7, 4, 4, 3, 3]),
    row(103, &[2, 3, 6, 8, 9], &[7, 4, 4, 4, 3]),
];

/// The parameters for a polynomial of `variables` variables.
pub(super) fn parameters(variables: usize) -> ProtocolParameters {
    let index = variables.saturating_sub(MIN_VARIABLES).min(ROWS.len() - 1);
    ROWS[index].parameters()
}

#[cfg(test)]
mod search;

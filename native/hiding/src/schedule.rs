//! Parameters by size: folds, rates, queries and work, never read from a proof.

use crate::regime::{Rate, Regime};
use commitment::{Profile, WORK_BITS};
use transcript::HashFunction;

/// Bits that each term of the queries has to reach.
pub(crate) const TERM_BITS: usize = 104;
/// Variables of the last polynomial at most: as many are sent in the clear.
const LAST: usize = 6;
/// Part of a first code at least that is beyond message and tails: with less, queries would bring so
/// little that a longer code costs less.
const ROOM: f64 = 0.625;
/// Halvings of a first code at most.
const MAX_RATE: usize = 8;
/// Bits that each term of the queries has to reach where openings are made seldom: many of them are in one chain.
const SELDOM_BITS: usize = 107;
/// log2 of the elements of a vector for which they are enough. With each doubling lines have fewer bits, and a key
/// more proofs of ranges, so that queries have to leave them more.
const SELDOM_VARIABLES: usize = 24;
/// Bits of work there.
const SELDOM_WORK: usize = 18;
/// log2 of leaves and of elements of first codes, and of leaves of later ones, that an opening is worth which is
/// made seldom and is to be small.
const SELDOM_LEAVES: usize = 21;
const SELDOM_ELEMENTS: usize = 24;
const SELDOM_LATER: usize = 18;
/// Halvings of a later code at least.
const LEAST_LATER: usize = 3;

/// Queries to one code, with proof of work before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queries {
    pub(crate) count: usize,
    pub(crate) work: usize,
}

/// One later code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// Queries to the code before it.
    pub(crate) queries: Queries,
    /// Out-of-domain answers about it.
    pub(crate) samples: usize,
    /// Variables that are folded after it.
    pub(crate) fold: usize,
    /// Halvings of it.
    pub(crate) rate: usize,
}

/// All of an opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The hash of the trees.
    pub(crate) hash: HashFunction,
    /// log N.
    pub(crate) rows: usize,
    /// Halvings of the first codes, tails left out.
    pub(crate) rate: usize,
    /// Out-of-domain answers about what is committed to.
    pub(crate) samples: usize,
    /// Later codes.
    pub(crate) rounds: Vec<Round>,
    /// Queries to the last of them, or to the first codes where there is none.
    pub(crate) end: Queries,
}

/// Variables that the first fold takes of the largest vector.
pub const fn first_fold(variables: usize) -> usize {
    match variables {
        0..=21 => 6,
        22..=23 => 7,
        _ => 8,
    }
}

/// Bits of work before queries at most. Openings for contracts are made seldom and paid by the byte.
const fn most_work(profile: Profile) -> usize {
    match profile {
        Profile::Evm => 18,
        _ => WORK_BITS,
    }
}

/// Halvings of the first codes. Where there are few rows, the tails make up much of the code. Openings for
/// contracts have long codes, of which few leaves are opened.
const fn first_rate(profile: Profile, rows: usize) -> usize {
    match rows {
        0..=12 if matches!(profile, Profile::Evm) => 6,
        13..=16 if matches!(profile, Profile::Evm) => 4,
        0..=8 => 4,
        9..=16 => 2,
        _ => 1,
    }
}

/// What numbers of queries and lengths of codes are chosen for.
#[derive(Clone, Copy, Debug)]
struct Aim {
    /// Bits that each term of the queries has to reach.
    bits: usize,
    /// Bits of work before queries at most.
    work: usize,
    /// Halvings of the first codes at least.
    rate: usize,
    /// Variables that a later fold takes at most.
    fold: usize,
    /// Halvings of a later code of so many rows at most, by their logarithm. With more, lines of the longest
    /// openings have too many exceptional challenges.
    later: fn(usize) -> usize,
}

impl Aim {
    /// Openings that are made with each proof.
    fn often(rows: usize, profile: Profile) -> Self {
        Self {
            bits: TERM_BITS,
            work: most_work(profile),
            rate: first_rate(profile, rows),
            fold: later_fold(profile, rows),
            later: if rows > 16 { |_| 10 } else { |_| usize::MAX },
        }
    }

    fn seldom_later(rows: usize) -> usize {
        let rate = SELDOM_LATER.saturating_sub(rows).min(lines(rows));
        rate.max(LEAST_LATER)
    }

    /// Openings that are made seldom, of vectors of so many variables at most.
    fn seldom(rows: usize, variables: usize, profile: Profile) -> Self {
        let leaves = SELDOM_LEAVES.saturating_sub(rows);
        let elements = SELDOM_ELEMENTS.saturating_sub(variables);
        Self {
            bits: SELDOM_BITS + variables.saturating_sub(SELDOM_VARIABLES),
            work: SELDOM_WORK,
            rate: leaves.min(elements).min(lines(rows)).clamp(2, MAX_RATE),
            fold: later_fold(profile, rows),
            later: Self::seldom_later,
        }
    }
}

/// Variables that a later fold takes at most.
const fn later_fold(profile: Profile, rows: usize) -> usize {
    match rows {
        9..=12 if !matches!(profile, Profile::Evm) => 3,
        _ => 4,
    }
}

/// Halvings of a code of so many rows with which its lines have few enough exceptional challenges for a chain
/// of openings: there are some 2^(16.4 + rows + 5/2·halvings) of them.
const fn lines(rows: usize) -> usize {
    28_usize.saturating_sub(rows) * 2 / 5
}

#[cfg(any(test, feature = "audit"))]
thread_local! {
    static QUERIES: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

/// Runs something that makes schedules, which have so many queries to first codes and two to later ones, and no
/// work: small ones, of which tests can compute ranks, and which prove nothing.
#[cfg(any(test, feature = "audit"))]
pub fn with_queries<T>(count: usize, run: impl FnOnce() -> T) -> T {
    let before = QUERIES.replace(Some(count));
    let result = run();
    QUERIES.set(before);
    result
}

impl Schedule {
    /// The schedule for N = 2^`rows`, and tails for so many openings. Nothing if the tails do not fit.
    pub(crate) fn new(rows: usize, openings: usize, profile: Profile) -> Option<Self> {
        Self::aimed(rows, openings, profile, Aim::often(rows, profile))
    }

    /// That of openings which are made seldom and are to be small, of vectors of so many variables at most.
    pub(crate) fn seldom(
        rows: usize,
        variables: usize,
        openings: usize,
        profile: Profile,
    ) -> Option<Self> {
        let aim = Aim::seldom(rows, variables, profile);
        Self::aimed(rows, openings, profile, aim)
    }

    fn aimed(rows: usize, openings: usize, profile: Profile, aim: Aim) -> Option<Self> {
        let regime = Regime::of(profile);
        let mut rates = aim.rate..=MAX_RATE;
        let (rate, mut queries) = rates.find_map(|rate| {
            let queries = first_queries(regime, rows, rate, openings, aim)?;
            Some((rate, queries))
        })?;
        let (mut rounds, mut left) = (Vec::new(), rows);
        while left > LAST {
            let rate = rate + 2 + (aim.fold - 1) * rounds.len();
            let fold = aim.fold.min(left);
            let rate = rate.min((aim.later)(left - fold));
            rounds.push(Round {
                queries,
                samples: regime.samples(),
                fold,
                rate,
            });
            let message = 1 << (left - fold);
            queries = self::queries(regime, Rate::new(message, message << rate)?, aim)?;
            left -= fold;
        }
        let schedule = Self {
            hash: profile.hash(),
            rows,
            rate,
            samples: regime.samples(),
            rounds,
            end: queries,
        };
        #[cfg(any(test, feature = "audit"))]
        if let Some(count) = QUERIES.get() {
            return Some(schedule.asked(count));
        }
        Some(schedule)
    }

    /// The same with so many queries to the first codes and two to later ones.
    #[cfg(any(test, feature = "audit"))]
    fn asked(mut self, count: usize) -> Self {
        let queries = self.rounds.iter_mut().map(|round| &mut round.queries);
        let all = queries.chain([&mut self.end]);
        for (number, queries) in all.enumerate() {
            let count = if number == 0 { count } else { 2 };
            *queries = Queries { count, work: 0 };
        }
        self
    }

    /// Queries to the first codes.
    pub(crate) fn first_queries(&self) -> usize {
        self.rounds
            .first()
            .map_or(self.end, |round| round.queries)
            .count
    }

    /// Variables of the last polynomial.
    pub(crate) fn last(&self) -> usize {
        let folds: usize = self.rounds.iter().map(|round| round.fold).sum();
        self.rows - folds
    }
}

/// Queries to first codes with tails for so many openings. Nothing if less than [`ROOM`] of the code is
/// neither message nor tail.
fn first_queries(
    regime: Regime,
    rows: usize,
    rate: usize,
    openings: usize,
    aim: Aim,
) -> Option<Queries> {
    let length = 1_usize << (rows + rate);
    // More queries need more tails, and these more queries.
    let mut found = Queries { count: 0, work: 0 };
    loop {
        let dimension = (1 << rows) + openings.checked_mul(found.count)? + 1;
        if dimension as f64 > (1.0 - ROOM) * length as f64 {
            return None;
        }
        let code = Rate::new(dimension, length)?;
        let needed = queries(regime, code, aim)?;
        if needed.count <= found.count {
            let (count, work) = (found.count, work(regime, code, found.count, aim));
            return Some(Queries { count, work });
        }
        found = needed;
    }
}

/// The fewest queries that bring their term to its bits with the work that there may be, and the least
/// work that does with as many. Nothing for a code that is nearly all message: there, a query brings
/// nothing.
fn queries(regime: Regime, code: Rate, aim: Aim) -> Option<Queries> {
    let bits = regime.query_bits(code);
    if bits <= 0.0 {
        return None;
    }
    let count = ((aim.bits - aim.work) as f64 / bits).ceil() as usize;
    let work = work(regime, code, count, aim);
    Some(Queries { count, work })
}

/// The least work that brings the term of so many queries to its bits.
fn work(regime: Regime, code: Rate, count: usize, aim: Aim) -> usize {
    let work = aim.bits as f64 - count as f64 * regime.query_bits(code);
    work.ceil().max(0.0) as usize
}

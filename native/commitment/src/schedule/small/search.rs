//! Derives the rows of the profile `small`: of all folds and rates whose effort and memory are within
//! bounds, and whose bits the calculator of the keys finds enough, those with the fewest bytes.

use super::{ROWS, Row, WORK_BITS};
use crate::schedule::Profile;
use crate::{Config, MAX_VARIABLES, MIN_VARIABLES, compose, security};
use p3_whir::ProtocolParameters;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// Bits of one opening at least; the rest is for what else a proof is made of.
const BITS: f64 = 100.3;
/// Bits of each single term that are tried.
const TERM_BITS: RangeInclusive<usize> = 101..=103;
/// Claims of an opening at most: two for each of 2048 blocks.
const CLAIMS: usize = 4096;
/// Roots of unity have orders of at most 2 to this.
const MAX_LEAVES: usize = 24;
/// Variables of the last polynomial at most.
const MAX_LAST: usize = 6;

/// Elements that the later codes of an opening may have: as many as the weights, and 2^18.
const fn most_effort(variables: usize) -> usize {
    (1 << variables) + (1 << 18)
}

/// Bytes that all codes and the tree of the first may take: 20 for each weight, and 2^24.
const fn most_memory(variables: usize) -> usize {
    20 * (1 << variables) + (1 << 24)
}

/// The rest of a schedule, from one code on.
#[derive(Clone, Debug)]
struct Tail {
    /// Base field elements of its codes.
    effort: usize,
    /// Bytes of the proof, as they are to be expected.
    bytes: f64,
    folds: Vec<usize>,
    rates: Vec<usize>,
}

/// A search for one number of bits of each term.
struct Search {
    term_bits: usize,
    known: HashMap<(usize, usize), Rc<Vec<Tail>>>,
}

/// Siblings in the opening of `queries` random leaves of 2^`depth`: of each pair of nodes of which
/// one is known.
fn siblings(queries: usize, depth: usize) -> f64 {
    let missed = |share: f64| (1.0 - share).powi(queries as i32);
    let levels = (1..=depth).map(|level| {
        let node = (-(level as f64)).exp2();
        (missed(node) - missed(2.0 * node)) / node
    });
    levels.sum()
}

impl Search {
    fn new(term_bits: usize) -> Self {
        Self {
            term_bits,
            known: HashMap::new(),
        }
    }

    /// Bytes of the queries to a code and of the fold after it; an element takes `element` bytes.
    fn bytes(&self, variables: usize, rate: usize, fold: usize, element: usize) -> f64 {
        let assumption = Profile::Small.assumption();
        let depth = variables - fold + rate;
        let queries = assumption.queries(self.term_bits - WORK_BITS, rate);
        let (opened, siblings) = if queries >= 1 << depth {
            (1 << depth, 0.0)
        } else {
            (queries, siblings(queries, depth))
        };
        // Rows, siblings and their count, a witness, a sample, and the rounds of the fold.
        ((opened * element) << fold) as f64 + 32.0 * siblings + 28.0 + 40.0 * fold as f64
    }

    /// What comes after the queries to a code: the last polynomial, or one of the tails.
    fn after(&mut self, variables: usize, rate: usize, fold: usize) -> Rc<Vec<Tail>> {
        let left = variables - fold;
        if left <= MAX_LAST {
            return Rc::new(vec![Tail {
                effort: 0,
                bytes: f64::from(20_u32 << left) + 40.0 * left as f64,
                folds: Vec::new(),
                rates: Vec::new(),
            }]);
        }
        // A later domain is at most half of the one before.
        let tails = (rate + 1..rate + fold).flat_map(|rate| self.tails(left, rate).to_vec());
        Rc::new(tails.collect())
    }

    /// All ways to go on from a code over the extension of which none is better than another both in
    /// effort and in bytes.
    fn tails(&mut self, variables: usize, rate: usize) -> Rc<Vec<Tail>> {
        if let Some(known) = self.known.get(&(variables, rate)) {
            return known.clone();
        }
        let mut all = Vec::new();
        for fold in 2..=variables.min(6) {
            let depth = variables - fold + rate;
            if !(1..=MAX_LEAVES).contains(&depth) {
                continue;
            }
            let own = self.bytes(variables, rate, fold, 20) + 32.0;
            for tail in self.after(variables, rate, fold).iter() {
                all.push(prefixed(fold, rate, 5 << (variables + rate), own, tail));
            }
        }
        all.sort_by(|a, b| {
            (a.effort, a.bytes)
                .partial_cmp(&(b.effort, b.bytes))
                .unwrap()
        });
        let mut least = f64::INFINITY;
        all.retain(|tail| {
            tail.bytes < least && {
                least = tail.bytes;
                true
            }
        });
        let found = Rc::new(all);
        self.known.insert((variables, rate), found.clone());
        found
    }

    /// All schedules within the bounds, of any bits.
    fn schedules(&mut self, variables: usize) -> Vec<Tail> {
        let mut found = Vec::new();
        for rate in 1..=6 {
            for fold in 4..=9 {
                let depth = variables - fold + rate;
                let first = (4 << (variables + rate)) + (64 << depth);
                let own = self.bytes(variables, rate, fold, 4);
                let room = most_memory(variables).saturating_sub(first) / 4;
                if depth > MAX_LEAVES || first > most_memory(variables) {
                    continue;
                }
                let room = room.min(most_effort(variables));
                for tail in self.after(variables, rate, fold).iter() {
                    if tail.effort <= room {
                        found.push(prefixed(fold, rate, 0, own, tail));
                    }
                }
            }
        }
        found
    }
}

fn prefixed(fold: usize, rate: usize, effort: usize, bytes: f64, tail: &Tail) -> Tail {
    Tail {
        effort: effort + tail.effort,
        bytes: bytes + tail.bytes,
        folds: [&[fold], tail.folds.as_slice()].concat(),
        rates: [&[rate], tail.rates.as_slice()].concat(),
    }
}

/// Bits of an opening with these parameters, where the library takes them.
fn bits(variables: usize, parameters: ProtocolParameters) -> Option<f64> {
    let config = Config::new_with_initial_claims(variables, parameters, CLAIMS).ok()?;
    let terms = security::opening(&config, Profile::Small, CLAIMS);
    Some(compose(&terms))
}

/// The schedule of fewest bytes that has the bits, and these.
fn best(variables: usize) -> (Row<Vec<usize>>, Tail, f64) {
    let mut all = Vec::new();
    for term_bits in TERM_BITS {
        let found = Search::new(term_bits).schedules(variables);
        all.extend(found.into_iter().map(|schedule| (term_bits, schedule)));
    }
    all.sort_by(|(_, a), (_, b)| a.bytes.total_cmp(&b.bytes));
    let enough = |(term_bits, schedule): (usize, Tail)| {
        let row = Row {
            term_bits,
            rates: schedule.rates.clone(),
            folds: schedule.folds.clone(),
        };
        let bits = bits(variables, row.parameters())?;
        (bits >= BITS).then_some((row, schedule, bits))
    };
    all.into_iter().find_map(enough).unwrap()
}

/// With `--nocapture` it prints the table with bytes, effort and bits.
#[test]
fn the_rows_are_those_of_fewest_bytes() {
    for (variables, row) in (MIN_VARIABLES..=MAX_VARIABLES).zip(ROWS) {
        let (best, schedule, bits) = best(variables);
        println!(
            "2^{variables}: row({}, &{:?}, &{:?}), {:.0} B, {} elements, {bits:.2} bits",
            best.term_bits, best.rates, best.folds, schedule.bytes, schedule.effort
        );
        assert_eq!(best.term_bits, row.term_bits);
        assert_eq!(best.rates, row.rates);
        assert_eq!(best.folds, row.folds);
    }
}

//! The levels of a tree that are kept.

use super::folding::{Folding, NO_SUMS, total};
use super::parts::Parts;
use super::{LANE_BITS, PARTS, lane_of};
use crate::fractions::{Children, Fraction};
use sumcheck::{Factor, Wide, times};
use transcript::Extension;

/// Elements of two nodes.
pub(super) const PAIR: usize = 4;
/// Nanoseconds that a pair takes.
const PAIR_COST: usize = 100;

/// One level of a tree, two neighbouring groups at a time: numerator and denominator of the first,
/// then those of the second.
pub(super) struct Level {
    pub(super) nodes: Parts,
    pub(super) variables: usize,
    /// Every node beyond those that are kept.
    pub(super) padding: Fraction,
}

impl Level {
    /// Pairs of the whole level.
    const fn all(&self) -> usize {
        1 << (self.variables - LANE_BITS - 1)
    }

    /// Appends padding until there are two pairs for each of the level above, if it has several.
    #[must_use]
    pub(super) fn filled(mut self) -> Self {
        let pairs = self.nodes.len();
        let missing = pairs.next_multiple_of(2).min(self.all()) - pairs;
        let numerator = Wide::from(self.padding.numerator);
        let denominator = Wide::from(self.padding.denominator);
        let fractions = std::iter::repeat_n([numerator, denominator], 2 * PARTS * missing);
        self.nodes.extend(fractions.flatten());
        self
    }

    pub(super) fn parents(&self) -> Self {
        let mut nodes = self.nodes.map(PAIR_COST, |nodes| {
            let mut parents = Vec::with_capacity(nodes.len() / 2 + PARTS * PAIR);
            for pairs in nodes.as_chunks::<PAIR>().0.chunks_exact(2 * PARTS) {
                let (low, high) = pairs.split_at(PARTS);
                for (low, high) in low.iter().zip(high) {
                    for [n0, d0, n1, d1] in [low, high] {
                        parents.push(times(n0, d1) + times(n1, d0));
                        parents.push(times(d0, d1));
                    }
                }
            }
            parents
        });
        nodes.halve();
        let level = Self {
            nodes,
            variables: self.variables - 1,
            padding: Children([self.padding; 2]).sum(),
        };
        level.filled()
    }

    /// The nodes one by one, in their order.
    pub(super) fn scalars(&self) -> Vec<Fraction> {
        let groups = 2 * self.all();
        let nodes = self.nodes.first();
        let node = |index: usize| {
            let (lane, group) = (index / groups, index % groups);
            let of = |element: usize| {
                let of_group = 2 * (group % 2) + element;
                let at = |part: usize| (group / 2 * PARTS + part) * PAIR + of_group;
                lane_of(|part| nodes[at(part)], lane)
            };
            Fraction {
                numerator: of(0),
                denominator: of(1),
            }
        };
        (0..1 << self.variables).map(node).collect()
    }
}

impl Folding<4> {
    /// The layer above a level that is kept.
    pub(super) fn inner(level: Level, point: &[Extension], lambda: Extension) -> Self {
        let groups = level.nodes.len();
        let padding = with_lambda(level.padding, lambda);
        let mut folding = Self::new(level.nodes, groups, padding, point, lambda);
        let of_lambda = Factor::from(lambda);
        let weights = &folding.weights;
        let sums = folding.nodes.each(PAIR_COST, |first, nodes| {
            let mut sums = NO_SUMS;
            let pairs = nodes.as_chunks_mut::<PAIR>().0.chunks_exact_mut(2 * PARTS);
            for (pair, &weight) in pairs.zip(&weights[first / 2..]) {
                let weight = Factor::from(weight);
                for node in &mut *pair {
                    let [n0, d0, ..] = node;
                    *n0 += of_lambda.times(d0);
                }
                let (low, high) = pair.split_at(PARTS);
                for (part, (a, b)) in low.iter().zip(high).enumerate() {
                    Self::add(&mut sums, part, &weight, a, b);
                }
            }
            sums
        });
        folding.sums = total(&sums);
        folding
    }
}

/// A node of two equal children whose first numerator has taken up its denominator.
pub(super) fn with_lambda(child: Fraction, lambda: Extension) -> [Extension; 4] {
    let Fraction {
        numerator: n,
        denominator: d,
    } = child;
    [n + lambda * d, d, n, d]
}

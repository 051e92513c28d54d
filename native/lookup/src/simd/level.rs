//! The levels of a tree that are kept.

use super::folding::Folding;
use super::{LANE_BITS, PARTS, lane_of};
use crate::fractions::{Children, Fraction};
use sumcheck::{Factor, Wide, times};
use transcript::Extension;

/// Elements of two nodes.
const PAIR: usize = 4;

/// One level of a tree, two neighbouring groups at a time: numerator and denominator of the first,
/// then those of the second.
pub(super) struct Level {
    pub(super) nodes: Vec<Wide>,
    pub(super) variables: usize,
    /// Every node beyond those that are kept.
    pub(super) padding: Fraction,
}

impl Level {
    /// An empty level with room for `pairs` pairs of groups.
    pub(super) fn new(variables: usize, pairs: usize, padding: Fraction) -> Self {
        Self {
            nodes: Vec::with_capacity((pairs + 1) * PARTS * PAIR),
            variables,
            padding,
        }
    }

    fn pairs(&self) -> usize {
        self.nodes.len() / (PARTS * PAIR)
    }

    /// Pairs of the whole level.
    const fn all(&self) -> usize {
        1 << (self.variables - LANE_BITS - 1)
    }

    /// Appends padding until there are two pairs for each of the level above, if it has several.
    pub(super) fn fill(&mut self) {
        let pairs = self.pairs().next_multiple_of(2).min(self.all());
        let numerator = Wide::from(self.padding.numerator);
        let denominator = Wide::from(self.padding.denominator);
        while self.nodes.len() < pairs * PARTS * PAIR {
            self.nodes.extend([numerator, denominator]);
        }
    }

    pub(super) fn parents(&self) -> Self {
        let padding = Children([self.padding; 2]).sum();
        let mut level = Self::new(self.variables - 1, self.pairs() / 2, padding);
        for pairs in self.nodes.as_chunks::<PAIR>().0.chunks_exact(2 * PARTS) {
            let (low, high) = pairs.split_at(PARTS);
            for (low, high) in low.iter().zip(high) {
                for [n0, d0, n1, d1] in [low, high] {
                    level.nodes.push(times(n0, d1) + times(n1, d0));
                    level.nodes.push(times(d0, d1));
                }
            }
        }
        level.fill();
        level
    }

    /// The nodes one by one, in their order.
    pub(super) fn scalars(&self) -> Vec<Fraction> {
        let groups = 2 * self.all();
        let node = |index: usize| {
            let (lane, group) = (index / groups, index % groups);
            let of = |element: usize| {
                let of_group = 2 * (group % 2) + element;
                let at = |part: usize| (group / 2 * PARTS + part) * PAIR + of_group;
                lane_of(|part| self.nodes[at(part)], lane)
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
        let groups = level.pairs();
        let padding = with_lambda(level.padding, lambda);
        let mut folding = Self::new(level.nodes, groups, padding, point, lambda);
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        let of_lambda = Factor::from(lambda);
        let nodes = folding.nodes.as_chunks_mut::<PAIR>().0;
        let pairs = nodes.chunks_exact_mut(2 * PARTS);
        for (pair, &weight) in pairs.zip(&folding.weights) {
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
        folding.sums = sums;
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

//! The levels of a tree that are kept.

use super::folding::{Folding, line};
use super::product::times;
use super::{LANE_BITS, PARTS, STEP, Wide, lane_of};
use crate::plain::ScalarLayer;
use crate::verify::{Children, Fraction};
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// One level of a tree: numerators and denominators, group after group.
pub(super) struct Level {
    pub(super) nodes: Vec<[Wide; 2]>,
    pub(super) variables: usize,
    /// Every node beyond those that are kept.
    pub(super) padding: Fraction,
}

impl Level {
    pub(super) fn new(variables: usize, groups: usize, padding: Fraction) -> Self {
        Self {
            nodes: Vec::with_capacity((groups + STEP) * PARTS),
            variables,
            padding,
        }
    }

    pub(super) fn groups(&self) -> usize {
        self.nodes.len() / PARTS
    }

    /// Groups of the whole level.
    const fn all(&self) -> usize {
        1 << (self.variables - LANE_BITS)
    }

    /// Appends padding until the groups are whole steps.
    pub(super) fn fill(&mut self) {
        let groups = self.groups().next_multiple_of(STEP).min(self.all());
        let padding = [
            Wide::from(self.padding.numerator),
            Wide::from(self.padding.denominator),
        ];
        self.nodes.resize(groups * PARTS, padding);
    }

    pub(super) fn parents(&self) -> Self {
        let padding = Children([self.padding; 2]).sum();
        let mut level = Self::new(self.variables - 1, self.groups() / 2, padding);
        for pair in self.nodes.chunks_exact(2 * PARTS) {
            let (a, b) = pair.split_at(PARTS);
            for (&[n0, d0], &[n1, d1]) in a.iter().zip(b) {
                level
                    .nodes
                    .push([times(n0, d1) + times(n1, d0), times(d0, d1)]);
            }
        }
        level.fill();
        level
    }

    /// The nodes one by one, in their order.
    pub(super) fn scalars(&self) -> Vec<Fraction> {
        let all = self.all();
        let node = |index: usize| {
            let (lane, group) = (index / all, index % all);
            let of =
                |element: usize| lane_of(|part| self.nodes[group * PARTS + part][element], lane);
            Fraction {
                numerator: of(0),
                denominator: of(1),
            }
        };
        (0..1 << self.variables).map(node).collect()
    }
}

impl Folding<4, Level> {
    /// The layer above a level that is kept.
    pub(super) fn inner(level: Level, point: &[Extension], lambda: Extension) -> Self {
        let Fraction {
            numerator: n,
            denominator: d,
        } = level.padding;
        let groups = level.groups() / 2;
        let mut folding = Self::new(level, groups, [n + lambda * d, d, n, d], point, lambda);
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        if let Some(level) = &folding.source {
            let of_lambda = Wide::from(lambda);
            let quads = level.nodes.chunks_exact(4 * PARTS);
            for (quad, &weight) in quads.zip(&folding.weights) {
                let weight = Wide::from(weight);
                for part in 0..PARTS {
                    let [a, b] = pair_of(quad, part).map(|node| with_lambda(node, of_lambda));
                    Self::add(&mut sums, part, weight, &a, &b);
                }
            }
        }
        folding.sums = sums;
        folding
    }

    pub(super) fn first_fold(&mut self, level: &Level, x: Extension) -> Option<ScalarLayer> {
        let folded = self.begin_nodes();
        let (x, lambda) = (Wide::from(x), Wide::from(self.lambda));
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        let node = |quad: &[[Wide; 2]], part: usize| {
            let [a, b] = pair_of(quad, part);
            with_lambda(line(&a, &b, x), lambda)
        };
        if folded == 1 {
            for part in 0..PARTS {
                self.nodes[part] = node(&level.nodes, part);
            }
            return self.bound(folded);
        }
        let steps = level.nodes.chunks_exact(STEP * PARTS);
        let nodes = self.nodes.chunks_exact_mut(2 * PARTS);
        for ((step, nodes), &weight) in steps.zip(nodes).zip(&self.weights) {
            let weight = Wide::from(weight);
            let (low, high) = step.split_at(4 * PARTS);
            for part in 0..PARTS {
                let first = node(low, part);
                let second = node(high, part);
                Self::add(&mut sums, part, weight, &first, &second);
                nodes[part] = first;
                nodes[PARTS + part] = second;
            }
        }
        self.sums = sums;
        self.bound(folded)
    }
}

/// Two nodes of four children each: numerators and denominators.
#[inline]
fn pair_of(quad: &[[Wide; 2]], part: usize) -> [[Wide; 4]; 2] {
    [0, 2].map(|group| {
        let [n0, d0] = quad[group * PARTS + part];
        let [n1, d1] = quad[(group + 1) * PARTS + part];
        [n0, d0, n1, d1]
    })
}

/// A node whose first numerator has taken up its denominator.
#[inline]
fn with_lambda([n0, d0, n1, d1]: [Wide; 4], lambda: Wide) -> [Wide; 4] {
    [n0 + times(d0, lambda), d0, n1, d1]
}

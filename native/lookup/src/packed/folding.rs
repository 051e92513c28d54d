//! One layer while its variables are bound.

use super::product::times;
use super::{GROUP, LANE_BITS, PARTS, Wide, lane_of};
use crate::plain::ScalarLayer;
use crate::verify::{Children, Fraction};
use commitment::equality;
use p3_field::{Field, PrimeCharacteristicRing};
use transcript::Extension;

/// One layer while the variables of its groups are bound.
///
/// A node has N elements: for N = 4 numerator + λ · denominator and denominator of child 0, numerator
/// and denominator of child 1; for N = 2 the D of both children.
pub(super) struct Folding<const N: usize, S> {
    /// The level of the children, until the first fold.
    pub(super) source: Option<S>,
    /// Empty until the first fold.
    pub(super) nodes: Vec<[Wide; N]>,
    pub(super) padding: [Wide; N],
    /// Variables of groups that are not bound.
    pub(super) left: usize,
    /// Groups, the last of which may be padding.
    pub(super) groups: usize,
    /// Weights of the groups once the next variable is bound.
    pub(super) weights: Vec<Extension>,
    pub(super) lanes: Vec<Extension>,
    pub(super) lambda: Extension,
    pub(super) sums: [[Wide; PARTS]; 2],
}

/// What a node contributes, but for factor and constant.
fn gate<const N: usize>(node: &[Wide; N]) -> Wide {
    match *node.as_slice() {
        [d0, d1] => times(d0, d1),
        [u, d0, n1, d1] => times(u, d1) + times(n1, d0),
        _ => unreachable!("nodes have two or four elements"),
    }
}

pub(super) fn line<const N: usize>(a: &[Wide; N], b: &[Wide; N], x: Wide) -> [Wide; N] {
    std::array::from_fn(|index| a[index] + times(b[index] - a[index], x))
}

impl<const N: usize, S> Folding<N, S> {
    pub(super) fn new(
        source: S,
        groups: usize,
        padding: [Extension; N],
        point: &[Extension],
        lambda: Extension,
    ) -> Self {
        let left = point.len() - LANE_BITS;
        let falling =
            |point: &[Extension]| -> Vec<Extension> { point.iter().rev().copied().collect() };
        let (of_groups, of_lanes) = point.split_at(left);
        Self {
            source: Some(source),
            nodes: Vec::new(),
            padding: padding.map(Wide::from),
            left,
            groups,
            weights: equality(&falling(&of_groups[1..]), 1 << (left - 1)),
            lanes: equality(&falling(of_lanes), GROUP),
            lambda,
            sums: [[Wide::ZERO; PARTS]; 2],
        }
    }

    /// Makes room for the nodes after the first fold, and returns their number.
    pub(super) fn begin_nodes(&mut self) -> usize {
        self.halve_weights();
        let folded = self.groups / 2;
        self.nodes = vec![self.padding; folded * PARTS];
        folded
    }

    /// Adds what the line through two nodes contributes to a round.
    #[inline]
    pub(super) fn add(
        sums: &mut [[Wide; PARTS]; 2],
        part: usize,
        weight: Wide,
        a: &[Wide; N],
        b: &[Wide; N],
    ) {
        let slope: [Wide; N] = std::array::from_fn(|index| b[index] - a[index]);
        sums[0][part] += times(gate(a), weight);
        sums[1][part] += times(gate(&slope), weight);
    }

    /// h(0) and the coefficient of X² of the round.
    pub(super) fn sums(&self) -> [Extension; 2] {
        let total = |sums: &[Wide; PARTS]| -> Extension {
            let lanes = self.lanes.iter().enumerate();
            lanes
                .map(|(lane, &weight)| weight * lane_of(|part| sums[part], lane))
                .sum()
        };
        let [constant, leading] = self.sums.each_ref().map(total);
        let pairs = self.groups.div_ceil(2);
        // The weights of all groups add up to 1.
        let beyond = if pairs == self.weights.len() {
            Extension::ZERO
        } else {
            self.weights[pairs..].iter().copied().sum()
        };
        let constant = constant + beyond * lane_of(|_| gate(&self.padding), 0);
        if N == 2 {
            let inverse = self.lambda.try_inverse().unwrap_or(Extension::ZERO);
            [self.lambda * constant - inverse, self.lambda * leading]
        } else {
            [constant, leading]
        }
    }

    /// The weights of one variable less.
    fn halve_weights(&mut self) {
        if self.weights.len() > 1 {
            let pairs = self.weights.chunks_exact(2);
            self.weights = pairs.map(|pair| pair[0] + pair[1]).collect();
        }
    }

    /// Binds the first variable of the groups; after the last one, the layer of the lanes.
    pub(super) fn fold(&mut self, x: Extension) -> Option<ScalarLayer> {
        let x = Wide::from(x);
        self.halve_weights();
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        let folded = self.groups.div_ceil(2);
        let last = self.left == 1;
        for pair in 0..folded.div_ceil(2) {
            let weight = Wide::from(self.weights[pair]);
            for part in 0..PARTS {
                let at = |group: usize| group * PARTS + part;
                let first = line(&self.nodes[at(4 * pair)], &self.nodes[at(4 * pair + 1)], x);
                self.nodes[at(2 * pair)] = first;
                if last {
                    continue;
                }
                let second = if 2 * pair + 1 < folded {
                    line(
                        &self.nodes[at(4 * pair + 2)],
                        &self.nodes[at(4 * pair + 3)],
                        x,
                    )
                } else {
                    self.padding
                };
                self.nodes[at(2 * pair + 1)] = second;
                Self::add(&mut sums, part, weight, &first, &second);
            }
        }
        self.sums = sums;
        self.bound(folded)
    }

    /// Takes note of a bound variable.
    pub(super) fn bound(&mut self, folded: usize) -> Option<ScalarLayer> {
        self.left -= 1;
        if self.left == 0 {
            return Some(self.end());
        }
        self.groups = folded.next_multiple_of(2);
        self.nodes.truncate(self.groups * PARTS);
        None
    }

    /// The layer of the lanes.
    fn end(&self) -> ScalarLayer {
        let inverse = self.lambda.try_inverse().unwrap_or(Extension::ZERO);
        let node = |lane: usize| {
            let elements: [Extension; N] =
                std::array::from_fn(|element| lane_of(|part| self.nodes[part][element], lane));
            let fraction = |numerator, denominator| Fraction {
                numerator,
                denominator,
            };
            match *elements.as_slice() {
                [d0, d1] => Children([d0, d1].map(|d| fraction(Extension::ONE, d - inverse))),
                [u, d0, n1, d1] => Children([fraction(u - self.lambda * d0, d0), fraction(n1, d1)]),
                _ => unreachable!("nodes have two or four elements"),
            }
        };
        ScalarLayer {
            nodes: (0..GROUP).map(node).collect(),
            weights: self.lanes.clone(),
            lambda: self.lambda,
        }
    }
}

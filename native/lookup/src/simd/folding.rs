//! One layer while its variables are bound.

use super::parts::Parts;
use super::{GROUP, LANE_BITS, PARTS, lane_of};
use crate::fractions::{Children, Fraction};
use crate::reference::ScalarLayer;
use p3_field::{Field, PrimeCharacteristicRing};
use sumcheck::{Factor, Wide, equality, times};
use transcript::Extension;

/// One layer while the variables of its groups are bound.
///
/// A node has N elements: for N = 4 numerator + λ · denominator and denominator of child 0, numerator
/// and denominator of child 1; for N = 2 the D of both children.
pub(super) struct Folding<const N: usize> {
    /// Group after group, N elements for each node. Folded nodes take the place of those that they are
    /// made of.
    pub(super) nodes: Parts,
    pub(super) padding: [Wide; N],
    /// Variables of groups that are not bound.
    pub(super) left: usize,
    /// Groups, the last of which may be padding.
    pub(super) groups: usize,
    /// Weights of the groups once the next variable is bound.
    pub(super) weights: Vec<Extension>,
    pub(super) lanes: Vec<Extension>,
    pub(super) lambda: Extension,
    pub(super) sums: Sums,
}

/// h(0) and the coefficient of X² of a round, lane by lane.
pub(super) type Sums = [[Wide; PARTS]; 2];
/// Those of nothing.
pub(super) const NO_SUMS: Sums = [[Wide::ZERO; PARTS]; 2];
/// Nanoseconds that a group takes.
const GROUP_COST: usize = 100;

/// All of them.
pub(super) fn total(all: &[Sums]) -> Sums {
    let mut total = NO_SUMS;
    for sums in all {
        for (total, &sum) in total.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            *total += sum;
        }
    }
    total
}

/// What a node contributes, but for factor and constant.
fn gate<const N: usize>(node: &[Wide; N]) -> Wide {
    match node.as_slice() {
        [d0, d1] => times(d0, d1),
        [u, d0, n1, d1] => times(u, d1) + times(n1, d0),
        _ => unreachable!("nodes have two or four elements"),
    }
}

/// Puts the line through two nodes, at x, where it belongs.
#[inline]
fn line<const N: usize>(nodes: &mut [[Wide; N]], [a, b]: [usize; 2], to: usize, x: &Factor) {
    let elements = nodes.as_flattened_mut();
    for element in 0..N {
        elements[to * N + element] = x.line(&elements[a * N + element], &elements[b * N + element]);
    }
}

impl<const N: usize> Folding<N> {
    /// The layer of `groups` groups, the sums of whose first round are still to be made.
    pub(super) fn new(
        nodes: Parts,
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
            nodes,
            padding: padding.map(Wide::from),
            left,
            groups,
            weights: equality(&falling(&of_groups[1..]), 1 << (left - 1)),
            lanes: equality(&falling(of_lanes), GROUP),
            lambda,
            sums: NO_SUMS,
        }
    }

    /// Adds what the line through two nodes contributes to a round.
    #[inline]
    pub(super) fn add(sums: &mut Sums, part: usize, weight: &Factor, a: &[Wide; N], b: &[Wide; N]) {
        let slope: [Wide; N] = std::array::from_fn(|index| b[index] - a[index]);
        sums[0][part] += weight.times(&gate(a));
        sums[1][part] += weight.times(&gate(&slope));
    }

    /// h(0) and the coefficient of X² of the round.
    pub(super) fn sums(&self) -> Vec<Extension> {
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
            vec![self.lambda * constant - inverse, self.lambda * leading]
        } else {
            vec![constant, leading]
        }
    }

    /// The weights of one variable less.
    pub(super) fn halve_weights(&mut self) {
        let halves = self.weights.len() / 2;
        for index in 0..halves {
            self.weights[index] = self.weights[2 * index] + self.weights[2 * index + 1];
        }
        self.weights.truncate(halves.max(1));
    }

    /// Binds the first variable of the groups; after the last one, the layer of the lanes.
    pub(super) fn fold(&mut self, x: Extension) -> Option<ScalarLayer> {
        let x = Factor::from(x);
        self.halve_weights();
        let (last, padding, weights) = (self.left == 1, self.padding, &self.weights);
        let sums = self.nodes.each(GROUP_COST, |first, nodes| {
            let mut sums = NO_SUMS;
            let weights = weights[first / 4..].iter().enumerate();
            let nodes_of = nodes.as_chunks_mut::<N>().0;
            let folded = (nodes_of.len() / PARTS).div_ceil(2);
            for (pair, &weight) in weights.take(folded.div_ceil(2)) {
                let weight = Factor::from(weight);
                for part in 0..PARTS {
                    let at = |group: usize| group * PARTS + part;
                    let (first, second) = (at(2 * pair), at(2 * pair + 1));
                    line(nodes_of, [at(4 * pair), at(4 * pair + 1)], first, &x);
                    if last {
                        continue;
                    }
                    if 2 * pair + 1 < folded {
                        line(nodes_of, [at(4 * pair + 2), at(4 * pair + 3)], second, &x);
                    } else {
                        nodes_of[second] = padding;
                    }
                    Self::add(
                        &mut sums,
                        part,
                        &weight,
                        &nodes_of[first],
                        &nodes_of[second],
                    );
                }
            }
            let groups = if last {
                folded
            } else {
                folded.next_multiple_of(2)
            };
            nodes.truncate(groups * PARTS * N);
            sums
        });
        self.sums = total(&sums);
        self.nodes.halve();
        self.bound(self.groups.div_ceil(2))
    }

    /// Takes note of a bound variable.
    pub(super) fn bound(&mut self, folded: usize) -> Option<ScalarLayer> {
        self.left -= 1;
        if self.left == 0 {
            return Some(self.end());
        }
        self.groups = folded.next_multiple_of(2);
        None
    }

    /// The layer of the lanes.
    fn end(&self) -> ScalarLayer {
        let inverse = self.lambda.try_inverse().unwrap_or(Extension::ZERO);
        let nodes = self.nodes.first();
        let node = |lane: usize| {
            let elements: [Extension; N] =
                std::array::from_fn(|element| lane_of(|part| nodes[part * N + element], lane));
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

//! The leaves of a tree, made of their columns where they are needed.
//!
//! A leaf has the denominator c + key + β · value, where only c and β are of the extension field, and
//! the numerator 1 or a multiplicity. So whatever is the sum of products of two leaves is a sum over
//! few elements of the extension field, each of which counts as often as base field sums of the columns
//! say: the first round and the level above the leaves need no product of two packed elements.

use super::PARTS;
use super::folding::{Folding, NO_SUMS, Sums, total};
use super::level::{Level, PAIR, with_lambda};
use super::parts::Parts;
use crate::fractions::{Children, Fraction};
use crate::reference::ScalarLayer;
use p3_field::{Field, PrimeCharacteristicRing};
use std::array::from_fn;
use std::ops::Range;
use sumcheck::{Combination, Factor, Lanes, Wide};
use transcript::Extension;

/// The leaves of one column or table.
pub(super) struct LeafBlock<'a> {
    /// Its first group. Blocks follow directly on each other.
    pub(super) first: usize,
    /// What its rows have in common.
    pub(super) constant: Extension,
    pub(super) keys: &'a [Lanes],
    /// Nothing where there are none.
    pub(super) values: &'a [Lanes],
    /// Numerators; nothing where all are 1.
    pub(super) counts: &'a [Lanes],
}

/// The leaves of a tree.
pub(super) struct Leaves<'a> {
    pub(super) blocks: Vec<LeafBlock<'a>>,
    pub(super) beta: Extension,
    /// Every leaf beyond the blocks.
    pub(super) padding: Fraction,
    pub(super) height: usize,
}

/// Groups of leaves that make two nodes of a layer with two children each.
const QUAD: usize = 4;
/// Quads whose products with their weights are reduced together.
const TOGETHER: usize = 4;

/// Nanoseconds that a quad takes.
const QUAD_COST: usize = 100;

/// Two leaves: what their products are made of.
struct Pair {
    keys: [Lanes; 2],
    values: [Lanes; 2],
    counts: [Lanes; 2],
}

impl Pair {
    /// k0 + k1, v0 + v1, k0·v1 + k1·v0, v0·v1.
    fn sums(&self) -> [Lanes; 4] {
        let (&[k0, k1], &[v0, v1]) = (&self.keys, &self.values);
        let cross = Lanes::dot_product(&[k0, k1], &[v1, v0]);
        [k0 + k1, v0 + v1, cross, v0 * v1]
    }

    /// k0·k1.
    fn keys(&self) -> Lanes {
        self.keys[0] * self.keys[1]
    }

    /// m0 + m1, m0·v1 + m1·v0, m0·k1 + m1·k0.
    fn counted(&self) -> [Lanes; 3] {
        let ([k0, k1], [v0, v1]) = (self.keys, self.values);
        let counts = &self.counts;
        let crossed = [[v1, v0], [k1, k0]].map(|of| Lanes::dot_product(counts, &of));
        [counts[0] + counts[1], crossed[0], crossed[1]]
    }

    fn to(&self, other: &Self) -> Self {
        Self {
            keys: from_fn(|index| other.keys[index] - self.keys[index]),
            values: from_fn(|index| other.values[index] - self.values[index]),
            counts: from_fn(|index| other.counts[index] - self.counts[index]),
        }
    }
}

impl LeafBlock<'_> {
    const fn groups(&self) -> usize {
        self.keys.len() / PARTS
    }

    /// What of it is in these groups of the tree.
    fn cut(&self, groups: &Range<usize>) -> Option<Self> {
        let first = groups.start.max(self.first);
        let end = groups.end.min(self.first + self.groups());
        let own = |group: usize| group.checked_sub(self.first).map(|own| own * PARTS);
        let own = own(first)?..own(end)?;
        Some(Self {
            first,
            constant: self.constant,
            keys: self.keys.get(own.clone()).filter(|keys| !keys.is_empty())?,
            values: self.values.get(own.clone()).unwrap_or_default(),
            counts: self.counts.get(own).unwrap_or_default(),
        })
    }

    /// Key, value and numerator of a packed leaf, counted within the block.
    fn entry(&self, at: usize) -> [Lanes; 3] {
        let of = |column: &[Lanes]| column.get(at).copied().unwrap_or(Lanes::ZERO);
        [self.keys[at], of(self.values), of(self.counts)]
    }

    /// The leaves of two groups that follow on each other.
    fn pair(&self, group: usize, part: usize) -> Pair {
        let [a, b] = [0, 1].map(|next| self.entry((group + next) * PARTS + part));
        Pair {
            keys: [a[0], b[0]],
            values: [a[1], b[1]],
            counts: [a[2], b[2]],
        }
    }
}

impl LeafBlock<'_> {
    /// What a round's sums are made of, those of a block's first nodes and of its slopes, each with
    /// the weight of its quad.
    fn weighted(&self, weights: &[Extension], part: usize) -> [Weighted; 2] {
        let mut weighted = [Weighted::default(); 2];
        for (number, few) in weights.chunks(TOGETHER).enumerate() {
            // Beyond the block weights are zero, so that it does not matter what stands there.
            let of_weights = Combination::new(&from_fn::<_, TOGETHER, _>(|index| {
                few.get(index).copied().unwrap_or(Extension::ZERO)
            }));
            let pairs: [[Pair; 2]; TOGETHER] = from_fn(|index| {
                let quad = TOGETHER * number + index.min(few.len() - 1);
                let low = self.pair(QUAD * quad, part);
                let slope = low.to(&self.pair(QUAD * quad + 2, part));
                [low, slope]
            });
            for (end, weighted) in weighted.iter_mut().enumerate() {
                weighted.keys += of_weights.of(&from_fn(|index| pairs[index][end].keys()));
                // A slope has no constant, and a range has no values.
                let needed = match (end, self.values.is_empty()) {
                    (0, true) => 0..1,
                    (0, false) => 0..4,
                    (_, true) => 0..0,
                    (_, false) => 2..4,
                };
                let all = from_fn::<_, TOGETHER, _>(|index| pairs[index][end].sums());
                for sum in needed {
                    weighted.sums[sum] += of_weights.of(&all.each_ref().map(|all| all[sum]));
                }
                if !self.counts.is_empty() {
                    let all = from_fn::<_, TOGETHER, _>(|index| pairs[index][end].counted());
                    for sum in end..3 {
                        weighted.counted[sum] += of_weights.of(&all.each_ref().map(|all| all[sum]));
                    }
                }
            }
        }
        weighted
    }
}

/// Sums of pairs of leaves, each times the weight of its quad.
#[derive(Clone, Copy)]
struct Weighted {
    /// Of [`Pair::keys`].
    keys: Wide,
    /// Of [`Pair::sums`].
    sums: [Wide; 4],
    /// Of [`Pair::counted`].
    counted: [Wide; 3],
}

impl Default for Weighted {
    fn default() -> Self {
        Self {
            keys: Wide::ZERO,
            sums: [Wide::ZERO; 4],
            counted: [Wide::ZERO; 3],
        }
    }
}

impl Leaves<'_> {
    fn groups(&self) -> usize {
        self.blocks.iter().map(LeafBlock::groups).sum()
    }

    /// Blocks and parts of blocks that are in these quads.
    fn cut(&self, quads: &Range<usize>) -> impl Iterator<Item = LeafBlock<'_>> {
        let groups = QUAD * quads.start..QUAD * quads.end;
        let blocks = self.blocks.iter();
        blocks.filter_map(move |block| block.cut(&groups))
    }

    /// Whether they have numerators of their own.
    pub(super) fn counted(&self) -> bool {
        self.blocks.iter().any(|block| !block.counts.is_empty())
    }

    /// The level above the leaves.
    pub(super) fn parents(&self) -> Level {
        let quads = self.groups() / QUAD;
        let level = Level {
            nodes: Parts::new(quads, PARTS * PAIR, QUAD_COST, |quads| {
                self.parents_of(&quads)
            }),
            variables: self.height - 1,
            padding: Children([self.padding; 2]).sum(),
        };
        level.filled()
    }

    /// The nodes above some quads.
    fn parents_of(&self, quads: &Range<usize>) -> Vec<Wide> {
        let mut nodes = Vec::with_capacity((quads.len() + 1) * PARTS * PAIR);
        let beta = self.beta;
        for block in self.cut(quads) {
            let c = block.constant;
            let square = Wide::from(c * c);
            let twice = Wide::from(c.double());
            let of_keys = Combination::new(&[c]);
            let of_all = Combination::new(&[c, beta * c, beta, beta * beta]);
            let of_value = Combination::new(&[beta]);
            let of_counts = Combination::new(&[c, beta]);
            let node = |group: usize, part: usize| {
                let pair = block.pair(group, part);
                let sums = pair.sums();
                let denominator = square.plus(pair.keys())
                    + if block.values.is_empty() {
                        of_keys.of(&[sums[0]])
                    } else {
                        of_all.of(&sums)
                    };
                let numerator = if !block.counts.is_empty() {
                    let [total, by_value, by_key] = pair.counted();
                    of_counts.of(&[total, by_value]).plus(by_key)
                } else if block.values.is_empty() {
                    twice.plus(sums[0])
                } else {
                    twice.plus(sums[0]) + of_value.of(&[sums[1]])
                };
                [numerator, denominator]
            };
            for quad in 0..block.groups() / QUAD {
                for part in 0..PARTS {
                    nodes.extend(node(QUAD * quad, part));
                    nodes.extend(node(QUAD * quad + 2, part));
                }
            }
        }
        nodes
    }

    /// The sums of the first round of their layer, for the gate numerator + `lambda` · denominator with
    /// `shift` added to every denominator, where `weights` are those of the quads. Of numerators that
    /// are all 1 it takes no notice.
    fn sums(&self, weights: &[Extension], lambda: Extension, shift: Extension) -> Sums {
        let quads = self.groups() / QUAD;
        let parts = parallel::ranges(quads, QUAD_COST, |quads| {
            self.sums_of(&quads, weights, lambda, shift)
        });
        total(&parts)
    }

    fn sums_of(
        &self,
        quads: &Range<usize>,
        weights: &[Extension],
        lambda: Extension,
        shift: Extension,
    ) -> Sums {
        let mut total = NO_SUMS;
        let beta = self.beta;
        for block in self.cut(quads) {
            let c = block.constant + shift;
            let weights = &weights[block.first / QUAD..][..block.groups() / QUAD];
            let weight: Extension = weights.iter().copied().sum();
            let of_sums = [c, beta * c, beta, beta * beta].map(|by| by * lambda);
            let constant = Wide::from(lambda * c * c * weight);
            for part in 0..PARTS {
                let weighted = block.weighted(weights, part);
                total[0][part] += constant;
                for (total, weighted) in total.iter_mut().zip(weighted) {
                    let [by_all, by_value, by_key] = weighted.counted;
                    let mut sum = weighted.keys * lambda + by_all * c + by_value * beta + by_key;
                    for (of_block, by) in weighted.sums.into_iter().zip(of_sums) {
                        sum += of_block * by;
                    }
                    total[part] += sum;
                }
            }
        }
        total
    }

    /// Of leaves at `group` and two groups on: denominator + `shift`, at x.
    fn denominators(
        &self,
        x: Extension,
        shift: Extension,
    ) -> impl Fn(&LeafBlock<'_>, usize) -> Wide {
        let beta = self.beta;
        let of_keys = Combination::new(&[x]);
        let of_all = Combination::new(&[x, beta, x * beta]);
        move |block, at| {
            let ([key, value, _], [next, next_value, _]) =
                (block.entry(at), block.entry(at + 2 * PARTS));
            let sum = if block.values.is_empty() {
                of_keys.of(&[next - key])
            } else {
                of_all.of(&[next - key, value, next_value - value])
            };
            (sum + Wide::from(block.constant + shift)).plus(key)
        }
    }
}

impl Folding<2> {
    /// The layer above leaves with numerators 1.
    pub(super) fn ones(leaves: &Leaves<'_>, point: &[Extension], lambda: Extension) -> Self {
        let inverse = lambda.try_inverse().unwrap_or(Extension::ZERO);
        let padding = [leaves.padding.denominator + inverse; 2];
        let mut folding = Self::new(
            Parts::default(),
            leaves.groups() / 2,
            padding,
            point,
            lambda,
        );
        folding.sums = leaves.sums(&folding.weights, Extension::ONE, inverse);
        folding
    }

    pub(super) fn first_fold(&mut self, leaves: &Leaves<'_>, x: Extension) -> Option<ScalarLayer> {
        let inverse = self.lambda.try_inverse().unwrap_or(Extension::ZERO);
        let leaf = leaves.denominators(x, inverse);
        self.fold_leaves(leaves, |block, at| {
            [leaf(block, at), leaf(block, at + PARTS)]
        })
    }
}

impl Folding<4> {
    /// The layer above leaves that are counted.
    pub(super) fn counted(leaves: &Leaves<'_>, point: &[Extension], lambda: Extension) -> Self {
        let padding = with_lambda(leaves.padding, lambda);
        let mut folding = Self::new(
            Parts::default(),
            leaves.groups() / 2,
            padding,
            point,
            lambda,
        );
        folding.sums = leaves.sums(&folding.weights, lambda, Extension::ZERO);
        folding
    }

    pub(super) fn first_fold(&mut self, leaves: &Leaves<'_>, x: Extension) -> Option<ScalarLayer> {
        let leaf = leaves.denominators(x, Extension::ZERO);
        let of_counts = Combination::new(&[x]);
        let of_lambda = Factor::from(self.lambda);
        self.fold_leaves(leaves, |block, at| {
            let count = |at: usize| {
                let (count, next) = (block.counts[at], block.counts[at + 2 * PARTS]);
                of_counts.of(&[next - count]).plus(count)
            };
            let (d0, d1) = (leaf(block, at), leaf(block, at + PARTS));
            [count(at) + of_lambda.times(&d0), d0, count(at + PARTS), d1]
        })
    }
}

impl<const N: usize> Folding<N> {
    /// The first fold, where `node` makes the node of the leaves of a group, the next one, and those
    /// two groups on.
    fn fold_leaves(
        &mut self,
        leaves: &Leaves<'_>,
        node: impl Fn(&LeafBlock<'_>, usize) -> [Wide; N] + Sync + Send,
    ) -> Option<ScalarLayer> {
        self.halve_weights();
        let folded = self.groups / 2;
        let weights = &self.weights;
        // Of two quads at a time.
        let made = |nodes: &Range<usize>| -> (Vec<Wide>, Sums) {
            let mut sums = NO_SUMS;
            let mut all = Vec::with_capacity(nodes.len() * PARTS * N);
            for block in leaves.cut(nodes) {
                for first in (0..block.groups()).step_by(2 * QUAD) {
                    let weight = Factor::from(weights[(block.first + first) / (2 * QUAD)]);
                    for group in [first, first + QUAD] {
                        for part in 0..PARTS {
                            all.extend(node(&block, group * PARTS + part));
                        }
                    }
                    let made = all.as_chunks::<N>().0;
                    let (low, high) = made[made.len() - 2 * PARTS..].split_at(PARTS);
                    for (part, (a, b)) in low.iter().zip(high).enumerate() {
                        Self::add(&mut sums, part, &weight, a, b);
                    }
                }
            }
            (all, sums)
        };
        let (nodes, sums) = Parts::with(folded, PARTS * N, QUAD_COST, |nodes| made(&nodes));
        self.nodes = nodes;
        self.sums = total(&sums);
        self.bound(folded)
    }
}

//! The leaves of looked-up rows, made of their columns where they are needed.

use super::folding::Folding;
use super::level::Level;
use super::product::times;
use super::{GROUP, Lanes, PARTS, STEP, Wide};
use crate::plain::ScalarLayer;
use crate::verify::{Children, Fraction};
use p3_field::{Field, PackedValue, PrimeCharacteristicRing};
use transcript::{Base, Extension};

/// The leaves of one column.
pub(super) struct LeafBlock<'a> {
    /// Its first group.
    pub(super) first: usize,
    /// What its rows have in common.
    pub(super) constant: Extension,
    pub(super) keys: &'a [Base],
    pub(super) values: &'a [Base],
}

impl LeafBlock<'_> {
    pub(super) fn groups(&self) -> usize {
        self.keys.len() / GROUP
    }

    /// Key and value of a packed element, counted within the block.
    pub(super) fn entry(&self, part: usize) -> (Lanes, Option<Lanes>) {
        let at = part * Lanes::WIDTH..(part + 1) * Lanes::WIDTH;
        let key = *Lanes::from_slice(&self.keys[at.clone()]);
        let value = self.values.get(at).map(|values| *Lanes::from_slice(values));
        (key, value)
    }

    /// The leaf above `constant`.
    pub(super) fn leaf(&self, part: usize, constant: Wide, beta: Extension) -> Wide {
        let (key, value) = self.entry(part);
        match value {
            Some(value) => constant + Wide::from(beta) * value + key,
            None => constant + key,
        }
    }
}

/// The leaves of looked-up rows: fractions with the numerator 1.
pub(super) struct Leaves<'a> {
    pub(super) blocks: Vec<LeafBlock<'a>>,
    pub(super) beta: Extension,
    pub(super) padding: Extension,
    pub(super) groups: usize,
    pub(super) height: usize,
}

impl Leaves<'_> {
    /// The level above the leaves.
    pub(super) fn parents(&self) -> Level {
        let leaf = Fraction {
            numerator: Extension::ONE,
            denominator: self.padding,
        };
        let padding = Children([leaf, leaf]).sum();
        let mut level = Level::new(self.height - 1, self.groups / 2, padding);
        for block in &self.blocks {
            let constant = Wide::from(block.constant);
            for pair in 0..block.groups() / 2 {
                for part in 0..PARTS {
                    let at = 2 * pair * PARTS + part;
                    let a = block.leaf(at, constant, self.beta);
                    let b = block.leaf(at + PARTS, constant, self.beta);
                    level.nodes.push([a + b, times(a, b)]);
                }
            }
        }
        level.fill();
        level
    }
}

impl<'a> Folding<2, Leaves<'a>> {
    /// The layer above the leaves of looked-up rows.
    pub(super) fn rows(leaves: Leaves<'a>, point: &[Extension], lambda: Extension) -> Self {
        let inverse = lambda.try_inverse().unwrap_or(Extension::ZERO);
        let padding = leaves.padding + inverse;
        let groups = leaves.groups / 2;
        let mut folding = Self::new(leaves, groups, [padding; 2], point, lambda);
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        if let Some(leaves) = &folding.source {
            for block in &leaves.blocks {
                let constant = Wide::from(block.constant + inverse);
                let weights = &folding.weights[block.first / 4..];
                for (quad, &weight) in (0..block.groups() / 4).zip(weights) {
                    let weight = Wide::from(weight);
                    for part in 0..PARTS {
                        let leaf = |group: usize| {
                            block.leaf((4 * quad + group) * PARTS + part, constant, leaves.beta)
                        };
                        let (a, b) = ([leaf(0), leaf(1)], [leaf(2), leaf(3)]);
                        Self::add(&mut sums, part, weight, &a, &b);
                    }
                }
            }
        }
        folding.sums = sums;
        folding
    }

    pub(super) fn first_fold(&mut self, leaves: &Leaves<'a>, x: Extension) -> Option<ScalarLayer> {
        let folded = self.begin_nodes();
        let inverse = self.lambda.try_inverse().unwrap_or(Extension::ZERO);
        let of_value = x * leaves.beta;
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        for block in &leaves.blocks {
            let constant = Wide::from(block.constant + inverse);
            let weights = &self.weights[block.first / STEP..];
            let nodes = self.nodes[block.first / 4 * PARTS..].chunks_exact_mut(2 * PARTS);
            let steps = (0..block.groups() / STEP).zip(nodes).zip(weights);
            for ((step, nodes), &weight) in steps {
                let weight = Wide::from(weight);
                for part in 0..PARTS {
                    // Of the leaves at `group` and two groups on.
                    let folded = |group: usize| {
                        let at = (STEP * step + group) * PARTS + part;
                        let (key, value) = block.entry(at);
                        let (next_key, next_value) = block.entry(at + 2 * PARTS);
                        let slope = Wide::from(x) * (next_key - key);
                        let leaf = constant + key + slope;
                        match (value, next_value) {
                            (Some(value), Some(next)) => {
                                leaf + Wide::from(leaves.beta) * value
                                    + Wide::from(of_value) * (next - value)
                            }
                            _ => leaf,
                        }
                    };
                    let first = [folded(0), folded(1)];
                    let second = [folded(4), folded(5)];
                    Self::add(&mut sums, part, weight, &first, &second);
                    nodes[part] = first;
                    nodes[PARTS + part] = second;
                }
            }
        }
        self.sums = sums;
        self.bound(folded)
    }
}

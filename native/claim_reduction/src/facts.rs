//! What planning needs to know of a graph, told once in a pass over its nodes and one over its
//! constants.

use crate::plan::{MAX_TABLE, Visibility};
use crate::range_decomposition::Range;
use crate::saturation_tables::Clamp;
use graph::{Graph, Node, Op};
use std::collections::HashMap;

/// What is known of each tensor, node and constant of a graph.
pub(crate) struct Facts<'a> {
    pub(crate) graph: &'a Graph,
    /// Which nodes the verifier computes itself.
    pub(crate) known: Vec<bool>,
    /// How often each tensor is an operand or an output.
    pub(crate) uses: Vec<usize>,
    /// For each rescaling that a lookup is taken together with, the number of the lookup.
    absorbing: Vec<Option<usize>>,
    /// For each rescaling the range of its quotients.
    quotients: Vec<Option<Range>>,
    /// The least and the greatest number of each constant.
    extents: Vec<(i32, i32)>,
    /// For each constant the first one that holds the same numbers.
    same: Vec<usize>,
}

impl<'a> Facts<'a> {
    /// Those of a graph of which the verifier computes what is known.
    pub(crate) fn new(graph: &'a Graph, known: Vec<bool>) -> Self {
        let mut facts = Self {
            graph,
            known,
            uses: vec![0; graph.tensors()],
            absorbing: Vec::with_capacity(graph.nodes.len()),
            quotients: Vec::with_capacity(graph.nodes.len()),
            extents: extents(graph),
            same: same(graph),
        };
        let readers = facts.count_uses();
        for (number, node) in graph.nodes.iter().enumerate() {
            let quotients = facts.find_quotients(node);
            facts.quotients.push(quotients);
            let absorbing = facts.find_absorbing(number, &readers);
            facts.absorbing.push(absorbing);
        }
        facts
    }

    /// Counts the uses of every tensor; the first node that has each as an operand.
    fn count_uses(&mut self) -> Vec<Option<usize>> {
        let mut readers = vec![None; self.uses.len()];
        for (number, node) in self.graph.nodes.iter().enumerate() {
            for &id in &node.operands {
                if let (Some(count), Some(reader)) = (self.uses.get_mut(id), readers.get_mut(id)) {
                    *count += 1;
                    reader.get_or_insert(number);
                }
            }
        }
        for &id in &self.graph.outputs {
            if let Some(count) = self.uses.get_mut(id) {
                *count += 1;
            }
        }
        readers
    }

    fn find_absorbing(&self, number: usize, readers: &[Option<usize>]) -> Option<usize> {
        let id = self.graph.inputs.len() + number;
        if self.uses.get(id) != Some(&1) {
            return None;
        }
        let (low, high) = self.quotients(number)?;
        if high - low >= MAX_TABLE {
            return None;
        }
        let next = (*readers.get(id)?)?;
        let op = &self.graph.nodes.get(next)?.op;
        matches!(op, Op::Lookup { .. }).then_some(next)
    }

    fn find_quotients(&self, node: &Node) -> Option<Range> {
        let Op::Rescale {
            multipliers, shift, ..
        } = &node.op
        else {
            return None;
        };
        let (_, lo, hi) = self.graph.tensor(*node.operands.first()?)?;
        let (least, most) = self.extent(*multipliers)?;
        let half = if *shift == 0 { 0 } else { 1_i64 << (shift - 1) };
        let ends = [least, most]
            .into_iter()
            .flat_map(|m| [lo, hi].map(|end| (i64::from(m) * i64::from(end) + half) >> shift));
        // 0 is what the padding has.
        Some(ends.fold((0, 0), |(low, high), q| (low.min(q), high.max(q))))
    }

    /// The number of the lookup that a rescaling is taken together with.
    pub(crate) fn absorbing(&self, number: usize) -> Option<usize> {
        *self.absorbing.get(number)?
    }

    /// The range of a rescaling's quotients, by the range that its operand declares.
    pub(crate) fn quotients(&self, number: usize) -> Option<Range> {
        *self.quotients.get(number)?
    }

    /// What a rescaling does apart from its remainder.
    pub(crate) fn clamp(&self, number: usize) -> Option<Clamp> {
        let node = self.graph.nodes.get(number)?;
        let Op::Rescale { shift, .. } = node.op else {
            return None;
        };
        Some(Clamp {
            quotients: self.quotients(number)?,
            bounds: (node.lo.into(), node.hi.into()),
            shift,
        })
    }

    /// The least and the greatest number of a constant.
    pub(crate) fn extent(&self, constant: usize) -> Option<(i32, i32)> {
        self.extents.get(constant).copied()
    }

    /// The first constant that holds the same numbers as this one.
    pub(crate) fn same(&self, constant: usize) -> usize {
        self.same.get(constant).copied().unwrap_or(constant)
    }
}

/// Which nodes the verifier computes itself: all that depends on nothing but constants and inputs that it
/// has, neither on weights nor on parameters.
pub fn known(graph: &Graph, inputs: Visibility) -> Vec<bool> {
    let mut known: Vec<bool> = vec![inputs == Visibility::Public; graph.inputs.len()];
    for node in &graph.nodes {
        let of_known = node.operands.iter().all(|&id| known.get(id) == Some(&true));
        known.push(of_known && node.op.weight().is_none() && node.op != Op::Parameter);
    }
    known.split_off(graph.inputs.len())
}

fn extents(graph: &Graph) -> Vec<(i32, i32)> {
    let extent = |values: &Vec<i32>| {
        let first = values.first().copied().unwrap_or(0);
        let rest = values.iter();
        rest.fold((first, first), |(low, high), &v| (low.min(v), high.max(v)))
    };
    let constants = graph.constants.iter();
    constants.map(|constant| extent(&constant.values)).collect()
}

fn same(graph: &Graph) -> Vec<usize> {
    let mut first: HashMap<&[i32], usize> = HashMap::new();
    let constants = graph.constants.iter().enumerate();
    constants
        .map(|(number, constant)| *first.entry(&constant.values).or_insert(number))
        .collect()
}

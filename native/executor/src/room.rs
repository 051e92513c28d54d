//! Whose memory a tensor takes: that of one that nothing reads any more, where not all are kept.

use graph::Graph;
use std::collections::BTreeMap;

/// What is kept of a run, and the memory of what is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    /// Tensor ids; `None` keeps all.
    kept: Option<Vec<usize>>,
    /// For each tensor the number of the last node that needs it; kept ones are always needed.
    last: Vec<usize>,
    /// By capacity.
    spare: BTreeMap<usize, Vec<Vec<i32>>>,
}

impl Room {
    pub(crate) const fn keeping(ids: Vec<usize>) -> Self {
        Self {
            kept: Some(ids),
            last: Vec::new(),
            spare: BTreeMap::new(),
        }
    }

    /// Before a run: `values` has a place for each tensor.
    pub(crate) fn begin(&mut self, graph: &Graph, values: &mut Vec<Vec<i32>>) {
        values.resize_with(graph.tensors(), Vec::new);
        let Some(kept) = &self.kept else { return };
        for value in values.iter_mut() {
            put(&mut self.spare, std::mem::take(value));
        }
        self.last.clear();
        self.last.resize(graph.tensors(), 0);
        for (number, node) in graph.nodes.iter().enumerate() {
            let own = graph.inputs.len() + number;
            for &id in node.operands.iter().chain([&own]) {
                if let Some(last) = self.last.get_mut(id) {
                    *last = number;
                }
            }
        }
        for &id in kept.iter().chain(&graph.outputs) {
            if let Some(last) = self.last.get_mut(id) {
                *last = usize::MAX;
            }
        }
    }

    /// Empties `value` and makes room in it for so many elements.
    pub(crate) fn provide(&mut self, value: &mut Vec<i32>, elements: usize) {
        value.clear();
        if self.kept.is_some() {
            // The least that is large enough; else the largest makes place for a larger one.
            let found = self.spare.range(elements..).next();
            let found = found.or_else(|| self.spare.last_key_value());
            if let Some(capacity) = found.map(|(&capacity, _)| capacity) {
                let found = self.take(capacity);
                if capacity >= elements {
                    *value = found;
                    value.clear();
                }
            }
        }
        value.reserve_exact(elements);
    }

    /// After a node: what nothing needs any more makes place.
    pub(crate) fn end_of_node(&mut self, graph: &Graph, number: usize, values: &mut [Vec<i32>]) {
        let (Some(_), Some(node)) = (&self.kept, graph.nodes.get(number)) else {
            return;
        };
        let own = graph.inputs.len() + number;
        for &id in node.operands.iter().chain([&own]) {
            if self.last.get(id) == Some(&number)
                && let Some(value) = values.get_mut(id)
            {
                put(&mut self.spare, std::mem::take(value));
            }
        }
    }

    /// One of the spare ones of a capacity.
    fn take(&mut self, capacity: usize) -> Vec<i32> {
        let Some(alike) = self.spare.get_mut(&capacity) else {
            return Vec::new();
        };
        let found = alike.pop().unwrap_or_default();
        if alike.is_empty() {
            self.spare.remove(&capacity);
        }
        found
    }
}

/// Keeps the memory of a tensor, if it has any.
fn put(spare: &mut BTreeMap<usize, Vec<Vec<i32>>>, value: Vec<i32>) {
    if value.capacity() > 0 {
        spare.entry(value.capacity()).or_default().push(value);
    }
}

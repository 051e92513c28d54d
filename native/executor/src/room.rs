//! Whose memory a tensor takes: that of one that nothing reads any more, where not all are kept.

use graph::Graph;

/// What is kept of a run, and the memory of what is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    /// Tensor ids; `None` keeps all.
    kept: Option<Vec<usize>>,
    /// For each tensor the number of the last node that needs it; kept ones are always needed.
    last: Vec<usize>,
    spare: Vec<Vec<i32>>,
}

impl Room {
    pub(crate) const fn keeping(ids: Vec<usize>) -> Self {
        Self {
            kept: Some(ids),
            last: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Before a run: `values` has a place for each tensor.
    pub(crate) fn begin(&mut self, graph: &Graph, values: &mut Vec<Vec<i32>>) {
        values.resize_with(graph.tensors(), Vec::new);
        let Some(kept) = &self.kept else { return };
        let taken = values.iter_mut().map(std::mem::take);
        self.spare
            .extend(taken.filter(|value| value.capacity() > 0));
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
            let rank = |spare: &Vec<i32>| {
                let capacity = spare.capacity();
                (capacity < elements, capacity.abs_diff(elements))
            };
            let best = self.spare.iter().enumerate();
            if let Some((at, _)) = best.min_by_key(|(_, spare)| rank(spare)) {
                let found = self.spare.swap_remove(at);
                if found.capacity() >= elements {
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
                && value.capacity() > 0
            {
                self.spare.push(std::mem::take(value));
            }
        }
    }
}

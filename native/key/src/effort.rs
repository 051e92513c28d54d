//! What checking a proof asks of a verifier beside contractions and openings, told from the key.

use claim_reduction::{MAX_TABLE_ENTRIES, Plan, Table, Visibility, known};
use graph::{Graph, Op, elements};

/// Elements that a verifier may be asked to weight, each with an element of the extension field.
pub const MAX_EFFORT: usize = 1 << 26;
// No table is made that the sum of all would be too much with.
const _: () = assert!(MAX_TABLE_ENTRIES <= MAX_EFFORT);

/// Entries of the function tables of a plan, which are weighted too.
pub(crate) fn entries(plan: &Plan) -> usize {
    let mut sum = Sum(0);
    for table in &plan.tables {
        if let Table::Function { values, .. } = table {
            sum.add(values.len());
        }
    }
    sum.0
}

/// Elements that are weighted beside those of tables, counted before anything is planned: of
/// constants that are added; of operand and result where a claim goes from address to address; twice of
/// an axis along which one place is chosen; of rows that are picked; and
/// for each claim on an output, an input that the verifier has or on what it computes itself. Claims on one
/// tensor are compared with one another.
pub(crate) fn effort(graph: &Graph, inputs: Visibility) -> usize {
    let size = |id: usize| graph.tensor(id).map_or(0, |(shape, ..)| elements(shape));
    let first = graph.inputs.len();
    let known = known(graph, inputs);
    let is_known = |id: usize| known.get(id.wrapping_sub(first)) == Some(&true);
    let mut claims = vec![0_usize; graph.tensors()];
    let mut sum = Sum(0);
    for &id in &graph.outputs {
        sum.add(size(id));
    }
    for (number, node) in graph.nodes.iter().enumerate() {
        let id = first + number;
        if is_known(id) {
            sum.add(size(id));
            continue;
        }
        match &node.op {
            Op::View { .. } | Op::Take { .. } => {
                sum.add(size(id));
                sum.add(node.operands.iter().map(|&operand| size(operand)).sum());
            }
            Op::Pick => {
                let rows = node.operands.first().and_then(|&id| graph.tensor(id));
                let rows = rows.and_then(|(shape, ..)| shape.first());
                sum.add(rows.copied().unwrap_or(0));
            }
            Op::ArgMax { .. } => {
                let shapes = node.operands.iter().filter_map(|&id| graph.tensor(id));
                for (shape, ..) in shapes {
                    sum.add(shape.last().map_or(0, |&axis| axis.saturating_mul(2)));
                }
            }
            Op::Add {
                constant: Some(id), ..
            } => {
                let constant = graph.constants.get(*id);
                sum.add(constant.map_or(0, |constant| constant.values.len()));
            }
            _ => {}
        }
        for &operand in &node.operands {
            if let Some(count) = claims.get_mut(operand) {
                *count += 1;
            }
        }
    }
    for &id in &graph.outputs {
        if let Some(count) = claims.get_mut(id) {
            *count += 1;
        }
    }
    for (id, &count) in claims.iter().enumerate() {
        sum.add(count.saturating_mul(count.saturating_sub(1)));
        if id < first && inputs == Visibility::Public || is_known(id) {
            sum.add(count.saturating_mul(size(id)));
        }
    }
    sum.0
}

/// A sum that does not overflow.
struct Sum(usize);

impl Sum {
    const fn add(&mut self, count: usize) {
        self.0 = self.0.saturating_add(count);
    }
}

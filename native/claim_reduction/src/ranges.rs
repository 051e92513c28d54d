//! The graph that shows of another one's matrices and parameters that they are in their ranges.
//!
//! ```text
//! zeros[x]                        of a range of at most 2^16 numbers, zeros being a table of these
//! zeros[⌊(x − lo) / 2^16⌋]        of a wider one
//! the sum of all of them          is the output, 0
//! ```
//!
//! It has a parameter for each of them. What is outside of a table has no proof, so whatever is accepted of
//! the graph has all of its elements in range, whoever chose them; and a proof of it whose parameters are
//! those that a key commits to shows the key's ranges. A range of more than 2^16 numbers is one of a multiple of 2^16,
//! or else it is shown up to one.

use crate::plan::{MAX_TABLE, MIN_VARIABLES};
use crate::shape::coordinates;
use graph::{Constant, Fault, Graph, Input, MAX_OPERANDS, Node, Op, Parts, Shape, VALUE_LIMIT};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Rows of lookups that one graph has at most, unless one tensor has more.
pub const MAX_RANGE_ROWS: usize = 1 << 24;
/// Matrices and parameters that one graph is about at most.
const MAX_RANGE_TENSORS: usize = 1 << 13;
/// Tables of one graph at most, of as many ranges.
pub const MAX_RANGE_TABLES: usize = 1 << 9;
/// Numbers of tensors that one Add sums, beside what was summed before.
const SUMMED: usize = MAX_OPERANDS - 1;
/// Entries of all tables of one graph at most, unless it is about one tensor.
const MAX_RANGE_ENTRIES: usize = 1 << 20;
/// Bits that a rescaling takes off a wide range.
const LOW_BITS: u32 = 16;
/// What it adds. Without it the quotient is ⌊x / 2^16⌋.
const HALF: i32 = 1 << (LOW_BITS - 1);

/// What a key shows the range of: a matrix or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranged {
    /// Rows and columns, or the shape of the parameter.
    pub shape: Shape,
    /// Least element.
    pub lo: i32,
    /// Greatest element.
    pub hi: i32,
}

impl Ranged {
    /// Whether one table has the whole range.
    fn narrow(&self) -> bool {
        i64::from(self.hi) - i64::from(self.lo) < MAX_TABLE
    }

    /// The first and last key of its table.
    fn table(&self) -> (i32, i32) {
        let (lo, hi) = self.moved();
        if self.narrow() {
            return (lo, hi);
        }
        ((lo + HALF) >> LOW_BITS, (hi + HALF) >> LOW_BITS)
    }

    /// The ends of what is looked up or rescaled. No tensor reaches 2^29: a wide range that could, if it were moved to
    /// begin at 0 for the quotients, stays where it is.
    fn moved(&self) -> (i32, i32) {
        let width = self.hi - self.lo;
        if self.narrow() || width - HALF >= VALUE_LIMIT {
            return (self.lo, self.hi);
        }
        (-HALF, width - HALF)
    }

    /// Rows of lookups that it takes: one for each element, padding included, and one more in a wide range.
    fn rows(&self) -> usize {
        let variables = coordinates(&self.shape).max(MIN_VARIABLES);
        (1 << variables) << usize::from(!self.narrow())
    }
}

/// All that a key of this graph shows the ranges of: its matrices, which are int8, and then its parameters.
pub fn ranged(graph: &Graph) -> Vec<Ranged> {
    let matrices = graph.weights.iter().map(|weight| Ranged {
        shape: vec![weight.rows, weight.cols],
        lo: i8::MIN.into(),
        hi: i8::MAX.into(),
    });
    let parameters = graph.parameters().map(|(_, node)| Ranged {
        shape: node.shape.clone(),
        lo: node.lo,
        hi: node.hi,
    });
    matrices.chain(parameters).collect()
}

/// How they are cut into graphs: as many as follow on each other without too many rows.
pub fn range_parts(all: &[Ranged]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut first, mut rows, mut tables) = (0, 0, BTreeSet::new());
    for (number, own) in all.iter().enumerate() {
        rows += own.rows();
        tables.insert(own.table());
        let full = rows > MAX_RANGE_ROWS
            || number - first >= MAX_RANGE_TENSORS
            || tables.len() > MAX_RANGE_TABLES
            || tables.iter().copied().map(entries).sum::<usize>() > MAX_RANGE_ENTRIES;
        if number > first && full {
            parts.push(first..number);
            (first, rows, tables) = (number, own.rows(), BTreeSet::from([own.table()]));
        }
    }
    parts.push(first..all.len());
    parts
}

/// Entries of a table from its first to its last key.
const fn entries((first, last): (i32, i32)) -> usize {
    (last - first + 1) as usize
}

/// The graph that shows these ranges. Its one input and its one output are 0.
pub fn range_graph(all: &[Ranged]) -> Result<Graph, Fault> {
    let mut maker = Maker::default();
    maker.parts.inputs.push(Input {
        shape: vec![1],
        lo: 0,
        hi: 0,
    });
    let mut sums = Vec::with_capacity(all.len());
    for own in all {
        let zeros = maker.zeros(own);
        let axes = own.shape.len();
        let sum = match axes {
            0 => zeros,
            axes => maker.node(Op::Sum { axes }, &[zeros], &[], (0, 0)),
        };
        let view = Op::View {
            offset: 0,
            strides: vec![0],
        };
        sums.push(maker.node(view, &[sum], &[1], (0, 0)));
    }
    let mut output = 0;
    let mut left = &sums[..];
    loop {
        let (next, others) = left.split_at(left.len().min(SUMMED));
        let add = Op::Add {
            coefficients: vec![1; 1 + next.len()],
            constant: None,
        };
        output = maker.node(add, &[&[output], next].concat(), &[1], (0, 0));
        left = others;
        if left.is_empty() {
            break;
        }
    }
    maker.parts.outputs.push(output);
    Graph::new(maker.parts)
}

/// A graph under construction.
#[derive(Default)]
struct Maker {
    parts: Parts,
    /// Constants of zeros, by how many.
    tables: BTreeMap<usize, usize>,
}

impl Maker {
    /// 0 for each element of a parameter that is in its range; of others there is none.
    fn zeros(&mut self, own: &Ranged) -> usize {
        let (shape, moved, keys) = (&own.shape[..], own.moved(), own.table());
        let mut x = self.node(Op::Parameter, &[], shape, (own.lo, own.hi));
        if moved != (own.lo, own.hi) {
            let constant = Some(self.constant(vec![moved.0 - own.lo]));
            let add = Op::Add {
                coefficients: vec![1],
                constant,
            };
            x = self.node(add, &[x], shape, moved);
        }
        if !own.narrow() {
            let rescale = Op::Rescale {
                multipliers: self.constant(vec![1]),
                axis: 0,
                shift: LOW_BITS,
            };
            x = self.node(rescale, &[x], shape, keys);
        }
        let (first, count) = (keys.0, entries(keys));
        let table = match self.tables.get(&count) {
            Some(&table) => table,
            None => self.constant(vec![0; count]),
        };
        self.tables.insert(count, table);
        self.node(Op::Lookup { table, first }, &[x], shape, (0, 0))
    }

    fn constant(&mut self, values: Vec<i32>) -> usize {
        self.parts.constants.push(Constant {
            shape: vec![values.len()],
            values,
        });
        self.parts.constants.len() - 1
    }

    fn node(&mut self, op: Op, operands: &[usize], shape: &[usize], range: (i32, i32)) -> usize {
        self.parts.nodes.push(Node {
            op,
            operands: operands.to_vec(),
            shape: shape.to_vec(),
            lo: range.0,
            hi: range.1,
        });
        self.parts.tensors() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::{
        MAX_RANGE_ROWS, MAX_RANGE_TABLES, MAX_RANGE_TENSORS, Ranged, range_graph, range_parts,
    };
    use crate::{Plan, Visibility};
    use graph::Op;
    use std::iter;

    fn own(shape: &[usize], lo: i32, hi: i32) -> Ranged {
        Ranged {
            shape: shape.to_vec(),
            lo,
            hi,
        }
    }

    #[test]
    fn parts_follow_on_each_other_and_have_no_more_rows_than_they_may() {
        let quarter = own(&[1 << 11, 1 << 11], -128, 127);
        let wide = own(&[1 << 11, 1 << 11], -(1 << 20), (1 << 20) - 1);
        let parts = range_parts(&vec![quarter.clone(); 9]);
        assert_eq!(parts, [0..4, 4..8, 8..9]);
        // A wide one counts twice, and padding with the elements.
        let padded = own(&[(1 << 10) + 1, 1 << 11], 0, 1);
        let one = range_parts(&[wide.clone(), padded, quarter.clone()]);
        assert_eq!(one, iter::once(0..3).collect::<Vec<_>>());
        assert_eq!(
            range_parts(&[wide.clone(), wide, quarter.clone()]),
            [0..2, 2..3]
        );
        // One that is too large is alone.
        let large = own(&[(1 << 12) + 1, 1 << 12], -128, 127);
        assert!(large.rows() > MAX_RANGE_ROWS);
        assert_eq!(
            range_parts(&[quarter.clone(), large, quarter]),
            [0..1, 1..2, 2..3]
        );
        let many = vec![own(&[], 0, 0); MAX_RANGE_TENSORS + 1];
        assert_eq!(range_parts(&many).len(), 2);
        let ranges = (0..513).map(|at| own(&[2], at, at + 1));
        assert_eq!(range_parts(&ranges.collect::<Vec<_>>()), [0..512, 512..513]);
        // Tables of the same keys are one.
        let mut tables: Vec<Ranged> = (0..17).map(|at| own(&[2], at, at + 65_535)).collect();
        assert_eq!(range_parts(&tables), [0..16, 16..17]);
        tables[16] = tables[3].clone();
        assert_eq!(range_parts(&tables), iter::once(0..17).collect::<Vec<_>>());
    }

    #[test]
    fn every_range_that_a_parameter_may_have_has_a_graph_and_a_plan() {
        let most = (1 << 29) - 1;
        for (lo, hi) in [
            (0, 0),
            (-5, 65_530),
            (-5, 65_531),
            (-(1 << 28), (1 << 28) - 1),
            (0, most),
            (-most, 0),
            (-most, most),
            (most, most),
            (-most, -most + 70_000),
        ] {
            for shape in [&[][..], &[3, 5]] {
                let graph = range_graph(&[own(shape, lo, hi), own(&[2, 2], -128, 127)]).unwrap();
                let plan = Plan::new(&graph, Visibility::Public);
                assert!(plan.is_ok(), "{lo} {hi}");
                let wide = i64::from(hi) - i64::from(lo) >= 1 << 16;
                let rescaled = graph.nodes.iter();
                let rescaled = rescaled.filter(|node| matches!(node.op, Op::Rescale { .. }));
                assert_eq!(rescaled.count(), usize::from(wide));
            }
        }
    }

    #[test]
    fn as_many_tensors_as_one_graph_may_be_about_have_a_plan() {
        // Of as many ranges as there may be, all of them wide, which takes most lookups.
        let ranges = (0..MAX_RANGE_TENSORS as i32).map(|at| at % MAX_RANGE_TABLES as i32);
        let all: Vec<Ranged> = ranges
            .map(|at| own(&[2], -at * (1 << 16), (1 << 16) - 1))
            .collect();
        assert_eq!(range_parts(&all).len(), 1);
        let graph = range_graph(&all).unwrap();
        let sums = graph
            .nodes
            .iter()
            .rev()
            .take_while(|node| node.operands.len() > 1);
        assert_eq!(sums.count(), 3);
        assert!(Plan::new(&graph, Visibility::Public).is_ok());
    }
}

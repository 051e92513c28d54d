//! Honest executions are accepted.
mod common;

use common::Case;
use common::graphs::{Builder, random_graph};
use std::collections::BTreeSet;

#[test]
fn random_graphs_are_reduced() {
    let mut operations = BTreeSet::new();
    for seed in 0..120 {
        let case = Case::new(random_graph(seed), seed + 5);
        operations.extend(case.graph.nodes.iter().map(|node| node.op.name()));
        let result = case.check(&mut |_, _| ());
        assert!(result.is_ok(), "{seed}: {result:?} {:#?}", case.graph.nodes);
    }
    let expected = [
        "Add", "Concat", "Conv", "Linear", "Lookup", "MatMul", "Max", "Mul", "Pad", "Rescale",
        "Sum", "Take", "View",
    ];
    assert_eq!(operations.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_maximum_of_numbers_far_apart_is_reduced() {
    for (shape, axes) in [(&[5, 7][..], 1), (&[3, 1, 6], 2), (&[4, 8], 1), (&[300], 1)] {
        let mut b = Builder::new(2);
        let x = b.input(shape, -(1 << 27), (1 << 27) - 1);
        let y = b.max(x, axes);
        let case = Case::new(b.finish(&[y]), 3);
        let result = case.check(&mut |_, _| ());
        assert!(result.is_ok(), "{shape:?}: {result:?}");
    }
}

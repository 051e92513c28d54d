//! Honest executions are accepted.

use crate::common;
use crate::common::Case;
use crate::common::graphs::{Builder, random_graph};
use claim_reduction::{Constraint, Form, Role};
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

#[test]
fn what_depends_on_inputs_alone_is_computed_by_the_verifier() {
    let mut known = 0;
    for seed in 0..60 {
        let case = Case::known(random_graph(seed), seed + 5);
        known += case
            .plan
            .roles
            .iter()
            .filter(|role| **role == Role::Known)
            .count();
        let result = case.check(&mut |_, _| ());
        assert!(result.is_ok(), "{seed}: {result:?} {:#?}", case.graph.nodes);
    }
    assert!(known > 60, "{known}");
    // Another input has other tensors.
    let mut b = Builder::new(2);
    let x = b.input(&[4, 8], -100, 100);
    let y = b.rescale(x, &[3], 0, 2, -50, 50);
    let y = b.linear(y, 5, true);
    let case = Case::known(b.finish(&[y]), 3);
    assert_eq!(case.plan.roles[0], Role::Known);
    // Nothing but what every argument has.
    assert!(case.plan.columns.len() == 1 && case.plan.idle.is_some());
    let outputs = case.outputs();
    let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
    let mut wrong = case.inputs.clone();
    wrong[0][9] = if wrong[0][9] > 0 { -60 } else { 60 };
    let wrong: Vec<&[i32]> = wrong.iter().map(Vec::as_slice).collect();
    let result = case.check_public(&wrong, &outputs, &mut |_, _| ());
    assert!(result.unwrap_err().contains("node 0"));
}

#[test]
fn clamps_of_several_shifts_and_bounds_share_a_table() {
    for (lo, hi) in [(-40, 90), (-40, 5000), (-5000, 90), (10, 90), (-90, -10)] {
        let case = Case::new(common::graphs::clamps(lo, hi), 9);
        let mut raises = BTreeSet::new();
        for constraint in case.plan.constraints.iter().flatten() {
            let Constraint::Rescale(rescale) = constraint else {
                panic!("not a rescaling");
            };
            assert!(matches!(rescale.form, Form::Clamped { .. }), "{lo} {hi}");
            raises.insert(rescale.raise);
        }
        assert_eq!(raises, BTreeSet::from([0, 1]));
        let result = case.check(&mut |_, _| ());
        assert!(result.is_ok(), "{lo} {hi}: {result:?}");
    }
}

//! Inputs that the verifier does not have: what is executed is accepted, and no other input, for every
//! operation that the verifier computes itself where it has them.

use crate::common::Case;
use crate::common::graphs::{Builder, choosing, normalised, picking, random_graph};
use claim_reduction::{Plan, Role, Visibility};
use graph::{Graph, Op};
use p3_field::PrimeCharacteristicRing;
use std::collections::BTreeSet;
use transcript::Base;

/// Random graphs of all operations.
fn graphs() -> impl Iterator<Item = (u64, Graph)> {
    (0..40).flat_map(|seed| {
        [random_graph, picking, choosing, normalised].map(|make| (seed, make(seed)))
    })
}

#[test]
fn every_operation_takes_what_depends_on_private_inputs_alone() {
    let mut before_weights = BTreeSet::new();
    for (seed, graph) in graphs() {
        let shown = Plan::new(&graph, Visibility::Public).unwrap();
        let case = Case::private(graph, seed + 5);
        let nodes = case.graph.nodes.iter().zip(&case.plan.roles);
        for ((node, role), before) in nodes.zip(&shown.roles) {
            let constant = matches!(node.op, Op::Const { .. });
            assert_eq!(*role == Role::Known, constant, "{seed}");
            if *before == Role::Known {
                before_weights.insert(node.op.name());
            }
        }
        let result = case.check(&mut |_, _| ());
        assert!(result.is_ok(), "{seed}: {result:?} {:#?}", case.graph.nodes);
    }
    let expected = [
        "Add",
        "ArgMax",
        "Concat",
        "Const",
        "Divide",
        "Lookup",
        "MatMul",
        "Max",
        "Mul",
        "Pad",
        "Pick",
        "Rescale",
        "SquareRoot",
        "Sum",
        "Take",
        "View",
    ];
    assert_eq!(before_weights.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn every_value_that_is_sent_matters() {
    for seed in [1, 2, 4] {
        for make in [random_graph, picking, choosing, normalised] {
            Case::private(make(seed), seed).each_message_matters(seed);
        }
    }
}

/// One input in a range, and nothing done with it.
fn moved(lo: i32, hi: i32) -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[3], lo, hi);
    let y = b.view(x, 2, &[-1], &[3]);
    b.finish(&[y])
}

/// One input in a range, and a layer.
fn layer(lo: i32, hi: i32) -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[4], lo, hi);
    let y = b.linear(x, 2, false);
    b.finish(&[y])
}

#[test]
fn limbs_are_of_what_an_input_exceeds_its_least_value_by_and_of_what_is_left() {
    // Bits of either, and whether both are needed.
    for (lo, hi, bits, both) in [
        (-128, 127, 8, false),
        (-127, 127, 8, true),
        (0, 1, 1, false),
        (5, 5, 1, true),
        (-9, 9, 5, true),
        (0, 65_535, 16, false),
        (-(1 << 29) + 1, (1 << 29) - 1, 30, true),
    ] {
        let case = Case::private(moved(lo, hi), 4);
        let [held] = case.plan.inputs.as_slice() else {
            panic!("{:?}", case.plan.inputs);
        };
        let of = |limbs: &[claim_reduction::Limb]| limbs.iter().map(|l| l.bits).sum::<u32>();
        assert_eq!(
            (of(&held.over), of(&held.under)),
            (bits, if both { bits } else { 0 })
        );
        for element in [lo, hi, (lo + hi).div_euclid(2)] {
            let case = Case::private(moved(lo, hi), 4).given(vec![vec![element; 3]]);
            assert!(case.check(&mut |_, _| ()).is_ok(), "{lo} {hi} {element}");
        }
    }
    assert!(Case::known(moved(-9, 9), 4).plan.inputs.is_empty());
}

/// An execution with another input than was executed, whose limbs are as given.
fn pretending(lo: i32, hi: i32, element: i32, over: i64, under: i64) -> Result<usize, String> {
    let mut case = Case::private(layer(lo, hi), 4).given(vec![vec![hi; 4]]);
    // Weights of zero: the output is 0 for any input, so that nothing but its range speaks against it.
    case.weights.fill(0);
    let mut tensors = vec![vec![hi; 4], vec![0; 2]];
    tensors[0][1] = element;
    case.tensors = executor::Tensors::holding(tensors);
    let held = case.plan.inputs[0].clone();
    for (limbs, number) in [(&held.over, over), (&held.under, under)] {
        for limb in limbs {
            let part = number >> limb.shift & ((1 << limb.bits) - 1);
            case.columns.committed[limb.column][1] = Base::from_i64(part);
        }
    }
    case.check(&mut |_, _| ())
}

#[test]
fn an_input_out_of_range_has_no_limbs() {
    // In range, at both ends.
    assert!(pretending(-9, 9, -9, 0, 18).is_ok());
    assert!(pretending(-9, 9, 9, 18, 0).is_ok());
    // The next to either end. Of five bits each limbs make 31: only what both make together is wrong, or
    // what one of them says of the input.
    for (element, over, under) in [(10, 19, 31), (10, 18, 0), (-10, 31, 19), (-10, 0, 18)] {
        assert!(
            pretending(-9, 9, element, over, under).is_err(),
            "{element}"
        );
    }
    // A range that limbs fill.
    assert!(pretending(-8, 7, 7, 15, 0).is_ok());
    assert!(pretending(-8, 7, 8, 0, 0).is_err());
    assert!(pretending(-8, 7, -9, 15, 0).is_err());
}

#[test]
fn graphs_that_wrap_around_once_inputs_are_private_are_refused_by_name() {
    // The verifier would have computed the square, and held it to its range.
    let mut b = Builder::new(1);
    let x = b.input(&[3], -40_000, 40_000);
    let op = Op::Mul;
    let square = b.node(op, &[x, x], &[3], 0, 500_000_000);
    let y = b.rescale(square, &[1], 0, 15, 0, 127);
    let y = b.linear(y, 2, false);
    let graph = b.finish(&[y]);
    assert!(Plan::new(&graph, Visibility::Public).is_ok());
    let refused = Plan::new(&graph, Visibility::Private).unwrap_err();
    assert_eq!(refused.why, "its integers can wrap around in the field");
}

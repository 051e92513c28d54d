//! Whoever commits to parameters chooses what stands in the padding of their axes. Whatever of it is accepted
//! is what the executor computes with the declared elements.

use crate::common;
use crate::common::graphs::{Builder, Random};
use crate::common::keys::Key;
use graph::Op;

/// What sums parameters up, along axes that are not a power of two: sums, products of matrices with weights
/// before them, contractions, maxima, and rows and elements that are chosen.
fn readers() -> Key {
    let mut b = Builder::new(7);
    let (x, index) = (b.input(&[2, 5], -9, 9), b.input(&[2], 0, 2));
    let lines = b.node(Op::Parameter, &[], &[2, 5], -20, 20);
    let square = b.node(Op::Parameter, &[], &[5, 4], -6, 6);
    let rows = b.node(Op::Parameter, &[], &[3, 4], -20, 20);
    let dense = b.linear(x, 5, false);
    let outputs = [
        b.sum(lines, 1),
        b.matmul(dense, square),
        b.linear(lines, 4, false),
        b.max(lines, 1),
        b.pick(rows, index),
        b.take(square, &[2, 4]),
        b.matmul(x, square),
    ];
    Key::read(b, &outputs).unwrap()
}

#[test]
fn no_padding_of_a_parameter_takes_part_in_a_result() {
    let key = readers();
    let (mut accepted, mut beyond, mut rejected) = (0, 0, 0);
    for seed in 0..120 {
        let mut random = Random(seed * 2 + 1);
        let inputs = [random.numbers(10, -9, 9), random.numbers(2, 0, 2)];
        let choice = key.choice(&mut random);
        let Some(outputs) = key.accepts(&choice, &inputs) else {
            rejected += 1;
            continue;
        };
        assert_eq!(Some(outputs), key.executed(&choice, &inputs), "{seed}");
        accepted += 1;
        let count = |parts: &mut dyn Iterator<Item = bool>| parts.filter(|&own| own).count();
        let all = choice.parameters.iter().flatten();
        let declared = key.declared_parameters(&choice);
        let hidden =
            count(&mut all.map(|&v| v != 0)) - count(&mut declared.iter().map(|&v| v != 0));
        beyond += usize::from(hidden > 0);
    }
    // Some of both, and padding among what is accepted: else nothing was searched.
    assert!(
        accepted > 10 && beyond > 5 && rejected > 10,
        "{accepted} {beyond} {rejected}"
    );
}

#[test]
fn without_padding_what_is_accepted_is_the_execution() {
    let key = readers();
    let mut random = Random(5);
    let inputs = [random.numbers(10, -9, 9), random.numbers(2, 0, 2)];
    let mut choice = key.choice(&mut random);
    // Nothing stands in any padding.
    for ((_, node), values) in key.graph.parameters().zip(&mut choice.parameters) {
        let shape = &node.shape;
        let cells = common::cheat::indices(&common::cheat::padded(shape));
        for (index, value) in cells.iter().zip(values.iter_mut()) {
            if !common::cheat::within(shape, index) {
                *value = 0;
            }
        }
    }
    choice.weights.fill(0);
    choice.reads.fill(false);
    let outputs = key.accepts(&choice, &inputs);
    assert_eq!(outputs, key.executed(&choice, &inputs));
    assert!(outputs.is_some());
}

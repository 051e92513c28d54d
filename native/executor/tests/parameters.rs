//! Parameters are given beside the weights, as many as there are and in their ranges.
#![allow(missing_docs)]

use executor::{Fault, Tensors, check_values, execute, execute_some};
use graph::{Graph, Input, Node, Op, Parts, Values};

/// x + 2·p − q, with p from −5 to 5 and q from 0 to 7.
fn graph() -> Graph {
    let node = |op, operands: &[usize], lo, hi| Node {
        op,
        operands: operands.to_vec(),
        shape: vec![2],
        lo,
        hi,
    };
    let add = Op::Add {
        coefficients: vec![1, 2, -1],
        constant: None,
    };
    Graph::new(Parts {
        inputs: vec![Input {
            shape: vec![2],
            lo: 0,
            hi: 9,
        }],
        nodes: vec![
            node(Op::Parameter, &[], -5, 5),
            node(Op::Parameter, &[], 0, 7),
            node(add, &[0, 1, 2], -17, 19),
        ],
        outputs: vec![3],
        ..Parts::default()
    })
    .unwrap()
}

fn run(parameters: &[i32]) -> Result<Vec<i32>, Fault> {
    let values = Values {
        weights: &[],
        parameters,
    };
    let graph = graph();
    let mut tensors = Tensors::default();
    let checked = check_values(&graph, &values);
    let result = execute(&graph, &values, &[&[3, 4]], &mut tensors);
    assert_eq!(checked, result);
    result.map(|()| tensors.get(3).to_vec())
}

#[test]
fn parameters_are_taken_in_the_order_of_their_nodes() {
    assert_eq!(run(&[-5, 5, 0, 7]), Ok(vec![-7, 7]));
    assert_eq!(run(&[1, 2, 3, 4]), Ok(vec![2, 4]));
}

#[test]
fn parameters_outside_of_their_ranges_are_refused() {
    let range = |node, lo, hi| Fault::Range {
        node,
        operator: "Parameter",
        lo,
        hi,
    };
    assert_eq!(run(&[-6, 5, 0, 7]), Err(range(0, -5, 5)));
    assert_eq!(run(&[-5, 5, -1, 7]), Err(range(1, 0, 7)));
    assert_eq!(run(&[-5, 5, 0, 8]), Err(range(1, 0, 7)));
}

#[test]
fn another_number_of_parameters_is_refused() {
    for given in [0, 3, 5] {
        let fault = run(&vec![1; given]).unwrap_err();
        let expected = Fault::Parameters {
            got: given,
            expected: 4,
        };
        assert_eq!(fault, expected);
    }
    // What takes none knows none.
    let (graph, mut tensors) = (graph(), Tensors::default());
    let some = execute_some(
        &graph,
        &[true, false, false],
        Some(&[&[3, 4]]),
        &mut tensors,
    );
    assert_eq!(some, Err(Fault::Internal));
}

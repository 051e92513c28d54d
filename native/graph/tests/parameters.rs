//! Graphs with parameters have a version of their own, and no other graph has it.
#![allow(missing_docs)]

use graph::{Fault, Graph, Input, Node, Op, Parts, VERSION, VERSION_WITH_PARAMETERS};

/// An input, plus a parameter.
fn parts() -> Parts {
    let node = |op, operands: &[usize]| Node {
        op,
        operands: operands.to_vec(),
        shape: vec![2, 3],
        lo: -9,
        hi: 9,
    };
    let add = Op::Add {
        coefficients: vec![1, 1],
        constant: None,
    };
    Parts {
        inputs: vec![Input {
            shape: vec![2, 3],
            lo: 0,
            hi: 4,
        }],
        nodes: vec![node(Op::Parameter, &[]), node(add, &[0, 1])],
        outputs: vec![2],
        ..Parts::default()
    }
}

#[test]
fn a_graph_with_a_parameter_is_of_version_two_and_read_as_it_is_written() {
    let graph = Graph::new(parts()).unwrap();
    let bytes = graph.encode();
    assert_eq!(bytes[8..12], VERSION_WITH_PARAMETERS.to_le_bytes());
    assert_eq!(Graph::decode(&bytes).unwrap(), graph);
    assert_eq!(
        graph
            .parameters()
            .map(|(number, _)| number)
            .collect::<Vec<_>>(),
        [0]
    );
    assert_eq!(graph.parameter_elements(), 6);

    // Its neighbour without one is written as ever.
    let mut plain = parts();
    plain.nodes.remove(0);
    plain.nodes[0].operands = vec![0, 0];
    plain.outputs = vec![1];
    let plain = Graph::new(plain).unwrap();
    assert_eq!(plain.encode()[8..12], VERSION.to_le_bytes());
    assert_eq!(plain.parameter_elements(), 0);
}

#[test]
fn a_version_that_does_not_suit_the_operations_is_refused() {
    let said = |bytes: &[u8]| match Graph::decode(bytes) {
        Err(Fault::Encoding(why)) => why,
        other => panic!("{other:?}"),
    };
    let mut first = Graph::new(parts()).unwrap().encode();
    first[8] = 1;
    assert_eq!(said(&first), "there is no operation 19");
    first[8] = 3;
    assert_eq!(said(&first), "it is of version 3, not 1");

    let mut plain = parts();
    plain.nodes.clear();
    plain.outputs = vec![0];
    let mut second = Graph::new(plain).unwrap().encode();
    second[8] = 2;
    assert_eq!(said(&second), "it is of version 2, not 1");
}

#[test]
fn a_parameter_has_no_operands() {
    let mut wrong = parts();
    wrong.nodes[0].operands = vec![0];
    let said = Graph::new(wrong).unwrap_err().to_string();
    assert!(said.contains("it takes 0 operands, not 1"), "{said}");
    let mut wide = parts();
    wide.nodes[0].hi = 1 << 29;
    assert!(Graph::new(wide).is_err());
}

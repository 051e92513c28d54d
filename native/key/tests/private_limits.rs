//! Keys whose planning would take more than what they hold: refused by what is counted, before it is
//! done.

use commitment::Profile;
use graph::{Constant, Fault, Graph, Input, Node, Op, Parts, Weight};
use key::{KeyError, MAX_EFFORT, Openings, PrivateKey};

const LIMIT: i32 = (1 << 29) - 1;

fn node(op: Op, operands: &[usize], shape: &[usize], lo: i32, hi: i32) -> Node {
    Node {
        op,
        operands: operands.to_vec(),
        shape: shape.to_vec(),
        lo,
        hi,
    }
}

/// A graph of one contraction of one weight, 0 to 127 in its result, and what is made of it: nodes
/// that are given the tensor of that result, and the tensors that nothing reads as outputs of a sum.
fn graph(constants: &[&[i32]], make: impl Fn(usize, &mut Vec<Node>) -> Vec<usize>) -> Parts {
    let linear = Op::Linear {
        weight: 0,
        bias: None,
    };
    let mut nodes = vec![node(linear, &[0], &[1], 0, 127)];
    let mut left = make(1, &mut nodes);
    while left.len() > 1 {
        let mut sums = Vec::new();
        for operands in left.chunks(1 << 12) {
            let coefficients = vec![1; operands.len()];
            let add = Op::Add {
                coefficients,
                constant: None,
            };
            nodes.push(node(add, operands, &[1], -LIMIT, LIMIT));
            sums.push(nodes.len());
        }
        left = sums;
    }
    Parts {
        inputs: vec![Input {
            shape: vec![1],
            lo: 0,
            hi: 1,
        }],
        weights: vec![Weight { rows: 1, cols: 1 }],
        constants: constants
            .iter()
            .map(|values| Constant {
                shape: vec![values.len()],
                values: values.to_vec(),
            })
            .collect(),
        nodes,
        outputs: left,
    }
}

/// Whether all of it can be committed to is asked afterwards.
fn refusal(parts: Parts) -> Option<KeyError> {
    let graph = Graph::new(parts).expect("the graph itself is within its limits");
    let openings = Openings {
        key: 2,
        links: 2,
        proofs: 2,
    };
    let refused = PrivateKey::new(graph, Profile::Default, openings).err();
    refused.filter(|error| !matches!(error, KeyError::Hiding(_)))
}

/// `divisions` by the last of `views` one after another.
fn views(views: usize, divisions: usize) -> Parts {
    graph(&[], |first, nodes| {
        let mut divisor = first;
        for _ in 0..views {
            let view = Op::View {
                offset: 0,
                strides: vec![1],
            };
            nodes.push(node(view, &[divisor], &[1], 0, 127));
            divisor = nodes.len();
        }
        let mut results = Vec::new();
        for _ in 0..divisions {
            let divide = Op::Divide { k: 1 };
            nodes.push(node(divide, &[first, divisor], &[1], 0, 127));
            results.push(nodes.len());
        }
        results
    })
}

#[test]
fn views_that_lead_to_divisors_are_counted() {
    assert_eq!(refusal(views(1 << 10, 1 << 6)), None);
    assert_eq!(refusal(views(1 << 10, (1 << 6) + 1)), Some(KeyError::Work));
    assert_eq!(refusal(views(30_000, 30_000)), Some(KeyError::Work));
}

/// Lookups in tables of so many entries each, no two alike: the numbers are the same, their keys are not.
fn tables(count: usize, entries: usize) -> Parts {
    graph(&[&vec![0; entries]], |operand, nodes| {
        let lookups = (0..count as i32).map(|number| {
            let (table, first) = (0, -number);
            nodes.push(node(
                Op::Lookup { table, first },
                &[operand],
                &[1],
                -LIMIT,
                LIMIT,
            ));
            nodes.len()
        });
        lookups.collect()
    })
}

#[test]
fn entries_of_tables_are_counted_before_they_are_made() {
    assert_eq!(refusal(tables(200, 1 << 16)), None);
    assert_eq!(refusal(tables(257, 1 << 16)), Some(KeyError::Work));
    assert_eq!(refusal(tables(60_000, 1 << 16)), Some(KeyError::Work));
    let refused = refusal(tables(1, (1 << 16) + 1)).map(|error| error.code());
    assert_eq!(refused, Some("KEY_UNSUPPORTED"));
}

/// Rescalings one of another, each of which takes two lookups.
fn rescalings(count: usize) -> Parts {
    graph(&[&[1]], |first, nodes| {
        let mut last = first;
        for _ in 0..count {
            let rescale = Op::Rescale {
                multipliers: 0,
                axis: 0,
                shift: 4,
            };
            nodes.push(node(rescale, &[last], &[1], 0, 127));
            last = nodes.len();
        }
        vec![last]
    })
}

#[test]
fn planning_ends_with_the_lookups_that_can_be_argued_about() {
    assert_eq!(refusal(rescalings(1 << 13)), None);
    let error = refusal(rescalings(60_000));
    let Some(KeyError::Lookups(lookup::Error::Count { lookups, tables })) = error else {
        panic!("{error:?}");
    };
    assert!((65_537..65_552).contains(&lookups), "{lookups}");
    assert!(tables < 10, "{tables}");
}

#[test]
fn constants_are_looked_at_only_for_as_many_elements_as_a_graph_may_have() {
    // 60,000 times a constant of 2^16 numbers.
    let map = vec![0; 1 << 16];
    let parts = graph(&[&map], |operand, nodes| {
        let takes = (0..60_000).map(|_| {
            nodes.push(node(Op::Take { map: 0 }, &[operand], &[1 << 16], 0, 127));
            nodes.len()
        });
        let taken: Vec<usize> = takes.collect();
        // Not a sum of its operands: but that is found only when nodes are looked at.
        taken
    });
    let count = Graph::new(parts).err();
    let Some(Fault::Count { what, .. }) = count else {
        panic!("{count:?}");
    };
    assert_eq!(what, "elements");
}

/// Elements that are moved and sums that have constants, of 2^20 each, behind a contraction or before it.
fn weighted(moves: usize, sums: usize, known: usize) -> Parts {
    const SIZE: usize = 1 << 20;
    let shape = [SIZE, 1];
    let view = Op::View {
        offset: 0,
        strides: vec![1, 0],
    };
    let mut nodes = Vec::new();
    let mut add = |op: Op, id: usize| nodes.push(node(op, &[id], &shape, 0, 127));
    let linear = Op::Linear {
        weight: 0,
        bias: None,
    };
    let sum = Op::Add {
        coefficients: vec![1],
        constant: Some(0),
    };
    let before = vec![view.clone(); known];
    let behind = [vec![view; moves], vec![sum; sums]].concat();
    for (id, op) in before.into_iter().chain([linear]).chain(behind).enumerate() {
        add(op, id);
    }
    Parts {
        inputs: vec![Input {
            shape: shape.to_vec(),
            lo: 0,
            hi: 1,
        }],
        weights: vec![Weight { rows: 1, cols: 1 }],
        constants: vec![Constant {
            shape: shape.to_vec(),
            values: vec![0; SIZE],
        }],
        outputs: vec![nodes.len()],
        nodes,
    }
}

/// The output and what the contraction reads are weighted too.
#[test]
fn elements_that_a_verifier_weights_are_counted() {
    assert_eq!(MAX_EFFORT, 64 << 20);
    let refused = |moves, sums, known| refusal(weighted(moves, sums, known));
    for (moves, sums, known) in [(26, 10, 0), (20, 10, 12)] {
        assert_eq!(refused(moves, sums, known), None);
    }
    for (moves, sums, known) in [(26, 11, 0), (21, 10, 12), (20, 11, 12), (20, 10, 13)] {
        assert_eq!(refused(moves, sums, known), Some(KeyError::Work));
    }
}

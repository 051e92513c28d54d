//! Keys of graphs with parameters: what they are planned by.
#![allow(missing_docs)]

use claim_reduction::{Role, Visibility, known};
use commitment::Profile;
use graph::{Constant, Graph, Input, Node, Op, Parts, Weight};
use key::{KeyError, Openings, PrivateKey};

/// (a weight of x) + 3·(a constant of 2, plus a parameter), with a node that hides the parameter.
fn parts(parameter: bool) -> Parts {
    let node = |op, operands: &[usize], lo, hi| Node {
        op,
        operands: operands.to_vec(),
        shape: vec![1],
        lo,
        hi,
    };
    let add = |coefficients: &[i32]| Op::Add {
        coefficients: coefficients.to_vec(),
        constant: None,
    };
    let linear = Op::Linear {
        weight: 0,
        bias: None,
    };
    let secret = if parameter {
        Op::Parameter
    } else {
        Op::Const { constant: 0 }
    };
    Parts {
        inputs: vec![Input {
            shape: vec![1],
            lo: 0,
            hi: 1,
        }],
        weights: vec![Weight { rows: 1, cols: 1 }],
        constants: vec![Constant {
            shape: vec![1],
            values: vec![2],
        }],
        nodes: vec![
            node(linear, &[0], -128, 127),
            node(Op::Const { constant: 0 }, &[], 2, 2),
            node(secret, &[], -9, 9),
            node(add(&[1, 1]), &[2, 3], -7, 11),
            node(add(&[1, 3]), &[1, 4], -149, 160),
        ],
        outputs: vec![5],
    }
}

fn private(parts: Parts) -> Result<PrivateKey, KeyError> {
    let openings = Openings {
        key: 1,
        links: 0,
        proofs: 1,
    };
    PrivateKey::new(Graph::new(parts).unwrap(), Profile::Default, openings)
}

#[test]
fn what_reads_a_parameter_is_not_known_and_what_reads_a_constant_is() {
    let graph = |parameter| Graph::new(parts(parameter)).unwrap();
    assert_eq!(
        known(&graph(true), Visibility::Public),
        [false, true, false, false, false]
    );
    assert_eq!(
        known(&graph(false), Visibility::Public),
        [false, true, true, true, false]
    );
    let key = private(parts(true)).unwrap();
    let roles = &key.relations().plan().roles;
    assert_eq!(roles[2], Role::Parameter(0));
    assert_eq!(roles[3], Role::Reduced);
    let key = private(parts(false)).unwrap();
    assert_eq!(
        key.relations().plan().roles[2..4],
        [Role::Known, Role::Known]
    );
}

#[test]
fn keys_with_parameters_are_read_as_they_are_written() {
    let key = private(parts(true)).unwrap();
    let again = PrivateKey::decode(&key.encode()).unwrap();
    assert_eq!(again.encode(), key.encode());
    assert_eq!(again.digest(), key.digest());
    let bits = |key: &PrivateKey| {
        let terms = key.security().terms;
        let found = terms
            .iter()
            .find(|term| term.name.starts_with("batching of"));
        found.unwrap().bits
    };
    // One claim more.
    assert!(bits(&key) < bits(&private(parts(false)).unwrap()));
}

#[test]
fn a_parameter_that_nothing_reads_is_refused() {
    let mut unread = parts(true);
    unread.nodes[3].operands = vec![2, 2];
    let Some(KeyError::Unsupported(refused)) = private(unread).err() else {
        panic!("a parameter without a reader is not refused");
    };
    assert_eq!((refused.node, refused.operator), (2, "Parameter"));
}

/// What is made of a dense layer of 3 inputs and 5 outputs with a bias.
fn biased(secret: bool) -> PrivateKey {
    let node = |op, operands: &[usize], shape: &[usize], most: i32| Node {
        op,
        operands: operands.to_vec(),
        shape: shape.to_vec(),
        lo: -most,
        hi: most,
    };
    let linear = |bias| Op::Linear { weight: 0, bias };
    let view = Op::View {
        offset: 0,
        strides: vec![0, 1],
    };
    let add = Op::Add {
        coefficients: vec![1, 1],
        constant: None,
    };
    let rescale = Op::Rescale {
        multipliers: 0,
        axis: 0,
        shift: 4,
    };
    let mut nodes = if secret {
        vec![
            node(Op::Parameter, &[], &[5], 99),
            node(linear(None), &[0], &[2, 5], 4000),
            node(view, &[1], &[2, 5], 99),
            node(add, &[2, 3], &[2, 5], 4099),
        ]
    } else {
        vec![node(linear(Some(1)), &[0], &[2, 5], 4099)]
    };
    let last = nodes.len();
    nodes.push(node(rescale, &[last], &[2, 5], 127));
    let constants = [vec![1], vec![-99, 0, 3, 99, 7]].map(|values: Vec<i32>| Constant {
        shape: vec![values.len()],
        values,
    });
    let parts = Parts {
        inputs: vec![Input {
            shape: vec![2, 3],
            lo: -10,
            hi: 10,
        }],
        weights: vec![Weight { rows: 5, cols: 3 }],
        constants: constants.to_vec(),
        nodes,
        outputs: vec![last + 1],
    };
    private(parts).unwrap()
}

#[test]
fn a_secret_bias_takes_no_column_of_a_proof_and_one_element() {
    let (public, secret) = (biased(false), biased(true));
    let (before, after) = (public.relations(), secret.relations());
    assert_eq!(before.variables(), after.variables());
    assert_eq!(before.sent() + 1, after.sent());
    assert_eq!(before.products(), after.products());
    assert_eq!(before.checks(), after.checks());
}

/// Of a matrix or a parameter that nothing depends on no proof would say anything.
#[test]
fn a_matrix_or_a_parameter_that_no_output_depends_on_is_refused() {
    // Two matrices and a parameter, all of the input's size.
    let outputs = |outputs: &[usize]| {
        let mut parts = parts(true);
        parts.weights = vec![Weight { rows: 1, cols: 1 }; 2];
        let mut second = parts.nodes[0].clone();
        second.op = Op::Linear {
            weight: 1,
            bias: None,
        };
        parts.nodes = vec![parts.nodes[0].clone(), second, parts.nodes[2].clone()];
        parts.outputs = outputs.to_vec();
        private(parts).err()
    };
    assert_eq!(outputs(&[1, 2, 3]), None);
    for read in [[1, 2], [1, 3], [2, 3]] {
        let Some(KeyError::Unsupported(unread)) = outputs(&read) else {
            panic!("{read:?}");
        };
        assert_eq!(unread.why, "its result is not used");
    }
}

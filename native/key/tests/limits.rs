//! Keys that would make a verifier take too much memory or time.

use commitment::Profile;
use graph::{Conv, Graph, Input, Node, Op, Parts, Weight};
use key::{KeyError, LEAST_BITS, MAX_RANGE_PARTS, Openings, PrivateKey};

const LIMIT: i32 = (1 << 29) - 1;

fn code(parts: Parts) -> Option<&'static str> {
    let graph = Graph::new(parts).expect("the graph itself is within its limits");
    let openings = Openings {
        key: 1,
        links: 0,
        proofs: 1,
    };
    let key = PrivateKey::new(graph, Profile::Default, openings);
    key.err().map(|error| error.code())
}

fn input(shape: &[usize]) -> Vec<Input> {
    vec![Input {
        shape: shape.to_vec(),
        lo: -1,
        hi: 1,
    }]
}

/// One convolution over an image of one channel. A step along the axes is (input, kernel, stride,
/// pad before).
fn window(steps: [[usize; 4]; 2]) -> Parts {
    let sizes = steps.map(|[input, kernel, stride, pad]| (input + pad - kernel) / stride + 1);
    let list = |index: usize| steps.iter().map(|step| step[index]).collect::<Vec<_>>();
    let conv = Conv {
        weight: 0,
        bias: None,
        groups: 1,
        kernel: list(1),
        stride: list(2),
        dilation: vec![1, 1],
        pad_begin: list(3),
        pad_end: vec![0, 0],
    };
    Parts {
        inputs: input(&[1, 1, steps[0][0], steps[1][0]]),
        weights: vec![Weight {
            rows: 1,
            cols: steps[0][1] * steps[1][1],
        }],
        nodes: vec![Node {
            op: Op::Conv(conv),
            operands: vec![0],
            shape: vec![1, 1, sizes[0], sizes[1]],
            lo: -LIMIT,
            hi: LIMIT,
        }],
        outputs: vec![1],
        ..Parts::default()
    }
}

#[test]
fn a_window_over_padding_does_not_make_more_of_an_operand_than_a_tensor_holds() {
    // 2^20 lines of one element each would become 2^20 lines of 2^10.
    let parts = window([[1 << 20, 1, 1 << 20, 0], [1, 1 << 10, 1, 1 << 10]]);
    assert_eq!(code(parts), Some("KEY_WORK"));
    let parts = window([[1 << 20, 1, 1 << 20, 0], [1, 1 << 4, 1, 1 << 4]]);
    assert_eq!(code(parts), None);
}

#[test]
fn lines_that_no_window_reads_are_counted() {
    // 2^6 lines, of which one is read, with 2^15 windows of 2^15 each.
    let parts = window([[1 << 6, 1, 1 << 6, 0], [1 << 16, 1 << 15, 1, 0]]);
    assert_eq!(code(parts), Some("KEY_WORK"));
    let parts = window([[1, 1, 1, 0], [1 << 16, 1 << 15, 1, 0]]);
    assert_eq!(code(parts), None);
}

#[test]
fn operands_of_all_contractions_are_counted_together() {
    let dense = |count: usize| Parts {
        inputs: input(&[1 << 20]),
        weights: vec![
            Weight {
                rows: 1,
                cols: 1 << 20
            };
            count
        ],
        nodes: (0..count)
            .map(|weight| Node {
                op: Op::Linear { weight, bias: None },
                operands: vec![0],
                shape: vec![1],
                lo: -LIMIT,
                hi: LIMIT,
            })
            .collect(),
        outputs: (1..=count).collect(),
        ..Parts::default()
    };
    assert_eq!(code(dense(16)), None);
    assert_eq!(code(dense(17)), Some(KeyError::Work.code()));
}

/// So many matrices of so many rows and columns, of which two fill a part of the ranges.
fn matrices(count: usize, rows: usize, cols: usize, profile: Profile) -> PrivateKey {
    let parts = Parts {
        inputs: input(&[cols]),
        weights: vec![Weight { rows, cols }; count],
        nodes: (0..count)
            .map(|weight| Node {
                op: Op::Linear { weight, bias: None },
                operands: vec![0],
                shape: vec![rows],
                lo: -LIMIT,
                hi: LIMIT,
            })
            .collect(),
        outputs: (1..=count).collect(),
        ..Parts::default()
    };
    let graph = Graph::new(parts).expect("the graph itself is within its limits");
    PrivateKey::standard(graph, profile).unwrap()
}

/// Each part of the ranges takes bits, which queries to larger vectors leave them, for as many parts as there may be.
#[test]
fn a_key_has_its_bits_with_as_many_parts_as_it_may_have() {
    for profile in [Profile::Default, Profile::Conservative, Profile::Evm] {
        let key = matrices(16, 4000, 2000, profile);
        assert_eq!(key.ranges().map(<[_]>::len), Ok(MAX_RANGE_PARTS));
        assert_eq!(key.check_bits(), Ok(()));
    }
    let none = matrices(17, 2049, 1025, Profile::Conservative);
    let parts = MAX_RANGE_PARTS + 1;
    let most = MAX_RANGE_PARTS;
    assert_eq!(none.check_bits(), Err(KeyError::Ranges { parts, most }));
}

/// A key of so many small parameters, each with a range of its own, of which 512 are in one part of the ranges.
fn parameters(count: i32) -> PrivateKey {
    let node = |op, operands, reach: i32| Node {
        op,
        operands,
        shape: vec![2],
        lo: -reach,
        hi: reach,
    };
    let linear = Op::Linear {
        weight: 0,
        bias: None,
    };
    let mut nodes = vec![node(linear, vec![0], LIMIT)];
    nodes.extend((1..=count).map(|reach| node(Op::Parameter, Vec::new(), reach)));
    let every: Vec<usize> = (1..=nodes.len()).collect();
    let add = Op::Add {
        coefficients: vec![1; every.len()],
        constant: None,
    };
    nodes.push(node(add, every, LIMIT));
    let parts = Parts {
        inputs: input(&[2]),
        weights: vec![Weight { rows: 2, cols: 2 }],
        outputs: vec![nodes.len()],
        nodes,
        ..Parts::default()
    };
    PrivateKey::standard(Graph::new(parts).unwrap(), Profile::Default).unwrap()
}

/// Many parts of a small key take more bits than its queries leave.
#[test]
fn a_key_whose_proofs_would_have_too_few_bits_is_refused() {
    let key = parameters(1600);
    assert_eq!(key.ranges().map(<[_]>::len), Ok(4));
    assert_eq!(key.check_bits(), Ok(()));
    let key = parameters(2600);
    assert_eq!(key.ranges().map(<[_]>::len), Ok(8));
    assert!(key.security().provable_bits < LEAST_BITS);
    assert_eq!(key.check_bits(), Err(KeyError::Bits));
    assert_eq!(KeyError::Bits.code(), "KEY_RANGES");
    let message = "proofs under the key would have less than 100 provable bits";
    assert_eq!(KeyError::Bits.to_string(), message);
}

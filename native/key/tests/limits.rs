//! Keys that would make a verifier take too much memory or time.

use commitment::Profile;
use graph::{Conv, Graph, Input, Node, Op, Parts, Weight};
use key::{KeyError, LEAST_BITS, Openings, PrivateKey};

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

/// Matrices of as many weights as this, of which each is a part of the ranges by itself or half of one.
fn matrices(count: usize, profile: Profile) -> PrivateKey {
    let parts = Parts {
        inputs: input(&[2000]),
        weights: vec![
            Weight {
                rows: 4000,
                cols: 2000
            };
            count
        ],
        nodes: (0..count)
            .map(|weight| Node {
                op: Op::Linear { weight, bias: None },
                operands: vec![0],
                shape: vec![4000],
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

/// Each part of the ranges takes bits, and three that are full take more of the default profile than it has.
#[test]
fn a_key_whose_proofs_would_have_too_few_bits_is_refused() {
    let key = matrices(3, Profile::Default);
    assert_eq!(key.ranges().map(<[_]>::len), Ok(2));
    assert_eq!(key.check_bits(), Ok(()));
    let key = matrices(5, Profile::Default);
    assert_eq!(key.ranges().map(<[_]>::len), Ok(3));
    assert_eq!(key.check_bits(), Err(KeyError::Bits));
    assert!(key.security().provable_bits < LEAST_BITS);
    assert_eq!(KeyError::Bits.code(), "KEY_RANGES");
    let message = "proofs of so many weights have less than 100 provable bits";
    assert_eq!(KeyError::Bits.to_string(), message);
    let key = matrices(5, Profile::Conservative);
    assert_eq!(key.check_bits(), Ok(()));
    let none = matrices(9, Profile::Conservative);
    assert_eq!(
        none.check_bits().err().map(|error| error.code()),
        Some("KEY_RANGES")
    );
    assert_ne!(none.check_bits(), Err(KeyError::Bits));
}

//! Each operation at its edges, against values worked out by hand or by the plainest loop.
#![allow(missing_docs)]

use executor::{Fault, Tensors};
use graph::{Constant, Conv, Graph, Input, Node, Op, Parts, Values, Weight, elements};

const LIMIT: i32 = (1 << 29) - 1;

/// A graph of one node over inputs of these shapes.
fn single(op: Op, inputs: &[&[usize]], out: &[usize]) -> Parts {
    let declared = |shape: &&[usize]| Input {
        shape: shape.to_vec(),
        lo: -LIMIT,
        hi: LIMIT,
    };
    Parts {
        inputs: inputs.iter().map(declared).collect(),
        nodes: vec![Node {
            op,
            operands: (0..inputs.len()).collect(),
            shape: out.to_vec(),
            lo: -LIMIT,
            hi: LIMIT,
        }],
        outputs: vec![inputs.len()],
        ..Parts::default()
    }
}

fn constant(shape: &[usize], values: &[i32]) -> Vec<Constant> {
    vec![Constant {
        shape: shape.to_vec(),
        values: values.to_vec(),
    }]
}

/// Runs a graph without parameters.
fn execute(
    graph: &Graph,
    weights: &[i8],
    inputs: &[&[i32]],
    tensors: &mut Tensors,
) -> Result<(), Fault> {
    let values = Values {
        weights,
        parameters: &[],
    };
    executor::execute(graph, &values, inputs, tensors)
}

fn try_run(parts: Parts, weights: &[i8], inputs: &[&[i32]]) -> Result<Vec<i32>, Fault> {
    let graph = Graph::new(parts).unwrap();
    let mut tensors = Tensors::default();
    execute(&graph, weights, inputs, &mut tensors)?;
    Ok(tensors.outputs(&graph).next().unwrap().to_vec())
}

fn run(parts: Parts, inputs: &[&[i32]]) -> Vec<i32> {
    try_run(parts, &[], inputs).unwrap()
}

/// Numbers that look random, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % most
    }

    fn values(&mut self, count: usize, bound: i32) -> Vec<i32> {
        let width = 2 * bound as u64 + 1;
        (0..count)
            .map(|_| self.next(width) as i32 - bound)
            .collect()
    }

    fn weights(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.next(256) as u8 as i8).collect()
    }
}

#[test]
fn linear_is_exact_for_narrow_and_wide_values_of_any_length() {
    let mut numbers = Numbers(1);
    for (rows, cols, batch) in [
        (1, 1, 1),
        (3, 7, 1),
        (5, 600, 9),
        (2, 3000, 17),
        (10, 64, 8),
    ] {
        for bound in [1, 127, 32_767, 32_768, 200_000] {
            // A sum of 3000 products must stay below 2^29 in this test.
            if cols as i64 * 128 * i64::from(bound) >= 1 << 29 && bound > 1000 && cols > 20 {
                continue;
            }
            let op = Op::Linear {
                weight: 0,
                bias: Some(0),
            };
            let bias = numbers.values(rows, 1000);
            let mut parts = single(op, &[&[batch, cols]], &[batch, rows]);
            parts.weights = vec![Weight { rows, cols }];
            parts.constants = constant(&[rows], &bias);
            parts.inputs[0].lo = -bound;
            parts.inputs[0].hi = bound;
            let weights = numbers.weights(rows * cols);
            let x = numbers.values(batch * cols, bound);
            let mut expected = Vec::new();
            for item in x.chunks(cols) {
                for (row, bias) in weights.chunks(cols).zip(&bias) {
                    let products = row.iter().zip(item);
                    let sum: i64 = products.map(|(&w, &x)| i64::from(w) * i64::from(x)).sum();
                    expected.push((sum + i64::from(*bias)) as i32);
                }
            }
            assert_eq!(try_run(parts, &weights, &[&x]).unwrap(), expected);
        }
    }
}

#[test]
fn linear_at_the_limits_of_weights_and_values() {
    // -128 · -32767 · 600 would overflow a 32-bit sum; it is refused for its range, not wrapped.
    let op = Op::Linear {
        weight: 0,
        bias: None,
    };
    let mut parts = single(op, &[&[600]], &[1]);
    parts.weights = vec![Weight { rows: 1, cols: 600 }];
    parts.inputs[0].lo = -32_767;
    parts.inputs[0].hi = 32_767;
    let found = try_run(parts.clone(), &[-128; 600], &[&[-32_767; 600]]);
    assert_eq!(
        found,
        Err(Fault::Range {
            node: 0,
            operator: "Linear",
            lo: -LIMIT,
            hi: LIMIT
        })
    );
    // Half of them with the other sign cancels out exactly.
    let mut x = [-32_767; 600];
    x[300..].fill(32_767);
    assert_eq!(try_run(parts.clone(), &[-128; 600], &[&x]), Ok(vec![0]));
    parts.inputs[0].lo = -LIMIT;
    parts.inputs[0].hi = LIMIT;
    let mut x = [-LIMIT; 600];
    x[300..].fill(LIMIT);
    assert_eq!(try_run(parts, &[-128; 600], &[&x]), Ok(vec![0]));
}

fn plain_conv(conv: &Conv, x: &[i32], x_shape: &[usize], w: &[i8], out: &[usize]) -> Vec<i32> {
    let two = |list: &[usize], absent: usize| match list {
        [x] => [absent, *x],
        [y, x] => [*y, *x],
        _ => unreachable!(),
    };
    let ([height, width], [rows, cols]) = (two(&x_shape[2..], 1), two(&out[2..], 1));
    let (kernel, stride) = (two(&conv.kernel, 1), two(&conv.stride, 1));
    let (dilation, pad) = (two(&conv.dilation, 1), two(&conv.pad_begin, 0));
    let depth = x_shape[1] / conv.groups;
    let per_group = out[1] / conv.groups;
    let mut result = Vec::new();
    for b in 0..out[0] {
        for n in 0..out[1] {
            for y in 0..rows {
                for x_at in 0..cols {
                    let mut sum = 0_i64;
                    for c in 0..depth {
                        for ky in 0..kernel[0] {
                            for kx in 0..kernel[1] {
                                let iy = (y * stride[0] + ky * dilation[0]) as i64 - pad[0] as i64;
                                let ix =
                                    (x_at * stride[1] + kx * dilation[1]) as i64 - pad[1] as i64;
                                if iy < 0 || ix < 0 || iy >= height as i64 || ix >= width as i64 {
                                    continue;
                                }
                                let channel = n / per_group * depth + c;
                                let at =
                                    ((b * x_shape[1] + channel) * height + iy as usize) * width;
                                let weight = ((n * depth + c) * kernel[0] + ky) * kernel[1] + kx;
                                sum += i64::from(x[at + ix as usize]) * i64::from(w[weight]);
                            }
                        }
                    }
                    result.push(sum as i32);
                }
            }
        }
    }
    result
}

#[test]
fn convolutions_of_all_kinds_are_exact() {
    let mut numbers = Numbers(2);
    let mut made = 0;
    while made < 300 {
        let dims = 1 + numbers.next(2) as usize;
        let mut list = |least: u64, most: u64| -> Vec<usize> {
            (0..dims)
                .map(|_| (least + numbers.next(most - least + 1)) as usize)
                .collect()
        };
        let (kernel, stride, dilation) = (list(1, 4), list(1, 3), list(1, 3));
        let (pad_begin, pad_end, sizes) = (list(0, 5), list(0, 5), list(1, 9));
        let groups = 1 + numbers.next(3) as usize;
        let depth = 1 + numbers.next(3) as usize;
        let rows = groups * (1 + numbers.next(6) as usize);
        let batch = 1 + numbers.next(2) as usize;
        let conv = Conv {
            weight: 0,
            bias: None,
            groups,
            kernel,
            stride,
            dilation,
            pad_begin,
            pad_end,
        };
        let mut x_shape = vec![batch, groups * depth];
        x_shape.extend(&sizes);
        let mut out = vec![batch, rows];
        for (axis, &size) in sizes.iter().enumerate() {
            let padded = size + conv.pad_begin[axis] + conv.pad_end[axis];
            let reach = conv.dilation[axis] * (conv.kernel[axis] - 1) + 1;
            if padded < reach {
                break;
            }
            out.push((padded - reach) / conv.stride[axis] + 1);
        }
        if out.len() != x_shape.len() {
            continue;
        }
        let cols = depth * elements(&conv.kernel);
        for bound in [255, 40_000] {
            let mut parts = single(Op::Conv(conv.clone()), &[&x_shape], &out);
            parts.weights = vec![Weight { rows, cols }];
            parts.inputs[0].lo = -bound;
            parts.inputs[0].hi = bound;
            let weights = numbers.weights(rows * cols);
            let x = numbers.values(elements(&x_shape), bound);
            let expected = plain_conv(&conv, &x, &x_shape, &weights, &out);
            assert_eq!(
                try_run(parts, &weights, &[&x]).unwrap(),
                expected,
                "{conv:?} {x_shape:?}"
            );
        }
        made += 1;
    }
}

#[test]
fn a_convolution_adds_its_bias_per_output_channel() {
    let conv = Conv {
        weight: 0,
        bias: Some(0),
        groups: 1,
        kernel: vec![1],
        stride: vec![1],
        dilation: vec![1],
        pad_begin: vec![1],
        pad_end: vec![0],
    };
    let mut parts = single(Op::Conv(conv), &[&[1, 1, 2]], &[1, 2, 3]);
    parts.weights = vec![Weight { rows: 2, cols: 1 }];
    parts.constants = constant(&[2], &[10, -20]);
    assert_eq!(
        try_run(parts, &[1, -1], &[&[3, 4]]),
        Ok(vec![10, 13, 14, -20, -23, -24])
    );
}

#[test]
fn matmul_of_batches() {
    let parts = single(Op::MatMul, &[&[2, 2, 3], &[2, 3, 1]], &[2, 2, 1]);
    let mut parts = parts;
    for input in &mut parts.inputs {
        (input.lo, input.hi) = (-40_000, 40_000);
    }
    let a = [1, 2, 3, 4, 5, 6, -1, 0, 1, 7, 0, 0];
    let b = [1, 10, 100, 40_000, 0, -13_000];
    assert_eq!(run(parts, &[&a, &b]), [321, 654, -53_000, 280_000]);
}

#[test]
fn add_with_coefficients_and_constants() {
    let add = |coefficients: &[i32], constant| Op::Add {
        coefficients: coefficients.to_vec(),
        constant,
    };
    assert_eq!(
        run(single(add(&[-3], None), &[&[2]], &[2]), &[&[1, -2]]),
        [-3, 6]
    );
    assert_eq!(
        run(
            single(add(&[2, -1], None), &[&[2], &[2]], &[2]),
            &[&[1, 2], &[3, LIMIT]]
        ),
        [-1, 4 - LIMIT]
    );
    let mut parts = single(add(&[1, 1, 1], Some(0)), &[&[2], &[2], &[2]], &[2]);
    parts.constants = constant(&[2], &[100, -100]);
    assert_eq!(run(parts, &[&[1, 2], &[3, 4], &[5, 6]]), [109, -88]);
    let mut parts = single(add(&[1], Some(0)), &[&[2]], &[2]);
    parts.constants = constant(&[1, 1], &[7]);
    assert_eq!(run(parts, &[&[1, 2]]), [8, 9]);
    // The same with an operand of one element, whose constant is both.
    let mut parts = single(add(&[1, -1, 2], Some(0)), &[&[], &[], &[]], &[]);
    parts.constants = constant(&[], &[i32::MIN]);
    let found = try_run(parts, &[], &[&[1], &[2], &[3]]);
    assert!(matches!(
        found,
        Err(Fault::Range {
            node: 0,
            operator: "Add",
            ..
        })
    ));
}

#[test]
fn mul_leaves_no_value_beyond_the_range() {
    let parts = single(Op::Mul, &[&[3], &[3]], &[3]);
    assert_eq!(
        run(parts.clone(), &[&[1, -2, 0], &[LIMIT, 3, -LIMIT]]),
        [LIMIT, -6, 0]
    );
    let found = try_run(parts, &[], &[&[1 << 20, 0, 0], &[1 << 20, 0, 0]]);
    assert!(matches!(
        found,
        Err(Fault::Range {
            operator: "Mul",
            ..
        })
    ));
}

#[test]
fn rescale_rounds_half_up_and_clamps() {
    let rescale = |axis, shift| Op::Rescale {
        multipliers: 0,
        axis,
        shift,
    };
    let x = [-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6];
    let mut parts = single(rescale(0, 2), &[&[13]], &[13]);
    parts.constants = constant(&[1], &[1]);
    assert_eq!(
        run(parts.clone(), &[&x]),
        [-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2]
    );
    parts.constants = constant(&[1], &[-1]);
    (parts.nodes[0].lo, parts.nodes[0].hi) = (0, 1);
    assert_eq!(
        run(parts.clone(), &[&x]),
        [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    parts.nodes[0].op = rescale(0, 0);
    assert_eq!(run(parts, &[&x]), [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    let mut parts = single(rescale(1, 40), &[&[1, 2, 2]], &[1, 2, 2]);
    parts.constants = constant(&[2], &[i32::MAX, i32::MIN]);
    assert_eq!(
        run(parts, &[&[LIMIT, -LIMIT, LIMIT, -LIMIT]]),
        [1 << 20, -(1 << 20), -(1 << 20), 1 << 20]
    );
}

#[test]
fn lookup_inside_of_its_table_only() {
    let mut parts = single(
        Op::Lookup {
            table: 0,
            first: -1,
        },
        &[&[3]],
        &[3],
    );
    parts.constants = constant(&[3], &[7, 8, 9]);
    assert_eq!(run(parts.clone(), &[&[1, -1, 0]]), [9, 7, 8]);
    for value in [-2, 2, LIMIT, -LIMIT] {
        let found = try_run(parts.clone(), &[], &[&[0, 0, value]]);
        assert!(matches!(
            found,
            Err(Fault::Operand {
                operator: "Lookup",
                ..
            })
        ));
    }
    parts.constants = constant(&[3], &[7, 8, i32::MAX]);
    let found = try_run(parts, &[], &[&[1, -1, 0]]);
    assert!(matches!(
        found,
        Err(Fault::Range {
            operator: "Lookup",
            ..
        })
    ));
}

#[test]
fn views_transpose_reverse_repeat_and_slice() {
    let x = [0, 1, 2, 3, 4, 5];
    let view = |offset, strides: &[i64], out: &[usize]| {
        let op = Op::View {
            offset,
            strides: strides.to_vec(),
        };
        run(single(op, &[&[2, 3]], out), &[&x])
    };
    assert_eq!(view(0, &[1, 3], &[3, 2]), [0, 3, 1, 4, 2, 5]);
    assert_eq!(view(5, &[-3, -1], &[2, 3]), [5, 4, 3, 2, 1, 0]);
    assert_eq!(view(1, &[0, 1], &[2, 2]), [1, 2, 1, 2]);
    assert_eq!(view(4, &[], &[]), [4]);
    assert_eq!(view(0, &[2], &[3]), [0, 2, 4]);
    assert_eq!(view(2, &[0, 0, 3], &[1, 2, 2]), [2, 5, 2, 5]);
}

#[test]
fn pad_concat_take_pick() {
    let pad = |begin: &[usize], end: &[usize], fill| Op::Pad {
        begin: begin.to_vec(),
        end: end.to_vec(),
        fill,
    };
    assert_eq!(
        run(
            single(pad(&[1, 0], &[0, 2], -9), &[&[2, 2]], &[3, 4]),
            &[&[1, 2, 3, 4]]
        ),
        [-9, -9, -9, -9, 1, 2, -9, -9, 3, 4, -9, -9]
    );
    assert_eq!(run(single(pad(&[], &[], 0), &[&[]], &[]), &[&[5]]), [5]);
    let parts = single(Op::Concat { axis: 1 }, &[&[2, 1], &[2, 2]], &[2, 3]);
    assert_eq!(run(parts, &[&[1, 2], &[3, 4, 5, 6]]), [1, 3, 4, 2, 5, 6]);
    let mut parts = single(Op::Take { map: 0 }, &[&[3]], &[2, 2]);
    parts.constants = constant(&[2, 2], &[2, -1, 0, 2]);
    assert_eq!(run(parts, &[&[7, 8, 9]]), [9, 0, 7, 9]);
    let parts = single(Op::Pick, &[&[3, 2], &[2]], &[2, 2]);
    assert_eq!(
        run(parts.clone(), &[&[1, 2, 3, 4, 5, 6], &[2, 0]]),
        [5, 6, 1, 2]
    );
    for index in [-1, 3] {
        let found = try_run(parts.clone(), &[], &[&[1, 2, 3, 4, 5, 6], &[0, index]]);
        assert!(matches!(
            found,
            Err(Fault::Operand {
                operator: "Pick",
                ..
            })
        ));
    }
}

#[test]
fn reductions() {
    let x = [1, 5, 5, -7, -7, -8];
    assert_eq!(
        run(single(Op::Sum { axes: 1 }, &[&[2, 3]], &[2]), &[&x]),
        [11, -22]
    );
    assert_eq!(
        run(single(Op::Sum { axes: 2 }, &[&[2, 3]], &[]), &[&x]),
        [-11]
    );
    assert_eq!(
        run(single(Op::Max { axes: 1 }, &[&[2, 3]], &[2]), &[&x]),
        [5, -7]
    );
    let arg_max = |last| single(Op::ArgMax { last }, &[&[2, 3]], &[2]);
    assert_eq!(run(arg_max(false), &[&x]), [1, 0]);
    assert_eq!(run(arg_max(true), &[&x]), [2, 1]);
    let found = try_run(
        single(Op::Sum { axes: 1 }, &[&[2]], &[]),
        &[],
        &[&[LIMIT, 1]],
    );
    assert!(matches!(
        found,
        Err(Fault::Range {
            operator: "Sum",
            ..
        })
    ));
}

#[test]
fn divide_rounds_half_up_and_takes_positive_divisors_only() {
    let divide = |k| single(Op::Divide { k }, &[&[6], &[6]], &[6]);
    assert_eq!(
        run(divide(1), &[&[7, -7, 5, -5, 0, 3], &[2, 2, 4, 4, 9, 3]]),
        [4, -3, 1, -1, 0, 1]
    );
    let b = [1, 1, 1, 1, 1, LIMIT];
    let found = try_run(divide(i32::MAX), &[], &[&[0, 0, 0, 0, 0, LIMIT], &b]);
    assert!(matches!(
        found,
        Err(Fault::Range {
            operator: "Divide",
            ..
        })
    ));
    let b = [LIMIT; 6];
    assert_eq!(
        run(divide(LIMIT), &[&[1, -1, 0, 7, -7, LIMIT], &b]),
        [1, -1, 0, 7, -7, LIMIT]
    );
    for divisor in [0, -1] {
        let found = try_run(divide(1), &[], &[&[1; 6], &[1, 1, 1, 1, 1, divisor]]);
        assert!(matches!(
            found,
            Err(Fault::Operand {
                operator: "Divide",
                ..
            })
        ));
    }
}

#[test]
fn square_roots_round_down() {
    let root = |k| single(Op::SquareRoot { k }, &[&[5]], &[5]);
    assert_eq!(run(root(1), &[&[0, 1, 3, 4, LIMIT]]), [0, 1, 1, 2, 23_170]);
    // 2^29 · 2^31 has the root 2^30, which no tensor may hold.
    let found = try_run(root(i32::MAX), &[], &[&[0, 1, 4, 9, LIMIT]]);
    assert!(matches!(
        found,
        Err(Fault::Range {
            operator: "SquareRoot",
            ..
        })
    ));
    let found = try_run(root(1), &[], &[&[0, 0, 0, 0, -1]]);
    assert!(matches!(
        found,
        Err(Fault::Operand {
            operator: "SquareRoot",
            ..
        })
    ));
}

#[test]
fn constants_and_inputs_may_be_outputs() {
    let mut parts = single(Op::Mul, &[&[1]], &[2]);
    parts.constants = constant(&[2], &[4, 5]);
    parts.nodes[0].op = Op::Const { constant: 0 };
    parts.nodes[0].operands.clear();
    parts.outputs = vec![1, 0, 1];
    let graph = Graph::new(parts).unwrap();
    let mut tensors = Tensors::default();
    execute(&graph, &[], &[&[9]], &mut tensors).unwrap();
    let outputs: Vec<_> = tensors.outputs(&graph).collect();
    assert_eq!(outputs, [&[4, 5][..], &[9], &[4, 5]]);
}

/// Two contractions with an operation between them.
fn two_layers() -> Graph {
    let linear = |weight| Op::Linear { weight, bias: None };
    let node = |op, operand, size: usize, bound: i32| Node {
        op,
        operands: vec![operand],
        shape: vec![size],
        lo: -bound,
        hi: bound,
    };
    let rescale = Op::Rescale {
        multipliers: 0,
        axis: 0,
        shift: 4,
    };
    Graph::new(Parts {
        inputs: vec![Input {
            shape: vec![3],
            lo: -127,
            hi: 127,
        }],
        weights: vec![Weight { rows: 2, cols: 3 }, Weight { rows: 1, cols: 2 }],
        constants: constant(&[1], &[1]),
        nodes: vec![
            node(linear(0), 0, 2, 100_000),
            node(rescale, 1, 2, 100),
            node(linear(1), 2, 1, 100_000),
        ],
        outputs: vec![3],
    })
    .unwrap()
}

#[test]
fn linear_of_hardly_any_elements_is_that_of_all() {
    let (rows, cols, vectors) = (3, 200, 4);
    let mut numbers = Numbers(7);
    let weights: Vec<i8> = (0..rows * cols)
        .map(|_| (numbers.next(256) as i32 - 128) as i8)
        .collect();
    // One element in some rows, two in one, none in another.
    let mut x = vec![0; vectors * cols];
    for (at, value) in [(3, 1), (199, -LIMIT / 200), (500, 7), (1, 90_000)] {
        x[at] = value;
    }
    let mut parts = single(
        Op::Linear {
            weight: 0,
            bias: None,
        },
        &[&[vectors, cols]],
        &[vectors, rows],
    );
    parts.weights = vec![Weight { rows, cols }];
    let found = try_run(parts, &weights, &[&x]).unwrap();
    for (vector, sums) in found.chunks(rows).enumerate() {
        for (row, &sum) in sums.iter().enumerate() {
            let weights = &weights[row * cols..][..cols];
            let products = weights.iter().zip(&x[vector * cols..][..cols]);
            let wanted: i64 = products.map(|(&w, &x)| i64::from(w) * i64::from(x)).sum();
            assert_eq!(i64::from(sum), wanted, "{vector} {row}");
        }
    }
}

/// Views and sums of one input, each from several of those before it.
fn woven(nodes: usize) -> Graph {
    let node = |number: usize| {
        let add = Op::Add {
            coefficients: vec![1, -1, 2],
            constant: None,
        };
        let view = Op::View {
            offset: 0,
            strides: vec![1],
        };
        let (op, operands) = if number.is_multiple_of(3) {
            (view, vec![number])
        } else {
            (add, vec![number, number * 5 / 7, number / 3])
        };
        Node {
            op,
            operands,
            shape: vec![4],
            lo: -LIMIT,
            hi: LIMIT,
        }
    };
    Graph::new(Parts {
        inputs: vec![Input {
            shape: vec![4],
            lo: -100,
            hi: 100,
        }],
        nodes: (0..nodes).map(node).collect(),
        outputs: vec![nodes, 2],
        ..Parts::default()
    })
    .unwrap()
}

#[test]
fn what_is_kept_is_what_it_is_where_all_is_kept() {
    let graph = woven(20);
    let (mut all, mut few) = (Tensors::default(), Tensors::keeping([7, 0, 7]));
    for x in [[1, 2, 3, 4], [5, -6, 7, -8]] {
        execute(&graph, &[], &[&x], &mut all).unwrap();
        execute(&graph, &[], &[&x], &mut few).unwrap();
        for id in 0..graph.tensors() {
            assert_eq!(all.get(id).len(), 4);
            if [7, 0, 20, 2].contains(&id) {
                assert_eq!(few.get(id), all.get(id), "{id}");
            } else {
                assert!(few.get(id).is_empty(), "{id}");
            }
        }
    }
}

#[test]
fn inputs_and_weights_that_do_not_fit_are_refused() {
    let graph = two_layers();
    let mut tensors = Tensors::default();
    let weights = [1; 8];
    let mut refused = |weights: &[i8], inputs: &[&[i32]]| {
        execute(&graph, weights, inputs, &mut tensors).unwrap_err()
    };
    assert_eq!(
        refused(&weights, &[]),
        Fault::Inputs {
            got: 0,
            expected: 1
        }
    );
    assert_eq!(
        refused(&weights, &[&[1, 2]]),
        Fault::InputSize {
            input: 0,
            got: 2,
            expected: 3
        }
    );
    assert_eq!(
        refused(&weights, &[&[1, 2, 128]]),
        Fault::InputRange {
            input: 0,
            lo: -127,
            hi: 127
        }
    );
    assert_eq!(
        refused(&weights[1..], &[&[1, 2, 3]]),
        Fault::Weights {
            got: 7,
            expected: 8
        }
    );
    let said = refused(&weights[1..], &[&[1, 2, 3]]).to_string();
    assert_eq!(said, "the graph takes 8 weights, not 7");
}

//! A graph that shows of another one's matrices and parameters that they are in their ranges: parameters of
//! the same shapes, each looked up in a table of its range that gives 0. Whatever is accepted of it has all
//! its elements in range, whoever chose them; so a proof of it under the commitment to another graph's
//! weights is a proof of their ranges.
mod common;

use common::cheat::{P, indices, padded, within};
use common::graphs::{Builder, Random};
use common::keys::Key;
use graph::Op;

/// Bits of what is looked up at once.
const BITS: u32 = 16;

/// Shape and range of a matrix or parameter.
struct Held {
    shape: Vec<usize>,
    lo: i64,
    hi: i64,
}

fn held(shape: &[usize], lo: i64, hi: i64) -> Held {
    Held {
        shape: shape.to_vec(),
        lo,
        hi,
    }
}

/// The graph that shows the ranges; its output is 0.
fn range_graph(all: &[Held]) -> Key {
    let mut b = Builder::new(1);
    let mut sums = vec![b.input(&[1], 0, 0)];
    for each in all {
        let x = b.node(Op::Parameter, &[], &each.shape, each.lo, each.hi);
        let zeros = zeros(&mut b, x);
        let axes = each.shape.len();
        let sum = b.node(Op::Sum { axes }, &[zeros], &[], 0, 0);
        let view = Op::View {
            offset: 0,
            strides: vec![0],
        };
        sums.push(b.node(view, &[sum], &[1], 0, 0));
    }
    let add = Op::Add {
        coefficients: vec![1; sums.len()],
        constant: None,
    };
    let output = b.node(add, &sums, &[1], 0, 0);
    Key::read(b, &[output]).unwrap()
}

/// 0 for each element of a tensor that is in its range; of others there is none. A range of more than a
/// table is one of so many bits, or else it is shown up to a multiple of 2^16.
fn zeros(b: &mut Builder, x: usize) -> usize {
    let (shape, lo, hi) = b.of(x);
    let table = |b: &mut Builder, x: usize, first: i64, count: i64| {
        let table = b.constant(&[count as usize], vec![0; count as usize]);
        let first = first as i32;
        b.node(Op::Lookup { table, first }, &[x], &shape, 0, 0)
    };
    if hi - lo < 1 << BITS {
        return table(b, x, lo, hi - lo + 1);
    }
    // A rescaling adds half: without it the quotient is ⌊(x − lo) / 2^16⌋.
    let half = 1 << (BITS - 1);
    let offset = b.constant(&[1], vec![(-lo - half) as i32]);
    let from = b.node(
        Op::Add {
            coefficients: vec![1],
            constant: Some(offset),
        },
        &[x],
        &shape,
        -half,
        hi - lo - half,
    );
    let most = (hi - lo) >> BITS;
    let quotient = b.rescale(from, &[1], 0, BITS, 0, most);
    table(b, quotient, 0, most + 1)
}

/// As the matrices and parameters of a small network: weights, biases, scales, a table, one number.
fn network() -> Vec<Held> {
    vec![
        held(&[3, 5], -128, 127),
        held(&[3], -(1 << 28), (1 << 28) - 1),
        held(&[2, 3], -(1 << 12), (1 << 12) - 1),
        held(&[5, 2, 2], -(1 << 17), (1 << 17) - 1),
        held(&[1], 0, 1),
    ]
}

/// A residue that is not in the range, often next to it.
fn beyond(random: &mut Random, each: &Held) -> i64 {
    match random.below(5) {
        0 => each.lo - 1,
        1 => each.hi + 1,
        2 => each.lo - (1 << (BITS + random.below(3) as u32)),
        3 => P / 2 - random.below(4) as i64,
        _ => each.hi + 1 + random.below(1 << 20) as i64,
    }
}

#[test]
fn elements_in_range_are_accepted_and_give_zero() {
    let all = network();
    let key = range_graph(&all);
    let mut random = Random(3);
    for _ in 0..5 {
        let mut choice = key.choice(&mut random);
        choice.reads.fill(false);
        for (each, values) in all.iter().zip(&mut choice.parameters) {
            let cells = indices(&padded(&each.shape));
            for (index, value) in cells.iter().zip(values.iter_mut()) {
                *value = match random.below(3) {
                    _ if !within(&each.shape, index) => 0,
                    0 => each.lo,
                    1 => each.hi,
                    _ => random.between(each.lo, each.hi).into(),
                };
            }
        }
        assert_eq!(key.accepts(&choice, &[vec![0]]), Some(vec![vec![0]]));
    }
}

#[test]
fn one_element_out_of_range_is_never_accepted() {
    let all = network();
    let key = range_graph(&all);
    let mut random = Random(11);
    for seed in 0..200 {
        let mut choice = key.choice(&mut random);
        for values in &mut choice.parameters {
            values.fill(0);
        }
        choice.reads.fill(seed % 2 == 0);
        let parameter = random.below(all.len());
        let each = &all[parameter];
        let cells = indices(&padded(&each.shape));
        let inside: Vec<usize> = (0..cells.len())
            .filter(|&cell| within(&each.shape, &cells[cell]))
            .collect();
        let cell = inside[random.below(inside.len())];
        let value = beyond(&mut random, each);
        choice.parameters[parameter][cell] = value;
        assert_eq!(key.accepts(&choice, &[vec![0]]), None, "{seed}: {value}");
    }
}

#[test]
fn a_range_that_is_no_power_of_two_is_shown_up_to_a_multiple_of_a_table() {
    let all = [held(&[2], -5, 100_000)];
    let key = range_graph(&all);
    let mut random = Random(5);
    let mut choice = key.choice(&mut random);
    choice.reads.fill(false);
    let shown = -5 + (2 << BITS) - 1;
    for (value, accepted) in [
        (100_000, true),
        (shown, true),
        (shown + 1, false),
        (-6, false),
    ] {
        choice.parameters[0] = vec![value, 0];
        assert_eq!(
            key.accepts(&choice, &[vec![0]]).is_some(),
            accepted,
            "{value}"
        );
    }
}

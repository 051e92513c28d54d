//! The graph that shows of another one's matrices and parameters that they are in their ranges: parameters of
//! the same shapes, each looked up in a table of its range that gives 0. Whatever is accepted of it has all
//! its elements in range, whoever chose them; so a proof of it under the commitment to another graph's
//! weights is a proof of their ranges.

use crate::common::cheat::{P, indices, padded, within};
use crate::common::graphs::Random;
use crate::common::keys::Key;
use claim_reduction::{Ranged, Visibility, range_graph};

/// Bits that one table is looked up by.
const BITS: u32 = 16;

fn own(shape: &[usize], lo: i32, hi: i32) -> Ranged {
    Ranged {
        shape: shape.to_vec(),
        lo,
        hi,
    }
}

/// The key of the graph that shows these ranges.
fn key(all: &[Ranged]) -> Key {
    Key::of(range_graph(all).unwrap(), Visibility::Public).unwrap()
}

/// As the matrices and parameters of a small network: weights, biases, scales, a table, one number.
fn network() -> Vec<Ranged> {
    vec![
        own(&[3, 5], -128, 127),
        own(&[3], -(1 << 28), (1 << 28) - 1),
        own(&[2, 3], -(1 << 12), (1 << 12) - 1),
        own(&[5, 2, 2], -(1 << 17), (1 << 17) - 1),
        own(&[1], 0, 1),
    ]
}

/// A residue that is not in the range, often next to it.
fn beyond(random: &mut Random, each: &Ranged) -> i64 {
    let (lo, hi) = (i64::from(each.lo), i64::from(each.hi));
    match random.below(5) {
        0 => lo - 1,
        1 => hi + 1,
        2 => lo - (1 << (BITS + random.below(3) as u32)),
        3 => P / 2 - random.below(4) as i64,
        _ => hi + 1 + random.below(1 << 20) as i64,
    }
}

/// The same that no padding has: neither it nor anything that it is moved by when it is looked up.
fn beyond_padding(random: &mut Random, each: &Ranged) -> i64 {
    let width = i64::from(each.hi) - i64::from(each.lo) + (1 << BITS);
    match random.below(2) {
        0 => -width - random.below(4) as i64,
        _ => P / 2 - random.below(4) as i64,
    }
}

#[test]
fn elements_in_range_are_accepted_and_give_zero() {
    let all = network();
    let key = key(&all);
    let mut random = Random(3);
    for _ in 0..5 {
        let mut choice = key.choice(&mut random);
        choice.reads.fill(false);
        for (each, values) in all.iter().zip(&mut choice.parameters) {
            let cells = indices(&padded(&each.shape));
            for (index, value) in cells.iter().zip(values.iter_mut()) {
                *value = match random.below(3) {
                    _ if !within(&each.shape, index) => 0,
                    0 => each.lo.into(),
                    1 => each.hi.into(),
                    _ => random.between(each.lo.into(), each.hi.into()).into(),
                };
            }
        }
        assert_eq!(key.accepts(&choice, &[vec![0]]), Some(vec![vec![0]]));
    }
}

#[test]
fn one_element_out_of_range_is_never_accepted_nor_is_padding() {
    let all = network();
    let key = key(&all);
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
        let cell = random.below(cells.len());
        let value = if within(&each.shape, &cells[cell]) {
            beyond(&mut random, each)
        } else {
            beyond_padding(&mut random, each)
        };
        choice.parameters[parameter][cell] = value;
        assert_eq!(key.accepts(&choice, &[vec![0]]), None, "{seed}: {value}");
    }
}

#[test]
fn a_range_that_is_no_power_of_two_is_shown_up_to_a_multiple_of_a_table() {
    let shown = -5 + (2 << BITS) - 1;
    let cases = [
        (100_000, true),
        (shown, true),
        (shown + 1, false),
        (-6, false),
    ];
    decided(&own(&[2], -5, 100_000), &cases);
}

/// One that is as wide as any cannot be moved, and is shown up to a multiple on both sides.
#[test]
fn the_widest_range_is_shown_up_to_a_multiple_of_a_table() {
    let most = (1 << 29) - 1;
    let shown = (1 << 29) + (1 << 15);
    let cases = [
        (-i64::from(most), true),
        (i64::from(most), true),
        (-shown, true),
        (-shown - 1, false),
        (shown - 1, true),
        (shown, false),
    ];
    decided(&own(&[2], -most, most), &cases);
}

/// Holds what is accepted of an element to what is expected.
fn decided(own: &Ranged, cases: &[(i64, bool)]) {
    let key = key(std::slice::from_ref(own));
    let mut random = Random(5);
    let mut choice = key.choice(&mut random);
    choice.reads.fill(false);
    for &(value, accepted) in cases {
        choice.parameters[0] = vec![value, 0];
        let found = key.accepts(&choice, &[vec![0]]).is_some();
        assert_eq!(found, accepted, "{value}");
    }
}

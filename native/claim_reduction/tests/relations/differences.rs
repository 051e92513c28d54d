//! A number and its product by another that is taken from it: what is known of the two together.

use crate::common::Case;
use crate::common::graphs::Builder;
use claim_reduction::{Plan, Unsupported, Visibility};
use graph::{Graph, Op};

const LIMIT: i64 = (1 << 29) - 1;
/// Levels at which a range that doubles at each is far beyond the field.
const LEVELS: usize = 40;

/// What one level makes of the number that it is given, of another, and of the clamped one.
type Level = fn(&mut Builder, x: usize, other: usize, y: usize) -> usize;

/// A number that goes through levels, and a clamped one that takes part in each.
fn chain(lo: i64, hi: i64, level: Level) -> Graph {
    let mut b = Builder::new(3);
    let start = b.input(&[2, 4], 0, 1);
    let free = b.input(&[2, 4], -9, 9);
    let y = b.rescale(free, &[1], 0, 0, lo, hi);
    let mut x = start;
    for _ in 0..LEVELS {
        x = level(&mut b, x, start, y);
    }
    let end = b.rescale(x, &[1], 0, 1, -4, 4);
    b.finish(&[end])
}

fn product(b: &mut Builder, operands: [usize; 2]) -> usize {
    b.node(Op::Mul, &operands, &[2, 4], -LIMIT, LIMIT)
}

fn sum(b: &mut Builder, operands: &[usize], coefficients: &[i32]) -> usize {
    let op = Op::Add {
        coefficients: coefficients.to_vec(),
        constant: None,
    };
    b.node(op, operands, &[2, 4], -LIMIT, LIMIT)
}

fn refusal(graph: &Graph) -> Option<String> {
    let plan = Plan::new(graph, Visibility::Private);
    plan.err()
        .map(|Unsupported { operator, why, .. }| format!("{operator}: {why}"))
}

fn first(b: &mut Builder, x: usize, _: usize, y: usize) -> usize {
    let taken = product(b, [x, y]);
    sum(b, &[x, taken], &[1, -1])
}

fn second(b: &mut Builder, x: usize, _: usize, y: usize) -> usize {
    let taken = product(b, [y, x]);
    sum(b, &[taken, x], &[-1, 1])
}

fn negative(b: &mut Builder, x: usize, _: usize, y: usize) -> usize {
    let taken = product(b, [x, y]);
    sum(b, &[x, taken], &[-1, 1])
}

#[test]
fn what_is_left_of_a_number_stays_in_its_range() {
    for level in [first, second, negative] {
        let graph = chain(0, 1, level);
        assert_eq!(refusal(&graph), None);
        assert!(Case::private(graph, 1).check(&mut |_, _| ()).is_ok());
    }
}

#[test]
fn what_is_nearly_that_is_counted_as_a_sum() {
    let levels: [(&str, Level); 6] = [
        ("more of it", |b, x, _, y| {
            let taken = product(b, [x, y]);
            sum(b, &[x, taken], &[2, -1])
        }),
        ("both added", |b, x, _, y| {
            let taken = product(b, [x, y]);
            sum(b, &[x, taken], &[1, 1])
        }),
        ("a product of another number", |b, x, _, y| {
            let copy = sum(b, &[x], &[1]);
            let taken = product(b, [copy, y]);
            sum(b, &[x, taken], &[1, -1])
        }),
        ("taken from another number", |b, x, other, y| {
            let taken = product(b, [x, y]);
            let left = sum(b, &[other, taken], &[1, -1]);
            sum(b, &[left, x], &[1, 1])
        }),
        ("taken twice", |b, x, _, y| {
            let taken = product(b, [x, y]);
            sum(b, &[x, taken, taken], &[1, -1, -1])
        }),
        ("a sum in place of the product", |b, x, _, y| {
            let taken = sum(b, &[x, y], &[1, 1]);
            sum(b, &[x, taken], &[1, -2])
        }),
    ];
    for (name, level) in levels {
        let refused = refusal(&chain(0, 1, level));
        let wraps = |why: &str| why.ends_with("its integers can wrap around in the field");
        assert!(refused.as_deref().is_some_and(wraps), "{name}: {refused:?}");
    }
}

#[test]
fn the_range_is_that_of_the_factor_that_is_left() {
    // From 1 less the greatest to 1 less the least: one level more doubles it, or turns its sign.
    for (lo, hi, taken) in [(0, 1, true), (0, 2, true), (0, 3, false), (-1, 1, false)] {
        assert_eq!(refusal(&chain(lo, hi, first)).is_none(), taken, "{lo} {hi}");
    }
    // The square of three times 10,879 is below p/2, that of four times as much is not; nor is that of three
    // times 10,880.
    for (most, taken) in [(10_879, true), (10_880, false)] {
        let mut b = Builder::new(1);
        let x = b.input(&[2, 4], 0, most);
        let y = b.input(&[2, 4], 0, 4);
        let left = first(&mut b, x, x, y);
        let square = product(&mut b, [left, left]);
        assert_eq!(refusal(&b.finish(&[square])).is_none(), taken, "{most}");
    }
}

#[test]
fn each_number_counts_once() {
    // x twice, and one product: 2x less x·y is x and what is left of it, 0 to 2; two products of two.
    let doubled: [(&[i32], i32); 2] = [(&[1, 1, -1], 2), (&[1, 1, -1, -1], 2)];
    for (coefficients, times) in doubled {
        let most = 32_639 / times;
        for (most, taken) in [(most, true), (most + 1, false)] {
            let mut b = Builder::new(1);
            let x = b.input(&[2, 4], 0, most);
            let y = b.input(&[2, 4], 0, 1);
            let product_of = product(&mut b, [x, y]);
            let operands = [x, x, product_of, product_of];
            let left = sum(&mut b, &operands[..coefficients.len()], coefficients);
            let square = product(&mut b, [left, left]);
            let refused = refusal(&b.finish(&[square]));
            assert_eq!(refused.is_none(), taken, "{coefficients:?} {most}");
        }
    }
}

//! Whatever a cheating owner of a key and a cheating prover get accepted is what the executor computes
//! for the graph that the key declares.
//!
//! A searcher: random keys with what an owner may try (coefficients and tables that are something else
//! modulo p, tables that begin behind 0, ranges that do not follow), and for each a prover that takes every
//! freedom (padding of weights, and with it of all that follows from them; sums that take it in). Where its
//! proof is accepted, the outputs that it states must be the executor's.
//!
//! Of places of maxima it tries all, those that are wrong first; indices may be beyond the rows, and then name
//! a row of the padding.
//!
//! Not searched are Conv, which reads no padding by construction, Divide and `SquareRoot`, which have tests
//! of their own, Adds of contractions by coefficients with which they wrap around, and declared ranges of
//! sums and products that are narrower than those of their operands make them: such graphs are taken, and
//! what they prove is the residue or the integer that the executor stops at (`exact` has tests of both).

use crate::common::cheat::{Cheat, Choice, P};
use crate::common::graphs::{Builder, Random};
use crate::common::keys::Key;
use claim_reduction::Visibility;
use graph::{Op, elements};
use std::collections::BTreeMap;

const LIMIT: i64 = (1 << 29) - 1;
const SIZES: [usize; 6] = [3, 5, 7, 15, 4, 1];

/// The range of a sum, or one that an owner claims instead.
fn claimed(lo: i64, hi: i64) -> (i64, i64) {
    (lo.clamp(-LIMIT, LIMIT), hi.clamp(-LIMIT, LIMIT))
}

/// An Add with coefficients that may be something else modulo p, in the range of what they then are; by ones
/// where that is wider than a range can be and no reason to refuse the graph.
fn weighed(b: &mut Builder, operands: &[usize]) -> usize {
    let odd = [0, P, -P, P + 1, 1 - P, 1 << 28, 1 << 29, -(1 << 20)];
    let mut coefficients = Vec::new();
    for _ in operands {
        coefficients.push(if b.random.below(3) == 0 {
            odd[b.random.below(odd.len())]
        } else {
            [1, -1, 2, -3][b.random.below(4)]
        });
    }
    let reach = |coefficients: &[i64]| {
        let terms = operands.iter().zip(coefficients);
        terms.fold((0, 0), |(lo, hi), (&id, &c)| {
            let (_, from, to) = b.of(id);
            let small = if 2 * c.abs() > P {
                c - c.signum() * P
            } else {
                c
            };
            let ends = [small * from, small * to];
            (lo + ends[0].min(ends[1]), hi + ends[0].max(ends[1]))
        })
    };
    let narrow = |end: i64| end.abs() > LIMIT && 2 * end.abs() < P;
    let (mut lo, mut hi) = reach(&coefficients);
    if narrow(lo) || narrow(hi) {
        coefficients.fill(1);
        (lo, hi) = reach(&coefficients);
    }
    let (shape, ..) = b.of(operands[0]);
    let (lo, hi) = claimed(lo, hi);
    let op = Op::Add {
        coefficients: coefficients.into_iter().map(|c| c as i32).collect(),
        constant: None,
    };
    b.node(op, operands, &shape, lo, hi)
}

/// A Lookup in a table that may begin behind 0, or far from it, or hold numbers beyond its range.
fn looked_up(b: &mut Builder, x: usize) -> usize {
    let x = b.rescale(x, &[1], 0, 3, -2, 13);
    // The Rescale is taken together with a Lookup that follows at once.
    let apart = b.random.below(3) > 0;
    let x = if apart { b.add(&[x], &[1], None) } else { x };
    let (shape, lo, hi) = b.of(x);
    let first = [lo, lo, 1, 3, 6, -1, P, P - 1][b.random.below(8)];
    let from = if first > hi { 0 } else { first };
    let last = if b.random.below(4) == 0 { hi - 2 } else { hi };
    let count = (last - from + 1) as usize;
    let mut values = b.random.numbers(count, -60, 60);
    if b.random.below(5) == 0 {
        let at = b.random.below(count);
        values[at] = [P as i32, (P - 3) as i32, 1 << 30, 77][b.random.below(4)];
    }
    let table = b.constant(&[count], values);
    let first = first as i32;
    b.node(Op::Lookup { table, first }, &[x], &shape, -60, 60)
}

/// A Linear whose bias may be something else modulo p.
fn biased(b: &mut Builder, x: usize, width: usize) -> usize {
    let y = b.linear(x, width, true);
    if b.random.below(8) == 0 {
        let place = b.random.below(width);
        let bias = b.parts.constants.last_mut().unwrap();
        bias.values[place] = [P as i32, (P - 5) as i32, -(P as i32), 1 << 30][place % 4];
    }
    y
}

/// A Rescale by a multiplier that may be something else modulo p.
fn rescaled(b: &mut Builder, x: usize) -> usize {
    let (shape, ..) = b.of(x);
    let odd = [0, P, P + 1, 1 - P, -P, 1 << 30, -1, 3].map(|m| m as i32);
    let count = if b.random.below(2) == 0 { 1 } else { shape[0] };
    let multipliers: Vec<i32> = (0..count).map(|_| odd[b.random.below(8)]).collect();
    let shift = [0, 1, 4, 9, 30][b.random.below(5)];
    let lo = i64::from(b.random.between(-60, 0));
    b.rescale(x, &multipliers, 0, shift, lo, lo + 70)
}

/// A part of the last axis, every second element of it, or it backwards.
fn part(b: &mut Builder, x: usize) -> usize {
    let (shape, ..) = b.of(x);
    let (rows, size) = (shape[0], shape[1]);
    let (offset, step, count) = match b.random.below(4) {
        0 => (0, 1, size.div_ceil(2)),
        1 => (size / 2, 1, size - size / 2),
        2 => (0, 2, size.div_ceil(2)),
        _ => (size - 1, -1, size),
    };
    b.view(x, offset as i64, &[size as i64, step], &[rows, count])
}

/// Columns of a matrix, or some of them, by the places of maxima in its lines.
fn named(b: &mut Builder, x: usize) -> usize {
    let (shape, ..) = b.of(x);
    let last = b.random.below(2) == 0;
    let index = b.arg_max(x, last);
    let count = shape[1] - b.random.below(shape[1].min(3));
    let rows = b.view(x, 0, &[1, shape[1] as i64], &[count, shape[0]]);
    b.pick(rows, index)
}

/// Labels of the places of maxima, of numbers of which many are equal.
fn labels(b: &mut Builder, x: usize) -> usize {
    let (shape, ..) = b.of(x);
    let small = b.rescale(x, &[1], 0, 4, -1, 1);
    let last = b.random.below(2) == 0;
    let index = b.arg_max(small, last);
    let count = shape[1] - b.random.below(shape[1].min(2));
    let values = b.random.numbers(count, -60, 60);
    let constant = b.constant(&[count], values);
    let labels = b.node(Op::Const { constant }, &[], &[count], -60, 60);
    b.pick(labels, index)
}

/// A rescaling of products that take most of the field, held to its range.
fn far(b: &mut Builder, x: usize) -> usize {
    let (shape, lo, hi) = b.of(x);
    let most = lo.abs().max(hi.abs()).max(1);
    let scaled = b.add(&[x], &[(140_000_000 / most) as i32], None);
    let clamp = [9_000_000, 3_000_000, 20_000][b.random.below(3)];
    let y = b.rescale(scaled, &[5], 0, 5, -clamp, clamp);
    // So that what follows is small, and depends on all of it.
    let end = b.rescale(y, &[1], 0, 11, -4000, 4000);
    debug_assert_eq!(b.of(end).0, shape);
    end
}

/// The square of what is left of a number that a part of it, or of another, is taken from, of which more may be
/// left than the square has room for.
fn left(b: &mut Builder, x: usize) -> usize {
    let (shape, ..) = b.of(x);
    let wide = b.rescale(x, &[3_000], 0, 0, -7_000, 7_000);
    let most = 1 + b.random.below(4) as i64;
    let part = b.rescale(x, &[1], 0, 0, 0, most);
    let factor = [wide, wide, part][b.random.below(3)];
    let taken = b.node(Op::Mul, &[factor, part], &shape, -28_000, 28_000);
    let op = Op::Add {
        coefficients: [[1, -1], [1, -1], [-1, 1], [1, 1], [2, -1]][b.random.below(5)].to_vec(),
        constant: None,
    };
    let left = b.node(op, &[wide, taken], &shape, -42_000, 42_000);
    let square = b.node(Op::Mul, &[left, left], &shape, -LIMIT, LIMIT);
    b.rescale(square, &[1], 0, 17, -4000, 4000)
}

/// A random key of small odd sizes, for inputs that are shown or not. Where they are not, operations may come
/// before weights.
fn declared(seed: u64, inputs: Visibility) -> Result<Key, String> {
    let mut b = Builder::new(seed);
    let (rows, columns) = (1 + b.random.below(3), SIZES[b.random.below(4)]);
    let shown = inputs == Visibility::Public;
    let ranges = [(-9, 9), (-8, 7), (0, 11), (2, 9), (-7, -1), (3, 3)];
    let (lo, hi) = ranges[if shown { 0 } else { b.random.below(6) }];
    let x = b.input(&[rows, columns], lo, hi);
    let width = SIZES[b.random.below(4)];
    let mut all = vec![if shown || b.random.below(2) == 0 {
        biased(&mut b, x, width)
    } else {
        x
    }];
    for _ in 0..2 + b.random.below(4) {
        let x = all[all.len() - 1 - b.random.below(all.len().min(2))];
        let (shape, lo, hi) = b.of(x);
        let large = lo.abs().max(hi.abs()) > 4000;
        let x = if large { b.tame(x, 6) } else { x };
        let (rank, last) = (shape.len(), b.random.below(2) == 0);
        let made = match b.random.below(20) {
            0..3 if rank > 0 => {
                let width = SIZES[b.random.below(SIZES.len())];
                biased(&mut b, x, width)
            }
            3 if rank == 2 => {
                let turned = b.view(x, 0, &[1, shape[1] as i64], &[shape[1], shape[0]]);
                b.matmul(x, turned)
            }
            4 if rank > 0 => b.sum(x, 1),
            5 if rank > 0 => b.max(x, 1),
            6 => looked_up(&mut b, x),
            7 => weighed(&mut b, &[x]),
            8 => {
                let other = looked_up(&mut b, x);
                weighed(&mut b, &[other, x])
            }
            9 if rank == 2 => {
                let axis = b.random.below(2);
                b.concat(&[x, x], axis)
            }
            11 if rank > 0 => rescaled(&mut b, x),
            12 if rank == 2 => part(&mut b, x),
            13 if rank == 2 => b.take(x, &[2, 3]),
            15 if rank > 0 => b.arg_max(x, last),
            16 if rank == 2 => named(&mut b, x),
            17 if rank == 2 => labels(&mut b, x),
            18 if rank > 0 => far(&mut b, x),
            14 if rank > 0 => left(&mut b, x),
            10 if rank == 2 => b.pad(x, &[0, 1], &[b.random.0 as usize % 2, 1], 3),
            _ => b.mul(x, x),
        };
        all.push(made);
    }
    let last = *all.last().ok_or("no node")?;
    let (.., lo, hi) = b.of(last);
    let end = if lo.abs().max(hi.abs()) > 4000 || b.random.below(2) == 0 {
        b.rescale(last, &[1], 0, 1, -(1 << 12), 1 << 12)
    } else {
        last
    };
    Key::with(b, &[end], inputs)
}

/// What a searcher finds: kinds of graphs that are refused, how many proofs are accepted, and lies.
#[derive(Default)]
struct Findings {
    refused: BTreeMap<String, usize>,
    accepted: usize,
    padded: usize,
    /// Of accepted proofs, how many have something in the padding of an input.
    beyond: usize,
    /// Inputs with an element out of range that were tried.
    outside: usize,
    /// Of accepted proofs, how many have each operation, and quotients that are held.
    covered: BTreeMap<&'static str, usize>,
    lies: Vec<String>,
}

fn search(seeds: std::ops::Range<u64>, visibility: Visibility) -> Findings {
    let mut found = Findings::default();
    for seed in seeds {
        let key = match declared(seed, visibility) {
            Ok(key) => key,
            Err(why) => {
                *found.refused.entry(why).or_default() += 1;
                continue;
            }
        };
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
        for _ in 0..4 {
            let choice = key.choice(&mut random);
            let mut inputs: Vec<Vec<i32>> = key
                .graph
                .inputs
                .iter()
                .map(|i| random.numbers(elements(&i.shape), i.lo.into(), i.hi.into()))
                .collect();
            let private = visibility == Visibility::Private;
            let outside = private && random.below(4) == 0;
            if outside {
                let (own, at) = (&key.graph.inputs[0], random.below(inputs[0].len()));
                let beyond = [
                    own.lo - 1,
                    own.hi + 1,
                    own.hi + 16,
                    own.lo - 32,
                    P as i32 / 2,
                ];
                inputs[0][at] = beyond[random.below(beyond.len())];
                found.outside += 1;
            }
            let Some(outputs) = key.accepts(&choice, &inputs) else {
                continue;
            };
            found.accepted += 1;
            found.padded += usize::from(key.stands_in_padding(&choice));
            found.beyond += usize::from(private && key.fills_inputs(&choice));
            for kind in key.kinds() {
                *found.covered.entry(kind).or_default() += 1;
            }
            if key.executed(&choice, &inputs).as_ref() != Some(&outputs) {
                let nodes = key.graph.nodes.iter();
                let names: Vec<String> = nodes
                    .map(|node| format!("{:?} -> {:?}", node.op, node.shape))
                    .collect();
                found.lies.push(format!("{seed}: {names:#?}"));
                break;
            }
        }
    }
    found
}

#[test]
fn what_is_accepted_is_what_the_executor_computes() {
    let found = search(0..4000, Visibility::Public);
    assert!(
        found.lies.is_empty(),
        "{} {}",
        found.lies.len(),
        found.lies.join("\n")
    );
    // It does get proofs accepted where padding is not zero, and keys refused for each reason.
    assert!(found.accepted > 3_000, "{}", found.accepted);
    assert!(found.padded > 1_000, "{}", found.padded);
    println!("{:?}", found.covered);
    for kind in ["ArgMax", "ArgMax of the last", "Pick", "Held"] {
        let count = found.covered.get(kind);
        assert!(count.is_some_and(|&count| count > 100), "{kind} {count:?}");
    }
    for why in [
        "GRAPH_NODE",
        "its declared range does not hold what it takes",
        "its integers can wrap around in the field",
        "the keys of its table reach 2^29",
    ] {
        assert!(found.refused.contains_key(why), "{why}");
    }
}

#[test]
fn what_is_accepted_of_a_private_input_is_what_the_executor_computes_of_one_in_range() {
    let found = search(0..4000, Visibility::Private);
    assert!(
        found.lies.is_empty(),
        "{} {}",
        found.lies.len(),
        found.lies.join("\n")
    );
    println!(
        "{} {} {} {} {:?} {:?}",
        found.accepted, found.padded, found.beyond, found.outside, found.covered, found.refused
    );
    assert!(found.accepted > 3_000, "{}", found.accepted);
    assert!(found.beyond > 500, "{}", found.beyond);
    assert!(found.outside > 1_000, "{}", found.outside);
    for kind in [
        "ArgMax",
        "ArgMax of the last",
        "Pick",
        "Lookup",
        "Max",
        "Held",
    ] {
        let count = found.covered.get(kind);
        assert!(count.is_some_and(|&count| count > 100), "{kind} {count:?}");
    }
}

/// Two layers, of which the second adds up over the first one's rows, and what ends with them.
fn two_layers(rows: usize, end: impl Fn(&mut Builder, usize) -> usize) -> Key {
    let mut b = Builder::new(1);
    let x = b.input(&[1, 2], -9, 9);
    let y = b.linear(x, rows, false);
    let y = b.rescale(y, &[1], 0, 0, -99, 99);
    let y = end(&mut b, y);
    let y = b.rescale(y, &[1], 0, 0, -9999, 9999);
    Key::read(b, &[y]).unwrap()
}

/// All weights of the matrices are 1, those of the padding of rows of the first too, and of columns.
fn ones(key: &Key, reads: bool) -> Choice {
    let mut weights = Vec::new();
    for (number, weight) in key.graph.weights.iter().enumerate() {
        for row in 0..weight.rows.next_power_of_two() {
            let own = number == 0 || row < weight.rows;
            weights.extend(vec![i8::from(own); weight.cols.next_power_of_two()]);
        }
    }
    Choice {
        weights,
        parameters: Vec::new(),
        beyond: Vec::new(),
        reads: vec![reads; key.graph.nodes.len()],
    }
}

type End = fn(&mut Builder, usize) -> usize;

#[test]
fn fifteen_hidden_units_are_not_sixteen() {
    let ends: [(&str, End); 3] = [
        ("Linear", |b, y| b.linear(y, 1, false)),
        ("Sum", |b, y| b.sum(y, 1)),
        ("MatMul", |b, y| {
            let turned = b.view(y, 0, &[1, 15], &[15, 1]);
            b.matmul(y, turned)
        }),
    ];
    let inputs = [vec![3, 4]];
    for (name, end) in ends {
        let key = two_layers(15, end);
        let [of_fifteen, of_sixteen] = [false, true].map(|reads| ones(&key, reads));
        assert!(key.stands_in_padding(&of_fifteen), "{name}");
        let honest = key.executed(&of_fifteen, &inputs);
        assert_eq!(key.accepts(&of_fifteen, &inputs), honest, "{name}");
        let cheat = Cheat::case(&key.graph, &key.plan, &of_sixteen, &inputs).unwrap();
        assert_ne!(Some(cheat.outputs()), honest, "{name}");
        assert_eq!(key.accepts(&of_sixteen, &inputs), None, "{name}");
    }
}

#[test]
fn no_key_between_0_and_a_table_is_in_it() {
    let mut b = Builder::new(1);
    let x = b.input(&[1, 1], 0, 9);
    let y = b.linear(x, 3, false);
    let y = b.rescale(y, &[1], 0, 0, 0, 9);
    let y = b.add(&[y], &[1], None);
    let table = b.constant(&[7], vec![50, 51, 52, 53, 54, 55, 56]);
    let y = b.node(Op::Lookup { table, first: 3 }, &[y], &[1, 3], 50, 56);
    let key = Key::read(b, &[y]).unwrap();
    let choice = ones(&key, false);
    for x in 0..10 {
        let inputs = [vec![x]];
        let honest = key.executed(&choice, &inputs);
        assert_eq!(honest.is_some(), x >= 3, "{x}");
        // In the padding of the result stands what the matrix has there: 0 is shown by itself only.
        let weights = [1, 1, 1, 0].to_vec();
        let reads = choice.reads.clone();
        let choice = Choice {
            weights,
            parameters: Vec::new(),
            beyond: Vec::new(),
            reads,
        };
        assert_eq!(key.accepts(&choice, &inputs), honest, "{x}");
    }
}

#[test]
fn a_bias_that_no_int8_weights_leave_in_the_range_is_refused() {
    // Three weights of up to 128 times 9, in a range of 1000 more.
    for (bias, fits) in [(1000, true), (7912, true), (7913, false), (P as i32, false)] {
        let mut b = Builder::new(1);
        let x = b.input(&[3], -9, 9);
        let y = b.linear(x, 2, true);
        b.parts.constants[0].values = vec![0, bias];
        let y = b.rescale(y, &[1], 0, 0, -9, 9);
        assert_eq!(Key::read(b, &[y]).is_ok(), fits, "{bias}");
    }
}

#[test]
fn ranges_that_do_not_follow_are_refused() {
    let why = |lo: i64, hi: i64, coefficient: i32, values: Vec<i32>| {
        let mut b = Builder::new(1);
        let x = b.input(&[3], -9, 9);
        let y = b.linear(x, 3, false);
        let y = b.rescale(y, &[1], 0, 4, -3, 3);
        let scaled = b.add(&[y], &[coefficient], None);
        let y = b.add(&[y], &[1], None);
        let table = b.constant(&[7], values);
        let y = b.node(Op::Lookup { table, first: -3 }, &[y], &[3], -9, 9);
        let y = b.node(
            Op::View {
                offset: 0,
                strides: vec![1],
            },
            &[y],
            &[2],
            lo,
            hi,
        );
        Key::read(b, &[y, scaled]).err()
    };
    let table = || vec![-9, 9, 0, 0, 0, 1, 2];
    assert_eq!(why(-9, 9, 100, table()), None);
    let narrow = Some("its declared range does not hold what it takes".to_owned());
    assert_eq!(why(-9, 8, 100, table()), narrow);
    assert_eq!(why(-9, 9, 100, vec![-9, 9, 0, 10, 0, 1, 2]), narrow);
    assert_eq!(why(-9, 9, 100, vec![-9, 9, 0, P as i32, 0, 1, 2]), narrow);
    let mut b = Builder::new(1);
    let x = b.input(&[3], -9, 9);
    let y = b.linear(x, 3, false);
    let y = b.rescale(y, &[1], 0, 4, -3, 3);
    for (coefficient, wraps) in [(1 << 28, false), (1 << 28 | 1 << 27, true)] {
        let mut b = Builder {
            parts: b.parts.clone(),
            random: Random(1),
        };
        let op = Op::Add {
            coefficients: vec![coefficient],
            constant: None,
        };
        let y = b.node(op, &[y], &[3], -LIMIT, LIMIT);
        let refused = Key::read(b, &[y]).err();
        let expected = wraps.then(|| "its integers can wrap around in the field".to_owned());
        assert_eq!(refused, expected, "{coefficient}");
    }
}

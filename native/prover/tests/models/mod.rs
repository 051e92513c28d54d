//! Models whose proofs other verifiers are held to.
#![allow(dead_code)]

#[path = "../../../claim_reduction/tests/common/graphs.rs"]
pub mod graphs;

use graph::{Graph, Op};
use graphs::{Builder, random_graph};
use std::fmt::Write;

pub const STATEMENT: [u8; 32] = [7; 32];

pub fn views(tensors: &[Vec<i32>]) -> Vec<&[i32]> {
    tensors.iter().map(Vec::as_slice).collect()
}

/// Two dense layers with a table, a convolution and a maximum.
pub fn vision() -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[1, 2, 6, 5], -100, 90);
    let x = b.conv(x, 4, 1, &[[3, 1, 1, 1, 1], [2, 2, 1, 0, 1]]);
    let x = b.rescale(x, &[3], 0, 7, -20, 100);
    let x = b.max(x, 1);
    let x = b.view(x, 0, &[72, 1], &[1, 24]);
    let x = b.linear(x, 7, true);
    let x = b.rescale(x, &[1, 2, 1, 1, 3, 1, -1], 1, 8, -90, 90);
    let x = b.lookup(x);
    let x = b.linear(x, 3, true);
    b.finish(&[x])
}

/// Clamps too wide for any table, a maximum of numbers far apart, and one over lines that are not
/// a power of two.
pub fn wide() -> Graph {
    let mut b = Builder::new(5);
    let x = b.input(&[2, 9], -120, 127);
    let y = b.linear(x, 7, true);
    let both = b.rescale(y, &[3], 0, 1, -20_000, 90_000);
    let most = b.max(both, 1);
    let above = b.rescale(y, &[1], 0, 0, -150_000, 70);
    let below = b.rescale(y, &[1, -2, 3, 0, 1, 2, -1], 1, 1, -5, 1 << 20);
    let one = b.rescale(y, &[2], 0, 1, 11, 11);
    let small = b.rescale(y, &[1], 0, 12, -30, 30);
    let of_small = b.max(small, 1);
    b.finish(&[most, above, below, one, of_small])
}

/// Most operations, in all forms of a view.
pub fn everything() -> Graph {
    let mut b = Builder::new(8);
    let x = b.input(&[1, 4, 6, 5], -100, 90);
    let side = b.input(&[2, 3], 0, 50);
    let known = b.rescale(side, &[5], 0, 3, 0, 20);
    let x = b.conv(x, 8, 4, &[[3, 1, 2, 2, 2], [2, 2, 1, 1, 0]]);
    let x = b.rescale(x, &[1], 0, 8, 0, 127);
    // Turned, sliced backwards, repeated, and flattened.
    let turned = b.view(x, 0, &[144, 1, 3, 18], &[1, 3, 6, 8]);
    let back = b.view(x, 17, &[0, 36, -1], &[2, 4, 17]);
    let flat = b.view(x, 5, &[7], &[19]);
    let halves = b.view(x, 0, &[18, 72], &[4, 2]);
    let padded = b.pad(turned, &[0, 1, 0, 2], &[0, 0, 3, 0], -4);
    let joined = b.concat(&[padded, padded], 2);
    let summed = b.sum(joined, 2);
    let summed = b.rescale(summed, &[1], 0, 4, -100, 100);
    let picked = b.take(flat, &[3, 5]);
    let squared = b.mul(picked, picked);
    let squared = b.rescale(squared, &[1], 0, 6, 0, 200);
    let square = b.view(squared, 0, &[1, 5], &[5, 3]);
    let product = b.matmul(squared, square);
    let product = b.rescale(product, &[1, 3, 0], 1, 9, -100, 100);
    let table = b.lookup(product);
    let constant = b.constant(&[1], vec![-3]);
    let sums = b.add(&[product, table, product], &[2, -1, 5], Some(constant));
    let batch = b.view(back, 0, &[68, 17, 1], &[2, 4, 3]);
    let other = b.view(back, 4, &[68, 1, 17], &[2, 3, 4]);
    let batch = b.matmul(batch, other);
    let most = b.max(batch, 2);
    let line = b.view(summed, 0, &[1, 1], &[1, 4]);
    let line = b.linear(line, 6, true);
    let line = b.rescale(line, &[1], 0, 7, -50, 60);
    let line = b.lookup(line);
    let low = b.view(known, 0, &[3, 1], &[2, 3]);
    let low = b.linear(low, 5, false);
    b.finish(&[halves, sums, most, line, low])
}

/// Divisions and roots of operands that are held to a range and of some that are not, by divisors that
/// are repeated and by some that are not; with ties, with both signs, and read where they are padded.
pub fn integers() -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[3, 6], -100, 90);
    let halves = b.input(&[2, 7], 1, 6);
    let y = b.linear(x, 5, true);
    let small = b.rescale(y, &[1], 0, 8, -40, 40);
    // An odd number by two is a tie.
    let one = b.constant(&[1], vec![1]);
    let odd = b.view(small, 1, &[7, 1], &[2, 7]);
    let odd = b.add(&[odd], &[2], Some(one));
    let ties = b.divide(odd, halves, 1);
    // Shares of a sum, as attention has them, and what is left of them in each line.
    let table = b.constant(&[81], (1..=81).map(|v| v * v).collect());
    let weights = b.node(Op::Lookup { table, first: -40 }, &[small], &[3, 5], 1, 6561);
    let sum = b.sum(weights, 1);
    b.parts.nodes[sum - 2].lo = 5;
    let wide = b.repeat(sum, 5);
    let shares = b.divide(weights, wide, 1 << 16);
    let totals = b.sum(shares, 1);
    // What a contraction yields, by the root of a sum of squares, as layer normalisation has them.
    let squares = b.mul(small, small);
    let squares = b.sum(squares, 1);
    let squares = b.add(&[squares], &[1], Some(one));
    b.parts.nodes[squares - 2].lo = 1;
    let root = b.square_root(squares, 1 << 20);
    let (_, _, most) = b.of(root);
    b.parts.nodes[root - 2].lo = 1 << 10;
    let wide = b.repeat(root, 5);
    let normal = b.node(
        Op::Divide { k: 379_625_062 },
        &[y, wide],
        &[3, 5],
        -(1 << 29) + 1,
        (1 << 29) - 1,
    );
    assert!(most < 1 << 28);
    // The root of what is held to no range, along one line that is no power of two.
    let line = b.view(y, 4, &[5], &[3]);
    let up = b.constant(&[1], vec![100_000]);
    let line = b.add(&[line], &[1], Some(up));
    b.parts.nodes[line - 2].lo = 0;
    let line = b.square_root(line, 3);
    b.finish(&[ties, shares, totals, normal, line])
}

/// A layer behind which nothing is looked up.
pub fn linear() -> Graph {
    let mut b = Builder::new(9);
    let x = b.input(&[2, 9], -120, 127);
    let y = b.linear(x, 7, true);
    b.finish(&[y])
}

/// Rescalings whose limbs can make quotients that are not apart, held to their ranges or in a table.
pub fn held() -> Graph {
    let mut b = Builder::new(4);
    let x = b.input(&[2, 9], -120, 127);
    let y = b.linear(x, 7, true);
    let (_, _, most) = b.of(y);
    let wide = b.add(&[y], &[900], None);
    let reach = (900 * most * 5) >> 6;
    let clamped = b.rescale(wide, &[5], 0, 6, -9_000_000, 10_000_000);
    let whole = b.rescale(wide, &[5, -5, 1, 4, 3, 5, 2], 1, 6, -reach - 1, reach + 1);
    let few = b.rescale(wide, &[5], 0, 15, -9, 9);
    b.finish(&[clamped, whole, few])
}

/// Products that only wrap around by what limbs could store: an exact plan, in which each rescaling is held to
/// what its quotients give unless both of its bounds bite.
pub fn exact() -> Graph {
    let mut b = Builder::new(10);
    let x = b.input(&[2, 9], -120, 127);
    let y = b.linear(x, 7, true);
    let whole = b.rescale(y, &[1], 0, 3, -20_000, 20_000);
    let positive = b.rescale(y, &[1, -1, 1, 1, -1, 1, 1], 1, 3, 0, 30_000);
    let least = b.rescale(y, &[1], 0, 3, -30_000, 11);
    let clamped = b.rescale(y, &[1], 0, 7, -50, 60);
    let limit = (1 << 29) - 1;
    let mut products = Vec::new();
    for [a, b_] in [[whole, whole], [positive, least], [clamped, positive]] {
        products.push(b.node(Op::Mul, &[a, b_], &[2, 7], -limit, limit));
    }
    b.finish(&products)
}

/// Places of maxima, of equals the first and the last, in ranges narrow and wide; on an axis that is no
/// power of two, behind weights, and in lines whose padding a sum reads; and rows that an index names.
pub fn choices() -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[3, 6], -100, 90);
    let index = b.input(&[3], 0, 2);
    let y = b.linear(x, 5, true);
    let first = b.arg_max(y, false);
    let small = b.rescale(y, &[1], 0, 10, -20, 20);
    let last = b.arg_max(small, true);
    let both = b.mul(first, last);
    let sum = b.sum(both, 1);
    let turned = b.view(small, 0, &[1, 5], &[5, 3]);
    let of_columns = b.arg_max(turned, false);
    // Rows of what weights yield, named by an input and by places; and labels.
    let index = b.view(index, 0, &[0, 1], &[2, 3]);
    let rows = b.pick(small, index);
    let (shape, ..) = b.of(rows);
    let rows_sum = b.sum(rows, shape.len());
    let labels = b.constant(&[5], vec![7, -3, 90, 2, 2]);
    let labels = b.node(Op::Const { constant: labels }, &[], &[5], -3, 90);
    let names = b.pick(labels, last);
    b.finish(&[first, last, sum, of_columns, rows, rows_sum, names])
}

/// LeNet-5 with maxima in place of strides.
pub fn lenet() -> Graph {
    let mut b = Builder::new(2);
    let x = b.input(&[1, 1, 28, 28], -127, 127);
    let x = b.conv(x, 6, 1, &[[5, 1, 1, 2, 2]; 2]);
    let x = b.rescale(x, &[1], 0, 9, 0, 255);
    let x = pooled(&mut b, x, [6, 28, 28]);
    let x = b.conv(x, 16, 1, &[[5, 1, 1, 0, 0]; 2]);
    let x = b.rescale(x, &[1], 0, 12, 0, 255);
    let x = pooled(&mut b, x, [16, 10, 10]);
    let x = b.view(x, 0, &[400, 1], &[1, 400]);
    let x = b.linear(x, 120, true);
    let x = b.rescale(x, &[1], 0, 13, 0, 255);
    let x = b.linear(x, 84, true);
    let x = b.rescale(x, &[1], 0, 12, 0, 255);
    let x = b.linear(x, 10, true);
    b.finish(&[x])
}

/// Maxima over windows of two by two.
fn pooled(b: &mut Builder, x: usize, [channels, height, width]: [usize; 3]) -> usize {
    let plane = (height * width) as i64;
    let row = width as i64;
    let shape = [1, channels, height / 2, width / 2, 2, 2];
    let x = b.view(x, 0, &[0, plane, 2 * row, 2, row, 1], &shape);
    b.max(x, 2)
}

/// A network of dense layers with rectifiers between.
pub fn dense(widths: &[usize]) -> Graph {
    let mut b = Builder::new(6);
    let mut x = b.input(&[1, widths[0]], -127, 127);
    for (layer, &width) in widths[1..].iter().enumerate() {
        x = b.linear(x, width, true);
        if layer + 2 < widths.len() {
            let bits = (widths[layer] as u32).ilog2() / 2 + 7;
            x = b.rescale(x, &[1], 0, bits, 0, 255);
        }
    }
    b.finish(&[x])
}

/// A random graph with weights.
pub fn random(seed: u64) -> Option<Graph> {
    let graph = random_graph(seed);
    (!graph.weights.is_empty()).then_some(graph)
}

/// What a vector says, as JSON.
pub fn told(key: &[u8], inputs: &[Vec<i32>], outputs: &[Vec<i32>], proof: &[u8]) -> String {
    format!(
        "{{\n\"key\": \"{}\",\n\"statement\": \"{}\",\n\"inputs\": {inputs:?},\n\"outputs\": {outputs:?},\n\
         \"proof\": \"{}\"\n}}\n",
        hex(key),
        hex(&STATEMENT),
        hex(proof),
    )
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

//! Numbers in pieces as a lying prover writes them into its columns.
#![allow(dead_code)]

use claim_reduction::{Columns, Exact, Number};
use p3_field::{Field, PrimeCharacteristicRing, PrimeField64};
use transcript::Base;

pub const MODULUS: i64 = (1 << 31) - (1 << 24) + 1;
/// Bits of a piece.
pub const BITS: u32 = 13;

fn word(value: Base) -> i64 {
    value.as_canonical_u64() as i64
}

/// A number at a place of its columns.
pub fn number(columns: &Columns, number: &Number, place: usize) -> i64 {
    let limbs = number.limbs.iter();
    let sum: i64 = limbs
        .map(|l| word(columns.committed[l.column][place]) << l.shift)
        .sum();
    number.base + sum
}

/// Stores an integer: what does not fit goes to the last limb, whatever that is.
pub fn store(columns: &mut Columns, number: &Number, place: usize, value: i64) {
    let mut left = value - number.base;
    for (index, limb) in number.limbs.iter().enumerate() {
        let last = index + 1 == number.limbs.len();
        let own = if last {
            left
        } else {
            left & ((1 << limb.bits) - 1)
        };
        columns.committed[limb.column][place] = Base::from_i64(own);
        left = (left - own) >> limb.bits;
    }
}

/// The coefficients of a number.
pub fn coefficients(columns: &Columns, number: &Number, place: usize) -> Vec<i64> {
    let mut sums = digits(number.base);
    sums.resize(8, 0);
    for limb in &number.limbs {
        let value = word(columns.committed[limb.column][place]);
        let value = if value > MODULUS / 2 {
            value - MODULUS
        } else {
            value
        };
        sums[(limb.shift / BITS) as usize] += value << (limb.shift % BITS);
    }
    sums
}

/// Stores carries that solve all coefficients in the field, whether they are small or not.
pub fn carry(columns: &mut Columns, exact: &Exact, place: usize, n: &[i64]) {
    let inverse = Base::from_i64(1 << BITS).inverse();
    let mut before = Base::ZERO;
    for (number, &coefficient) in exact.carries.iter().zip(n) {
        before = (Base::from_i64(coefficient) + before) * inverse;
        let stored = word(before - Base::from_i64(number.base));
        store(columns, number, place, stored + number.base);
    }
}

/// What is left to the least rest that is too much, less 1.
pub fn slack(exact: &Exact) -> Number {
    Number {
        base: 0,
        limbs: exact.slack.clone(),
    }
}

/// The coefficients of the identity of a division at a place, of an operand and a divisor.
pub fn of_division(columns: &Columns, exact: &Exact, place: usize, a: i64, b: i64) -> Vec<i64> {
    let mut doubled = coefficients(columns, &exact.result, place);
    for digit in &mut doubled {
        *digit *= 2;
    }
    doubled[0] -= 1;
    identity(columns, exact, place, a, [&digits(b), &doubled])
}

/// Those of a root.
pub fn of_root(columns: &Columns, exact: &Exact, place: usize, a: i64) -> Vec<i64> {
    let root = coefficients(columns, &exact.result, place);
    identity(columns, exact, place, a, [&root, &root])
}

fn identity(
    columns: &Columns,
    exact: &Exact,
    place: usize,
    a: i64,
    product: [&[i64]; 2],
) -> Vec<i64> {
    let mut n = coefficients(columns, &exact.rest, place);
    n.resize(16, 0);
    let operand = match &exact.pieces {
        Some(pieces) => coefficients(columns, pieces, place),
        None => vec![a],
    };
    let mut accumulate = |by: i64, a: &[i64], b: &[i64]| {
        for (i, a) in a.iter().enumerate() {
            for (j, b) in b.iter().enumerate() {
                n[i + j] += by * a * b;
            }
        }
    };
    accumulate(1, product[0], product[1]);
    accumulate(-1, &exact.factor, &operand);
    n
}

/// Digits of an integer, the lowest first, all of its sign.
pub fn digits(number: i64) -> Vec<i64> {
    let mut left = number;
    let mut digits = vec![];
    while left != 0 {
        digits.push(left % (1 << BITS));
        left /= 1 << BITS;
    }
    digits
}

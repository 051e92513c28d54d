//! Sumchecks over products of two or three tables.

use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// A round's polynomial of degree d without its linear coefficient, which the claim fixes:
/// that of X⁰, then those of X², …, Xᵈ.
pub fn round(tables: &[Vec<Extension>]) -> Vec<Extension> {
    match tables {
        [a, b] => pairs(a, b),
        [a, b, c] => triples(a, b, c),
        _ => Vec::new(),
    }
}

fn pairs(a: &[Extension], b: &[Extension]) -> Vec<Extension> {
    let half = a.len() / 2;
    let (a0, a1) = a.split_at(half);
    let (b0, b1) = b.split_at(half);
    let mut sums = [Extension::ZERO; 2];
    for ((&a0, &a1), (&b0, &b1)) in a0.iter().zip(a1).zip(b0.iter().zip(b1)) {
        sums[0] += a0 * b0;
        sums[1] += (a1 - a0) * (b1 - b0);
    }
    sums.to_vec()
}

fn triples(a: &[Extension], b: &[Extension], c: &[Extension]) -> Vec<Extension> {
    let half = a.len() / 2;
    let (a0, a1) = a.split_at(half);
    let (b0, b1) = b.split_at(half);
    let (c0, c1) = c.split_at(half);
    let mut sums = [Extension::ZERO; 3];
    let lows = a0.iter().zip(b0).zip(c0);
    let highs = a1.iter().zip(b1).zip(c1);
    for (((&a0, &b0), &c0), ((&a1, &b1), &c1)) in lows.zip(highs) {
        let (da, db, dc) = (a1 - a0, b1 - b0, c1 - c0);
        let (constant, square) = (a0 * b0, da * db);
        // (a0 + da)(b0 + db) without the other two coefficients.
        let linear = a1 * b1 - constant - square;
        sums[0] += constant * c0;
        sums[1] += square * c0 + linear * dc;
        sums[2] += square * dc;
    }
    sums.to_vec()
}

/// Fixes the first variable of a table.
pub fn fold(table: &mut Vec<Extension>, x: Extension) {
    let half = table.len() / 2;
    let (low, high) = table.split_at_mut(half);
    for (low, &high) in low.iter_mut().zip(high.iter()) {
        *low += x * (high - *low);
    }
    table.truncate(half);
}

/// The value at x of the polynomial with these coefficients whose values at 0 and 1 make `claim`.
pub fn step(claim: Extension, coefficients: &[Extension], x: Extension) -> Extension {
    let Some((&constant, higher)) = coefficients.split_first() else {
        return Extension::ZERO;
    };
    let linear = claim - constant.double() - higher.iter().copied().sum::<Extension>();
    let mut value = Extension::ZERO;
    for &coefficient in higher.iter().rev() {
        value = (value + coefficient) * x;
    }
    constant + x * (linear + value)
}

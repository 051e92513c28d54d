//! Sumchecks over products of two or three tables.

use commitment::wide::{Wide, pack, unpack};
use p3_field::PrimeCharacteristicRing;
use std::ops::{Add, AddAssign, Mul, Sub};
use transcript::Extension;

/// What tables hold: elements, one by one or packed.
pub trait Element:
    Copy
    + Default
    + From<Extension>
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
{
}

impl Element for Extension {}
impl Element for Wide {}

/// The tables of one sumcheck while their variables are bound, the first one first. They are packed
/// as long as each half of them fills vectors: then what is added up lies in different ones.
pub enum Tables {
    /// Packed.
    Simd(Vec<Vec<Wide>>),
    /// Element by element.
    Reference(Vec<Vec<Extension>>),
}

impl Tables {
    /// Tables of equal lengths.
    pub fn new(tables: Vec<Vec<Extension>>) -> Self {
        if tables.iter().all(|table| table.len() >= 2 * Wide::WIDTH) {
            Self::Simd(tables.iter().map(|table| pack(table)).collect())
        } else {
            Self::Reference(tables)
        }
    }

    /// A round's polynomial of degree d without its linear coefficient, which the claim fixes:
    /// that of X⁰, then those of X², …, Xᵈ.
    pub fn round(&self) -> Vec<Extension> {
        match self {
            Self::Simd(tables) => {
                let sums = round(tables).into_iter();
                sums.map(|sum| sum.lanes().sum()).collect()
            }
            Self::Reference(tables) => round(tables),
        }
    }

    /// Binds the first variable.
    pub fn fold(&mut self, x: Extension) {
        match self {
            Self::Simd(tables) => {
                for table in &mut *tables {
                    fold(table, x.into());
                }
                if tables.iter().any(|table| table.len() == 1) {
                    *self = Self::Reference(tables.iter().map(|table| unpack(table)).collect());
                }
            }
            Self::Reference(tables) => {
                for table in tables {
                    fold(table, x);
                }
            }
        }
    }

    /// The first element of each table: its value when all variables are bound.
    pub fn values(&self) -> Vec<Extension> {
        let values = |tables: &[Vec<Extension>]| {
            let first = |table: &Vec<Extension>| table.first().copied();
            tables.iter().filter_map(first).collect()
        };
        match self {
            Self::Simd(tables) => tables.iter().map(|table| table[0].lane(0)).collect(),
            Self::Reference(tables) => values(tables),
        }
    }
}

fn round<E: Element>(tables: &[Vec<E>]) -> Vec<E> {
    match tables {
        [a, b] => pairs(a, b),
        [a, b, c] => triples(a, b, c),
        _ => Vec::new(),
    }
}

fn pairs<E: Element>(a: &[E], b: &[E]) -> Vec<E> {
    let half = a.len() / 2;
    let (a0, a1) = a.split_at(half);
    let (b0, b1) = b.split_at(half);
    let mut sums = [E::default(); 2];
    for ((&a0, &a1), (&b0, &b1)) in a0.iter().zip(a1).zip(b0.iter().zip(b1)) {
        sums[0] += a0 * b0;
        sums[1] += (a1 - a0) * (b1 - b0);
    }
    sums.to_vec()
}

fn triples<E: Element>(a: &[E], b: &[E], c: &[E]) -> Vec<E> {
    let half = a.len() / 2;
    let (a0, a1) = a.split_at(half);
    let (b0, b1) = b.split_at(half);
    let (c0, c1) = c.split_at(half);
    let mut sums = [E::default(); 3];
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
fn fold<E: Element>(table: &mut Vec<E>, x: E) {
    let half = table.len() / 2;
    let (low, high) = table.split_at_mut(half);
    for (low, &high) in low.iter_mut().zip(high.iter()) {
        *low += (high - *low) * x;
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

#[cfg(test)]
mod tests {
    use super::Tables;
    use transcript::Transcript;

    #[test]
    fn packed_tables_send_what_plain_ones_send() {
        let mut transcript = Transcript::new();
        for (variables, degree) in [(0, 2), (3, 2), (4, 3), (5, 2), (5, 3), (9, 2), (9, 3)] {
            let tables: Vec<_> = (0..degree)
                .map(|_| transcript.point(1 << variables))
                .collect();
            let mut reference = Tables::Reference(tables.clone());
            let mut simd = Tables::new(tables);
            for x in transcript.point(variables) {
                assert_eq!(simd.round(), reference.round());
                simd.fold(x);
                reference.fold(x);
            }
            assert_eq!(simd.values(), reference.values());
            assert_eq!(reference.values().len(), degree);
        }
    }
}

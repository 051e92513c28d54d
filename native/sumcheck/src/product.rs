//! Sums over products of two or three tables, by two engines.

use crate::statement::Sum;
use crate::wide::{Wide, pack, unpack};
use p3_field::PrimeCharacteristicRing;
use std::ops::{Add, AddAssign, Mul, Sub};
use transcript::Extension;

/// A product of tables under a sum. The first variable is bound first: it tells the first half of a
/// table from the second. All engines give the same coefficients.
pub trait Engine: Sum {
    /// Two or three tables of 2^m elements each.
    fn new(tables: Vec<Vec<Extension>>) -> Self;
    /// The first element of each table: its value when all variables are bound.
    fn values(&self) -> Vec<Extension>;
}

/// The engine that reads as the formula does: one element at a time.
#[derive(Clone, Debug)]
pub struct Reference {
    tables: Vec<Vec<Extension>>,
}

/// The engine that works on vectors, as long as each half of a table fills some: then what is added up
/// lies in different ones.
#[derive(Clone, Debug)]
pub enum Simd {
    /// Tables of vectors.
    Packed(Vec<Vec<Wide>>),
    /// What is left of them, or was too short from the start.
    Short(Reference),
}

impl Reference {
    /// What the tables are by now.
    pub fn tables(&self) -> &[Vec<Extension>] {
        &self.tables
    }
}

impl Sum for Reference {
    fn round(&mut self) -> Vec<Extension> {
        round(&self.tables)
    }

    fn fold(&mut self, x: Extension) {
        for table in &mut self.tables {
            fold(table, x);
        }
    }
}

impl Engine for Reference {
    fn new(tables: Vec<Vec<Extension>>) -> Self {
        Self { tables }
    }

    fn values(&self) -> Vec<Extension> {
        let firsts = self.tables.iter().filter_map(|table| table.first());
        firsts.copied().collect()
    }
}

impl Sum for Simd {
    fn round(&mut self) -> Vec<Extension> {
        match self {
            Self::Packed(tables) => {
                let sums = round(tables).into_iter();
                sums.map(|sum| sum.lanes().sum()).collect()
            }
            Self::Short(reference) => reference.round(),
        }
    }

    fn fold(&mut self, x: Extension) {
        match self {
            Self::Packed(tables) => {
                for table in &mut *tables {
                    fold(table, x.into());
                }
                if tables.iter().any(|table| table.len() == 1) {
                    let tables = tables.iter().map(|table| unpack(table)).collect();
                    *self = Self::Short(Reference::new(tables));
                }
            }
            Self::Short(reference) => reference.fold(x),
        }
    }
}

impl Engine for Simd {
    fn new(tables: Vec<Vec<Extension>>) -> Self {
        if tables.iter().all(|table| table.len() >= 2 * Wide::WIDTH) {
            Self::Packed(tables.iter().map(|table| pack(table)).collect())
        } else {
            Self::Short(Reference::new(tables))
        }
    }

    fn values(&self) -> Vec<Extension> {
        match self {
            Self::Packed(tables) => tables.iter().map(|table| table[0].lane(0)).collect(),
            Self::Short(reference) => reference.values(),
        }
    }
}

/// Several products of one degree, added up. One of fewer variables joins when as many are left.
#[derive(Clone, Debug)]
pub struct Batch<E> {
    /// Each with its variables.
    products: Vec<(usize, E)>,
    left: usize,
}

impl<E: Engine> Batch<E> {
    /// The tables of each product.
    pub fn new(products: impl IntoIterator<Item = Vec<Vec<Extension>>>) -> Self {
        let variables = |tables: &[Vec<Extension>]| {
            let length = tables.first().map_or(1, Vec::len);
            length.ilog2() as usize
        };
        let products = products.into_iter();
        let products: Vec<_> = products
            .map(|tables| (variables(&tables), E::new(tables)))
            .collect();
        let left = products.iter().map(|&(variables, _)| variables).max();
        Self {
            products,
            left: left.unwrap_or(0),
        }
    }

    /// The values of the tables of each product.
    pub fn values(&self) -> Vec<Vec<Extension>> {
        let products = self.products.iter();
        products.map(|(_, product)| product.values()).collect()
    }

    fn joined(&mut self) -> impl Iterator<Item = &mut E> {
        let left = self.left;
        let joined = self.products.iter_mut();
        joined
            .filter(move |(variables, _)| *variables >= left)
            .map(|(_, product)| product)
    }
}

impl<E: Engine> Sum for Batch<E> {
    fn round(&mut self) -> Vec<Extension> {
        let mut sums = Vec::new();
        for product in self.joined() {
            let coefficients = product.round();
            sums.resize(coefficients.len(), Extension::ZERO);
            for (sum, coefficient) in sums.iter_mut().zip(coefficients) {
                *sum += coefficient;
            }
        }
        sums
    }

    fn fold(&mut self, x: Extension) {
        for product in self.joined() {
            product.fold(x);
        }
        self.left = self.left.saturating_sub(1);
    }
}

/// What tables hold: elements, one by one or packed.
trait Element:
    Copy
    + Default
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
{
}

impl Element for Extension {}
impl Element for Wide {}

/// Nanoseconds that a round or a fold takes for two elements of all tables.
const ELEMENT: usize = 40;

/// Where the first variable of a table is 0, and where it is 1.
type Halves<'a, E> = (&'a [E], &'a [E]);

fn round<E: Element>(tables: &[Vec<E>]) -> Vec<E> {
    let half = tables.first().map_or(0, Vec::len) / 2;
    let parts = parallel::ranges(half, ELEMENT, |range| {
        let halves = tables.iter().map(|table| {
            let (low, high) = table.split_at(half);
            (&low[range.clone()], &high[range.clone()])
        });
        match *halves.collect::<Vec<_>>() {
            [a, b] => pairs(a, b).to_vec(),
            [a, b, c] => triples(a, b, c).to_vec(),
            _ => Vec::new(),
        }
    });
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for sums in parts {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    total
}

fn pairs<E: Element>((a0, a1): Halves<'_, E>, (b0, b1): Halves<'_, E>) -> [E; 2] {
    let mut sums = [E::default(); 2];
    for ((&a0, &a1), (&b0, &b1)) in a0.iter().zip(a1).zip(b0.iter().zip(b1)) {
        sums[0] += a0 * b0;
        sums[1] += (a1 - a0) * (b1 - b0);
    }
    sums
}

fn triples<E: Element>(
    (a0, a1): Halves<'_, E>,
    (b0, b1): Halves<'_, E>,
    (c0, c1): Halves<'_, E>,
) -> [E; 3] {
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
    sums
}

/// Fixes the first variable of a table.
fn fold<E: Element>(table: &mut Vec<E>, x: E) {
    let half = table.len() / 2;
    let (low, high) = table.split_at_mut(half);
    parallel::fill(low, 1, ELEMENT, |first, low| {
        for (low, &high) in low.iter_mut().zip(&high[first..]) {
            *low += (high - *low) * x;
        }
    });
    table.truncate(half);
}

#[cfg(test)]
mod tests {
    use super::{Engine, Reference, Simd};
    use crate::statement::Sum;
    use transcript::Transcript;

    #[test]
    fn vectors_send_what_one_element_at_a_time_sends() {
        let mut transcript = Transcript::new();
        for (variables, degree) in [(0, 2), (3, 2), (4, 3), (5, 2), (5, 3), (9, 2), (9, 3)] {
            let tables: Vec<_> = (0..degree)
                .map(|_| transcript.point(1 << variables))
                .collect();
            let mut reference = Reference::new(tables.clone());
            let mut simd = Simd::new(tables);
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

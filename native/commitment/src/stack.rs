//! The stacked tables as bytes, and what is computed from them: claims, cosets and rows of the code.

use crate::first::Claim;
use crate::linear::{combine_columns, reduced};
use crate::place::Place;
use int8::{LIMBS, Weight};
use p3_field::{Field, PackedValue, PrimeCharacteristicRing, PrimeField32};
use p3_sumcheck::TableShape;
use p3_sumcheck::layout::{TablePlacement, plan_stacked_layout};
use sumcheck::equality;
use transcript::{Base, Extension};

type Lanes = <Base as Field>::Packing;

/// One table of the stack: a matrix with a row for each value of the variables of the first fold.
pub(crate) struct Table {
    pub(crate) values: Vec<i8>,
    pub(crate) place: Place,
}

/// The committed tables, shared by all openings.
#[derive(Default)]
pub(crate) struct Stack {
    pub(crate) tables: Vec<Table>,
    /// Tables in the order in which the stack places them: equal ones follow on each other.
    pub(crate) order: Vec<usize>,
    pub(crate) variables: usize,
    pub(crate) folding: usize,
}

/// Rows of a tile that is transposed at once.
const TILE: usize = 64;

impl Stack {
    /// The stack of tables, each of a power of two values, which the first fold does not exceed.
    pub(crate) fn new(tables: Vec<Vec<i8>>, folding: usize) -> Self {
        let variables_of = |values: &Vec<i8>| values.len().trailing_zeros() as usize;
        let shapes: Vec<TableShape> = tables
            .iter()
            .map(|values| TableShape::new(variables_of(values), 1))
            .collect();
        let (variables, placements) = plan_stacked_layout(&shapes);
        let mut tables: Vec<Table> = tables
            .into_iter()
            .map(|values| Table {
                place: Place {
                    variables: variables_of(&values),
                    slot: 0,
                },
                values,
            })
            .collect();
        for placement in &placements {
            let selector = placement.selectors()[0];
            let bits = selector.num_variables();
            tables[placement.idx()].place.slot = (0..bits)
                .map(|bit| ((selector.index() >> bit) & 1) << (bits - 1 - bit))
                .sum();
        }
        Self {
            tables,
            order: placements.iter().map(TablePlacement::idx).collect(),
            variables,
            folding,
        }
    }

    /// Elements of a row of the message and of the code.
    pub(crate) const fn width(&self) -> usize {
        1 << self.folding
    }

    /// Rows of the message.
    pub(crate) const fn height(&self) -> usize {
        1 << (self.variables - self.folding)
    }

    /// What a table is at a point.
    pub(crate) fn claim(&self, table: usize, point: &[Extension]) -> Claim {
        let low = &point[self.folding..];
        let weights = equality(low, 1 << low.len());
        Claim::new(point, combine_columns(&weights, &self.tables[table].values))
    }

    /// What the stack is at a point.
    pub(crate) fn claim_of_all(&self, point: &[Extension]) -> Claim {
        let places = self.order.iter();
        let places = places.map(|&table| (table, self.tables[table].place));
        Claim::of_stack(point, self.folding, places, |table, weights| {
            combine_columns(weights, &self.tables[table].values)
        })
    }

    /// Distance of a table's rows in the message.
    fn stride(&self, place: Place) -> usize {
        1 << (self.variables - place.variables)
    }

    /// Writes the message, row i multiplied by `shift`^i, into `height` · `width` elements.
    pub(crate) fn write_message(&self, shift: Base, message: &mut Vec<Base>) {
        let (width, height) = (self.width(), self.height());
        let elements: Vec<Base> = (0..=u8::MAX)
            .map(|byte| Base::from_i8(byte as i8))
            .collect();
        let scales = shift.powers().collect_n(height);
        message.clear();
        message.resize(width * height, Base::ZERO);
        let mut tile = vec![0_u8; TILE * width];
        for table in &self.tables {
            let (stride, slot) = (self.stride(table.place), table.place.slot);
            let length = table.values.len() / width;
            for first in (0..length).step_by(TILE) {
                let deep = TILE.min(length - first);
                for (column, values) in table.values.chunks_exact(length).enumerate() {
                    let cells = tile[column..].iter_mut().step_by(width);
                    for (cell, &value) in cells.zip(&values[first..first + deep]) {
                        *cell = value as u8;
                    }
                }
                for (index, bytes) in tile.chunks_exact(width).take(deep).enumerate() {
                    let row = (first + index) * stride + slot;
                    let out = &mut message[row * width..][..width];
                    for (out, &byte) in out.iter_mut().zip(bytes) {
                        *out = elements[usize::from(byte)];
                    }
                    let scale = Lanes::from(scales[row]);
                    for out in Lanes::pack_slice_mut(out) {
                        *out *= scale;
                    }
                }
            }
        }
    }

    /// The rows of the code at points of its domain. What sums weights of [`LIMBS`] coefficients sums
    /// as many elements of the base field: so many points make a set of weights.
    pub(crate) fn rows_at(&self, points: &[Base]) -> Vec<Vec<Base>> {
        let mut sums = vec![vec![[0; LIMBS]; self.width()]; points.len().div_ceil(LIMBS)];
        for Table { values, place } in &self.tables {
            let count = values.len() / self.width();
            let sets = points.chunks(LIMBS);
            let sets: Vec<_> = sets.map(|set| self.powers(set, *place, count)).collect();
            let sets: Vec<&[Weight]> = sets.iter().map(Vec::as_slice).collect();
            let more = int8::combine_columns_of_sets(&sets, values);
            let totals = sums.iter_mut().flatten().flatten();
            // All tables together have as many rows as the message, at most 2^21.
            for (total, more) in totals.zip(more.into_iter().flatten().flatten()) {
                *total += more;
            }
        }
        let row = |index: usize| {
            let sums = sums[index / LIMBS].iter();
            sums.map(|sum| reduced(sum[index % LIMBS])).collect()
        };
        (0..points.len()).map(row).collect()
    }

    /// The powers of the points by which `count` rows of a table count.
    fn powers(&self, points: &[Base], place: Place, count: usize) -> Vec<Weight> {
        let mut steps = [Base::ONE; LIMBS];
        let mut powers = [Base::ONE; LIMBS];
        for ((step, power), point) in steps.iter_mut().zip(&mut powers).zip(points) {
            *step = point.exp_power_of_2(self.variables - place.variables);
            *power = point.exp_u64(place.slot as u64);
        }
        let weights = (0..count).map(|_| {
            let weight = powers.map(|power| power.as_canonical_u32());
            for (power, &step) in powers.iter_mut().zip(&steps) {
                *power *= step;
            }
            weight
        });
        weights.collect()
    }
}

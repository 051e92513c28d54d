//! The columns of an execution: those that are committed, and those that are only looked up.

use crate::plan::{Constraint, Difference, Form, Limb, Plan, Rescale};
use crate::shape::coordinates;
use commitment::variables;
use executor::Tensors;
use graph::{Graph, elements};
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use transcript::Base;

/// Nanoseconds that a cell of a column takes.
const CELL: usize = 5;

/// Where a looked-up column is.
#[derive(Clone, Debug)]
pub enum Source {
    /// It is committed.
    Committed(usize),
    /// It is not.
    Own(Vec<Base>),
    /// The table has no values.
    None,
}

/// The columns of an execution.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Those that are committed.
    pub committed: Vec<Vec<Base>>,
    /// Keys and values of each lookup.
    pub looked: Vec<[Option<Source>; 2]>,
}

impl Columns {
    /// Keys and values of a lookup; values are empty where its table has none.
    pub fn pair(&self, lookup: usize) -> [&[Base]; 2] {
        match self.looked.get(lookup) {
            Some([keys, values]) => [self.find(keys.as_ref()), self.find(values.as_ref())],
            None => [&[], &[]],
        }
    }

    /// Takes over what others are made of.
    fn take(&mut self, other: Self) {
        for (own, made) in self.committed.iter_mut().zip(other.committed) {
            if !made.is_empty() {
                *own = made;
            }
        }
        for (own, made) in self.looked.iter_mut().zip(other.looked) {
            if made[0].is_some() {
                *own = made;
            }
        }
    }

    fn find<'a>(&'a self, source: Option<&'a Source>) -> &'a [Base] {
        match source {
            Some(Source::Committed(column)) => self.committed.get(*column).map_or(&[], |c| c),
            Some(Source::Own(values)) => values,
            Some(Source::None) | None => &[],
        }
    }
}

/// The columns of an execution that has given these tensors.
pub fn columns(graph: &Graph, plan: &Plan, tensors: &Tensors) -> Columns {
    let builder = || ColumnBuilder {
        graph,
        plan,
        tensors,
        made: Columns {
            committed: vec![Vec::new(); plan.columns.len()],
            looked: vec![[None, None]; plan.lookups.len()],
        },
    };
    let mut all = builder();
    for (number, held) in plan.inputs.iter().enumerate() {
        let numbers = tensors.get(number).iter().copied().map(i64::from);
        all.held(held, &numbers.collect::<Vec<_>>());
    }
    let cells = plan
        .columns
        .iter()
        .map(|column| 1_usize << column.variables());
    let cost = CELL * cells.sum::<usize>() / plan.constraints.len().max(1);
    let parts = parallel::ranges(plan.constraints.len(), cost, |constraints| {
        let mut builder = builder();
        for number in constraints {
            builder.constraint(number);
        }
        builder.made
    });
    for part in parts {
        all.made.take(part);
    }
    all.limbs(plan.idle.as_slice(), &[0]);
    all.made
}

pub(crate) struct ColumnBuilder<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) plan: &'a Plan,
    pub(crate) tensors: &'a Tensors,
    pub(crate) made: Columns,
}

impl ColumnBuilder<'_> {
    /// The columns of one node.
    fn constraint(&mut self, number: usize) {
        let (plan, tensors) = (self.plan, self.tensors);
        let result = tensors.get(self.graph.inputs.len() + number);
        match &plan.constraints[number] {
            Some(Constraint::Rescale(rescale)) => self.rescale(rescale, result),
            Some(Constraint::Lookup {
                x,
                column,
                lookup,
                outside,
            }) => {
                self.column(*column, result.iter().copied().map(i64::from));
                let keys = tensors.get(*x).iter().copied().map(i64::from);
                let keys = self.spread(*column, (*outside).into(), keys);
                self.look(*lookup, Source::Own(keys), Source::Committed(*column));
            }
            Some(Constraint::Max {
                x,
                column,
                zeros,
                difference,
                count,
            }) => self.max([*x, *column, *zeros], difference, *count, result),
            Some(Constraint::ArgMax(own)) => self.arg_max(own, result),
            Some(Constraint::Pick(own)) => self.pick(own),
            Some(Constraint::Divide { exact, divisor }) => self.divide(exact, divisor, result),
            Some(Constraint::SquareRoot(exact)) => self.square_root(exact, result),
            None => {}
        }
    }

    /// A column's padding filled with `pad` and its elements.
    pub(crate) fn spread(
        &self,
        column: usize,
        pad: i64,
        values: impl Iterator<Item = i64>,
    ) -> Vec<Base> {
        let known = &self.plan.columns[column];
        spread(&known.shape, known.variables(), pad, values)
    }

    pub(crate) fn column(&mut self, column: usize, values: impl Iterator<Item = i64>) {
        let pad = i64::from(self.plan.columns[column].pad);
        self.made.committed[column] = self.spread(column, pad, values);
    }

    pub(crate) fn look(&mut self, lookup: usize, keys: Source, values: Source) {
        self.made.looked[lookup] = [Some(keys), Some(values)];
    }

    pub(crate) fn limbs(&mut self, limbs: &[Limb], numbers: &[i64]) {
        for limb in limbs {
            let part = |&number: &i64| number >> limb.shift & ((1 << limb.bits) - 1);
            self.column(limb.column, numbers.iter().map(part));
            self.look(limb.lookup, Source::Committed(limb.column), Source::None);
        }
    }

    fn rescale(&mut self, rescale: &Rescale, result: &[i32]) {
        let Some((shape, ..)) = self.graph.tensor(rescale.x) else {
            return;
        };
        let multipliers = &self.graph.constants[rescale.multipliers].values;
        let inner = if multipliers.len() == 1 {
            usize::MAX
        } else {
            elements(&shape[rescale.axis + 1..])
        };
        let shift = rescale.shift;
        let half = if shift == 0 { 0 } else { 1_i64 << (shift - 1) };
        let operand = self.tensors.get(rescale.x);
        let products = operand.iter().enumerate().map(|(index, &x)| {
            let multiplier = multipliers[index / inner % multipliers.len()];
            i64::from(multiplier) * i64::from(x) + half
        });
        let (quotients, remainders): (Vec<i64>, Vec<i64>) = products
            .map(|product| (product >> shift, product & ((1 << shift) - 1)))
            .unzip();
        let raised: Vec<i64> = remainders.iter().map(|r| r << rescale.raise).collect();
        self.limbs(&rescale.remainder, &raised);
        match &rescale.form {
            Form::Direct { column, lookup } => {
                self.column(*column, result.iter().copied().map(i64::from));
                let keys = self.spread(*column, 0, quotients.iter().copied());
                self.look(*lookup, Source::Own(keys), Source::Committed(*column));
            }
            Form::Clamped {
                column,
                lower,
                upper,
                between,
            } => {
                let (lo, hi) = (i64::from(rescale.range.0), i64::from(rescale.range.1));
                self.column(*column, result.iter().copied().map(i64::from));
                // What a lookup makes of each quotient, that of the padding being 0.
                let of = |part: &dyn Fn(i64) -> i64| {
                    let parts = quotients.iter().map(|&q| part(q));
                    self.spread(*column, part(0), parts)
                };
                let above_lo = |q: i64| (q - lo).max(0);
                let left = |q: i64| {
                    if lower.is_some() {
                        hi - lo - above_lo(q)
                    } else {
                        hi - q
                    }
                };
                let below = [of(&|q| q - lo), of(&above_lo)];
                let above = [of(&left), of(&|q| left(q).max(0))];
                if let (Some(lookup), [keys, values]) = (*lower, below) {
                    let values = if let Some(between) = *between {
                        self.made.committed[between] = values;
                        Source::Committed(between)
                    } else {
                        Source::Own(values)
                    };
                    self.look(lookup, Source::Own(keys), values);
                }
                if let (Some(lookup), [keys, values]) = (*upper, above) {
                    self.look(lookup, Source::Own(keys), Source::Own(values));
                }
            }
            Form::Wide { above, held } => {
                let lo = i64::from(rescale.range.0);
                let left: Vec<i64> = quotients.iter().map(|&q| q - lo).collect();
                self.limbs(above, &left);
                if let Some(held) = held {
                    self.held(held, &quotients);
                }
            }
            Form::Saturated {
                column,
                lower,
                upper,
                held,
            } => {
                self.column(*column, result.iter().copied().map(i64::from));
                for (limbs, end, beyond) in
                    [(lower, rescale.range.0, -1), (upper, rescale.range.1, 1)]
                {
                    // How far the result is from the bound and how far the quotient is beyond it: one of
                    // both is zero.
                    let end = i64::from(end);
                    let own = quotients.iter().zip(result).map(|(&q, &y)| {
                        let within = (end - i64::from(y)) * beyond;
                        within + ((q - end) * beyond).max(0)
                    });
                    self.limbs(limbs, &own.collect::<Vec<_>>());
                }
                if let Some(held) = held {
                    self.held(held, &quotients);
                }
            }
        }
    }

    fn max(
        &mut self,
        [x, column, zeros]: [usize; 3],
        difference: &Difference,
        count: usize,
        result: &[i32],
    ) {
        let Some((shape, ..)) = self.graph.tensor(x) else {
            return;
        };
        let kept = self.plan.columns[column].shape.len();
        let size = elements(&shape[kept..]);
        let operand = self.tensors.get(x);
        let differences: Vec<i64> = operand
            .chunks_exact(size)
            .zip(result)
            .flat_map(|(line, &most)| line.iter().map(move |&x| i64::from(most) - i64::from(x)))
            .collect();
        let counts = differences
            .chunks_exact(size)
            .map(|line| line.iter().filter(|&&d| d == 0).count() as i64 - 1);
        // The padding of the lines that are there has no zeros; a line of the padding has only zeros.
        let padded = coordinates(&shape[..kept]);
        let lines = spread(&shape[..kept], padded, size as i64 - 1, counts.clone());
        let variables = self.plan.lookups[count].variables;
        let mut keys = vec![Base::ZERO; 1 << variables];
        keys[..lines.len()].copy_from_slice(&lines);
        self.column(column, result.iter().copied().map(i64::from));
        self.look(count, Source::Own(keys), Source::None);

        let own = 1_usize << coordinates(&shape[kept..]);
        let mut keys = self.spread(zeros, 0, differences.iter().copied());
        let real = spread(
            &shape[kept..],
            own.ilog2() as usize,
            1,
            std::iter::repeat_n(0, size),
        );
        for line in keys[..own << padded].chunks_exact_mut(own) {
            for (key, &outside) in line.iter_mut().zip(&real) {
                *key += outside;
            }
        }
        self.made.committed[zeros] = keys
            .iter()
            .map(|&d| Base::from_bool(d == Base::ZERO))
            .collect();
        self.difference(difference, zeros, keys, 0);
    }

    /// What is looked up of differences, whose keys are them less `less` where the flag is 1.
    pub(crate) fn difference(
        &mut self,
        difference: &Difference,
        flags: usize,
        mut keys: Vec<Base>,
        less: u32,
    ) {
        match difference {
            Difference::Direct(lookup) => {
                self.look(*lookup, Source::Own(keys), Source::Committed(flags));
            }
            Difference::Wide { limbs, bit } => {
                self.look(*bit, Source::Committed(flags), Source::None);
                for (key, &flag) in keys.iter_mut().zip(&self.made.committed[flags]) {
                    *key += flag * Base::from_u32(less);
                }
                for limb in limbs {
                    let part = |key: &Base| {
                        let number = key.as_canonical_u32() >> limb.shift;
                        Base::from_u32(number & ((1 << limb.bits) - 1))
                    };
                    self.made.committed[limb.column] = keys.iter().map(part).collect();
                    self.look(limb.lookup, Source::Committed(limb.column), Source::None);
                }
            }
        }
    }
}

/// A tensor with its axes padded with zeros, behind zeros of a column of so many variables.
pub fn padded(shape: &[usize], variables_of_column: usize, values: &[i32]) -> Vec<Base> {
    let values = values.iter().copied().map(i64::from);
    spread(shape, variables_of_column, 0, values)
}

/// A tensor with its axes padded, in front of which zeros of a column are padded.
pub(crate) fn spread(
    shape: &[usize],
    variables_of_column: usize,
    pad: i64,
    values: impl Iterator<Item = i64>,
) -> Vec<Base> {
    let mut column = vec![small(pad); 1 << variables_of_column];
    let (outer, line) = shape.split_at(shape.len().saturating_sub(1));
    let line = line.first().copied().unwrap_or(1);
    let mut index = vec![0_usize; outer.len()];
    let mut place = 0_usize;
    // The step of each axis in the padded tensor.
    let mut steps = vec![1 << variables(line); outer.len()];
    for axis in (1..outer.len()).rev() {
        steps[axis - 1] = steps[axis] << variables(outer[axis]);
    }
    let mut values = values.map(small);
    for _ in 0..elements(outer) {
        for (cell, value) in column[place..place + line].iter_mut().zip(&mut values) {
            *cell = value;
        }
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            place += steps[axis];
            if index[axis] < outer[axis] {
                break;
            }
            place -= index[axis] * steps[axis];
            index[axis] = 0;
        }
    }
    column
}

/// An element of an integer that most often has 32 bits.
fn small(value: i64) -> Base {
    i32::try_from(value).map_or_else(|_| Base::from_i64(value), Base::from_i32)
}

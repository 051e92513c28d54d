//! The columns of a cheat: cell by cell, padding included, what the relations and the tables let it show.

use super::{Cheat, P, indices, padded, residue, within};
use claim_reduction::{Constraint, Difference, Form, Held, Limb, Rescale, Role, Source, Table};
use graph::Node;
use p3_field::PrimeCharacteristicRing;
use transcript::Base;

impl Cheat<'_> {
    /// What is stored of the result of a node with columns; nothing where they do not show it.
    pub fn constrained(
        &mut self,
        node: &Node,
        number: usize,
        constraint: &Constraint,
    ) -> Option<Vec<i64>> {
        let pad = match &self.plan.roles[number] {
            Role::Column(column) => self.plan.columns[*column].pad,
            Role::Limbs { pad, .. } => *pad,
            _ => 0,
        };
        let mut stored = match constraint {
            Constraint::Rescale(rescale) => self.rescaled(rescale)?,
            Constraint::Lookup {
                x,
                column,
                lookup,
                outside,
            } => self.looked_up(node, (*x, *column, *lookup), *outside)?,
            Constraint::Max {
                x,
                column,
                zeros,
                difference: Difference::Direct(lookup),
                count,
            } => self.maximum(node, (*x, *column, *zeros), [*lookup, *count])?,
            Constraint::ArgMax(own) => self.place_of(own)?,
            Constraint::Pick(own) => return self.picked(node, number, own),
            _ => return None,
        };
        let all = indices(&padded(&node.shape));
        for (value, index) in stored.iter_mut().zip(&all) {
            if !within(&node.shape, index) {
                *value = residue(i128::from(*value) - i128::from(pad));
            }
        }
        Some(stored)
    }

    /// The value of a key.
    pub(super) fn entry(&self, lookup: usize, key: i64) -> Option<i64> {
        match &self.plan.tables[self.plan.lookups[lookup].table] {
            Table::Range(bits) => (0..1 << bits).contains(&key).then_some(0),
            Table::Function { first, values } => {
                let at = (i128::from(key) - i128::from(*first)).rem_euclid(P.into());
                let value = values.get(usize::try_from(at).ok()?)?;
                Some(residue((*value).into()))
            }
        }
    }

    pub(super) fn set(&mut self, column: usize, cell: usize, value: i64) {
        self.columns.committed[column][cell] = Base::from_i64(value);
    }

    pub(super) fn limbs(&mut self, limbs: &[Limb], cell: usize, number: i64) -> Option<()> {
        let bits: u32 = limbs.iter().map(|limb| limb.bits).sum();
        if number < 0 || number >> bits != 0 {
            return None;
        }
        for limb in limbs {
            let part = number >> limb.shift & ((1 << limb.bits) - 1);
            self.set(limb.column, cell, part);
            self.columns.looked[limb.lookup] =
                [Some(Source::Committed(limb.column)), Some(Source::None)];
        }
        Some(())
    }

    /// The same of any number: what limbs hold of it.
    pub(super) fn pretend(&mut self, limbs: &[Limb], cell: usize, number: i64) {
        let bits: u32 = limbs.iter().map(|limb| limb.bits).sum();
        let stored = self.limbs(limbs, cell, number & ((1 << bits) - 1));
        assert!(stored.is_some());
    }

    /// Looks keys up that are not committed to, from a value in front of the tensor.
    pub(super) fn own(&mut self, lookup: usize, front: i64, keys: &[i64]) -> Source {
        let mut all = vec![Base::from_i64(front); 1 << self.plan.lookups[lookup].variables];
        for (cell, &key) in all.iter_mut().zip(keys) {
            *cell = Base::from_i64(key);
        }
        Source::Own(all)
    }

    fn rescaled(&mut self, rescale: &Rescale) -> Option<Vec<i64>> {
        let shape = self.shape(rescale.x);
        let multipliers = self.graph.constants[rescale.multipliers].values.clone();
        let half = if rescale.shift == 0 {
            0
        } else {
            1_i128 << (rescale.shift - 1)
        };
        let (mut quotients, mut results) = (Vec::new(), Vec::new());
        for (cell, index) in indices(&padded(shape)).iter().enumerate() {
            let multiplier = match multipliers.as_slice() {
                [only] => *only,
                all => all.get(index[rescale.axis]).copied().unwrap_or(0),
            };
            let product = i128::from(multiplier) * i128::from(self.at(rescale.x, index));
            let product = product + if within(shape, index) { half } else { 0 };
            // Of all numbers that are congruent one whose quotient can be shown.
            let found = [0, -1, 1].into_iter().find_map(|wraps| {
                let number = i128::from(residue(product)) + wraps * i128::from(P);
                let quotient = (number >> rescale.shift) as i64;
                let rest = (number & ((1 << rescale.shift) - 1)) as i64;
                let result = self.quotient(rescale, cell, quotient)?;
                Some((quotient, rest, result))
            });
            let (quotient, rest, result) = found?;
            self.limbs(&rescale.remainder, cell, rest << rescale.raise)?;
            quotients.push(quotient);
            results.push(result);
        }
        let (lo, hi) = (i64::from(rescale.range.0), i64::from(rescale.range.1));
        match &rescale.form {
            Form::Direct { column, lookup } => {
                let keys = self.own(*lookup, 0, &quotients);
                self.columns.looked[*lookup] = [Some(keys), Some(Source::Committed(*column))];
            }
            Form::Clamped {
                lower,
                upper,
                between,
                ..
            } => {
                let of = |part: &dyn Fn(i64) -> i64| -> (i64, Vec<i64>) {
                    (part(0), quotients.iter().map(|&q| part(q)).collect())
                };
                let above = |q: i64| (q - lo).max(0);
                let left = |q: i64| hi - if lower.is_some() { lo + above(q) } else { q };
                let pairs = [
                    (*lower, of(&|q| q - lo), of(&above)),
                    (*upper, of(&left), of(&|q| left(q).max(0))),
                ];
                for (lookup, (front, keys), (first, values)) in pairs {
                    let Some(lookup) = lookup else { continue };
                    let keys = self.own(lookup, front, &keys);
                    let values = match between {
                        Some(column) if Some(lookup) == *lower => {
                            for (cell, &value) in values.iter().enumerate() {
                                self.set(*column, cell, value);
                            }
                            Source::Committed(*column)
                        }
                        _ => self.own(lookup, first, &values),
                    };
                    self.columns.looked[lookup] = [Some(keys), Some(values)];
                }
            }
            Form::Wide { .. } | Form::Saturated { .. } => {}
        }
        Some(results)
    }

    /// What is stored of a quotient, and the result that it shows.
    fn quotient(&mut self, rescale: &Rescale, cell: usize, quotient: i64) -> Option<i64> {
        let (lo, hi) = (i64::from(rescale.range.0), i64::from(rescale.range.1));
        match &rescale.form {
            Form::Direct { column, lookup } => {
                let value = self.entry(*lookup, quotient)?;
                self.set(*column, cell, value);
                Some(value)
            }
            Form::Clamped {
                column,
                lower,
                upper,
                ..
            } => {
                let mut value = quotient;
                if let Some(lookup) = lower {
                    self.entry(*lookup, value - lo)?;
                    value = value.max(lo);
                }
                if let Some(lookup) = upper {
                    self.entry(*lookup, hi - value)?;
                    value = value.min(hi);
                }
                self.set(*column, cell, value);
                Some(value)
            }
            Form::Wide { above, held } => {
                self.held(held.as_ref(), cell, quotient)?;
                self.limbs(above, cell, quotient - lo)?;
                Some(quotient)
            }
            Form::Saturated {
                column,
                lower,
                upper,
                held,
            } => {
                self.held(held.as_ref(), cell, quotient)?;
                let mut value = quotient;
                if !upper.is_empty() {
                    value = value.min(hi);
                }
                if !lower.is_empty() {
                    value = value.max(lo);
                }
                // As the relations have it: how far the result is from a bound, and how far the quotient is
                // beyond it.
                if !lower.is_empty() {
                    let down = (value - quotient).max(0);
                    self.limbs(lower, cell, value - lo + down)?;
                }
                if !upper.is_empty() {
                    let up = (quotient - value).max(0);
                    self.limbs(upper, cell, hi - value + up)?;
                }
                self.set(*column, cell, value);
                Some(value)
            }
        }
    }

    /// Stores what holds a quotient to its range.
    fn held(&mut self, held: Option<&Held>, cell: usize, quotient: i64) -> Option<()> {
        let Some(held) = held else { return Some(()) };
        self.limbs(&held.over, cell, quotient - held.low)?;
        self.limbs(&held.under, cell, held.high - quotient)
    }

    fn looked_up(
        &mut self,
        node: &Node,
        (x, column, lookup): (usize, usize, usize),
        outside: i32,
    ) -> Option<Vec<i64>> {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (cell, index) in indices(&padded(&node.shape)).iter().enumerate() {
            let real = within(&node.shape, index);
            let key = self.at(x, index) + if real { 0 } else { i64::from(outside) };
            let value = self.entry(lookup, key)?;
            self.set(column, cell, value);
            keys.push(key);
            values.push(value);
        }
        let keys = self.own(lookup, outside.into(), &keys);
        self.columns.looked[lookup] = [Some(keys), Some(Source::Committed(column))];
        Some(values)
    }

    fn maximum(
        &mut self,
        node: &Node,
        (x, column, zeros): (usize, usize, usize),
        [lookup, count]: [usize; 2],
    ) -> Option<Vec<i64>> {
        let reduced = &self.shape(x)[node.shape.len()..];
        let inner = indices(&padded(reduced));
        let (mut most, mut differences, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for outer in indices(&padded(&node.shape)) {
            let line = inner.iter().map(|own| {
                let at: Vec<usize> = outer.iter().chain(own).copied().collect();
                (within(reduced, own), self.at(x, &at))
            });
            let line: Vec<(bool, i64)> = line.collect();
            let elements = line.iter().filter(|(real, _)| *real);
            let largest = elements.map(|&(_, value)| value).max()?;
            let own = line.iter().map(|&(real, value)| {
                let difference = if real { largest - value } else { 1 - value };
                (real, difference)
            });
            let own: Vec<(bool, i64)> = own.collect();
            let attained = own.iter().filter(|&&(real, d)| real && d == 0).count();
            counts.push(attained as i64 - 1);
            differences.extend(own.into_iter().map(|(_, difference)| difference));
            most.push(largest);
        }
        for (cell, &value) in most.iter().enumerate() {
            self.set(column, cell, value);
        }
        for cell in 0..self.columns.committed[zeros].len() {
            let zero = differences.get(cell).is_none_or(|&d| d == 0);
            self.set(zeros, cell, zero.into());
        }
        let keys = self.own(lookup, 0, &differences);
        self.columns.looked[lookup] = [Some(keys), Some(Source::Committed(zeros))];
        let keys = self.own(count, 0, &counts);
        self.columns.looked[count] = [Some(keys), Some(Source::None)];
        Some(most)
    }
}

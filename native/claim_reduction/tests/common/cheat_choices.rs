//! Places of maxima and rows that an index names, as a cheat would have them.

use super::{Cheat, indices, padded, residue, within};
use claim_reduction::{ArgMax, Difference, Pick, Source};
use graph::Node;

impl Cheat<'_> {
    /// Places of maxima: of each line the first that tables take, those that are wrong before the right one.
    pub fn place_of(&mut self, own: &ArgMax) -> Option<Vec<i64>> {
        let shape = self.shape(own.x);
        let (&size, lines) = shape.split_last()?;
        let inner = size.next_power_of_two();
        let (mut places, mut keys) = (Vec::new(), Vec::new());
        for (line, outer) in indices(&padded(lines)).iter().enumerate() {
            let x: Vec<i64> = (0..inner)
                .map(|at| self.at(own.x, &[outer.as_slice(), &[at]].concat()))
                .collect();
            let real = &x[..size];
            let most = *real.iter().max()?;
            let equal = |&at: &usize| real[at] == most;
            let right = if own.last {
                (0..size).rev().find(equal)
            } else {
                (0..size).find(equal)
            }?;
            let wrong = (0..size).filter(|&place| place != right);
            let (place, found) = wrong.chain([right]).find_map(|place| {
                let found = self.line(own, line * inner, &x, size, place)?;
                Some((place, found))
            })?;
            self.set(own.column, line, place as i64);
            self.set(own.most, line, real[place]);
            places.push(place as i64);
            keys.extend(found);
        }
        let chosen = Some(Source::Committed(own.chosen));
        match &own.difference {
            Difference::Direct(lookup) => {
                let keys = self.own(*lookup, 0, &keys);
                self.columns.looked[*lookup] = [Some(keys), chosen];
            }
            Difference::Wide { bit, .. } => {
                self.columns.looked[*bit] = [chosen, Some(Source::None)];
            }
        }
        Some(places)
    }

    /// The keys of a line with this place, if they can be shown: those of the padding are any that can.
    fn line(
        &mut self,
        own: &ArgMax,
        first: usize,
        x: &[i64],
        size: usize,
        place: usize,
    ) -> Option<Vec<i64>> {
        let counted = |at: usize| if own.last { at >= place } else { at <= place };
        let mut keys = Vec::new();
        for (at, &x_at) in x.iter().enumerate() {
            let (key, flags) = if at < size {
                let key = i128::from(x[place]) - i128::from(x_at) - i128::from(counted(at));
                let flag = i64::from(at == place);
                (residue(key), [flag, flag])
            } else {
                (-x_at, [0, 1])
            };
            let cell = first + at;
            let flag = flags.into_iter().find(|&flag| match &own.difference {
                Difference::Direct(lookup) => self.entry(*lookup, key) == Some(flag),
                Difference::Wide { limbs, .. } => {
                    let excess = key + flag;
                    flag * excess == 0 && self.limbs(limbs, cell, excess).is_some()
                }
            })?;
            self.set(own.chosen, cell, flag);
            keys.push(key);
        }
        Some(keys)
    }

    /// Rows that an index names; a cheat who reads padding takes one beyond the last for an index that does.
    pub fn picked(&mut self, node: &Node, number: usize, own: &Pick) -> Option<Vec<i64>> {
        let (rows, index) = (self.shape(own.x), self.shape(own.index));
        let (&size, rest) = rows.split_first()?;
        let inner = size.next_power_of_two();
        let reach = if self.choice.reads[number] {
            inner
        } else {
            size
        };
        let mut result = Vec::new();
        for (line, at) in indices(&padded(index)).iter().enumerate() {
            let named = usize::try_from(self.at(own.index, at)).ok();
            let named = named.filter(|&row| row < reach);
            let real = within(index, at);
            if real && named.is_none() {
                return None;
            }
            let named = named.filter(|_| real);
            if let Some(row) = named {
                self.set(own.flags, line * inner + row, 1);
            }
            result.extend(indices(&padded(rest)).iter().map(|behind| {
                named.map_or(0, |row| {
                    self.at(own.x, &[&[row], behind.as_slice()].concat())
                })
            }));
        }
        debug_assert_eq!(result.len(), indices(&padded(&node.shape)).len());
        self.columns.looked[own.bit] = [Some(Source::Committed(own.flags)), Some(Source::None)];
        Some(result)
    }
}

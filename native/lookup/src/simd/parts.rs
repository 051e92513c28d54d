//! Packed elements in parts, each of which one thread at a time works on.

use std::ops::Range;
use sumcheck::Wide;

/// Units of a part at least: what two foldings take.
const LEAST: usize = 4;

/// Units of so many elements each, one after another, cut into parts.
#[derive(Default)]
pub(super) struct Parts {
    all: Vec<Vec<Wide>>,
    /// Units of each part but the last, a power of two.
    units: usize,
    /// Elements of a unit.
    size: usize,
}

impl Parts {
    /// So many units, made by `of`, which takes so many nanoseconds for each.
    pub(super) fn new(
        count: usize,
        size: usize,
        cost: usize,
        of: impl Fn(Range<usize>) -> Vec<Wide> + Sync + Send,
    ) -> Self {
        Self::with(count, size, cost, |units| (of(units), ())).0
    }

    /// The same, with what else `of` gives for each part.
    pub(super) fn with<T: Send>(
        count: usize,
        size: usize,
        cost: usize,
        of: impl Fn(Range<usize>) -> (Vec<Wide>, T) + Sync + Send,
    ) -> (Self, Vec<T>) {
        let units = parallel::part(count, cost).max(LEAST);
        let part = |index: usize| of(index * units..count.min((index + 1) * units));
        let parts = parallel::map(count.div_ceil(units), cost * units, part);
        let (all, others) = parts.into_iter().unzip();
        (Self { all, units, size }, others)
    }

    /// Works on all parts: the number of a part's first unit, and the part. Each unit takes so many nanoseconds.
    pub(super) fn each<T: Send>(
        &mut self,
        cost: usize,
        of: impl Fn(usize, &mut Vec<Wide>) -> T + Sync + Send,
    ) -> Vec<T> {
        let units = self.units;
        parallel::each(&mut self.all, cost * units, |index, part| {
            of(index * units, part)
        })
    }

    /// The same number of parts, made of these.
    pub(super) fn map(&self, cost: usize, of: impl Fn(&[Wide]) -> Vec<Wide> + Sync + Send) -> Self {
        let part = |index: usize| of(&self.all[index]);
        Self {
            all: parallel::map(self.all.len(), cost * self.units, part),
            units: self.units,
            size: self.size,
        }
    }

    /// Takes note that each part has half of its units by now. Parts that are too small for more are joined.
    pub(super) fn halve(&mut self) {
        self.units /= 2;
        if self.units < LEAST {
            self.all = vec![std::mem::take(&mut self.all).concat()];
            self.units = self.len().next_power_of_two().max(LEAST);
        }
    }

    /// How many units there are.
    pub(super) fn len(&self) -> usize {
        self.all.iter().map(Vec::len).sum::<usize>() / self.size.max(1)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Appends elements.
    pub(super) fn extend(&mut self, elements: impl IntoIterator<Item = Wide>) {
        match self.all.last_mut() {
            Some(last) => last.extend(elements),
            None => self.all.push(elements.into_iter().collect()),
        }
    }

    /// The elements of the first part, which is the only one where all are few.
    pub(super) fn first(&self) -> &[Wide] {
        self.all.first().map_or(&[], Vec::as_slice)
    }
}

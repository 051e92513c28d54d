//! Tables: what they hold, and what they are at a point.

use commitment::columns::evaluate;
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension};

/// Variables of a column or table at least. A block of this size fills eight groups of leaves, which
/// is what one step of the prover takes.
pub const MIN_VARIABLES: usize = 7;
/// Entries of a table at most.
pub const MAX_ENTRIES: usize = 1 << 20;

/// What can be looked up: keys that rise by one, each with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Table {
    /// The keys 0 to 2^bits - 1, without values.
    Range {
        /// Bits of a key.
        bits: usize,
    },
    /// The key `first` + j has the value `values[j]`.
    Function {
        /// The least key.
        first: i32,
        /// One value for each key.
        values: Vec<i32>,
    },
}

impl Table {
    /// Entries, without those that fill it up to a power of two.
    pub fn entries(&self) -> usize {
        match self {
            Self::Range { bits } => 1_usize.checked_shl(*bits as u32).unwrap_or(usize::MAX),
            Self::Function { values, .. } => values.len(),
        }
    }

    /// Whether its keys have values.
    pub const fn has_values(&self) -> bool {
        matches!(self, Self::Function { .. })
    }

    /// Variables of its multiplicities. Beyond its entries the last one is repeated.
    pub fn variables(&self) -> usize {
        let entries = self.entries().min(MAX_ENTRIES + 1);
        (entries.next_power_of_two().ilog2() as usize).max(MIN_VARIABLES)
    }

    /// The entry of a key, if there is one.
    pub fn entry(&self, key: i64) -> Option<usize> {
        let first = match self {
            Self::Range { .. } => 0,
            Self::Function { first, .. } => i64::from(*first),
        };
        let index = usize::try_from(key.checked_sub(first)?).ok()?;
        (index < self.entries()).then_some(index)
    }

    /// Key and value of an entry.
    pub(crate) fn at(&self, index: usize) -> (Base, Base) {
        let index = index.min(self.entries().saturating_sub(1));
        match self {
            Self::Range { .. } => (Base::from_u32(index as u32), Base::ZERO),
            Self::Function { first, values } => (
                Base::from_i32(*first) + Base::from_u32(index as u32),
                values.get(index).map_or(Base::ZERO, |&v| Base::from_i32(v)),
            ),
        }
    }

    /// The value of each entry, those included that fill it up; nothing where it has none.
    pub(crate) fn lifted(&self) -> Vec<Base> {
        if self.has_values() {
            let entries = 0..1 << self.variables();
            entries.map(|entry| self.at(entry).1).collect()
        } else {
            Vec::new()
        }
    }

    /// Key and value at a point, whose most significant coordinate is the first. `lifted` is what
    /// [`Self::lifted`] returns.
    pub(crate) fn evaluate(&self, lifted: &[Base], point: &[Extension]) -> (Extension, Extension) {
        let index = index_at(point, self.entries().saturating_sub(1));
        match self {
            Self::Range { .. } => (index, Extension::ZERO),
            Self::Function { first, .. } => {
                (index + Base::from_i32(*first), evaluate(lifted, point))
            }
        }
    }
}

/// The number of the entry at a point: Σ eq(point, j) · min(j, last).
fn index_at(point: &[Extension], last: usize) -> Extension {
    let whole = point
        .iter()
        .rev()
        .enumerate()
        .map(|(bit, &x)| x * Base::from_usize(1 << bit))
        .sum::<Extension>();
    if last + 1 == 1 << point.len() {
        return whole;
    }
    whole - beyond(point, last)
}

/// Σ_{j > last} eq(point, j) · (j - last).
fn beyond(point: &[Extension], last: usize) -> Extension {
    let mut sum = Extension::ZERO;
    // The j above `last` fall into runs: those that share the bits of `last` above some bit that is
    // 0 in `last` and 1 in j. Within a run every lower bit is free.
    let mut shared = Extension::ONE;
    for (position, &x) in point.iter().enumerate() {
        let bit = point.len() - 1 - position;
        if (last >> bit) & 1 == 0 {
            let least = ((last >> bit) | 1) << bit;
            let lower: Extension = point
                .iter()
                .rev()
                .take(bit)
                .enumerate()
                .map(|(bit, &x)| x * Base::from_usize(1 << bit))
                .sum();
            sum += shared * x * (lower + Base::from_usize(least - last));
            shared *= Extension::ONE - x;
        } else {
            shared *= x;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::Table;
    use sumcheck::equality;
    use transcript::{Extension, Transcript};

    #[test]
    fn tables_evaluate_as_their_entries_do() {
        let tables = [
            Table::Range { bits: 3 },
            Table::Range { bits: 9 },
            Table::Function {
                first: -40,
                values: (0..256).map(|j| j * j % 97 - 50).collect(),
            },
            Table::Function {
                first: 7,
                values: (0..201).map(|j| 1000 - j * 3).collect(),
            },
            Table::Function {
                first: -3,
                values: vec![5],
            },
        ];
        for table in tables {
            let variables = table.variables();
            let point = Transcript::new().point(variables);
            let weights = equality(&point, 1 << variables);
            let mut expected = (Extension::default(), Extension::default());
            for (index, &weight) in weights.iter().enumerate() {
                let (key, value) = table.at(index);
                expected.0 += weight * key;
                expected.1 += weight * value;
            }
            assert_eq!(table.evaluate(&table.lifted(), &point), expected);
        }
    }

    #[test]
    fn entries_are_found_by_their_keys_and_no_others() {
        let table = Table::Function {
            first: -2,
            values: vec![9, 8, 7],
        };
        assert_eq!(table.entry(-3), None);
        assert_eq!(table.entry(-2), Some(0));
        assert_eq!(table.entry(0), Some(2));
        assert_eq!(table.entry(1), None);
        assert_eq!(table.entry(i64::MIN), None);
        let range = Table::Range { bits: 2 };
        assert_eq!(range.entry(3), Some(3));
        assert_eq!(range.entry(4), None);
        assert_eq!(range.entry(-1), None);
    }
}

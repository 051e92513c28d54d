//! The function tables of a plan: counted before they are made, and made once.

use crate::facts::Facts;
use crate::plan::{Limit, MAX_TABLE, Table};
use crate::range_decomposition::Range;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

/// Entries of all function tables of a graph together.
pub const MAX_TABLE_ENTRIES: usize = 1 << 24;

/// What a table is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Recipe {
    /// 0 to 2^bits − 1, without values.
    Range(u32),
    /// Quotients, clamped, and looked up where a lookup follows: its table and the table's first key.
    Clamp {
        quotients: Range,
        bounds: Range,
        then: Option<(usize, i32)>,
    },
    /// max(k, 0) for k from −`below` to `above`.
    Positive { below: i64, above: i64 },
    /// A constant whose first number has the key `first`.
    Constant { constant: usize, first: i32 },
    /// Whether 0 to `most` are zero.
    Zero { most: i64 },
    /// Whether −1 to `most` are −1.
    Chosen { most: i64 },
}

impl Recipe {
    /// The clamp of quotients, alike for bounds that do alike.
    pub(crate) fn clamp(
        facts: &Facts<'_>,
        quotients: Range,
        (lo, hi): Range,
        then: Option<(usize, i32)>,
    ) -> Self {
        // A bound beyond all quotients does nothing: the last quotient is as good.
        let (low, high) = quotients;
        let lo = lo.max(low).min(hi);
        Self::Clamp {
            quotients,
            bounds: (lo, hi.min(high).max(lo)),
            then: then.map(|(constant, first)| (facts.same(constant), first)),
        }
    }

    /// Least key and the one after the greatest.
    fn keys(&self, facts: &Facts<'_>) -> Range {
        match *self {
            Self::Range(bits) => (0, 1 << bits),
            Self::Clamp { quotients, .. } => (quotients.0, quotients.1 + 1),
            Self::Positive { below, above } => (-below, above + 1),
            Self::Constant { constant, first } => {
                let values = facts.graph.constants.get(constant);
                let count = values.map_or(0, |constant| constant.values.len() as i64);
                (first.into(), i64::from(first) + count)
            }
            Self::Zero { most } => (0, most + 1),
            Self::Chosen { most } => (-1, most + 1),
        }
    }

    /// How many keys it has.
    pub(crate) fn entries(&self, facts: &Facts<'_>) -> i64 {
        let (first, end) = self.keys(facts);
        end - first
    }

    /// The value of each key; nothing where a quotient is outside of the table that follows.
    fn values(&self, facts: &Facts<'_>) -> Option<Vec<i32>> {
        let (low, end) = self.keys(facts);
        let of = |constant: usize, at: i64| -> Option<i32> {
            let values = &facts.graph.constants.get(constant)?.values;
            values.get(usize::try_from(at).ok()?).copied()
        };
        let value = |key: i64| match *self {
            Self::Range(_) => None,
            Self::Clamp { bounds, then, .. } => {
                let clamped = key.clamp(bounds.0, bounds.1);
                match then {
                    None => i32::try_from(clamped).ok(),
                    Some((constant, first)) => of(constant, clamped - i64::from(first)),
                }
            }
            Self::Positive { .. } => i32::try_from(key.max(0)).ok(),
            Self::Constant { constant, first } => of(constant, key - i64::from(first)),
            Self::Zero { .. } => Some(i32::from(key == 0)),
            Self::Chosen { .. } => Some(i32::from(key == -1)),
        };
        (low..end).map(value).collect()
    }
}

/// The tables that were made.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) all: Vec<Table>,
    /// The least and the greatest value of each, where it has values.
    extents: Vec<Option<Range>>,
    numbers: BTreeMap<Recipe, usize>,
    /// Tables by the hash of their first key and values: recipes may differ and tables not.
    contents: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
    entries: usize,
}

impl Tables {
    /// The number of a range.
    pub(crate) fn range(&mut self, bits: u32) -> usize {
        if let Some(&number) = self.numbers.get(&Recipe::Range(bits)) {
            return number;
        }
        self.push(Recipe::Range(bits), Table::Range(bits), None)
    }

    /// The number of a function table. A recipe is counted before anything is made of it; beyond
    /// [`MAX_TABLE_ENTRIES`] nothing is.
    pub(crate) fn function(&mut self, facts: &Facts<'_>, recipe: Recipe) -> Result<usize, Fault> {
        if let Some(&number) = self.numbers.get(&recipe) {
            return Ok(number);
        }
        let (first, end) = recipe.keys(facts);
        if end - first > MAX_TABLE {
            return Err(Fault::Long);
        }
        self.entries += (end - first) as usize;
        if self.entries > MAX_TABLE_ENTRIES {
            return Err(Fault::Costly);
        }
        let values = recipe.values(facts).ok_or(Fault::Outside)?;
        let first = first as i32;
        let hash = self.hasher.hash_one((first, &values));
        let table = Table::Function { first, values };
        let alike = self.contents.get(&hash).into_iter().flatten();
        let found = alike.copied().find(|&at| self.all.get(at) == Some(&table));
        if let Some(number) = found {
            self.numbers.insert(recipe, number);
            return Ok(number);
        }
        let number = self.push(recipe, table, Some(hash));
        Ok(number)
    }

    fn push(&mut self, recipe: Recipe, table: Table, hash: Option<u64>) -> usize {
        let number = self.all.len();
        self.extents.push(extent(&table));
        self.all.push(table);
        self.numbers.insert(recipe, number);
        if let Some(hash) = hash {
            self.contents.entry(hash).or_default().push(number);
        }
        number
    }

    /// The least and the greatest value of a table that has values.
    pub(crate) fn extent(&self, table: usize) -> Option<Range> {
        *self.extents.get(table)?
    }

    /// The value of a key of a function table.
    pub(crate) fn value(&self, table: usize, key: i64) -> Option<i32> {
        let Table::Function { first, values } = self.all.get(table)? else {
            return None;
        };
        let at = usize::try_from(key - i64::from(*first)).ok()?;
        values.get(at).copied()
    }
}

fn extent(table: &Table) -> Option<Range> {
    let Table::Function { values, .. } = table else {
        return None;
    };
    Some((
        (*values.iter().min()?).into(),
        (*values.iter().max()?).into(),
    ))
}

/// Why a table is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It would have too many entries.
    Long,
    /// All of them together would have too many.
    Costly,
    /// A quotient is outside of the table that follows.
    Outside,
}

impl Fault {
    /// The limit that it is about, if it is about one of the graph's.
    pub(crate) const fn limit(self) -> Option<Limit> {
        match self {
            Self::Costly => Some(Limit::Work),
            Self::Long | Self::Outside => None,
        }
    }

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Long => "its table has more than 2^16 entries",
            Self::Costly => "the tables of the graph have more than 2^24 entries",
            Self::Outside => "its results can be outside of the table that follows",
        }
    }
}

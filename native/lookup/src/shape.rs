//! What is looked up where, and at which leaves of the trees it lies.

use crate::table::{MAX_ENTRIES, MIN_VARIABLES, Table};
use commitment::{Term, challenge_bits};
use p3_field::PrimeCharacteristicRing;
use sumcheck::equality_at;
use transcript::{Base, Extension};

/// Variables of a tree at most: fewer leaves than the characteristic of the field.
pub const MAX_HEIGHT: usize = 27;
/// Looked-up columns at most.
pub const MAX_LOOKUPS: usize = 1 << 16;
/// Tables at most.
pub const MAX_TABLES: usize = 1 << 10;

/// Low bits of an index that become high bits of the number of its leaf: lanes of the prover.
pub(crate) const LANE_BITS: usize = 4;

/// One column of keys, with its column of values where the table has values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The table that it is looked up in.
    pub table: usize,
    /// Variables of the column.
    pub variables: usize,
}

/// A shape that the argument does not cover.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No lookup or table, or too many.
    #[error(
        "{lookups} lookups in {tables} tables; 1 to {MAX_LOOKUPS} in 1 to {MAX_TABLES} are possible"
    )]
    Count {
        /// Looked-up columns.
        lookups: usize,
        /// Tables.
        tables: usize,
    },
    /// A lookup in a table that is not there.
    #[error("lookup {lookup} names table {table}, which is not there")]
    NoTable {
        /// Index of the lookup.
        lookup: usize,
        /// Table that it names.
        table: usize,
    },
    /// A table without entries, or with too many.
    #[error("table {0} has no entry, or more than {MAX_ENTRIES}")]
    Entries(usize),
    /// A column that is too short or too long.
    #[error("lookup {0} has fewer than {MIN_VARIABLES} or more than {MAX_HEIGHT} variables")]
    Variables(usize),
    /// Too many leaves.
    #[error("{0} leaves; a tree has at most 2^{MAX_HEIGHT}")]
    Leaves(usize),
}

/// Where one column lies in a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) index: usize,
    pub(crate) variables: usize,
    pub(crate) offset: usize,
}

/// The leaves of one tree.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// In rising order of their offsets, one directly after another.
    pub(crate) blocks: Vec<Block>,
    pub(crate) cells: usize,
    pub(crate) height: usize,
}

impl Side {
    fn new(variables: &[usize]) -> Result<Self, Error> {
        let mut order: Vec<usize> = (0..variables.len()).collect();
        // The sort is stable: equal columns keep their order.
        order.sort_by_key(|&index| std::cmp::Reverse(variables[index]));
        let mut cells = 0_usize;
        let mut blocks = Vec::with_capacity(order.len());
        for index in order {
            let variables = variables[index];
            blocks.push(Block {
                index,
                variables,
                offset: cells,
            });
            cells = cells.saturating_add(1 << variables);
        }
        if cells > 1 << MAX_HEIGHT {
            return Err(Error::Leaves(cells));
        }
        let height = cells.next_power_of_two().ilog2() as usize;
        Ok(Self {
            blocks,
            cells,
            height,
        })
    }

    /// The number of the leaf of an element.
    pub(crate) const fn leaf(&self, index: usize) -> usize {
        let lane = index % (1 << LANE_BITS);
        (lane << (self.height - LANE_BITS)) + (index >> LANE_BITS)
    }

    /// The point of the elements' indices, most significant coordinate first, that belongs to a
    /// point of leaves, whose least significant coordinate is the first.
    pub(crate) fn point(leaves: &[Extension]) -> Vec<Extension> {
        let (of_groups, of_lanes) = leaves.split_at(leaves.len().saturating_sub(LANE_BITS));
        let rising = of_lanes.iter().chain(of_groups);
        let mut point: Vec<Extension> = rising.copied().collect();
        point.reverse();
        point
    }

    /// Of each block, in the order of the columns: the weight of the block at a point, and the
    /// coordinates within it.
    pub(crate) fn split<'a>(&self, point: &'a [Extension]) -> Vec<(Extension, &'a [Extension])> {
        let mut parts = vec![(Extension::ZERO, &point[..0]); self.blocks.len()];
        for block in &self.blocks {
            let (selector, own) = point.split_at(point.len().saturating_sub(block.variables));
            let slot = block.offset >> block.variables;
            parts[block.index] = (equality_at(selector, slot), own);
        }
        parts
    }
}

/// What makes one element of the extension field of table, key and value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint {
    alpha: Extension,
    pub(crate) beta: Extension,
    gamma: Extension,
}

impl Fingerprint {
    pub(crate) fn draw(mut challenge: impl FnMut() -> Extension) -> Self {
        Self {
            alpha: challenge(),
            beta: challenge(),
            gamma: challenge(),
        }
    }

    /// What all entries of a table have in common.
    pub(crate) fn of_table(&self, table: usize) -> Extension {
        self.alpha + self.gamma * Base::from_usize(table)
    }

    /// The fingerprint of an entry.
    pub(crate) fn of(&self, table: usize, (key, value): (Base, Base)) -> Extension {
        self.of_table(table) + key + self.beta * value
    }
}

/// The lookups of one proof: derived from the graph by both sides, never read from a proof.
#[derive(Clone, Debug)]
pub struct Argument {
    tables: Vec<Table>,
    /// The values of each table as elements.
    pub(crate) lifted: Vec<Vec<Base>>,
    lookups: Vec<Lookup>,
    pub(crate) rows: Side,
    pub(crate) entries: Side,
}

impl Argument {
    /// The argument that each of `lookups` is in its table.
    pub fn new(tables: Vec<Table>, lookups: Vec<Lookup>) -> Result<Self, Error> {
        if tables.is_empty()
            || lookups.is_empty()
            || tables.len() > MAX_TABLES
            || lookups.len() > MAX_LOOKUPS
        {
            return Err(Error::Count {
                lookups: lookups.len(),
                tables: tables.len(),
            });
        }
        for (index, table) in tables.iter().enumerate() {
            if !(1..=MAX_ENTRIES).contains(&table.entries()) {
                return Err(Error::Entries(index));
            }
        }
        for (index, lookup) in lookups.iter().enumerate() {
            if lookup.table >= tables.len() {
                return Err(Error::NoTable {
                    lookup: index,
                    table: lookup.table,
                });
            }
            if !(MIN_VARIABLES..=MAX_HEIGHT).contains(&lookup.variables) {
                return Err(Error::Variables(index));
            }
        }
        let of_rows: Vec<usize> = lookups.iter().map(|lookup| lookup.variables).collect();
        let of_entries: Vec<usize> = tables.iter().map(Table::variables).collect();
        Ok(Self {
            rows: Side::new(&of_rows)?,
            entries: Side::new(&of_entries)?,
            lifted: tables.iter().map(Table::lifted).collect(),
            tables,
            lookups,
        })
    }

    /// The tables.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The lookups.
    pub fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    /// Variables of the multiplicities of a table.
    pub fn table_variables(&self, table: usize) -> usize {
        self.tables[table].variables()
    }

    /// The table of a lookup.
    pub(crate) fn table_of(&self, lookup: usize) -> &Table {
        &self.tables[self.lookups[lookup].table]
    }

    /// Values that the proof claims of the looked-up columns: keys, and values where there are any.
    pub(crate) fn column_values(&self) -> usize {
        let with_values = self.lookups.iter().enumerate();
        self.lookups.len()
            + with_values
                .filter(|&(index, _)| self.table_of(index).has_values())
                .count()
    }

    /// Leaves that repeat the first entry of the first table, so that the tree is full.
    pub fn padding(&self) -> usize {
        (1 << self.rows.height) - self.rows.cells
    }

    /// Layers of the reduction: the height of the higher tree.
    pub(crate) fn layers(&self) -> usize {
        self.rows.height.max(self.entries.height)
    }

    /// The error terms of one run. Columns and multiplicities are those of one commitment: where
    /// that leaves a prover some candidates to choose from, each term is that many times larger.
    pub fn security(&self) -> Vec<Term> {
        let bits = |degree: usize| challenge_bits() as f64 - (degree.max(1) as f64).log2();
        let leaves = (1 << self.rows.height) + self.entries.cells;
        let layers = self.layers();
        vec![
            Term::new("lookups: random fingerprints", bits(leaves)),
            Term::new("lookups: sumchecks of the layers", bits(layers * layers)),
            Term::new("lookups: batching of the layers", bits(3 * layers)),
            Term::new("lookups: branches of the layers", bits(layers)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{Argument, Error, Lookup, MAX_HEIGHT, MAX_LOOKUPS};
    use crate::table::{MAX_ENTRIES, MIN_VARIABLES, Table};

    #[test]
    fn shapes_beyond_the_limits_are_refused() {
        let range = || Table::Range { bits: 8 };
        let lookup = |table, variables| Lookup { table, variables };
        assert!(Argument::new(vec![range()], vec![lookup(0, 7)]).is_ok());
        let fault = |tables, lookups| Argument::new(tables, lookups).unwrap_err();
        let none = Error::Count {
            lookups: 0,
            tables: 1,
        };
        assert_eq!(fault(vec![range()], vec![]), none);
        assert!(matches!(
            fault(vec![], vec![lookup(0, 7)]),
            Error::Count { .. }
        ));
        let many = vec![lookup(0, 7); MAX_LOOKUPS + 1];
        assert!(matches!(fault(vec![range()], many), Error::Count { .. }));
        assert_eq!(
            fault(vec![range()], vec![lookup(0, 7), lookup(1, 7)]),
            Error::NoTable {
                lookup: 1,
                table: 1
            }
        );
        for variables in [0, MIN_VARIABLES - 1, MAX_HEIGHT + 1, usize::MAX] {
            let found = fault(vec![range()], vec![lookup(0, variables)]);
            assert_eq!(found, Error::Variables(0));
        }
        for bits in [21, 63, 64, 1000] {
            let table = Table::Range { bits };
            assert_eq!(fault(vec![table], vec![lookup(0, 7)]), Error::Entries(0));
        }
        let function = |count| Table::Function {
            first: 0,
            values: vec![0; count],
        };
        for count in [0, MAX_ENTRIES + 1] {
            let found = fault(vec![function(count)], vec![lookup(0, 7)]);
            assert_eq!(found, Error::Entries(0));
        }
        let full = vec![lookup(0, MAX_HEIGHT); 2];
        assert_eq!(fault(vec![range()], full), Error::Leaves(2 << MAX_HEIGHT));
        const { assert!((1 << MAX_HEIGHT) < 2_130_706_433) };
    }
}

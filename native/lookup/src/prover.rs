//! What all provers have in common: multiplicities, the order of messages, the claims at the end.

use crate::fractions::{Children, Fraction, combine};
use crate::proof::{Layer, Proof};
use crate::role::inverses;
use crate::shape::{Argument, Fingerprint, Side};
use crate::verify::Claims;
use commitment::columns::{SUMMED, evaluate};
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use sumcheck::{Statement, Sum, pass};
use transcript::{Base, Extension, Site, Transcript};

/// Nanoseconds that it takes to find a row's entry.
const ROW: usize = 4;

/// One looked-up column, as the prover knows it.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// 2^variables keys.
    pub keys: &'a [Base],
    /// As many values, or none where the table has none.
    pub values: &'a [Base],
}

/// What a prover is given does not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// Another number of columns or multiplicities.
    #[error("{0} columns or multiplicities where the argument has {1}")]
    Count(usize, usize),
    /// A column of another length.
    #[error("column {0} has not the length that the argument says")]
    Length(usize),
    /// A row that is not in its table.
    #[error("row {row} of column {column} is not in its table")]
    Outside {
        /// Index of the lookup.
        column: usize,
        /// Row in it.
        row: usize,
    },
}

/// A way to make proofs. All of them make the same bytes.
pub trait Engine {
    /// Proves that the columns are in their tables. The transcript must have absorbed a commitment to
    /// columns and multiplicities.
    ///
    /// On a transcript that absorbs under pads the inverses that a recorder asks for follow the children of the
    /// roots. They are no part of the proof that is returned, which is what must not be sent then.
    ///
    /// Rows outside of their tables and wrong multiplicities are not looked for: the proof is then
    /// one that no verifier accepts.
    fn prove(
        argument: &Argument,
        columns: &[Column<'_>],
        multiplicities: &[Vec<Base>],
        transcript: &mut Transcript,
    ) -> Result<(Proof, Claims), ProveError>;
}

/// One tree of fractions, as a prover keeps it.
pub(crate) trait Tree: Sum {
    /// Begins the layer that has as many variables as `point` has coordinates, the first of which
    /// belongs to the least significant bit. The gate is numerator + `lambda` · denominator.
    fn begin(&mut self, point: &[Extension], lambda: Extension);
    /// The children at the point where all variables are bound.
    fn children(&mut self) -> Children;
}

impl Argument {
    /// How often each entry of each table is looked up, padding of the tree included.
    pub fn multiplicities(&self, columns: &[Column<'_>]) -> Result<Vec<Vec<Base>>, ProveError> {
        self.check_columns(columns)?;
        let empty = || vec![Vec::<u32>::new(); self.tables().len()];
        let rows = self
            .lookups()
            .iter()
            .map(|lookup| 1_usize << lookup.variables);
        let cost = ROW * rows.sum::<usize>() / columns.len().max(1);
        let parts = parallel::ranges(columns.len(), cost, |range| {
            let mut counts = empty();
            for index in range {
                self.count(index, &columns[index], &mut counts)?;
            }
            Ok(counts)
        });
        let tables = self.tables().iter();
        let mut all: Vec<Vec<Base>> = tables
            .map(|table| vec![Base::ZERO; 1 << table.variables()])
            .collect();
        all[0][0] = Base::from_usize(self.padding());
        for counts in parts {
            for (sums, counts) in all.iter_mut().zip(counts?) {
                for (sum, count) in sums.iter_mut().zip(counts) {
                    *sum += Base::from_u32(count);
                }
            }
        }
        Ok(all)
    }

    /// Counts the entries that one column looks up. Tables that nothing was looked up in have no counts yet.
    fn count(
        &self,
        index: usize,
        column: &Column<'_>,
        counts: &mut [Vec<u32>],
    ) -> Result<(), ProveError> {
        let table = self.table_of(index);
        let counts = &mut counts[self.lookups()[index].table];
        counts.resize(1 << table.variables(), 0);
        for (row, &key) in column.keys.iter().enumerate() {
            let entry = table.entry(centred(key));
            let fits =
                |&entry: &usize| !table.has_values() || table.at(entry).1 == column.values[row];
            let entry = entry
                .filter(fits)
                .ok_or(ProveError::Outside { column: index, row })?;
            counts[entry] += 1;
        }
        Ok(())
    }

    fn check_columns(&self, columns: &[Column<'_>]) -> Result<(), ProveError> {
        if columns.len() != self.lookups().len() {
            return Err(ProveError::Count(columns.len(), self.lookups().len()));
        }
        for (index, (lookup, column)) in self.lookups().iter().zip(columns).enumerate() {
            let values = if self.table_of(index).has_values() {
                1 << lookup.variables
            } else {
                0
            };
            if column.keys.len() != 1 << lookup.variables || column.values.len() != values {
                return Err(ProveError::Length(index));
            }
        }
        Ok(())
    }

    /// Checks what a prover is given.
    pub(crate) fn check(
        &self,
        columns: &[Column<'_>],
        multiplicities: &[Vec<Base>],
    ) -> Result<(), ProveError> {
        self.check_columns(columns)?;
        let (found, expected) = (multiplicities.len(), self.tables().len());
        if found != expected {
            return Err(ProveError::Count(found, expected));
        }
        for (index, (table, counts)) in self.tables().iter().zip(multiplicities).enumerate() {
            if counts.len() != 1 << table.variables() {
                return Err(ProveError::Length(index));
            }
        }
        Ok(())
    }

    /// Reduces both trees and claims the columns at the points where they end.
    pub(crate) fn run(
        &self,
        rows: &mut impl Tree,
        entries: &mut impl Tree,
        columns: &[Column<'_>],
        multiplicities: &[Vec<Base>],
        transcript: &mut Transcript,
    ) -> (Proof, Claims) {
        let mut proof = Proof::default();
        let mut point: Vec<Extension> = Vec::new();
        let heights = [self.rows.height, self.entries.height];
        let mut claims = [Fraction {
            numerator: Extension::ZERO,
            denominator: Extension::ONE,
        }; 2];
        let mut ends = [const { Vec::new() }; 2];
        for depth in 0..self.layers() {
            let mut trees: Vec<(&mut dyn Tree, usize)> = Vec::new();
            if depth < heights[0] {
                trees.push((rows, 0));
            }
            if depth < heights[1] {
                trees.push((entries, 1));
            }
            let lambda = if depth == 0 {
                Extension::ZERO
            } else {
                transcript.challenge()
            };
            for (tree, _) in &mut trees {
                tree.begin(&point, lambda);
            }
            let claim = combine(trees.iter().map(|&(_, index)| &claims[index]), lambda);
            let mut layer = Layer::default();
            let mut sum = Trees { trees, lambda };
            let ended = Statement::weighted(&point, claim).prove(&mut sum, |round| {
                layer.rounds.push([round[0], round[1]]);
                pass(transcript, Site::LookupRound, round)
            });
            let mut trees = sum.trees;
            let mut children = Vec::with_capacity(trees.len());
            for (tree, index) in &mut trees {
                let of_tree = tree.children();
                let leaves_of_rows = *index == 0 && heights[0] == depth + 1;
                for fraction in of_tree.0 {
                    if !leaves_of_rows {
                        layer.children.push(fraction.numerator);
                    }
                    layer.children.push(fraction.denominator);
                }
                children.push((of_tree, *index));
            }
            transcript.absorb_elements(Site::LookupChildren, &layer.children);
            if depth == 0 && transcript.is_padded() {
                let roots: Vec<Children> = children.iter().map(|&(roots, _)| roots).collect();
                transcript.absorb_elements(Site::LookupChildren, &inverses(&roots));
            }
            let branch = transcript.challenge();
            point = [&[branch], &ended.point[..]].concat();
            for (children, index) in children {
                claims[index] = children.at(branch);
                if heights[index] == depth + 1 {
                    ends[index].clone_from(&point);
                }
            }
            proof.layers.push(layer);
        }
        let rows_at = Side::point(&ends[0]);
        let entries_at = Side::point(&ends[1]);
        self.claim_columns(&mut proof, columns, multiplicities, [&rows_at, &entries_at]);
        transcript.absorb_elements(
            Site::LookupColumns,
            &[&proof.columns[..], &proof.multiplicities[..]].concat(),
        );
        let sent = [proof.columns.clone(), proof.multiplicities.clone()];
        let claims = self.claims(sent, &rows_at, &entries_at);
        let claims = claims.unwrap_or_else(|| unreachable!("a value of every column was pushed"));
        (proof, claims)
    }

    fn claim_columns(
        &self,
        proof: &mut Proof,
        columns: &[Column<'_>],
        multiplicities: &[Vec<Base>],
        [rows_at, entries_at]: [&[Extension]; 2],
    ) {
        let points = self.rows.split(rows_at);
        let cost = self.rows.cells / SUMMED / points.len().max(1);
        proof.columns = parallel::joined(points.len(), cost, |range| {
            let values = range.flat_map(|index| {
                let (column, (_, point)) = (&columns[index], points[index]);
                let values = self.table_of(index).has_values();
                let values = values.then(|| evaluate(column.values, point));
                std::iter::once(evaluate(column.keys, point)).chain(values)
            });
            values.collect()
        });
        let of_tables = self.entries.split(entries_at).into_iter();
        for ((_, point), counts) in of_tables.zip(multiplicities) {
            proof.multiplicities.push(evaluate(counts, point));
        }
    }
}

/// The trees that have a layer, each with its number, added up with powers of a challenge.
struct Trees<'a> {
    trees: Vec<(&'a mut dyn Tree, usize)>,
    lambda: Extension,
}

impl Sum for Trees<'_> {
    fn round(&mut self) -> Vec<Extension> {
        let mut sums = vec![Extension::ZERO; 2];
        let mut power = Extension::ONE;
        for (tree, _) in &mut self.trees {
            for (sum, coefficient) in sums.iter_mut().zip(tree.round()) {
                *sum += power * coefficient;
            }
            power *= self.lambda * self.lambda;
        }
        sums
    }

    fn fold(&mut self, x: Extension) {
        for (tree, _) in &mut self.trees {
            tree.fold(x);
        }
    }
}

/// The integer of least absolute value that an element stands for.
pub(crate) fn centred(element: Base) -> i64 {
    let value = i64::from(element.as_canonical_u32());
    let order = i64::from(Base::ORDER_U32);
    if value > order / 2 {
        value - order
    } else {
        value
    }
}

/// The fractions of all leaves of both trees, in the order of the leaves.
pub(crate) fn leaves_of_rows(
    argument: &Argument,
    fingerprint: &Fingerprint,
    columns: &[Column<'_>],
) -> Vec<Fraction> {
    let side = &argument.rows;
    let padding = fingerprint.of(0, argument.tables()[0].at(0));
    let fraction = |denominator| Fraction {
        numerator: Extension::ONE,
        denominator,
    };
    let mut leaves = vec![fraction(padding); 1 << side.height];
    fill(side, &mut leaves, |column, row| {
        let values = columns[column].values;
        let value = values.get(row).copied().unwrap_or(Base::ZERO);
        let entry = (columns[column].keys[row], value);
        fraction(fingerprint.of(argument.lookups()[column].table, entry))
    });
    leaves
}

/// Likewise of the tables.
pub(crate) fn leaves_of_entries(
    argument: &Argument,
    fingerprint: &Fingerprint,
    multiplicities: &[Vec<Base>],
) -> Vec<Fraction> {
    let side = &argument.entries;
    let nothing = Fraction {
        numerator: Extension::ZERO,
        denominator: Extension::ONE,
    };
    let mut leaves = vec![nothing; 1 << side.height];
    fill(side, &mut leaves, |table, row| Fraction {
        numerator: multiplicities[table][row].into(),
        denominator: fingerprint.of(table, argument.tables()[table].at(row)),
    });
    leaves
}

fn fill(side: &Side, leaves: &mut [Fraction], of: impl Fn(usize, usize) -> Fraction) {
    for block in &side.blocks {
        for row in 0..1 << block.variables {
            leaves[side.leaf(block.offset + row)] = of(block.index, row);
        }
    }
}

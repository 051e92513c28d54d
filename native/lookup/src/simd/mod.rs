//! The prover that works on sixteen leaves at a time.
//!
//! It sends what [`crate::Reference`] sends. Four things make it faster. The leaves of looked-up rows are
//! made of their columns where they are needed, never written down. Their numerators are 1, so that
//! with D = d + 1/λ their gate is λ·D0·D1 - 1/λ. A round's sums are taken while the round before is
//! folded. And of the padding, in which all nodes of a level are equal, nothing is computed: at every
//! level and in every round it is a constant, whose weight is what the others leave of 1.

mod folding;
mod leaves;
mod level;
mod parts;

use crate::fractions::{Children, Fraction};
use crate::proof::Proof;
use crate::prover::{Column, Engine, ProveError, Tree};
use crate::reference::{Levels, ScalarLayer};
use crate::shape::{Argument, Fingerprint, LANE_BITS};
use crate::table::Table;
use crate::verify::Claims;
use folding::Folding;
use leaves::{LeafBlock, Leaves};
use level::Level;
use p3_field::{PackedValue, PrimeCharacteristicRing};
use sumcheck::{Lanes, Sum, Wide};
use transcript::{Base, Extension, Transcript};

/// Leaves of a group.
const GROUP: usize = 1 << LANE_BITS;
/// Packed elements of a group.
const PARTS: usize = GROUP / Lanes::WIDTH;
const _: () = assert!(PARTS * Lanes::WIDTH == GROUP);
/// Variables of the layers near the root, which are left to the other prover.
const TOP: usize = LANE_BITS + 1;

/// The fast prover.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simd;

impl Engine for Simd {
    fn prove(
        argument: &Argument,
        columns: &[Column<'_>],
        multiplicities: &[Vec<Base>],
        transcript: &mut Transcript,
    ) -> Result<(Proof, Claims), ProveError> {
        argument.check(columns, multiplicities)?;
        let fingerprint = Fingerprint::draw(|| transcript.challenge());
        let mut rows = rows(argument, &fingerprint, columns);
        let keys = keys(argument);
        let mut entries = entries(argument, &fingerprint, &keys, multiplicities);
        Ok(argument.run(&mut rows, &mut entries, columns, multiplicities, transcript))
    }
}

/// One element of a group's lanes. `parts` are the group's packed elements.
fn lane_of(part: impl Fn(usize) -> Wide, lane: usize) -> Extension {
    // Without vector instructions a packed element is one element.
    #[allow(clippy::modulo_one)]
    let within = lane % Lanes::WIDTH;
    part(lane / Lanes::WIDTH).lane(within)
}

/// The columns of a block, packed.
fn block(first: usize, constant: Extension, [keys, values, counts]: [&[Base]; 3]) -> LeafBlock<'_> {
    LeafBlock {
        first: first / GROUP,
        constant,
        keys: Lanes::pack_slice(keys),
        values: Lanes::pack_slice(values),
        counts: Lanes::pack_slice(counts),
    }
}

/// The tree of the looked-up rows.
fn rows<'a>(
    argument: &Argument,
    fingerprint: &Fingerprint,
    columns: &[Column<'a>],
) -> PackedTree<'a> {
    let side = &argument.rows;
    let blocks = side.blocks.iter().map(|of| {
        let constant = fingerprint.of_table(argument.lookups()[of.index].table);
        let column = &columns[of.index];
        block(of.offset, constant, [column.keys, column.values, &[]])
    });
    PackedTree::new(Leaves {
        blocks: blocks.collect(),
        beta: fingerprint.beta,
        padding: Fraction {
            numerator: Extension::ONE,
            denominator: fingerprint.of(0, argument.tables()[0].at(0)),
        },
        height: side.height,
    })
}

/// The tree of the tables, whose keys are given.
fn entries<'a>(
    argument: &'a Argument,
    fingerprint: &Fingerprint,
    keys: &'a [Vec<Base>],
    multiplicities: &'a [Vec<Base>],
) -> PackedTree<'a> {
    let side = &argument.entries;
    let blocks = side.blocks.iter().map(|of| {
        let index = of.index;
        let columns = [
            &keys[index],
            &argument.lifted[index],
            &multiplicities[index],
        ];
        let constant = fingerprint.of_table(index);
        block(of.offset, constant, columns.map(Vec::as_slice))
    });
    PackedTree::new(Leaves {
        blocks: blocks.collect(),
        beta: fingerprint.beta,
        padding: Fraction {
            numerator: Extension::ZERO,
            denominator: Extension::ONE,
        },
        height: side.height,
    })
}

/// The keys of each table, those included that fill it up.
fn keys(argument: &Argument) -> Vec<Vec<Base>> {
    let tables = argument.tables().iter();
    let keys = |table: &Table| {
        let entries = 0..1 << table.variables();
        entries.map(|entry| table.at(entry).0).collect()
    };
    tables.map(keys).collect()
}

/// A tree whose upper levels are kept as elements, the others packed.
struct PackedTree<'a> {
    /// From the one above the leaves upwards.
    levels: Vec<Level>,
    leaves: Leaves<'a>,
    top: Levels,
    state: State,
}

/// The layer that is being reduced.
enum State {
    Top,
    Scalar(ScalarLayer),
    /// Above leaves with numerators 1.
    Ones(Folding<2>),
    Pairs(Folding<4>),
}

impl<'a> PackedTree<'a> {
    fn new(leaves: Leaves<'a>) -> Self {
        let mut levels = vec![leaves.parents()];
        while levels[levels.len() - 1].variables > TOP {
            levels.push(levels[levels.len() - 1].parents());
        }
        let top = levels.pop().map(|level| level.scalars());
        Self {
            levels,
            leaves,
            top: Levels::new(top.unwrap_or_default()),
            state: State::Top,
        }
    }
}

impl Sum for PackedTree<'_> {
    fn round(&mut self) -> Vec<Extension> {
        match &mut self.state {
            State::Top => self.top.round(),
            State::Scalar(layer) => layer.round(),
            State::Ones(folding) => folding.sums(),
            State::Pairs(folding) => folding.sums(),
        }
    }

    fn fold(&mut self, x: Extension) {
        let end = match &mut self.state {
            State::Top => {
                self.top.fold(x);
                None
            }
            State::Scalar(layer) => {
                layer.fold(x);
                None
            }
            State::Ones(folding) if folding.nodes.is_empty() => folding.first_fold(&self.leaves, x),
            State::Ones(folding) => folding.fold(x),
            State::Pairs(folding) if folding.nodes.is_empty() => {
                folding.first_fold(&self.leaves, x)
            }
            State::Pairs(folding) => folding.fold(x),
        };
        if let Some(layer) = end {
            self.state = State::Scalar(layer);
        }
    }
}

impl Tree for PackedTree<'_> {
    fn begin(&mut self, point: &[Extension], lambda: Extension) {
        if point.len() < TOP {
            self.top.begin(point, lambda);
            self.state = State::Top;
            return;
        }
        self.state = match self.levels.pop() {
            Some(level) => State::Pairs(Folding::inner(level, point, lambda)),
            None if self.leaves.counted() => {
                State::Pairs(Folding::counted(&self.leaves, point, lambda))
            }
            None => State::Ones(Folding::ones(&self.leaves, point, lambda)),
        };
    }

    fn children(&mut self) -> Children {
        match &self.state {
            State::Top => self.top.layer.children(),
            State::Scalar(layer) => layer.children(),
            State::Ones(_) | State::Pairs(_) => unreachable!("all variables are bound"),
        }
    }
}

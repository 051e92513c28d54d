//! The prover that works on sixteen leaves at a time.
//!
//! It sends what [`crate::Plain`] sends. Four things make it faster. The leaves of looked-up rows are
//! made of their columns where they are needed, never written down. Their numerators are 1, so that
//! with D = d + 1/λ their gate is λ·D0·D1 - 1/λ. A round's sums are taken while the round before is
//! folded. And of the padding, in which all nodes of a level are equal, nothing is computed: at every
//! level and in every round it is a constant, whose weight is what the others leave of 1.

mod folding;
mod leaves;
mod level;
mod product;

use crate::plain::{Levels, ScalarLayer};
use crate::proof::Proof;
use crate::prover::{Column, Engine, ProveError, Tree};
use crate::shape::{Argument, Fingerprint, LANE_BITS, Side};
use crate::verify::{Children, Claims, Fraction};
use folding::Folding;
use leaves::{LeafBlock, Leaves};
use level::Level;
use p3_field::{ExtensionField, Field, PackedFieldExtension, PackedValue, PrimeCharacteristicRing};
use transcript::{Base, Extension, Transcript};

type Lanes = <Base as Field>::Packing;
type Wide = <Extension as ExtensionField<Base>>::ExtensionPacking;

/// Leaves of a group.
const GROUP: usize = 1 << LANE_BITS;
/// Packed elements of a group.
const PARTS: usize = GROUP / Lanes::WIDTH;
const _: () = assert!(PARTS * Lanes::WIDTH == GROUP);
/// Groups of children that one step takes: two folded nodes with two children each, of two each.
const STEP: usize = 8;
/// Variables of the layers near the root, which are left to the other prover.
const TOP: usize = LANE_BITS + 1;

/// The fast prover.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packed;

impl Engine for Packed {
    fn prove(
        argument: &Argument,
        columns: &[Column<'_>],
        multiplicities: &[Vec<Base>],
        transcript: &mut Transcript,
    ) -> Result<(Proof, Claims), ProveError> {
        argument.check(columns, multiplicities)?;
        let fingerprint = Fingerprint::draw(transcript);
        let mut rows = rows(argument, &fingerprint, columns);
        let mut entries = entries(argument, &fingerprint, multiplicities);
        Ok(argument.run(&mut rows, &mut entries, columns, multiplicities, transcript))
    }
}

/// One element of a group's lanes. `parts` are the group's packed elements.
fn lane_of(part: impl Fn(usize) -> Wide, lane: usize) -> Extension {
    // Without vector instructions a packed element is one element.
    #[allow(clippy::modulo_one)]
    let within = lane % Lanes::WIDTH;
    PackedFieldExtension::<Base, Extension>::extract(&part(lane / Lanes::WIDTH), within)
}

/// The tree of the looked-up rows.
fn rows<'a>(
    argument: &Argument,
    fingerprint: &Fingerprint,
    columns: &[Column<'a>],
) -> PackedTree<'a> {
    let side = &argument.rows;
    let blocks = side
        .blocks
        .iter()
        .map(|block| LeafBlock {
            first: block.offset / GROUP,
            constant: fingerprint.of_table(argument.lookups()[block.index].table),
            keys: columns[block.index].keys,
            values: columns[block.index].values,
        })
        .collect();
    let leaves = Leaves {
        blocks,
        beta: fingerprint.beta,
        padding: fingerprint.of(0, argument.tables()[0].at(0)),
        groups: side.cells / GROUP,
        height: side.height,
    };
    let first = leaves.parents();
    PackedTree::new(first, Some(leaves))
}

/// The tree of the tables.
fn entries<'a>(
    argument: &Argument,
    fingerprint: &Fingerprint,
    multiplicities: &[Vec<Base>],
) -> PackedTree<'a> {
    let side: &Side = &argument.entries;
    let groups = side.cells / GROUP;
    let mut level = Level::new(
        side.height,
        groups,
        Fraction {
            numerator: Extension::ZERO,
            denominator: Extension::ONE,
        },
    );
    for block in &side.blocks {
        let table = &argument.tables()[block.index];
        let keys: Vec<Base> = (0..1 << block.variables)
            .map(|entry| table.at(entry).0)
            .collect();
        let of_table = LeafBlock {
            first: 0,
            constant: fingerprint.of_table(block.index),
            keys: &keys,
            values: &argument.lifted[block.index],
        };
        let counts = Lanes::pack_slice(&multiplicities[block.index]);
        for (part, &count) in counts.iter().enumerate() {
            level.nodes.push([
                Wide::from(count),
                of_table.leaf(part, of_table.constant.into(), fingerprint.beta),
            ]);
        }
    }
    level.fill();
    PackedTree::new(level, None)
}

/// A tree whose upper levels are kept as elements, the others packed.
struct PackedTree<'a> {
    /// From the one above the leaves, or that of the leaves, upwards.
    levels: Vec<Level>,
    leaves: Option<Leaves<'a>>,
    top: Levels,
    state: State<'a>,
}

/// The layer that is being reduced.
enum State<'a> {
    Top,
    Scalar(ScalarLayer),
    Rows(Folding<2, Leaves<'a>>),
    Inner(Folding<4, Level>),
}

impl<'a> PackedTree<'a> {
    fn new(first: Level, leaves: Option<Leaves<'a>>) -> Self {
        let mut levels = vec![first];
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

impl Tree for PackedTree<'_> {
    fn begin(&mut self, point: &[Extension], lambda: Extension) {
        if point.len() < TOP {
            self.top.begin(point, lambda);
            self.state = State::Top;
            return;
        }
        self.state = match (self.levels.pop(), self.leaves.take()) {
            (Some(level), leaves) => {
                self.leaves = leaves;
                State::Inner(Folding::inner(level, point, lambda))
            }
            (None, Some(leaves)) => State::Rows(Folding::rows(leaves, point, lambda)),
            (None, None) => unreachable!("a tree has as many layers as levels"),
        };
    }

    fn round(&mut self) -> [Extension; 2] {
        match &mut self.state {
            State::Top => self.top.round(),
            State::Scalar(layer) => layer.round(),
            State::Rows(folding) => folding.sums(),
            State::Inner(folding) => folding.sums(),
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
            State::Rows(folding) => match folding.source.take() {
                Some(leaves) => folding.first_fold(&leaves, x),
                None => folding.fold(x),
            },
            State::Inner(folding) => match folding.source.take() {
                Some(level) => folding.first_fold(&level, x),
                None => folding.fold(x),
            },
        };
        if let Some(layer) = end {
            self.state = State::Scalar(layer);
        }
    }

    fn children(&mut self) -> Children {
        match &self.state {
            State::Top => self.top.layer.children(),
            State::Scalar(layer) => layer.children(),
            State::Rows(_) | State::Inner(_) => unreachable!("all variables are bound"),
        }
    }
}

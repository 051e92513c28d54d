//! What an opening consists of, and its bytes.
//!
//! Each length follows from the shape but the number of siblings, which is bounded by it. Elements
//! are canonical, and nothing may be left over: so an opening has one byte form.

use crate::leaves::{TreeOpening, TreeShape};
use crate::schedule::{Queries, Schedule};
use crate::shape::Shape;
use commitment::merkle::Digest;
use commitment::{Malformed, Reader, Writer};
use p3_field::PrimeCharacteristicRing;
use transcript::{BASE_BYTES, Base, DEGREE, Extension};

/// The two coefficients of a round polynomial that its claim does not fix: of X⁰ and of X².
pub(crate) type Round = [Extension; 2];

/// One later code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaterRound {
    pub(crate) root: Digest,
    pub(crate) answers: Vec<Extension>,
    pub(crate) work: Base,
    /// Leaves of the code before it: of each first tree, or of the one later tree.
    pub(crate) leaves: Vec<TreeOpening>,
    pub(crate) fold: Vec<Round>,
}

/// All that is sent after the first fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Later {
    pub(crate) rounds: Vec<LaterRound>,
    pub(crate) last: Vec<Extension>,
    pub(crate) work: Base,
    pub(crate) leaves: Vec<TreeOpening>,
    pub(crate) fold: Vec<Round>,
}

/// An opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The masks at the points that are drawn for them, one vector after another.
    pub(crate) masks: Vec<Extension>,
    /// The padded out-of-domain answers.
    pub(crate) samples: Vec<Extension>,
    pub(crate) fold: Vec<Round>,
    /// The claim's part in R.
    pub(crate) pad: Extension,
    pub(crate) tail: Vec<Extension>,
    pub(crate) later: Later,
}

fn encode_fold(name: &'static str, fold: &[Round], out: &mut Writer) {
    out.field(name);
    out.extensions(fold.as_flattened());
}

fn decode_fold(count: usize, input: &mut Reader<'_>) -> Result<Vec<Round>, Malformed> {
    input.fits(count, 2 * DEGREE * BASE_BYTES)?;
    (0..count)
        .map(|_| Ok([input.extension()?, input.extension()?]))
        .collect()
}

fn encode_work(queries: Queries, work: Base, out: &mut Writer) {
    if queries.work > 0 {
        out.field("opening: work");
        out.base(work);
    }
}

/// A witness of no work is not in the bytes.
fn decode_work(queries: Queries, input: &mut Reader<'_>) -> Result<Base, Malformed> {
    if queries.work > 0 {
        input.base()
    } else {
        Ok(Base::ZERO)
    }
}

impl Schedule {
    /// The trees of the codes, one after another: `first` are those of what is committed to.
    pub(crate) fn trees(&self, first: Vec<TreeShape>) -> Vec<Vec<TreeShape>> {
        let (mut trees, mut left) = (vec![first], self.rows);
        for round in &self.rounds {
            left -= round.fold;
            trees.push(vec![TreeShape {
                leaves: left + round.rate,
                width: DEGREE << round.fold,
            }]);
        }
        trees
    }
}

impl Later {
    fn encode(&self, schedule: &Schedule, out: &mut Writer) {
        for (round, parameters) in self.rounds.iter().zip(&schedule.rounds) {
            out.field("opening: root");
            out.bytes.extend_from_slice(&round.root);
            out.field("opening: answers");
            out.extensions(&round.answers);
            encode_work(parameters.queries, round.work, out);
            for leaves in &round.leaves {
                leaves.encode(out);
            }
            encode_fold("opening: fold", &round.fold, out);
        }
        out.field("opening: last polynomial");
        out.extensions(&self.last);
        encode_work(schedule.end, self.work, out);
        for leaves in &self.leaves {
            leaves.encode(out);
        }
        encode_fold("opening: last fold", &self.fold, out);
    }

    fn decode(
        schedule: &Schedule,
        first: Vec<TreeShape>,
        input: &mut Reader<'_>,
    ) -> Result<Self, Malformed> {
        let mut trees = schedule.trees(first).into_iter();
        let mut leaves = |queries: Queries, input: &mut Reader<'_>| {
            let of_code = trees.next().unwrap_or_default().into_iter();
            of_code
                .map(|tree| TreeOpening::decode(tree, queries.count, input))
                .collect::<Result<Vec<_>, _>>()
        };
        let mut rounds = Vec::with_capacity(schedule.rounds.len());
        for round in &schedule.rounds {
            rounds.push(LaterRound {
                root: input.array()?,
                answers: input.extensions(round.samples)?,
                work: decode_work(round.queries, input)?,
                leaves: leaves(round.queries, input)?,
                fold: decode_fold(round.fold, input)?,
            });
        }
        Ok(Self {
            rounds,
            last: input.extensions(1 << schedule.last())?,
            work: decode_work(schedule.end, input)?,
            leaves: leaves(schedule.end, input)?,
            fold: decode_fold(schedule.last(), input)?,
        })
    }
}

impl Opening {
    /// Appends the opening's bytes.
    pub fn encode(&self, shape: &Shape, out: &mut Writer) {
        out.field("opening: values of masks");
        out.extensions(&self.masks);
        if !self.samples.is_empty() {
            out.field("opening: padded answer");
            out.extensions(&self.samples);
        }
        encode_fold("opening: first fold", &self.fold, out);
        out.field("opening: claim of the pad");
        out.extensions(&[self.pad]);
        out.field("opening: tail");
        out.extensions(&self.tail);
        self.later.encode(&shape.schedule, out);
    }

    /// Reads an opening, whose every length follows from the shape.
    pub fn decode(shape: &Shape, input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            masks: input.extensions(shape.mask_values())?,
            samples: input.extensions(shape.samples())?,
            fold: decode_fold(shape.fold, input)?,
            pad: input.extension()?,
            tail: input.extensions(shape.tails)?,
            later: Later::decode(&shape.schedule, shape.trees(), input)?,
        })
    }
}

impl Shape {
    /// The trees of what is committed to.
    pub(crate) fn trees(&self) -> Vec<TreeShape> {
        let vectors = self.vectors.iter();
        vectors
            .map(|vector| TreeShape {
                leaves: self.leaves(),
                width: vector.leaf(),
            })
            .collect()
    }
}

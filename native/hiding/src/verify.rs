//! The verifier of an opening.

use crate::channel::{Channel, point};
use crate::later::{self, First, follow};
use crate::leaves::{combined, extensions, leaf_point};
use crate::opening::Opening;
use crate::rejection::Rejected;
use crate::shape::Shape;
#[cfg(any(test, feature = "audit"))]
use crate::shape::VectorShape;
use crate::statement::{Claim, Points};
use commitment::merkle::Digest;
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension, Site};

impl Shape {
    /// Checks that the vectors under these roots have the claimed sum. The transcript MUST have absorbed
    /// the roots before anything was drawn that the forms depend on.
    pub fn verify(
        &self,
        roots: &[Digest],
        claim: &Claim,
        opening: &Opening,
        channel: &mut impl Channel,
    ) -> Result<(), Rejected> {
        self.verify_seeing(roots, claim, opening, channel, |_, _| ())
    }

    /// The leaves of a vector that an opening shows: the point of each, and its elements but for salts. For
    /// tests of what can be learnt from them.
    #[cfg(any(test, feature = "audit"))]
    pub fn shown(
        &self,
        vector: usize,
        roots: &[Digest],
        claim: &Claim,
        opening: &Opening,
        channel: &mut impl Channel,
    ) -> Result<Vec<(Base, Vec<Base>)>, Rejected> {
        let seen = std::cell::RefCell::new(Vec::new());
        self.verify_seeing(roots, claim, opening, channel, |index, leaves| {
            let width = self.vectors.get(vector).map_or(0, VectorShape::width);
            let leaf = leaves.get(vector).and_then(|leaf| leaf.get(..width));
            let point = leaf_point(self.leaves(), index);
            seen.borrow_mut()
                .extend(leaf.map(|leaf| (point, leaf.to_vec())));
        })?;
        Ok(seen.into_inner())
    }

    /// Tells `see` each index that is opened, with the leaves of all trees.
    fn verify_seeing(
        &self,
        roots: &[Digest],
        claim: &Claim,
        opening: &Opening,
        channel: &mut impl Channel,
        see: impl Fn(usize, &[&[Base]]),
    ) -> Result<(), Rejected> {
        claim.check(self)?;
        if roots.len() != self.vectors.len() {
            return Err(Rejected::Roots(roots.len()));
        }
        if !self.fits(opening) {
            return Err(Rejected::Lengths);
        }
        claim.absorb(roots, channel);
        let masks = Points::of_masks(self, channel);
        channel.absorb(Site::OpeningMasks, &opening.masks);
        let mut samples = Vec::with_capacity(opening.samples.len());
        for &answer in &opening.samples {
            samples.push(point(channel, self.joint()));
            channel.absorb(Site::OpeningSample, &[answer]);
        }
        let batching = channel.challenge();
        let points = Points { masks, samples };
        let forms = points.joined(self, claim, batching);
        let answers = opening.masks.iter().chain(&opening.samples);
        let (mut power, mut total) = (batching, claim.value);
        for &answer in answers {
            total += power * answer;
            power *= batching;
        }

        let (folded, coordinates) = follow(total, &opening.fold, channel);
        channel.absorb(Site::OpeningPad, &[opening.pad]);
        let gamma = channel.challenge();
        channel.absorb(Site::OpeningTail, &opening.tail);
        let columns = self.column_weights(&coordinates);
        let value = |index: usize, leaves: &[&[Base]]| {
            see(index, leaves);
            let x = leaf_point(self.leaves(), index);
            let horner = |sum: Extension, &element: &Extension| sum * x + element;
            let tail = opening.tail.iter().rev().fold(Extension::ZERO, horner);
            let folds = columns.iter().zip(leaves);
            let fold: Extension = folds.map(|(weights, leaf)| combined(weights, leaf)).sum();
            self.pad_of(leaves) + gamma * fold - tail * x.exp_power_of_2(self.rows)
        };
        let first = First {
            trees: self.trees(),
            roots,
            value,
        };
        let weights = |rows: &[Extension]| {
            let point = [&coordinates[..], rows].concat();
            let forms = forms.iter().zip(&self.vectors);
            forms
                .map(|(form, vector)| {
                    let (own, slot) = self.part(vector, &point);
                    slot * form.at(vector, &own)
                })
                .sum()
        };
        let claim = opening.pad + gamma * folded;
        later::verify(
            &self.schedule,
            claim,
            &opening.later,
            &first,
            weights,
            channel,
        )
    }

    /// R at a leaf: the elements after the fresh vector's own.
    fn pad_of(&self, leaves: &[&[Base]]) -> Extension {
        let (Some(fresh), Some(leaf)) = (self.vectors.first(), leaves.first()) else {
            return Extension::ZERO;
        };
        let coefficients = leaf.get(fresh.width()..fresh.coded()).unwrap_or_default();
        extensions(coefficients)
            .first()
            .copied()
            .unwrap_or_default()
    }

    /// Whether all of it that comes before the later codes is there, and nothing else.
    fn fits(&self, opening: &Opening) -> bool {
        opening.masks.len() == self.mask_values()
            && opening.samples.len() == self.samples()
            && opening.fold.len() == self.fold
            && opening.tail.len() == self.tails
    }
}

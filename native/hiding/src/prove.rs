//! The prover of an opening.

use crate::channel::{Channel, point};
use crate::commit::Committed;
use crate::form::LinearForm;
use crate::head::{self, Folded, Known};
use crate::later;
use crate::leaves::combined;
use crate::opening::Opening;
use crate::shape::{Shape, VectorShape};
use crate::statement::{Claim, ClaimError, Points, add_mask, add_sample};
use commitment::merkle::Digest;
use p3_field::PrimeCharacteristicRing;
use sumcheck::dot;
use transcript::{Extension, Site};

/// An opening that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// The claim is not about the vectors.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// There is not one commitment for each vector, or one is of another shape.
    #[error("vector {0} is missing or was committed to with another shape")]
    Vector(usize),
}

impl Shape {
    /// Opens the vectors for one claim. The fresh one is used up: two openings of it would show the
    /// difference of two folds under one R.
    pub fn prove(
        &self,
        fresh: Committed,
        others: &[&Committed],
        claim: &Claim,
        channel: &mut impl Channel,
    ) -> Result<Opening, ProveError> {
        let vectors = [&[&fresh], others].concat();
        let opening = self.open(&vectors, claim, channel);
        drop(fresh);
        opening
    }

    /// Opens a fresh vector that may have been opened before: for tests.
    #[cfg(any(test, feature = "audit"))]
    pub fn prove_again(
        &self,
        vectors: &[&Committed],
        claim: &Claim,
        channel: &mut impl Channel,
    ) -> Result<Opening, ProveError> {
        self.open(vectors, claim, channel)
    }

    fn open(
        &self,
        vectors: &[&Committed],
        claim: &Claim,
        channel: &mut impl Channel,
    ) -> Result<Opening, ProveError> {
        claim.check(self)?;
        let count = vectors.len().max(self.vectors.len());
        for index in 0..count {
            match (vectors.get(index), self.vectors.get(index)) {
                (Some(vector), Some(shape)) if self.committed(shape, vector) => {}
                _ => return Err(ProveError::Vector(index)),
            }
        }
        let roots: Vec<Digest> = vectors.iter().map(|vector| vector.root()).collect();
        claim.absorb(&roots, channel);

        let (points, masks, samples, known) = self.answer(vectors, channel);
        let forms = points.joined(self, claim, channel.challenge());
        let Folded {
            rounds,
            point: coordinates,
            values: folded,
            weights,
        } = head::fold(self, vectors, &forms, known, channel);

        let fresh = vectors.first().map_or(&[][..], |fresh| &fresh.pad);
        let (pads, tail_pads) = fresh.split_at(1 << self.rows);
        let pad = dot(&weights, pads);
        channel.absorb(Site::OpeningPad, &[pad]);
        let gamma = channel.challenge();
        let padded = |pads: &[Extension], values: &[Extension]| -> Vec<Extension> {
            let both = pads.iter().zip(values);
            both.map(|(&pad, &value)| pad + gamma * value).collect()
        };
        let tail = padded(tail_pads, &self.folded_tail(vectors, &coordinates));
        channel.absorb(Site::OpeningTail, &tail);
        let open = |indices: &[usize]| {
            let vectors = vectors.iter();
            vectors.map(|vector| vector.code.open(indices)).collect()
        };
        let whole = padded(pads, &folded);
        let later = later::prove(&self.schedule, whole, weights, open, channel);
        Ok(Opening {
            masks,
            samples,
            fold: rounds,
            pad,
            tail,
            later,
        })
    }

    /// Whether a vector is committed to as the shape says.
    fn committed(&self, shape: &VectorShape, vector: &Committed) -> bool {
        let pads = (1 << self.rows) + self.tails;
        let columns = vector.columns.iter().map(Vec::len);
        columns.eq(shape.columns.iter().map(|place| 1 << place.variables))
            && vector.code.has(self.leaves(), shape.leaf())
            && vector.tail.len() == shape.tails * shape.width()
            && vector.pad.len() == if shape.fresh() { pads } else { 0 }
    }

    /// Draws the points of the mask block and of the answers, and answers.
    fn answer(
        &self,
        vectors: &[&Committed],
        channel: &mut impl Channel,
    ) -> (Points, Vec<Extension>, Vec<Extension>, Known) {
        let points = Points::of_masks(self, channel);
        let mut known: Known = vec![Vec::new(); self.vectors.len()];
        let of = |(index, at): (usize, &Vec<Extension>)| {
            let index = index / self.mask_claims.max(1);
            self.mask_at(vectors, index, at, &mut known)
        };
        let masks: Vec<Extension> = points.iter().enumerate().map(of).collect();
        channel.absorb(Site::OpeningMasks, &masks);
        let (mut at, mut samples) = (Vec::new(), Vec::new());
        for index in 0..self.samples() {
            let point = point(channel, self.joint());
            let mut forms = vec![LinearForm::new(); self.vectors.len()];
            add_sample(&mut forms, self, index, &point, Extension::ONE);
            let all = forms.iter().zip(&self.vectors).zip(vectors);
            let answer = all
                .zip(&mut known)
                .map(|(((form, shape), vector), known)| head::value(shape, vector, form, known))
                .sum();
            channel.absorb(Site::OpeningSample, &[answer]);
            at.push(point);
            samples.push(answer);
        }
        let points = Points {
            masks: points,
            samples: at,
        };
        (points, masks, samples, known)
    }

    /// The mask of a vector at a point.
    fn mask_at(
        &self,
        vectors: &[&Committed],
        index: usize,
        point: &[Extension],
        known: &mut Known,
    ) -> Extension {
        let (Some(vector), Some(shape), Some(known)) = (
            vectors.get(index),
            self.vectors.get(index),
            known.get_mut(index),
        ) else {
            return Extension::ZERO;
        };
        let mut form = LinearForm::new();
        add_mask(&mut form, shape, point, Extension::ONE);
        head::value(shape, vector, &form, known)
    }

    /// The tail of the fold of all vectors.
    fn folded_tail(&self, vectors: &[&Committed], coordinates: &[Extension]) -> Vec<Extension> {
        let mut tail = vec![Extension::ZERO; self.tails];
        for (vector, weights) in vectors.iter().zip(self.column_weights(coordinates)) {
            let rows = vector.tail.chunks_exact(weights.len());
            for (sum, row) in tail.iter_mut().zip(rows) {
                *sum += combined(&weights, row);
            }
        }
        tail
    }
}

//! Forgeries of false claims, each by a message that is chosen after a challenge that it should precede.
//!
//! Each of them is accepted where both sides leave the message out of the transcript, so that it really
//! forges, and rejected where it is absorbed: that is what absorbing it is for.

use super::stream;
use crate::channel::Channel;
use crate::commit::Committed;
use crate::form::LinearForm;
use crate::head::{self, Folded};
use crate::later;
use crate::leaves::{combined, leaf_point};
use crate::opening::Opening;
use crate::shape::{Shape, Vector, VectorShape};
use crate::statement::{Claim, Points};
use commitment::Profile;
use commitment::merkle::Digest;
use p3_field::{Field, PrimeCharacteristicRing};
use std::cell::RefCell;
use transcript::{Base, Extension, Site, Transcript};

/// A transcript that remembers what was drawn.
struct Recorder {
    transcript: Transcript,
    challenges: Vec<Extension>,
}

impl Recorder {
    fn new(transcript: Transcript) -> Self {
        Self {
            transcript,
            challenges: Vec::new(),
        }
    }
}

impl Channel for Recorder {
    fn absorb(&mut self, site: Site, elements: &[Extension]) {
        self.transcript.absorb_elements(site, elements);
    }

    fn absorb_roots(&mut self, site: Site, roots: &[Digest], elements: &[Extension]) {
        self.transcript.absorb_roots(site, roots, elements);
    }

    fn challenge(&mut self) -> Extension {
        let challenge = self.transcript.challenge();
        self.challenges.push(challenge);
        challenge
    }

    fn index(&mut self, bits: usize) -> usize {
        self.transcript.index(bits)
    }

    fn work(&mut self, bits: usize) -> Base {
        self.transcript.work(bits)
    }

    fn worked(&mut self, bits: usize, witness: Base) -> bool {
        self.transcript.worked(bits, witness)
    }
}

struct Case {
    shape: Shape,
    vectors: Vec<Committed>,
    /// One more than the truth.
    lie: Claim,
}

impl Case {
    fn new() -> Self {
        let other = Vector {
            columns: vec![10, 9],
            openings: 1,
            sampled: true,
        };
        let shape = Shape::new(&[10, 9], &[other], Profile::Default).unwrap();
        let mut coins = stream(4);
        let mut value = Extension::ONE;
        let (mut vectors, mut forms) = (Vec::new(), Vec::new());
        for index in 0..2 {
            let columns = [coins.bases(1 << 10), coins.bases(1 << 9)];
            let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
            let vector = shape.commit(index, &columns, &mut coins).unwrap();
            let mut form = LinearForm::new();
            form.add_point(0, coins.extensions(10), Extension::ONE);
            form.add_cells(1, 7, coins.extensions(50));
            value += head::value(&shape.vectors[index], &vector, &form, &mut Vec::new());
            vectors.push(vector);
            forms.push(form);
        }
        let lie = Claim { forms, value };
        Self {
            shape,
            vectors,
            lie,
        }
    }

    /// What the honest prover sends for the lie, and all that was drawn.
    fn open(&self, transcript: Transcript) -> (Opening, Vec<Extension>) {
        let vectors: Vec<&Committed> = self.vectors.iter().collect();
        let mut channel = Recorder::new(transcript);
        let opening = self.shape.prove_again(&vectors, &self.lie, &mut channel);
        (opening.unwrap(), channel.challenges)
    }

    fn accepts(&self, opening: &Opening, mut transcript: Transcript) -> bool {
        let roots: Vec<Digest> = self.vectors.iter().map(Committed::root).collect();
        self.shape
            .verify(&roots, &self.lie, opening, &mut transcript)
            .is_ok()
    }

    /// Challenges before the one that batches claims.
    fn before_batching(&self) -> usize {
        let masks = self.shape.vectors.iter();
        let masks: usize = masks.map(VectorShape::mask_variables).sum();
        masks * self.shape.mask_claims + self.shape.joint() * self.shape.samples()
    }

    /// Makes a forgery without a site and with it.
    fn forges(&self, site: Site, forge: impl Fn(&Self, Transcript) -> Opening) {
        let without = || Transcript::without(site);
        assert!(!self.accepts(&self.open(without()).0, without()));
        assert!(self.accepts(&forge(self, without()), without()), "{site:?}");
        let with = Transcript::new;
        assert!(!self.accepts(&forge(self, with()), with()), "{site:?}");
    }
}

#[test]
fn a_value_of_a_mask_that_is_chosen_after_the_batching_forges() {
    Case::new().forges(Site::OpeningMasks, |case, transcript| {
        let (mut opening, challenges) = case.open(transcript);
        let batching = challenges[case.before_batching()];
        opening.masks[0] -= batching.inverse();
        opening
    });
}

#[test]
fn an_answer_that_is_chosen_after_the_batching_forges() {
    Case::new().forges(Site::OpeningSample, |case, transcript| {
        let (mut opening, challenges) = case.open(transcript);
        let batching = challenges[case.before_batching()];
        let power = batching.exp_u64(1 + opening.masks.len() as u64);
        opening.samples[0] -= power.inverse();
        opening
    });
}

#[test]
fn a_round_that_is_chosen_after_its_challenge_forges() {
    Case::new().forges(Site::OpeningRound, |case, transcript| {
        let (mut opening, challenges) = case.open(transcript);
        let x = challenges[case.before_batching() + 1];
        // The claim after the round is too large by x, and by 1 − 2x for each unit of h(0).
        opening.fold[0][0] -= x * (Extension::ONE - x.double()).inverse();
        opening
    });
}

#[test]
fn a_claim_of_the_pad_that_is_chosen_after_gamma_forges() {
    Case::new().forges(Site::OpeningPad, |case, transcript| {
        let (mut opening, challenges) = case.open(transcript);
        let rounds = &challenges[case.before_batching() + 1..][..case.shape.fold];
        let excess: Extension = rounds.iter().copied().product();
        let gamma = challenges[case.before_batching() + 1 + case.shape.fold];
        opening.pad -= gamma * excess;
        opening
    });
}

/// The coefficients below X^n of a polynomial with these n values.
fn interpolated(points: &[(Base, Extension)]) -> Vec<Extension> {
    let mut coefficients = vec![Extension::ZERO; points.len()];
    for (index, &(x, value)) in points.iter().enumerate() {
        // Π over the others of (X − other) / (x − other), from the lowest coefficient up.
        let mut product = vec![Base::ONE];
        let mut scale = Base::ONE;
        for (at, &(other, _)) in points.iter().enumerate() {
            if at != index {
                scale *= x - other;
                let mut next = vec![Base::ZERO; product.len() + 1];
                for (degree, &coefficient) in product.iter().enumerate() {
                    next[degree] -= coefficient * other;
                    next[degree + 1] += coefficient;
                }
                product = next;
            }
        }
        let scale = value * scale.inverse();
        for (sum, coefficient) in coefficients.iter_mut().zip(product) {
            *sum += scale * coefficient;
        }
    }
    coefficients
}

#[test]
fn a_tail_that_is_chosen_after_the_queries_forges() {
    Case::new().forges(Site::OpeningTail, |case, transcript| {
        let shape = &case.shape;
        let (opening, challenges) = case.open(transcript.clone());
        // The same again, up to the padded vector, of which one element is then changed so that the lie is true.
        let mut channel = Recorder::new(transcript);
        let vectors: Vec<&Committed> = case.vectors.iter().collect();
        let roots: Vec<Digest> = case.vectors.iter().map(Committed::root).collect();
        case.lie.absorb(&roots, &mut channel);
        let masks = Points::of_masks(shape, &mut channel);
        channel.absorb(Site::OpeningMasks, &opening.masks);
        let sample = crate::channel::point(&mut channel, shape.joint());
        channel.absorb(Site::OpeningSample, &opening.samples);
        let points = Points {
            masks,
            samples: vec![sample],
        };
        let forms = points.joined(shape, &case.lie, channel.challenge());
        let Folded {
            point,
            values,
            weights,
            ..
        } = head::fold(shape, &vectors, &forms, Vec::new(), &mut channel);
        channel.absorb(Site::OpeningPad, &[opening.pad]);
        let gamma = channel.challenge();
        assert_eq!(gamma, challenges[channel.challenges.len() - 1]);
        channel.absorb(Site::OpeningTail, &opening.tail);
        let pads = &case.vectors[0].pad;
        let mut padded: Vec<Extension> = pads
            .iter()
            .zip(&values)
            .map(|(&pad, &value)| pad + gamma * value)
            .collect();
        let excess: Extension = point.iter().copied().product();
        padded[5] += gamma * excess * weights[5].inverse();
        assert_eq!(padded.len(), weights.len());
        let queried = RefCell::new(Vec::new());
        let open = |indices: &[usize]| {
            *queried.borrow_mut() = indices.to_vec();
            vectors
                .iter()
                .map(|vector| vector.code.open(indices))
                .collect()
        };
        let liar = padded.clone();
        let later = later::prove(&shape.schedule, padded, weights, open, &mut channel);
        // The tail that makes it right wherever it is looked at.
        let mut indices = queried.into_inner();
        indices.sort_unstable();
        indices.dedup();
        let of_columns = shape.column_weights(&point);
        let points: Vec<(Base, Extension)> = indices
            .iter()
            .map(|&index| {
                let x = leaf_point(shape.leaves(), index);
                let leaves = vectors.iter().map(|vector| vector.code.open(&[index]).rows);
                let leaves: Vec<Vec<Vec<Base>>> = leaves.collect();
                let both = of_columns.iter().zip(&leaves);
                let fold: Extension = both
                    .map(|(weights, rows)| combined(weights, &rows[0]))
                    .sum();
                let fresh = &shape.vectors[0];
                let of_pad = &leaves[0][0][fresh.width()..fresh.coded()];
                let word = crate::leaves::extensions(of_pad)[0] + gamma * fold;
                let powers = x.powers().collect_n(liar.len());
                let value = combined(&liar, &powers);
                let shift = x.exp_power_of_2(shape.rows).inverse();
                (x, (word - value) * shift)
            })
            .collect();
        let mut tail = interpolated(&points);
        tail.resize(shape.tails, Extension::ZERO);
        Opening {
            tail,
            later,
            ..opening
        }
    });
}

//! A simulator: openings from the claim alone, with a programmed transcript.
//!
//! It knows shape, forms and value, and neither vectors nor masks. Where an opening sends something
//! masked it sends something uniform; what the verifier's checks fix it solves for. That its distribution
//! is the prover's is what the rank test says. A vector that is committed to for several openings is
//! simulated before them, since challenges are programmed, and so it is known which leaves will be opened.

use crate::channel::{Channel, indices, point, spread_point};
use crate::later::{self, follow};
use crate::leaves::{TreeOpening, combined, leaf_digest, leaf_point};
use crate::opening::{Opening, Round};
use crate::randomness::Randomness;
use crate::shape::Shape;
use crate::statement::{Claim, Points, table};
use commitment::merkle::{Digest, MerkleTree};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use std::cell::RefCell;
use std::collections::BTreeMap;
use sumcheck::{dot, equality, powers};
use transcript::{Base, Extension, Site};

/// A commitment to no vector: some leaves, and digests of nothing in all other places.
pub struct Simulated {
    leaves: BTreeMap<usize, Vec<Base>>,
    tree: MerkleTree,
}

impl Simulated {
    /// The root.
    pub fn root(&self) -> Digest {
        self.tree.root()
    }

    fn open(&self, indices: &[usize]) -> TreeOpening {
        let rows = indices.iter().map(|index| self.leaves.get(index).cloned());
        TreeOpening {
            rows: rows.map(Option::unwrap_or_default).collect(),
            siblings: self.tree.siblings(indices),
        }
    }
}

fn digest(coins: &mut Randomness) -> Digest {
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(coins.bases(8)) {
        bytes.copy_from_slice(&word.as_canonical_u32().to_le_bytes());
    }
    // A field element has no highest bit; what is drawn for nothing else gives it.
    for (at, word) in coins.bases(8).into_iter().enumerate() {
        digest[4 * at + 3] |= ((word.as_canonical_u32() & 1) << 7) as u8;
    }
    digest
}

impl Shape {
    /// The leaves of the first codes that an opening shows whose first challenge is the channel's next,
    /// whatever it sends, where challenges are programmed.
    pub fn opened(&self, channel: &mut impl Channel) -> Vec<usize> {
        let _ = Points::of_masks(self, channel);
        let samples = self.samples() * self.joint();
        // The answers' points, the batching, the rounds of the fold, and γ.
        let _ = point(channel, samples + 1 + self.fold + 1);
        let first = self.schedule.rounds.first();
        for _ in 0..first.map_or(0, |round| round.samples) {
            let _ = spread_point(channel, self.rows);
        }
        let queries = first.map_or(self.schedule.end, |round| round.queries);
        let _ = channel.work(queries.work);
        indices(channel, queries.count, self.leaves())
    }

    /// A commitment to no vector of this number that can be opened at these places.
    pub fn simulated(&self, vector: usize, opened: &[usize], coins: &mut Randomness) -> Simulated {
        let width = self.vectors[vector].leaf();
        let leaves = opened.iter().map(|&index| (index, coins.bases(width)));
        self.simulated_with(leaves.collect(), coins)
    }

    fn simulated_with(
        &self,
        leaves: BTreeMap<usize, Vec<Base>>,
        coins: &mut Randomness,
    ) -> Simulated {
        let function = self.schedule.hash;
        let mut digests: Vec<Digest> = (0..1_usize << self.leaves())
            .map(|_| digest(coins))
            .collect();
        for (&index, leaf) in &leaves {
            digests[index] = leaf_digest(function, leaf);
        }
        Simulated {
            leaves,
            tree: MerkleTree::new(function, digests),
        }
    }

    /// An opening of the claim, and the root of the fresh vector. `others` stand for the vectors beside
    /// it, and MUST have all leaves that are opened.
    pub fn simulate(
        &self,
        others: &[&Simulated],
        claim: &Claim,
        channel: &mut impl Channel,
        coins: &mut Randomness,
    ) -> (Digest, Opening) {
        let masks = coins.extensions(self.mask_values());
        let samples = coins.extensions(self.samples());
        let fold = coins.extensions(2 * self.fold);
        let fold: Vec<Round> = fold
            .chunks_exact(2)
            .map(|pair| [pair[0], pair[1]])
            .collect();

        let of_masks = Points::of_masks(self, channel);
        let of_samples = samples.iter().map(|_| point(channel, self.joint()));
        let points = Points {
            masks: of_masks,
            samples: of_samples.collect(),
        };
        let batching = channel.challenge();
        let values = [&[claim.value][..], &masks, &samples].concat();
        let total = dot(&powers(batching, values.len()), &values);
        let (folded, coordinates) = follow(total, &fold, channel);
        let gamma = channel.challenge();

        let rows = 1 << self.rows;
        let forms = points.joined(self, claim, batching);
        let columns = equality(&coordinates, 1 << self.fold);
        let whole = table(self, &forms);
        let mut weights = vec![Extension::ZERO; rows];
        for (&scale, of_column) in columns.iter().zip(whole.chunks_exact(rows)) {
            for (sum, &weight) in weights.iter_mut().zip(of_column) {
                *sum += scale * weight;
            }
        }
        let vector = coins.extensions(rows);
        let tail = coins.extensions(self.tails);
        let pad = dot(&vector, &weights) - gamma * folded;
        channel.absorb(Site::OpeningPad, &[pad]);

        // Opened leaves are uniform but for R, which is what the vector makes it there.
        let coefficients = [&vector[..], &tail].concat();
        let of_columns = self.column_weights(&coordinates);
        let root = RefCell::new(None);
        let coins = RefCell::new(coins);
        let open = |indices: &[usize]| -> Vec<TreeOpening> {
            let mut coins = coins.borrow_mut();
            let mut leaves = BTreeMap::new();
            for &index in indices {
                leaves.entry(index).or_insert_with(|| {
                    let x = leaf_point(self.leaves(), index);
                    let value = coefficients.iter().rev();
                    let value = value.fold(Extension::ZERO, |sum, &element| sum * x + element);
                    let mut own = coins.bases(self.vectors[0].leaf());
                    let of_others = others.iter().filter_map(|other| other.leaves.get(&index));
                    let all = std::iter::once(&own).chain(of_others);
                    let fold = of_columns.iter().zip(all);
                    let fold: Extension = fold.map(|(w, leaf)| combined(w, leaf)).sum();
                    let of_pad = value - gamma * fold;
                    let limbs: &[Base] = of_pad.as_basis_coefficients_slice();
                    let fresh = &self.vectors[0];
                    own[fresh.width()..fresh.coded()].copy_from_slice(limbs);
                    own
                });
            }
            let fresh = self.simulated_with(leaves, &mut coins);
            *root.borrow_mut() = Some(fresh.root());
            let all = std::iter::once(&fresh).chain(others.iter().copied());
            all.map(|tree| tree.open(indices)).collect()
        };
        let later = later::prove(&self.schedule, vector, weights, open, channel);
        let opening = Opening {
            masks,
            samples,
            fold,
            pad,
            tail,
            later,
        };
        (root.into_inner().unwrap_or_default(), opening)
    }
}

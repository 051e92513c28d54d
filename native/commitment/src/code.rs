//! The code of the stack and the tree over its rows, of which only a part is kept.
//!
//! The message is a matrix: each column holds the coefficients of a polynomial, and row i of the
//! code is all of them at g^i, where g generates a domain that is 2^rate times as long as the
//! message. The domain is made of 2^rate cosets of the domain as long as the message: row
//! i = coset + 2^rate · j belongs to coset i mod 2^rate. The code is made and hashed one coset after
//! another. The first ones are kept; a row of the others is computed from the weights when an
//! opening asks for it. Digests are kept for all rows.

use crate::Transform;
use crate::merkle::{Digest, MerkleTree};
use crate::stack::Stack;
use p3_dft::TwoAdicSubgroupDft;
use p3_field::{PrimeCharacteristicRing, TwoAdicField};
use p3_matrix::Matrix;
use p3_matrix::dense::RowMajorMatrix;
use p3_symmetric::CryptographicHasher;
use std::sync::Arc;
use transcript::{Base, HashFunction};

/// Bytes of code and digests for each weight, and in any case, that are kept at most. A process that
/// proves may take 20 and 64 million; the others are for the program, for weights, and for a proof in
/// the making.
const KEPT_BYTES_PER_WEIGHT: usize = 12;
const KEPT_BYTES: usize = 24_000_000;

/// Cosets to keep of the code of `weights` weights in a stack of `variables` variables, of which the
/// first fold takes `fold`.
pub(crate) fn cosets_to_keep(weights: usize, variables: usize, rate: usize, fold: usize) -> usize {
    // Of the tree all are kept, and it has about two for each row.
    let digests = (2 * size_of::<Digest>()) << (variables + rate - fold);
    let room = (KEPT_BYTES_PER_WEIGHT * weights + KEPT_BYTES).saturating_sub(digests);
    let cosets = room / (size_of::<Base>() << variables);
    match cosets.min(1 << rate) {
        0 => 0,
        // A fraction that halves: what does not fit is far from the limit.
        cosets => 1 << cosets.ilog2(),
    }
}

/// The code of a stack.
pub(crate) struct Code {
    /// What rows that are not kept are computed from.
    stack: Arc<Stack>,
    /// log2 of the number of rows.
    variables: usize,
    rate: usize,
    /// The rows of the first cosets, one coset after another.
    kept: Vec<RowMajorMatrix<Base>>,
    /// The tree over the rows.
    tree: MerkleTree,
}

impl Code {
    /// Makes the code of a stack at 2^`rate` times its length, and keeps `kept` of its cosets.
    pub(crate) fn new(
        stack: Arc<Stack>,
        rate: usize,
        kept: usize,
        transform: &Transform,
        hash: &impl CryptographicHasher<Base, Digest>,
    ) -> Self {
        let variables = stack.height().ilog2() as usize + rate;
        let mut held = Vec::with_capacity(kept);
        let mut leaves = vec![Digest::default(); stack.height() << rate];
        let mut digests = vec![Digest::default(); stack.height()];
        let mut buffer = Vec::new();
        // Those that are not kept come first: their room is there for the others.
        for coset in (0..1 << rate).rev() {
            stack.write_message(point(variables, coset), &mut buffer);
            let coefficients = RowMajorMatrix::new(buffer, stack.width());
            let rows = transform.dft_batch(coefficients);
            hash.hash_many(&rows.values, &mut digests);
            let places = leaves[coset..].iter_mut().step_by(1 << rate);
            for (leaf, &digest) in places.zip(&digests) {
                *leaf = digest;
            }
            buffer = if coset < kept {
                held.push(rows);
                Vec::new()
            } else {
                rows.values
            };
        }
        held.reverse();
        Self {
            stack,
            variables,
            rate,
            kept: held,
            tree: MerkleTree::new(HashFunction::Blake3, leaves),
        }
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Digest {
        self.tree.root()
    }

    /// A row that is kept.
    fn kept(&self, row: usize) -> Option<Vec<Base>> {
        let coset = self.kept.get(row & ((1 << self.rate) - 1))?;
        Some(coset.row_slice(row >> self.rate)?.to_vec())
    }

    /// The rows of these indices, of which some may be equal.
    pub(crate) fn rows(&self, indices: &[usize]) -> Vec<Vec<Base>> {
        let mut rows: Vec<_> = indices.iter().map(|&index| self.kept(index)).collect();
        let missing = indices.iter().zip(&rows);
        let missing = missing.filter(|(_, row)| row.is_none());
        let mut missing: Vec<usize> = missing.map(|(&index, _)| index).collect();
        missing.sort_unstable();
        missing.dedup();
        let points: Vec<Base> = missing
            .iter()
            .map(|&index| point(self.variables, index))
            .collect();
        let computed = self.stack.rows_at(&points);
        for (row, index) in rows.iter_mut().zip(indices) {
            if let Ok(place) = missing.binary_search(index) {
                *row = Some(computed[place].clone());
            }
        }
        rows.into_iter().flatten().collect()
    }

    /// The digests that lead from the rows of these indices to the root and do not follow from
    /// them: from the leaves up, from left to right.
    pub(crate) fn siblings(&self, indices: &[usize]) -> Vec<Digest> {
        self.tree.siblings(indices)
    }
}

/// The point of a row in a domain of 2^`variables`.
fn point(variables: usize, row: usize) -> Base {
    Base::two_adic_generator(variables).exp_u64(row as u64)
}

#[cfg(test)]
mod tests;

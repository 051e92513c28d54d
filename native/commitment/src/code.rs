//! The code of the stack and the tree over its rows, of which only a part is kept.
//!
//! The message is a matrix: each column holds the coefficients of a polynomial, and row i of the
//! code is all of them at g^i, where g generates a domain that is 2^rate times as long as the
//! message. The domain is made of 2^rate cosets of the domain as long as the message: row
//! i = coset + 2^rate · j belongs to coset i mod 2^rate. The code is made and hashed one coset after
//! another. The first ones are kept; a row of the others is computed from the weights when an
//! opening asks for it. Digests are kept for all rows.

use crate::Transform;
use crate::stack::Stack;
use p3_blake3::Blake3;
use p3_dft::TwoAdicSubgroupDft;
use p3_field::{PrimeCharacteristicRing, TwoAdicField};
use p3_matrix::Matrix;
use p3_matrix::dense::RowMajorMatrix;
use p3_symmetric::CryptographicHasher;
use std::sync::Arc;
use transcript::Base;

/// The digest of a row or of two digests.
pub(crate) type Digest = [u8; 32];

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
    /// What rows that are not kept are computed from; nothing where all are kept.
    stack: Option<Arc<Stack>>,
    /// log2 of the number of rows.
    variables: usize,
    rate: usize,
    /// The rows of the first cosets, one coset after another.
    kept: Vec<RowMajorMatrix<Base>>,
    /// Digests of the rows, of pairs of these, and so on up to the root.
    layers: Vec<Vec<Digest>>,
}

/// A matrix of coefficients that a code is made of.
pub(crate) struct Message<W> {
    /// Rows, a power of two.
    pub(crate) height: usize,
    /// Columns.
    pub(crate) width: usize,
    /// Writes the matrix, row i multiplied by the i-th power of an element.
    pub(crate) write: W,
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
        let message = Message {
            height: stack.height(),
            width: stack.width(),
            write: |shift, buffer: &mut _| stack.write_message(shift, buffer),
        };
        let code = Self::make(&message, rate, kept, transform, hash);
        Self {
            stack: Some(stack),
            ..code
        }
    }

    /// Makes a code of which all is kept.
    pub(crate) fn whole(
        message: &Message<impl Fn(Base, &mut Vec<Base>)>,
        rate: usize,
        transform: &Transform,
        hash: &impl CryptographicHasher<Base, Digest>,
    ) -> Self {
        Self::make(message, rate, 1 << rate, transform, hash)
    }

    fn make(
        message: &Message<impl Fn(Base, &mut Vec<Base>)>,
        rate: usize,
        kept: usize,
        transform: &Transform,
        hash: &impl CryptographicHasher<Base, Digest>,
    ) -> Self {
        let mut code = Self {
            stack: None,
            variables: message.height.ilog2() as usize + rate,
            rate,
            kept: Vec::with_capacity(kept),
            layers: Vec::new(),
        };
        let mut leaves = vec![Digest::default(); message.height << rate];
        let mut digests = vec![Digest::default(); message.height];
        let mut buffer = Vec::new();
        // Those that are not kept come first: their room is there for the others.
        for coset in (0..1 << rate).rev() {
            (message.write)(code.point(coset), &mut buffer);
            let coefficients = RowMajorMatrix::new(buffer, message.width);
            let rows = transform.dft_batch(coefficients);
            hash.hash_many(&rows.values, &mut digests);
            let places = leaves[coset..].iter_mut().step_by(1 << rate);
            for (leaf, &digest) in places.zip(&digests) {
                *leaf = digest;
            }
            buffer = if coset < kept {
                code.kept.push(rows);
                Vec::new()
            } else {
                rows.values
            };
        }
        code.kept.reverse();
        code.layers = layers(leaves);
        code
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Digest {
        self.layers[self.layers.len() - 1][0]
    }

    /// The point of a row.
    fn point(&self, row: usize) -> Base {
        Base::two_adic_generator(self.variables).exp_u64(row as u64)
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
        let points: Vec<Base> = missing.iter().map(|&index| self.point(index)).collect();
        let computed = self.stack.as_ref().map(|stack| stack.rows_at(&points));
        for (row, index) in rows.iter_mut().zip(indices) {
            if let Ok(place) = missing.binary_search(index) {
                *row = computed.as_ref().map(|computed| computed[place].clone());
            }
        }
        rows.into_iter().flatten().collect()
    }

    /// The digests that lead from the rows of these indices to the root and do not follow from
    /// them: from the leaves up, from left to right.
    pub(crate) fn siblings(&self, indices: &[usize]) -> Vec<Digest> {
        let mut siblings = Vec::new();
        let mut nodes = indices.to_vec();
        nodes.sort_unstable();
        nodes.dedup();
        for layer in &self.layers[..self.layers.len() - 1] {
            let mut parents = Vec::with_capacity(nodes.len());
            let mut nodes_left = nodes.iter().peekable();
            while let Some(&node) = nodes_left.next() {
                if nodes_left.next_if(|&&next| next == node ^ 1).is_none() {
                    siblings.push(layer[node ^ 1]);
                }
                parents.push(node >> 1);
            }
            nodes = parents;
        }
        siblings
    }
}

/// The layers of a tree over a power of two of leaves.
fn layers(leaves: Vec<Digest>) -> Vec<Vec<Digest>> {
    let mut layers = vec![leaves];
    while let Some(below) = layers.last().filter(|layer| layer.len() > 1) {
        let mut layer = vec![Digest::default(); below.len() / 2];
        Blake3.hash_many(below.as_flattened(), &mut layer);
        layers.push(layer);
    }
    layers
}

#[cfg(test)]
mod tests;

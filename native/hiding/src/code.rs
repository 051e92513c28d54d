//! Codes and the trees over their rows.
//!
//! The message is a matrix of N rows; column c of the code is the polynomial
//!
//! ```text
//! Σ_{i<N} M[i][c]·X^i + X^N · Σ_s tail[s][c]·X^s
//! ```
//!
//! at all powers of a generator g of a domain of N·2^rate points. It is made one coset of the domain
//! of N points after another: with w = g^coset, row i is multiplied by w^i, and since the coset's own points
//! have the N-th power 1, row s of the tail, times w^(N+s), adds to row s mod N. So tails cost no
//! transform. A leaf is the hash of a row of the code and of its salts.

use crate::leaves::TreeOpening;
use commitment::merkle::{Digest, MerkleTree};
use p3_dft::{Radix2DFTSmallBatch, TwoAdicSubgroupDft};
use p3_field::{
    BasedVectorSpace, PrimeCharacteristicRing, TwoAdicField, add_scaled_slice_in_place,
    scale_slice_in_place_single_core,
};
use p3_matrix::dense::RowMajorMatrix;
use transcript::{Base, DEGREE, Extension, HashFunction};

/// What a code is made of.
pub(crate) struct Message<'a> {
    /// log N.
    pub(crate) rows: usize,
    /// Elements of a row.
    pub(crate) width: usize,
    /// The message row by row.
    pub(crate) values: &'a [Base],
    /// Tail rows.
    pub(crate) tail: &'a [Base],
    /// Salts of each leaf.
    pub(crate) salts: usize,
    /// The salts leaf by leaf.
    pub(crate) salt: &'a [Base],
}

/// A code with its tree.
pub(crate) struct Code {
    /// Halvings.
    rate: usize,
    /// Elements of a leaf.
    width: usize,
    /// Leaves, one coset after another.
    cosets: Vec<Vec<Base>>,
    tree: MerkleTree,
}

impl Code {
    /// Makes the code at 2^`rate` times the message's length.
    pub(crate) fn new(function: HashFunction, message: &Message<'_>, rate: usize) -> Self {
        let transform = Radix2DFTSmallBatch::<Base>::new(1 << message.rows);
        let (height, width) = (1_usize << message.rows, message.width + message.salts);
        let generator = Base::two_adic_generator(message.rows + rate);
        let mut leaves = vec![Digest::default(); height << rate];
        let mut digests = vec![Digest::default(); height];
        let mut cosets = Vec::with_capacity(1 << rate);
        for coset in 0..1_usize << rate {
            let coefficients = message.shifted(generator.exp_u64(coset as u64));
            let coefficients = RowMajorMatrix::new(coefficients, message.width);
            let rows = transform.dft_batch(coefficients).values;
            let rows = message.salted(rows, coset, rate);
            function.digests_of_rows(&rows, &mut digests);
            let places = leaves[coset..].iter_mut().step_by(1 << rate);
            for (leaf, &digest) in places.zip(&digests) {
                *leaf = digest;
            }
            cosets.push(rows);
        }
        Self {
            rate,
            width,
            cosets,
            tree: MerkleTree::new(function, leaves),
        }
    }

    /// The code of a polynomial of the extension field, given by its values, whose first `fold` variables
    /// are the columns.
    pub(crate) fn of_values(
        function: HashFunction,
        values: &[Extension],
        fold: usize,
        rate: usize,
    ) -> Self {
        let rows = values.len() >> fold;
        let mut coefficients = Vec::with_capacity(values.len() * DEGREE);
        for row in 0..rows {
            for value in values[row..].iter().step_by(rows) {
                let of: &[Base] = value.as_basis_coefficients_slice();
                coefficients.extend_from_slice(of);
            }
        }
        let message = Message {
            rows: rows.ilog2() as usize,
            width: DEGREE << fold,
            values: &coefficients,
            tail: &[],
            salts: 0,
            salt: &[],
        };
        Self::new(function, &message, rate)
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Digest {
        self.tree.root()
    }

    /// Whether it has 2^`leaves` leaves of so many elements.
    pub(crate) fn has(&self, leaves: usize, width: usize) -> bool {
        let elements: usize = self.cosets.iter().map(Vec::len).sum();
        self.width == width && elements == width << leaves
    }

    /// A leaf.
    fn leaf(&self, index: usize) -> &[Base] {
        let coset = &self.cosets[index & ((1 << self.rate) - 1)];
        &coset[(index >> self.rate) * self.width..][..self.width]
    }

    /// Opens the leaves of these indices, of which some may be equal.
    pub(crate) fn open(&self, indices: &[usize]) -> TreeOpening {
        TreeOpening {
            rows: indices
                .iter()
                .map(|&index| self.leaf(index).to_vec())
                .collect(),
            siblings: self.tree.siblings(indices),
        }
    }
}

impl Message<'_> {
    /// The coefficients of the coset that begins at `shift`.
    fn shifted(&self, shift: Base) -> Vec<Base> {
        let mut coefficients = self.values.to_vec();
        let mut power = Base::ONE;
        for row in coefficients.chunks_exact_mut(self.width) {
            scale_slice_in_place_single_core(row, power);
            power *= shift;
        }
        // The power is the N-th by now.
        for (index, tail) in self.tail.chunks_exact(self.width).enumerate() {
            let row = (index & ((1 << self.rows) - 1)) * self.width;
            add_scaled_slice_in_place(&mut coefficients[row..row + self.width], tail, power);
            power *= shift;
        }
        coefficients
    }

    /// The rows of a coset with the salts of their leaves.
    fn salted(&self, rows: Vec<Base>, coset: usize, rate: usize) -> Vec<Base> {
        if self.salts == 0 {
            return rows;
        }
        let mut leaves = Vec::with_capacity(rows.len() + (self.salts << self.rows));
        for (index, row) in rows.chunks_exact(self.width).enumerate() {
            let leaf = coset + (index << rate);
            leaves.extend_from_slice(row);
            leaves.extend_from_slice(&self.salt[leaf * self.salts..][..self.salts]);
        }
        leaves
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Message};
    use crate::leaves::{leaf_digest, leaf_point};
    use crate::randomness::{Context, Randomness};
    use commitment::merkle::root_of;
    use p3_field::PrimeCharacteristicRing;
    use transcript::{Base, HashFunction};

    #[test]
    fn a_leaf_is_its_polynomials_at_its_point_whatever_the_tail_and_the_salts() {
        let nothing = [0; 32];
        let context = Context {
            statement: &nothing,
            witness: &nothing,
            key: &nothing,
            slot: 0,
        };
        let mut randomness = Randomness::of_seed(&nothing, &context);
        for (rows, width, tails, salts, rate) in [
            (3, 4, 0, 0, 1),
            (3, 6, 5, 2, 2),
            (4, 21, 16, 0, 3),
            // A tail longer than the message.
            (2, 3, 11, 1, 3),
        ] {
            let leaves = rows + rate;
            let values = randomness.bases(width << rows);
            let tail = randomness.bases(width * tails);
            let salt = randomness.bases(salts << leaves);
            let message = Message {
                rows,
                width,
                values: &values,
                tail: &tail,
                salts,
                salt: &salt,
            };
            let [code, by_keccak] = [HashFunction::Blake3, HashFunction::Keccak256]
                .map(|function| Code::new(function, &message, rate));
            let all: Vec<usize> = (0..1 << leaves).collect();
            let opening = code.open(&all);
            let coefficients = [values, tail].concat();
            for (index, leaf) in opening.rows.iter().enumerate() {
                let x = leaf_point(leaves, index);
                for (column, &found) in leaf[..width].iter().enumerate() {
                    let of_column = coefficients.iter().skip(column).step_by(width);
                    let powers = x.powers();
                    let expected: Base = of_column.zip(powers).map(|(&a, b)| a * b).sum();
                    assert_eq!(found, expected);
                }
                assert_eq!(leaf[width..], salt[index * salts..][..salts]);
            }
            assert_eq!(by_keccak.open(&all).rows, opening.rows);
            let some = [1, 5, 1];
            for (function, code) in [
                (HashFunction::Blake3, &code),
                (HashFunction::Keccak256, &by_keccak),
            ] {
                let opening = code.open(&some);
                let digests = opening.rows.iter().map(|leaf| leaf_digest(function, leaf));
                let opened = some.into_iter().zip(digests);
                let found = root_of(function, leaves, opened, &opening.siblings);
                assert_eq!(found, Some(code.root()));
            }
            assert_ne!(code.root(), by_keccak.root());
        }
    }
}

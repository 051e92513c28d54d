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

use crate::leaves::{TreeOpening, leaf_digest};
use commitment::merkle::{Digest, MerkleTree};
use p3_dft::{Radix2DFTSmallBatch, TwoAdicSubgroupDft};
use p3_field::{
    BasedVectorSpace, PrimeCharacteristicRing, TwoAdicField, add_scaled_slice_in_place,
    scale_slice_in_place_single_core,
};
use p3_matrix::dense::RowMajorMatrix;
use std::ops::Range;
use transcript::{BASE_BYTES, Base, DEGREE, Extension, HashFunction};

/// log2 of the leaves of a code that keeps its digests, those of leaves included.
const SMALL: usize = 18;
/// log2 of the leaves of which longer codes keep one digest. The others are made again where leaves are opened.
const LEFT_OUT: usize = 3;
/// Rows whose leaves are hashed at a time: enough for all lanes, and few enough to stay near the processor.
const TILE: usize = 64;
/// Elements that are transformed in a nanosecond, each as often as the number of rows can be halved.
const TRANSFORMED: usize = 2;
/// Bytes that are hashed in a nanosecond.
const HASHED: usize = 2;

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
}

/// Salts of leaves.
#[derive(Default)]
pub(crate) struct Salts {
    /// Of each leaf.
    pub(crate) each: usize,
    /// Leaf by leaf.
    pub(crate) cells: Vec<Base>,
}

/// The leaves of a code.
struct Leaves {
    function: HashFunction,
    /// Halvings.
    rate: usize,
    /// Elements of a row.
    width: usize,
    /// Rows, one coset after another.
    cosets: Vec<Vec<Base>>,
    salts: Salts,
}

/// A code with its tree.
pub(crate) struct Code {
    leaves: Leaves,
    /// log2 of the leaves that one digest of the tree's lowest layer is of.
    left_out: usize,
    tree: MerkleTree,
}

impl Code {
    /// Makes the code at 2^`rate` times the message's length.
    pub(crate) fn new(
        function: HashFunction,
        message: &Message<'_>,
        salts: Salts,
        rate: usize,
    ) -> Self {
        let transform = Radix2DFTSmallBatch::<Base>::new(1 << message.rows);
        let generator = Base::two_adic_generator(message.rows + rate);
        let cost = (message.width << message.rows) * message.rows / TRANSFORMED;
        let cosets = parallel::map(1 << rate, cost, |coset| {
            let coefficients = message.shifted(generator.exp_u64(coset as u64));
            let coefficients = RowMajorMatrix::new(coefficients, message.width);
            transform.dft_batch(coefficients).values
        });
        let leaves = Leaves {
            function,
            rate,
            width: message.width,
            cosets,
            salts,
        };
        let small = message.rows + rate <= SMALL;
        let left_out = if small { 0 } else { rate.min(LEFT_OUT) };
        let tree = MerkleTree::new(function, leaves.digests(message.rows, left_out));
        Self {
            leaves,
            left_out,
            tree,
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
        };
        Self::new(function, &message, Salts::default(), rate)
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Digest {
        self.tree.root()
    }

    /// Whether it has 2^`leaves` leaves of so many elements.
    pub(crate) fn has(&self, leaves: usize, width: usize) -> bool {
        let own = &self.leaves;
        let elements: usize = own.cosets.iter().map(Vec::len).sum();
        own.width + own.salts.each == width
            && elements == own.width << leaves
            && own.salts.cells.len() == own.salts.each << leaves
    }

    /// Opens the leaves of these indices, of which some may be equal.
    pub(crate) fn open(&self, indices: &[usize]) -> TreeOpening {
        let rows = indices.iter().map(|&index| self.leaves.leaf(index));
        TreeOpening {
            rows: rows.collect(),
            siblings: self.siblings(indices),
        }
    }

    /// The digests that lead from leaves to the root, those included that are not kept.
    fn siblings(&self, indices: &[usize]) -> Vec<Digest> {
        let mut kept: Vec<usize> = indices.iter().map(|index| index >> self.left_out).collect();
        kept.sort_unstable();
        kept.dedup();
        let mut layers = vec![Vec::new(); self.left_out];
        for &node in kept.iter().filter(|_| self.left_out > 0) {
            let of_node = indices.iter();
            let of_node = of_node.filter(|&&index| index >> self.left_out == node);
            let first = node << self.left_out;
            let of_node: Vec<usize> = of_node.map(|index| index - first).collect();
            let tree = self.leaves.tree(first..first + (1 << self.left_out));
            for (layer, own) in layers.iter_mut().zip(tree.siblings_by_layer(&of_node)) {
                layer.extend(own);
            }
        }
        layers.push(self.tree.siblings(&kept));
        layers.concat()
    }
}

impl Leaves {
    /// A leaf.
    fn leaf(&self, index: usize) -> Vec<Base> {
        let coset = &self.cosets[index & ((1 << self.rate) - 1)];
        let row = &coset[(index >> self.rate) * self.width..][..self.width];
        [row, self.salt(index)].concat()
    }

    fn salt(&self, index: usize) -> &[Base] {
        &self.salts.cells[index * self.salts.each..][..self.salts.each]
    }

    /// The tree over a power of two of leaves.
    fn tree(&self, leaves: Range<usize>) -> MerkleTree {
        let digests = leaves.map(|index| leaf_digest(self.function, &self.leaf(index)));
        MerkleTree::new(self.function, digests.collect())
    }

    /// The layer of digests above so many that are left out. A code has 2^`rows` rows in each coset; the leaves of
    /// one row lie next to each other.
    fn digests(&self, rows: usize, left_out: usize) -> Vec<Digest> {
        let of_row = 1 << (self.rate - left_out);
        let mut digests = vec![Digest::default(); of_row << rows];
        let bytes = (self.width + self.salts.each) * BASE_BYTES;
        let cost = (bytes << self.rate) / HASHED;
        parallel::fill(&mut digests, of_row, cost, |first, digests| {
            for (tile, digests) in digests.chunks_mut(of_row * TILE).enumerate() {
                let first = first + tile * TILE;
                let rows = first..first + digests.len() / of_row;
                if left_out == 0 {
                    self.digests_of_rows(rows, digests);
                    continue;
                }
                let mut layer = vec![Digest::default(); rows.len() << self.rate];
                self.digests_of_rows(rows, &mut layer);
                for _ in 0..left_out {
                    layer = above(self.function, &layer);
                }
                digests.copy_from_slice(&layer);
            }
        });
        digests
    }

    /// The digests of all leaves of some rows.
    fn digests_of_rows(&self, rows: Range<usize>, digests: &mut [Digest]) {
        let mut of_coset = vec![Digest::default(); rows.len()];
        let mut salted = Vec::new();
        for (number, coset) in self.cosets.iter().enumerate() {
            let coset = &coset[rows.start * self.width..rows.end * self.width];
            if self.salts.each == 0 {
                self.function.digests_of_rows(coset, &mut of_coset);
            } else {
                salted.clear();
                for (row, values) in rows.clone().zip(coset.chunks_exact(self.width)) {
                    salted.extend_from_slice(values);
                    salted.extend_from_slice(self.salt((row << self.rate) + number));
                }
                self.function.digests_of_rows(&salted, &mut of_coset);
            }
            let places = digests[number..].iter_mut().step_by(1 << self.rate);
            for (place, &digest) in places.zip(&of_coset) {
                *place = digest;
            }
        }
    }
}

/// The layer above a layer of digests.
fn above(function: HashFunction, below: &[Digest]) -> Vec<Digest> {
    let mut layer = vec![Digest::default(); below.len() / 2];
    function.digests(below.as_flattened(), &mut layer);
    layer
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
}

#[cfg(test)]
mod tests {
    use super::{Code, Message, Salts};
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
            };
            let [code, by_keccak] =
                [HashFunction::Blake3, HashFunction::Keccak256].map(|function| {
                    let salts = Salts {
                        each: salts,
                        cells: salt.clone(),
                    };
                    Code::new(function, &message, salts, rate)
                });
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

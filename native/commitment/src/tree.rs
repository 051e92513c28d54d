//! The library's hash tree over matrices, and over a code that is kept in part.
//!
//! Both open alike: what a proof holds and how it is verified is the library's.

use crate::code::Code;
use crate::merkle::Digest;
use crate::{LeafHash, NodeHash};
use p3_blake3::Blake3;
use p3_commit::{BatchOpening, BatchOpeningRef, Mmcs};
use p3_matrix::{Dimensions, Matrix};
use p3_merkle_tree::{MerkleTree, MerkleTreeMmcs, PrunedMerklePaths};
use std::sync::Arc;
use transcript::Base;

type Library = MerkleTreeMmcs<Base, u8, LeafHash, NodeHash, 2, 32>;

/// The scheme of all trees of this crate.
#[derive(Clone)]
pub struct Tree(Library);

impl Tree {
    /// The scheme whose commitment is one root.
    pub(crate) const fn new() -> Self {
        Self(Library::new(
            LeafHash::new(Blake3),
            NodeHash::new(Blake3),
            0,
        ))
    }
}

/// What an opening of rows is made from.
#[derive(Clone)]
pub enum Rows<M> {
    /// A matrix with its tree.
    Matrix(MerkleTree<Base, u8, M, 2, 32>),
    /// The code of a stack.
    Code(Arc<Code>),
}

impl Mmcs<Base> for Tree {
    type ProverData<M> = Rows<M>;
    type Commitment = <Library as Mmcs<Base>>::Commitment;
    type Proof = <Library as Mmcs<Base>>::Proof;
    type MultiProof = PrunedMerklePaths<u8, 32>;
    type Error = <Library as Mmcs<Base>>::Error;

    fn commit<M: Matrix<Base>>(&self, inputs: Vec<M>) -> (Self::Commitment, Self::ProverData<M>) {
        let (commitment, tree) = self.0.commit(inputs);
        (commitment, Rows::Matrix(tree))
    }

    fn open_batch<M: Matrix<Base>>(
        &self,
        index: usize,
        rows: &Self::ProverData<M>,
    ) -> BatchOpening<Base, Self> {
        let (values, proof) = match rows {
            Rows::Matrix(tree) => self.0.open_batch(index, tree).unpack(),
            Rows::Code(code) => (code.rows(&[index]), code.siblings(&[index])),
        };
        BatchOpening::new(values, proof)
    }

    fn get_matrices<'a, M: Matrix<Base>>(&self, rows: &'a Self::ProverData<M>) -> Vec<&'a M> {
        match rows {
            Rows::Matrix(tree) => self.0.get_matrices(tree),
            // A code is no matrix in memory.
            Rows::Code(_) => Vec::new(),
        }
    }

    fn verify_batch(
        &self,
        commitment: &Self::Commitment,
        dimensions: &[Dimensions],
        index: usize,
        opening: BatchOpeningRef<'_, Base, Self>,
    ) -> Result<(), Self::Error> {
        let (values, proof) = opening.unpack();
        let opening = BatchOpeningRef::new(values, proof);
        self.0.verify_batch(commitment, dimensions, index, opening)
    }

    fn open_multi_batch<M: Matrix<Base>>(
        &self,
        indices: &[usize],
        rows: &Self::ProverData<M>,
    ) -> (Vec<Vec<Vec<Base>>>, Self::MultiProof) {
        match rows {
            Rows::Matrix(tree) => self.0.open_multi_batch(indices, tree),
            Rows::Code(code) => {
                let values = code.rows(indices).into_iter().map(|row| vec![row]);
                let sibling_hashes: Vec<Digest> = code.siblings(indices);
                (values.collect(), PrunedMerklePaths { sibling_hashes })
            }
        }
    }

    fn verify_multi_batch<R: AsRef<[Base]> + PartialEq>(
        &self,
        commitment: &Self::Commitment,
        dimensions: &[Dimensions],
        indices: &[usize],
        values: &[Vec<R>],
        proof: &Self::MultiProof,
    ) -> Result<(), Self::Error> {
        self.0
            .verify_multi_batch(commitment, dimensions, indices, values, proof)
    }
}

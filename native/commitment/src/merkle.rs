//! The hash tree over rows that are hashed already, and what an opening of some of them shares.
//!
//! ```text
//! node = hash(left child ‖ right child),    root = the only node of the last layer
//! ```
//!
//! The hash is BLAKE3, or Keccak-256 for what a contract checks; see [`HashFunction`].
//!
//! The digests that lead from opened leaves to the root and do not follow from them are listed level
//! by level from the leaves up, from left to right; nothing else is in the list.

pub use transcript::Digest;
use transcript::HashFunction;

/// Nanoseconds that it takes to hash two nodes.
const NODE: usize = 40;

/// A tree over a power of two of leaves.
#[derive(Clone)]
pub struct MerkleTree {
    /// Digests of the rows, of pairs of these, and so on up to the root.
    layers: Vec<Vec<Digest>>,
}

impl MerkleTree {
    /// The tree over these leaves, of which there MUST be a power of two.
    pub fn new(function: HashFunction, leaves: Vec<Digest>) -> Self {
        let mut layers = vec![leaves];
        while let Some(below) = layers.last().filter(|layer| layer.len() > 1) {
            let mut layer = vec![Digest::default(); below.len() / 2];
            parallel::fill(&mut layer, 1, NODE, |first, layer| {
                let below = &below[2 * first..2 * (first + layer.len())];
                function.digests(below.as_flattened(), layer);
            });
            layers.push(layer);
        }
        Self { layers }
    }

    /// The root.
    pub fn root(&self) -> Digest {
        self.layers[self.layers.len() - 1][0]
    }

    /// The digests that lead from the leaves of these indices to the root and do not follow from
    /// them.
    pub fn siblings(&self, indices: &[usize]) -> Vec<Digest> {
        self.siblings_by_layer(indices).concat()
    }

    /// The same layer by layer.
    pub fn siblings_by_layer(&self, indices: &[usize]) -> Vec<Vec<Digest>> {
        let mut all = Vec::with_capacity(self.layers.len());
        let mut nodes = indices.to_vec();
        nodes.sort_unstable();
        nodes.dedup();
        for layer in &self.layers[..self.layers.len() - 1] {
            let mut siblings = Vec::new();
            let mut parents = Vec::with_capacity(nodes.len());
            let mut nodes_left = nodes.iter().peekable();
            while let Some(&node) = nodes_left.next() {
                if nodes_left.next_if(|&&next| next == node ^ 1).is_none() {
                    siblings.push(layer[node ^ 1]);
                }
                parents.push(node >> 1);
            }
            nodes = parents;
            all.push(siblings);
        }
        all
    }
}

/// The root of a tree of `depth` levels above its leaves in which the leaves of these indices have
/// these digests, the other digests being `siblings`. Nothing if a leaf is named with two digests or
/// is not one of the tree, if no leaf is named, or if a sibling is missing or left over.
pub fn root_of(
    function: HashFunction,
    depth: usize,
    leaves: impl IntoIterator<Item = (usize, Digest)>,
    siblings: &[Digest],
) -> Option<Digest> {
    let mut nodes: Vec<(usize, Digest)> = leaves.into_iter().collect();
    nodes.sort_unstable();
    nodes.dedup();
    let twice = nodes.windows(2).any(|pair| pair[0].0 == pair[1].0);
    if twice || nodes.last().is_none_or(|&(index, _)| index >> depth != 0) {
        return None;
    }
    let mut siblings = siblings.iter();
    for _ in 0..depth {
        let mut parents = Vec::with_capacity(nodes.len());
        let mut left = nodes.into_iter().peekable();
        while let Some((index, digest)) = left.next() {
            let other = match left.next_if(|&(next, _)| next == index ^ 1) {
                Some((_, digest)) => digest,
                None => *siblings.next()?,
            };
            let children = if index & 1 == 0 {
                [digest, other]
            } else {
                [other, digest]
            };
            parents.push((index >> 1, function.digest(children.as_flattened())));
        }
        nodes = parents;
    }
    let root = nodes.first().map(|&(_, digest)| digest);
    root.filter(|_| siblings.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::{Digest, HashFunction, MerkleTree, root_of};

    const FUNCTIONS: [HashFunction; 2] = [HashFunction::Blake3, HashFunction::Keccak256];

    fn leaves(count: usize) -> Vec<Digest> {
        let leaf = |index: usize| [index as u8 + 1; 32];
        (0..count).map(leaf).collect()
    }

    fn opened(leaves: &[Digest], indices: &[usize]) -> Vec<(usize, Digest)> {
        indices
            .iter()
            .map(|&index| (index, leaves[index]))
            .collect()
    }

    #[test]
    fn opened_leaves_lead_to_the_root() {
        for (depth, indices) in [
            (0, &[0][..]),
            (1, &[1]),
            (4, &[3, 3, 2, 15, 7]),
            (5, &[0, 31]),
            (3, &[0, 1, 2, 3, 4, 5, 6, 7]),
        ] {
            let leaves = leaves(1 << depth);
            let of = FUNCTIONS.map(|function| {
                let tree = MerkleTree::new(function, leaves.clone());
                let siblings = tree.siblings(indices);
                let found = root_of(function, depth, opened(&leaves, indices), &siblings);
                assert_eq!(found, Some(tree.root()));
                tree.root()
            });
            // A tree of one leaf hashes nothing.
            assert_eq!(of[0] == of[1], depth == 0);
        }
    }

    #[test]
    fn whatever_is_changed_leads_elsewhere_or_nowhere() {
        let (depth, indices) = (4, [2, 3, 11]);
        let leaves = leaves(1 << depth);
        let function = HashFunction::Blake3;
        let tree = MerkleTree::new(function, leaves.clone());
        let siblings = tree.siblings(&indices);
        let good = opened(&leaves, &indices);
        let root = Some(tree.root());
        for index in 0..siblings.len() {
            let mut other = siblings.clone();
            other[index][7] ^= 1;
            assert_ne!(root_of(function, depth, good.clone(), &other), root);
        }
        for index in 0..good.len() {
            let mut other = good.clone();
            other[index].1[0] ^= 1;
            assert_ne!(root_of(function, depth, other, &siblings), root);
            let mut other = good.clone();
            other[index].0 += 1;
            assert_ne!(root_of(function, depth, other, &siblings), root);
        }
        let none = |leaves: &[(usize, Digest)], siblings: &[Digest]| {
            let leaves = leaves.iter().copied();
            assert_eq!(root_of(function, depth, leaves, siblings), None);
        };
        let by_another = root_of(HashFunction::Keccak256, depth, good.clone(), &siblings);
        assert_ne!(by_another, root);
        none(&good, &siblings[1..]);
        none(&good, &[&siblings[..], &siblings[..1]].concat());
        none(&[], &siblings);
        none(&[(1 << depth, leaves[0])], &siblings);
        none(&[&good[..], &[(2, [9; 32])]].concat(), &siblings);
    }
}

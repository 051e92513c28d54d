//! Opened leaves of a tree, and what is computed from them.

use commitment::merkle::{Digest, root_of};
use commitment::{Malformed, Reader, Writer};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, TwoAdicField};
use transcript::{BASE_BYTES, Base, DEGREE, Extension, HashFunction};

/// Leaves of one tree in the order in which they were asked for, and the digests that lead to its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeOpening {
    pub(crate) rows: Vec<Vec<Base>>,
    pub(crate) siblings: Vec<Digest>,
}

/// A tree as a verifier knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeShape {
    /// log2 of its leaves.
    pub(crate) leaves: usize,
    /// Elements of a leaf.
    pub(crate) width: usize,
}

impl TreeOpening {
    /// Whether these leaves, at these indices, are those of the tree with this root. Equal indices have
    /// equal leaves then.
    pub(crate) fn leads_to(
        &self,
        function: HashFunction,
        root: &Digest,
        leaves: usize,
        indices: &[usize],
    ) -> bool {
        let digests = self.rows.iter().map(|row| leaf_digest(function, row));
        let opened = indices.iter().copied().zip(digests);
        self.rows.len() == indices.len()
            && root_of(function, leaves, opened, &self.siblings).as_ref() == Some(root)
    }

    /// Appends the opening's bytes.
    pub(crate) fn encode(&self, out: &mut Writer) {
        out.field("opening: leaves");
        for &element in self.rows.iter().flatten() {
            out.base(element);
        }
        out.field("opening: count of siblings");
        let count = self.siblings.len() as u32;
        out.bytes.extend_from_slice(&count.to_le_bytes());
        out.field("opening: siblings");
        out.bytes.extend_from_slice(self.siblings.as_flattened());
    }

    /// Reads an opening of a tree.
    pub(crate) fn decode(
        shape: TreeShape,
        queries: usize,
        input: &mut Reader<'_>,
    ) -> Result<Self, Malformed> {
        let count = queries.min(1 << shape.leaves);
        input.fits(count, shape.width * BASE_BYTES)?;
        let rows = (0..count)
            .map(|_| (0..shape.width).map(|_| input.base()).collect())
            .collect::<Result<_, _>>()?;
        let siblings = input.word()? as usize;
        if siblings > count * shape.leaves {
            return Err(Malformed::Count);
        }
        input.fits(siblings, size_of::<Digest>())?;
        let siblings = (0..siblings)
            .map(|_| input.array())
            .collect::<Result<_, _>>()?;
        Ok(Self { rows, siblings })
    }
}

/// The digest of a leaf.
pub(crate) fn leaf_digest(function: HashFunction, leaf: &[Base]) -> Digest {
    let mut digest = [Digest::default()];
    function.digests_of_rows(leaf, &mut digest);
    digest[0]
}

/// The point of a leaf among 2^`leaves`.
pub(crate) fn leaf_point(leaves: usize, index: usize) -> Base {
    Base::two_adic_generator(leaves).exp_u64(index as u64)
}

/// The elements of the extension field that a row of a later code is.
pub(crate) fn extensions(row: &[Base]) -> Vec<Extension> {
    row.chunks_exact(DEGREE)
        .map(|coefficients| Extension::from_basis_coefficients_fn(|limb| coefficients[limb]))
        .collect()
}

/// Σ weights[i] · row[i].
pub(crate) fn combined(weights: &[Extension], row: &[Base]) -> Extension {
    weights.iter().zip(row).map(|(&w, &x)| w * x).sum()
}

//! That the weights of a key are int8 and its parameters in their declared ranges.
//!
//! Each part of them is shown by a proof of another graph, that of its ranges, to which one link leads from the key.
//! It is checked once for a key; rotations lead to commitments to the same weights.

use super::chain::{self, Known};
use super::proof::Proof;
use super::verify_under;
use crate::rejection::Rejection;
use commitment::Reader;
use key::{Kind, PrivateKey, RangePart};

/// The part of this number.
pub(super) fn part(key: &PrivateKey, part: u8) -> Result<&RangePart, Rejection> {
    parts(key)?.get(usize::from(part)).ok_or(Rejection::LinkEnd)
}

fn parts(key: &PrivateKey) -> Result<&[RangePart], Rejection> {
    let parts = key.ranges();
    parts.map_err(|error| Rejection::NoRanges(error.to_string()))
}

/// The proofs of all parts, in their order, that these bytes are one after another.
pub fn decode_ranges(key: &PrivateKey, shown: &[u8]) -> Result<Vec<Proof>, Rejection> {
    let parts = parts(key)?;
    if shown.is_empty() {
        return Err(Rejection::RangesMissing);
    }
    let mut reader = Reader::new(shown);
    let kinds = (0..).take(parts.len()).map(Kind::Ranges);
    let proofs = kinds.map(|kind| Proof::read(key, kind, &mut reader));
    let proofs = proofs.collect::<Result<_, Rejection>>()?;
    reader.finish()?;
    Ok(proofs)
}

/// Checks that `shown` shows all elements of the key's matrices to be int8, and those of its parameters to be in
/// their declared ranges, or, of one of more than 2^16 numbers, in a range that is a multiple of 2^16 around it.
/// A key whose proofs would have too few bits shows none.
pub fn verify_ranges(key: &PrivateKey, shown: &[u8]) -> Result<(), Rejection> {
    let sound = key.check_bits();
    sound.map_err(|error| Rejection::NoRanges(error.to_string()))?;
    for proof in decode_ranges(key, shown)? {
        let epoch = chain::follow(key, &Known::default(), &proof.links)?;
        let transcript = &mut key.transcript();
        verify_under(key, &epoch, &RangePart::PUBLIC, None, &proof, transcript)?;
    }
    Ok(())
}

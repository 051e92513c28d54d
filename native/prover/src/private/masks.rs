//! Where all that hides comes from.

use crate::committed::Witness;
use crate::error::ProveError;
use graph::Values;
use hiding::{Context, Randomness};
use key::PrivateKey;
use p3_field::PrimeField32;
use transcript::Base;

/// Of the weights' commitment: uniform halves, salts.
pub(super) fn of_weights(key: &PrivateKey, values: &Values<'_>) -> Result<Randomness, ProveError> {
    // How many there are of each is said by the key.
    let weights = values.weights.iter();
    let mut bytes: Vec<u8> = weights.map(|&weight| weight.cast_unsigned()).collect();
    let parameters = values.parameters.iter();
    bytes.extend(parameters.flat_map(|value| value.to_le_bytes()));
    let weights = blake3::hash(&bytes).into();
    Ok(Randomness::new(&Context {
        statement: &[0; 32],
        witness: &weights,
        // Of the key without a commitment.
        key: &key.digest(),
        slot: 0,
    })?)
}

/// The digest of all columns of a witness.
pub(super) fn digest(witness: &Witness) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = Vec::new();
    let columns = witness.columns.committed.iter();
    for column in columns.chain(&witness.multiplicities) {
        bytes.clear();
        let words = column.iter().map(Base::as_canonical_u32);
        bytes.extend(words.flat_map(u32::to_le_bytes));
        hasher.update(&(column.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    hasher.finalize().into()
}

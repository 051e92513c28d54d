//! Where all that hides comes from.

use crate::relations::Witness;
use graph::Values;
use hiding::{Context, NoEntropy, Randomness, Secret};
use p3_field::PrimeField32;
use transcript::Base;

/// Gives the masks of what a context is about: [`Randomness::new`], but in tests.
pub(super) type Draw<'a> = &'a dyn Fn(&Context<'_>) -> Result<Randomness, NoEntropy>;

/// Of a commitment of a key: from its secret, the weights, and a digest of what was there before it.
pub(super) fn of_key(secret: &Secret, values: &[u8; 32], before: &[u8; 32]) -> Randomness {
    let context = Context {
        statement: &[0; 32],
        witness: values,
        key: before,
        slot: 0,
    };
    Randomness::again(secret, &context)
}

/// Of a commitment to private inputs: from its secret, the inputs and the key.
pub(super) fn of_private(secret: &Secret, values: &[u8; 32], key: &[u8; 32]) -> Randomness {
    let context = Context {
        // Commitments of keys have zeros here.
        statement: &[1; 32],
        witness: values,
        key,
        slot: 0,
    };
    Randomness::again(secret, &context)
}

/// The digest of inputs. How many elements each has is said by the key.
pub(super) fn of_inputs(inputs: &[&[i32]]) -> [u8; 32] {
    let values = inputs.iter().copied().flatten();
    let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
    blake3::hash(&bytes).into()
}

/// The digest of weights and parameters. How many there are of each is said by the key.
pub(super) fn of_values(values: &Values<'_>) -> [u8; 32] {
    let weights = values.weights.iter();
    let mut bytes: Vec<u8> = weights.map(|&weight| weight.cast_unsigned()).collect();
    let parameters = values.parameters.iter();
    bytes.extend(parameters.flat_map(|value| value.to_le_bytes()));
    blake3::hash(&bytes).into()
}

/// The digest of all columns of a witness.
pub(super) fn of_witness(witness: &Witness) -> [u8; 32] {
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

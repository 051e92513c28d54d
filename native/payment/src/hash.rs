//! Keccak-256, and digests under a tag. Source: specs/statement.md, the EVM.

use sha3::{Digest, Keccak256};

/// Keccak-256 of the parts, one after another.
pub fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The digest of the parts under a tag, of which the hash is given: each part after its length in
/// eight big-endian bytes.
pub fn tagged(tag: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    hasher.update(tag);
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

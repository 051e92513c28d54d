//! The hash that a transcript and the trees of its proof are made with.
//!
//! BLAKE3 is what everything outside of a contract uses. Keccak-256 is the one hash that a contract
//! computes cheaply. It is that of `p3-keccak`, which the library depends on already (for the seeds of
//! `specs/transcript.md`, section 6), is pinned and kept with all other parts of it, and hashes many
//! messages of one length in the lanes of the processor, as trees need it.
//!
//! Rows of a tree are hashed in another encoding by each: BLAKE3 takes elements as they are kept, which
//! saves the prover a pass; Keccak-256 takes them as they are sent, so that a contract hashes the bytes of
//! the proof itself.

use crate::{BASE_BYTES, Base};
use p3_blake3::Blake3;
use p3_field::PrimeField32;
use p3_keccak::Keccak256Hash;
use p3_symmetric::{CryptographicHasher, SerializingHasher};

/// 32 bytes of a hash.
pub type Digest = [u8; 32];

/// A hash function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashFunction {
    /// BLAKE3.
    #[default]
    Blake3,
    /// Keccak-256, as contracts have it: the padding begins with the byte 1.
    Keccak256,
}

impl HashFunction {
    /// The digest of a message.
    pub fn digest(self, message: &[u8]) -> Digest {
        match self {
            Self::Blake3 => Blake3.hash_slice(message),
            Self::Keccak256 => Keccak256Hash.hash_slice(message),
        }
    }

    /// The digests of messages of one length, one after another.
    pub fn digests(self, messages: &[u8], out: &mut [Digest]) {
        match self {
            Self::Blake3 => Blake3.hash_many(messages, out),
            Self::Keccak256 => Keccak256Hash.hash_many(messages, out),
        }
    }

    /// The digests of rows of one length: for BLAKE3 of the internal encoding of their elements, for
    /// Keccak-256 of the canonical one.
    pub fn digests_of_rows(self, rows: &[Base], out: &mut [Digest]) {
        match self {
            Self::Blake3 => SerializingHasher::new(Blake3).hash_many(rows, out),
            Self::Keccak256 => {
                let mut bytes = Vec::with_capacity(rows.len() * BASE_BYTES);
                for element in rows {
                    bytes.extend_from_slice(&element.as_canonical_u32().to_le_bytes());
                }
                self.digests(&bytes, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, HashFunction};
    use crate::Base;
    use p3_field::{PrimeCharacteristicRing, PrimeField32};
    use std::fmt::Write;

    /// Known digests, of the empty message and of "abc".
    #[test]
    fn the_functions_are_those_of_their_names() {
        let hex = |digest: Digest| {
            digest.iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            })
        };
        for (function, empty, abc) in [
            (
                HashFunction::Blake3,
                "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
                "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
            ),
            (
                HashFunction::Keccak256,
                "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
                "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
            ),
        ] {
            assert_eq!(hex(function.digest(b"")), empty);
            assert_eq!(hex(function.digest(b"abc")), abc);
            let mut many = [Digest::default(); 2];
            function.digests(b"abcabd", &mut many);
            assert_eq!(many, [b"abc", b"abd"].map(|m| function.digest(m)));
        }
    }

    #[test]
    fn rows_are_hashed_as_they_are_kept_or_as_they_are_sent() {
        let rows: Vec<Base> = (0..70).map(|at| Base::from_u32(at * 30_000_001)).collect();
        let mut found = [Digest::default(); 10];
        HashFunction::Keccak256.digests_of_rows(&rows, &mut found);
        for (row, digest) in rows.chunks(7).zip(found) {
            let sent = row.iter().flat_map(|x| x.as_canonical_u32().to_le_bytes());
            let sent: Vec<u8> = sent.collect();
            assert_eq!(digest, HashFunction::Keccak256.digest(&sent));
        }
        HashFunction::Blake3.digests_of_rows(&rows, &mut found);
        for (row, digest) in rows.chunks(7).zip(found) {
            let kept = |x: &Base| {
                let shifted = (u64::from(x.as_canonical_u32()) << 32) % u64::from(Base::ORDER_U32);
                (shifted as u32).to_le_bytes()
            };
            let kept: Vec<u8> = row.iter().flat_map(kept).collect();
            assert_eq!(digest, HashFunction::Blake3.digest(&kept));
        }
    }
}

//! The state of a transcript by Keccak-256: one word, and one hash for whatever happens to it.
//!
//! ```text
//! s ← 0
//! absorb:     s ← keccak256(s ‖ keccak256(label of site) ‖ data)     64 bytes and more
//! squeeze:    s ← keccak256(s)                                        32 bytes
//! work w:     s ← keccak256(s ‖ le32(w))                              36 bytes
//! challenge = digits of the squeezed word to the base p, the lowest five:  ⌊s / p^i⌋ mod p is the
//!             coefficient of X^i; a word is a number of 256 bits, the most significant byte first
//! index of b bits = squeezed word mod 2^b
//! ```
//!
//! A contract does each of these with one hash of words that lie in its memory, and copies data from the
//! bytes of the proof as they are. No counter and no buffer is kept: what was squeezed is the state, so that
//! two challenges in a row are two hashes in a chain.
//!
//! # Soundness
//!
//! *The three kinds of messages differ in length*, 32, 36 and at least 64 bytes, and what an absorb begins
//! with has a fixed length; so a message of the hash determines the state before it, kind, site and data,
//! and states are the nodes of a tree over everything that was absorbed, as in the sponge of BLAKE3.
//!
//! *Drawing.* Let N = p^5 = |E| and M = 2^256. The five digits of s are s mod N, and for s uniform in
//! 0 … M − 1 each element of E has the probability ⌊M/N⌋/M or ⌈M/N⌉/M. So whatever set of bad challenges a
//! prover hopes for, its probability is at most |bad|/|E| · (1 + N/M), and N/M < 2^-101, because N < 2^155:
//! each bound of the soundness analysis grows by that factor for each challenge and is otherwise as for a
//! uniform one. The statistical distance to uniform is r·(N − r)/(N·M) with r = M mod N, which is at most
//! N/(4·M) < 2^-103. For indices there is no bias, 2^b being a divisor of M.

use crate::hash::{Digest, HashFunction};
use crate::{Base, DEGREE, Extension};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};

/// Candidates for proof of work that are hashed together.
const CANDIDATES: u32 = 512;
/// Bytes that are hashed to check one.
const WORK_BYTES: usize = size_of::<Digest>() + size_of::<u32>();

/// The state.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeccakState(Digest);

impl KeccakState {
    pub(crate) fn absorb(&mut self, label: &str, data: &[u8]) {
        let site = HashFunction::Keccak256.digest(label.as_bytes());
        let message = [&self.0, &site, data].concat();
        self.0 = HashFunction::Keccak256.digest(&message);
    }

    fn squeeze(&mut self) -> Digest {
        self.0 = HashFunction::Keccak256.digest(&self.0);
        self.0
    }

    pub(crate) fn challenge(&mut self) -> Extension {
        let coefficients = digits(self.squeeze());
        Extension::from_basis_coefficients_fn(|index| coefficients[index])
    }

    pub(crate) fn index(&mut self, bits: usize) -> usize {
        low_bits(&self.squeeze(), bits)
    }

    /// Checks a witness of work, whose bits are all zero for one in 2^`bits`.
    pub(crate) fn worked(&mut self, bits: usize, witness: Base) -> bool {
        let message = candidate(&self.0, witness.as_canonical_u32());
        self.0 = HashFunction::Keccak256.digest(&message);
        low_bits(&self.0, bits) == 0
    }

    /// The least witness of work, or 0 where no element is one, which a verifier rejects.
    pub(crate) fn work(&mut self, bits: usize) -> Base {
        let mut digests = [Digest::default(); CANDIDATES as usize];
        let found = (0..Base::ORDER_U32)
            .step_by(CANDIDATES as usize)
            .find_map(|first| {
                let candidates = first..first.saturating_add(CANDIDATES);
                let messages = candidates.map(|witness| candidate(&self.0, witness));
                let messages: Vec<_> = messages.collect();
                HashFunction::Keccak256.digests(messages.as_flattened(), &mut digests);
                let of = digests
                    .iter()
                    .position(|digest| low_bits(digest, bits) == 0);
                let witness = first + of? as u32;
                (witness < Base::ORDER_U32).then(|| Base::from_u32(witness))
            });
        let witness = found.unwrap_or_default();
        self.worked(bits, witness);
        witness
    }
}

fn candidate(state: &Digest, witness: u32) -> [u8; WORK_BYTES] {
    let mut message = [0; WORK_BYTES];
    let (first, last) = message.split_at_mut(size_of::<Digest>());
    first.copy_from_slice(state);
    last.copy_from_slice(&witness.to_le_bytes());
    message
}

/// A word modulo 2^`bits`, of which there are at most 64.
fn low_bits(word: &Digest, bits: usize) -> usize {
    let low = word.iter().rev().take(size_of::<u64>()).rev();
    let low = low.fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    let mask = 1_u64.checked_shl(bits as u32).unwrap_or(0).wrapping_sub(1);
    (low & mask) as usize
}

/// The lowest digits of a word to the base p.
fn digits(word: Digest) -> [Base; DEGREE] {
    let mut limbs = [0_u32; 8];
    for (limb, bytes) in limbs.iter_mut().zip(word.chunks_exact(4)) {
        *limb = bytes
            .iter()
            .fold(0, |number, &byte| number << 8 | u32::from(byte));
    }
    std::array::from_fn(|_| {
        let mut rest = 0_u64;
        for limb in &mut limbs {
            let number = rest << 32 | u64::from(*limb);
            *limb = (number / u64::from(Base::ORDER_U32)) as u32;
            rest = number % u64::from(Base::ORDER_U32);
        }
        Base::from_u32(rest as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::{CANDIDATES, KeccakState, digits, low_bits};
    use crate::hash::HashFunction;
    use crate::{BASE_BYTES, Base};
    use p3_field::{PrimeCharacteristicRing, PrimeField32};

    /// Σ digit·p^i over all digits that a word has, in words of 32 bits, the least significant first.
    fn number(digits: &[u32]) -> [u32; 8] {
        let mut limbs = [0_u32; 8];
        for &digit in digits.iter().rev() {
            let mut carry = u64::from(digit);
            for limb in &mut limbs {
                carry += u64::from(*limb) * u64::from(Base::ORDER_U32);
                *limb = carry as u32;
                carry >>= 32;
            }
            assert_eq!(carry, 0);
        }
        limbs
    }

    fn word(limbs: [u32; 8]) -> [u8; 32] {
        let mut word = [0; 32];
        for (bytes, limb) in word.chunks_exact_mut(BASE_BYTES).zip(limbs.iter().rev()) {
            bytes.copy_from_slice(&limb.to_be_bytes());
        }
        word
    }

    #[test]
    fn digits_are_those_of_the_number() {
        let last = Base::ORDER_U32 - 1;
        for expected in [
            [0, 0, 0, 0, 0, 0, 0],
            [1, 2, 3, 4, 5, 6, 7],
            [last; 7],
            [0, last, 0, last, 0, last, 0],
            [last, 0, 1, 0, 77, 0, last],
        ] {
            let found = digits(word(number(&expected)));
            assert_eq!(found.map(|x| x.as_canonical_u32())[..], expected[..5]);
        }
        // 2^256 − 1, by another way: 2^256 mod p^i is not known here, its lowest digit is.
        let two = Base::TWO.exp_u64(256);
        assert_eq!(digits([255; 32])[0], two - Base::ONE);
    }

    #[test]
    fn the_bias_is_below_its_bound() {
        // p^5 < 2^155, so that p^5 / 2^256 < 2^-101 and a quarter of it is below 2^-103.
        let p = f64::from(Base::ORDER_U32);
        assert!(5.0 * p.log2() < 155.0);
    }

    #[test]
    fn what_is_hashed_is_what_the_formulas_say() {
        let hash = |message: &[u8]| HashFunction::Keccak256.digest(message);
        let mut state = KeccakState::default();
        state.absorb("site", b"data");
        let expected = hash(&[&[0; 32], &hash(b"site")[..], b"data"].concat());
        assert_eq!(state.0, expected);
        let mut other = state.clone();
        assert_eq!(state.challenge(), other.challenge());
        assert_eq!(state.0, hash(&expected));
        let index = state.index(20);
        assert_eq!(state.0, hash(&other.0));
        assert_eq!(index, low_bits(&state.0, 20));
        assert!(index < 1 << 20);
    }

    #[test]
    fn a_witness_of_work_is_accepted_where_it_was_found_and_not_elsewhere() {
        let mut first = KeccakState::default();
        first.absorb("site", b"data");
        for bits in [1, 7, 11] {
            let mut prover = first.clone();
            let witness = prover.work(bits);
            let mut verifier = first.clone();
            assert!(verifier.worked(bits, witness));
            assert_eq!(verifier.0, prover.0);
            // Another state; and the candidates before it, which would have been taken.
            let mut other = first.clone();
            let rejected = (0..64).any(|_| {
                other.squeeze();
                !other.clone().worked(bits, witness)
            });
            assert!(rejected);
            for before in 0..witness.as_canonical_u32().min(CANDIDATES) {
                assert!(!first.clone().worked(bits, Base::from_u32(before)));
            }
        }
    }
}

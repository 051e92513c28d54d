//! secp256k1 signatures as Ethereum writes them: r ‖ s ‖ v.

use secp256k1::Message;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};

use crate::hash::keccak;

/// Half the order of secp256k1. EIP-2 allows only s up to it, so that one signature has one form.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// The address whose key made the signature over the digest; nothing for a v other than 27 or 28, a
/// high s, or a point that is not on the curve.
///
/// Soundness: any well-formed signature recovers to some address; compare it.
pub fn recover(digest: &[u8; 32], signature: &[u8; 65]) -> Option<[u8; 20]> {
    let (s, v) = (&signature[32..64], signature[64]);
    if !(v == 27 || v == 28) || *s > HALF_ORDER[..] || s.iter().all(|byte| *byte == 0) {
        return None;
    }
    let id = RecoveryId::from_u8_masked(v - 27);
    let signed = RecoverableSignature::from_compact(&signature[..64], id).ok()?;
    let key = signed.recover(Message::from_digest(*digest)).ok()?;
    let hashed = keccak(&[&key.serialize_uncompressed()[1..]]);
    hashed[12..].try_into().ok()
}

#[cfg(test)]
mod tests {
    use secp256k1::SecretKey;

    use super::*;

    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36,
        0x41, 0x41,
    ];

    fn signed(digest: [u8; 32]) -> [u8; 65] {
        let key = SecretKey::from_secret_bytes([7; 32]).unwrap();
        let made = RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(digest), &key);
        let (id, compact) = made.serialize_compact();
        let mut signature = [0; 65];
        signature[..64].copy_from_slice(&compact);
        signature[64] = id.to_u8() + 27;
        signature
    }

    /// n - s, the other s of the same signature.
    fn other_s(s: &[u8]) -> [u8; 32] {
        let (mut other, mut borrow) = ([0; 32], 0_i16);
        for at in (0..32).rev() {
            let value = i16::from(ORDER[at]) - i16::from(s[at]) - borrow;
            borrow = i16::from(value < 0);
            other[at] = value.rem_euclid(256) as u8;
        }
        other
    }

    #[test]
    fn the_signer_is_recovered() {
        let key = SecretKey::from_secret_bytes([7; 32]).unwrap();
        let public = secp256k1::PublicKey::from_secret_key(&key).serialize_uncompressed();
        let address: [u8; 20] = keccak(&[&public[1..]])[12..].try_into().unwrap();
        assert_eq!(recover(&[5; 32], &signed([5; 32])), Some(address));
        assert_ne!(recover(&[6; 32], &signed([5; 32])), Some(address));
    }

    #[test]
    fn the_second_form_of_a_signature_is_refused() {
        let mut signature = signed([5; 32]);
        let high = other_s(&signature[32..64]);
        signature[32..64].copy_from_slice(&high);
        signature[64] = 55 - signature[64];
        assert_eq!(recover(&[5; 32], &signature), None);
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for v in [0, 1, 26, 29, 30, 255] {
            let mut signature = signed([5; 32]);
            signature[64] = v;
            assert_eq!(recover(&[5; 32], &signature), None);
        }
        for part in [0..32, 32..64] {
            for value in [[0; 32], ORDER, [255; 32]] {
                let mut signature = signed([5; 32]);
                signature[part.clone()].copy_from_slice(&value);
                assert_eq!(recover(&[5; 32], &signature), None);
            }
        }
    }
}

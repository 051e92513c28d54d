//! A request and its payment, checked.

use std::sync::LazyLock;

use crate::form::{Filled, Form};
use crate::hash::{keccak, tagged};
use crate::signature::recover;

/// Source: EIP-3009, the type of `transferWithAuthorization`'s signed struct.
static AUTHORIZATION: LazyLock<[u8; 32]> = LazyLock::new(|| {
    keccak(&[
        b"TransferWithAuthorization(address from,address to,uint256 value,",
        b"uint256 validAfter,uint256 validBefore,bytes32 nonce)",
    ])
});
/// Source: specs/statement.md, the tags of a request and of a nonce.
static REQUEST_TAG: LazyLock<[u8; 32]> = LazyLock::new(|| keccak(&[b"inferproof/request/1"]));
static NONCE_TAG: LazyLock<[u8; 32]> = LazyLock::new(|| keccak(&[b"inferproof/nonce/1"]));

/// What all payments of one form pay for, and how they are signed.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The EIP-712 domain of the token.
    pub domain: [u8; 32],
    /// Whom they pay.
    pub payee: [u8; 20],
    /// How much, in atomic units, as a big-endian word.
    pub amount: [u8; 32],
}

/// A request and the payment of it, where both hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// What the payment's text says.
    pub filled: Filled,
    /// The digest of the request.
    pub request: [u8; 32],
}

impl Paid {
    /// The payment in a header, once the payer's own key signed it, and where it has a salt its
    /// nonce is bound to the request: `method` in upper case, the path as sent, and the body.
    pub fn read(
        form: &Form,
        terms: &Terms,
        header: &[u8],
        (method, path, body): (&[u8], &[u8], &[u8]),
    ) -> Option<Self> {
        let filled = form.read(header)?;
        let request = tagged(&REQUEST_TAG, &[method, path, body]);
        if let Some(salt) = &filled.salt {
            let bound = tagged(&NONCE_TAG, &[&request, salt]);
            if salt.iter().all(|byte| *byte == 0) || bound != filled.nonce {
                return None;
            }
        }
        let signer = recover(&signed_digest(terms, &filled), &filled.signature)?;
        (signer == filled.payer).then_some(Self { filled, request })
    }
}

/// The digest that the payer signs.
fn signed_digest(terms: &Terms, filled: &Filled) -> [u8; 32] {
    let hashed = keccak(&[
        &*AUTHORIZATION,
        &word(&filled.payer),
        &word(&terms.payee),
        &terms.amount,
        &word(&filled.valid_after.to_be_bytes()),
        &word(&filled.valid_before.to_be_bytes()),
        &filled.nonce,
    ]);
    keccak(&[b"\x19\x01", &terms.domain, &hashed])
}

/// The bytes at the end of 32.
fn word(bytes: &[u8]) -> [u8; 32] {
    let mut word = [0; 32];
    word[32 - bytes.len()..].copy_from_slice(bytes);
    word
}

#[cfg(test)]
mod tests {
    use secp256k1::ecdsa::RecoverableSignature;
    use secp256k1::{Message, PublicKey, SecretKey};

    use super::*;
    use crate::form::Blank;

    const TERMS: Terms = Terms {
        domain: [3; 32],
        payee: [4; 20],
        amount: [0; 32],
    };
    const REQUEST: (&[u8], &[u8], &[u8]) = (b"POST", b"/p", b"{}");
    const SALT: [u8; 32] = [5; 32];

    fn form(with_salt: bool) -> Form {
        let mut blanks: Vec<_> = Blank::ALL.iter().map(|(_, blank)| *blank).collect();
        if !with_salt {
            blanks.retain(|blank| *blank != Blank::Salt);
        }
        let pieces = vec![b"|".to_vec(); blanks.len() + 1];
        Form::new(pieces, &blanks).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
            .collect()
    }

    fn bound() -> [u8; 32] {
        let request = tagged(&REQUEST_TAG, &[REQUEST.0, REQUEST.1, REQUEST.2]);
        tagged(&NONCE_TAG, &[&request, &SALT])
    }

    /// The header of a payment with this nonce and salt, signed by its payer.
    fn header(nonce: [u8; 32], salt: Option<[u8; 32]>) -> Vec<u8> {
        use base64::Engine;
        let key = SecretKey::from_secret_bytes([7; 32]).unwrap();
        let public = PublicKey::from_secret_key(&key).serialize_uncompressed();
        let payer: [u8; 20] = keccak(&[&public[1..]])[12..].try_into().unwrap();
        let filled = Filled {
            payer,
            signature: [0; 65],
            valid_after: 1,
            valid_before: 2,
            nonce,
            quoted_request: [6; 32],
            issued_at: 3,
            expires_at: 4,
            quote_signature: [8; 65],
            salt,
        };
        let digest = Message::from_digest(signed_digest(&TERMS, &filled));
        let made = RecoverableSignature::sign_ecdsa_recoverable(digest, &key);
        let (id, compact) = made.serialize_compact();
        let signature = [&compact[..], &[id.to_u8() + 27]].concat();
        let mut values = vec![
            hex(&payer),
            hex(&signature),
            "1".to_owned(),
            "2".to_owned(),
            hex(&nonce),
            hex(&[6; 32]),
            "3".to_owned(),
            "4".to_owned(),
            hex(&[8; 65]),
            hex(&[9; 32]),
        ];
        values.extend(salt.map(|salt| hex(&salt)));
        let text = format!("|{}|", values.join("|"));
        base64::engine::general_purpose::STANDARD
            .encode(text)
            .into_bytes()
    }

    #[test]
    fn a_signed_and_bound_payment_is_taken() {
        let header = header(bound(), Some(SALT));
        let paid = Paid::read(&form(true), &TERMS, &header, REQUEST).unwrap();
        assert_eq!(paid.filled.salt, Some(SALT));
        assert_eq!(paid.filled.nonce, bound());
        let expected = tagged(&REQUEST_TAG, &[REQUEST.0, REQUEST.1, REQUEST.2]);
        assert_eq!(paid.request, expected);
    }

    #[test]
    fn a_payment_without_a_salt_is_for_any_request() {
        let header = header([1; 32], None);
        assert!(Paid::read(&form(false), &TERMS, &header, REQUEST).is_some());
        assert!(Paid::read(&form(true), &TERMS, &header, REQUEST).is_none());
    }

    #[test]
    fn another_request_is_not_paid() {
        let header = header(bound(), Some(SALT));
        for other in [
            (&b"PUT"[..], REQUEST.1, REQUEST.2),
            (REQUEST.0, b"/q", REQUEST.2),
            (REQUEST.0, REQUEST.1, b"{ }"),
            (REQUEST.0, b"/", b"p{}"),
        ] {
            assert!(Paid::read(&form(true), &TERMS, &header, other).is_none());
        }
    }

    #[test]
    fn a_nonce_that_is_bound_to_nothing_is_left() {
        let loose = header([1; 32], Some(SALT));
        assert!(Paid::read(&form(true), &TERMS, &loose, REQUEST).is_none());
        let request = tagged(&REQUEST_TAG, &[REQUEST.0, REQUEST.1, REQUEST.2]);
        let zero = tagged(&NONCE_TAG, &[&request, &[0; 32]]);
        let zero = header(zero, Some([0; 32]));
        assert!(Paid::read(&form(true), &TERMS, &zero, REQUEST).is_none());
    }

    #[test]
    fn other_terms_were_not_signed() {
        let header = header(bound(), Some(SALT));
        for change in [
            |terms: &mut Terms| terms.domain[0] ^= 1,
            |terms: &mut Terms| terms.payee[0] ^= 1,
            |terms: &mut Terms| terms.amount[31] ^= 1,
        ] {
            let mut other = TERMS;
            change(&mut other);
            assert!(Paid::read(&form(true), &other, &header, REQUEST).is_none());
        }
    }
}

//! A form: the text of payments that differ in a few values, with blanks where those stand.
//!
//! Texts of one form are JSON of one structure: what a blank takes is a part of one string, or one
//! number, whatever it holds. So a form that stands for one payment, read by the general way, stands
//! for all that it takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A value that differs from payment to payment, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// 20 bytes in hex of any case.
    Payer,
    /// 65 bytes in lower-case hex.
    Signature,
    /// A number of seconds.
    ValidAfter,
    /// A number of seconds.
    ValidBefore,
    /// 32 bytes in lower-case hex.
    Nonce,
    /// The digest of the request that the quote is for: 32 bytes in lower-case hex.
    QuotedRequest,
    /// A number of seconds.
    IssuedAt,
    /// A number of seconds.
    ExpiresAt,
    /// 65 bytes in lower-case hex.
    QuoteSignature,
    /// 32 bytes in lower-case hex that decide nothing.
    Ignored,
    /// 32 bytes in lower-case hex.
    Salt,
}

impl Blank {
    /// Every blank, with the name that Python knows it by.
    pub const ALL: [(&'static str, Self); 11] = [
        ("payer", Self::Payer),
        ("signature", Self::Signature),
        ("valid_after", Self::ValidAfter),
        ("valid_before", Self::ValidBefore),
        ("nonce", Self::Nonce),
        ("quoted_request", Self::QuotedRequest),
        ("issued_at", Self::IssuedAt),
        ("expires_at", Self::ExpiresAt),
        ("quote_signature", Self::QuoteSignature),
        ("ignored", Self::Ignored),
        ("salt", Self::Salt),
    ];

    /// The blank of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, blank)| blank)
    }
}

/// What stands in the blanks of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Whoever pays.
    pub payer: [u8; 20],
    /// The payer's signature.
    pub signature: [u8; 65],
    /// When the payment begins to hold.
    pub valid_after: u64,
    /// When it ends.
    pub valid_before: u64,
    /// The payment's nonce.
    pub nonce: [u8; 32],
    /// The digest of the request that the quote is for.
    pub quoted_request: [u8; 32],
    /// When the quote was made.
    pub issued_at: u64,
    /// When it ends.
    pub expires_at: u64,
    /// The gateway's signature of the quote.
    pub quote_signature: [u8; 65],
    /// What binds the nonce to the request; nothing where the form has no such blank.
    pub salt: Option<[u8; 32]>,
}

/// The pieces and blanks do not make a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedForm;

/// The pieces of a text, and the blanks between them.
#[derive(Clone, Debug)]
pub struct Form {
    first: Vec<u8>,
    rest: Vec<(Blank, Vec<u8>)>,
    has_salt: bool,
}

impl Form {
    /// A form of `pieces` with one blank between each two. Every blank stands in it once; the salt
    /// and what is ignored may be absent.
    pub fn new(pieces: Vec<Vec<u8>>, blanks: &[Blank]) -> Result<Self, MalformedForm> {
        let times = |blank| blanks.iter().filter(|each| **each == blank).count();
        let whole = Blank::ALL.into_iter().all(|(_, blank)| match blank {
            Blank::Salt | Blank::Ignored => times(blank) <= 1,
            _ => times(blank) == 1,
        });
        let mut pieces = pieces.into_iter();
        let first = pieces.next().ok_or(MalformedForm)?;
        let rest: Vec<_> = blanks.iter().copied().zip(pieces.by_ref()).collect();
        if !whole || rest.len() != blanks.len() || pieces.next().is_some() {
            return Err(MalformedForm);
        }
        let has_salt = times(Blank::Salt) == 1;
        Ok(Self {
            first,
            rest,
            has_salt,
        })
    }

    /// What stands in the blanks of a header, which is such a text in padded, canonical Base64.
    pub fn read(&self, header: &[u8]) -> Option<Filled> {
        self.fill(&STANDARD.decode(header).ok()?)
    }

    /// What stands in the blanks of a text.
    pub fn fill(&self, text: &[u8]) -> Option<Filled> {
        let mut filled = Filled {
            payer: [0; 20],
            signature: [0; 65],
            valid_after: 0,
            valid_before: 0,
            nonce: [0; 32],
            quoted_request: [0; 32],
            issued_at: 0,
            expires_at: 0,
            quote_signature: [0; 65],
            salt: self.has_salt.then_some([0; 32]),
        };
        let mut left = text.strip_prefix(self.first.as_slice())?;
        for (blank, piece) in &self.rest {
            left = match blank {
                Blank::Payer => take_hex::<20, true>(left, &mut filled.payer)?,
                Blank::Signature => take_hex::<65, false>(left, &mut filled.signature)?,
                Blank::ValidAfter => take_number(left, &mut filled.valid_after)?,
                Blank::ValidBefore => take_number(left, &mut filled.valid_before)?,
                Blank::Nonce => take_hex::<32, false>(left, &mut filled.nonce)?,
                Blank::QuotedRequest => take_hex::<32, false>(left, &mut filled.quoted_request)?,
                Blank::IssuedAt => take_number(left, &mut filled.issued_at)?,
                Blank::ExpiresAt => take_number(left, &mut filled.expires_at)?,
                Blank::QuoteSignature => take_hex::<65, false>(left, &mut filled.quote_signature)?,
                Blank::Ignored => take_hex::<32, false>(left, &mut [0; 32])?,
                Blank::Salt => take_hex::<32, false>(left, filled.salt.as_mut()?)?,
            };
            left = left.strip_prefix(piece.as_slice())?;
        }
        left.is_empty().then_some(filled)
    }
}

/// Takes hex digits of N bytes; what is left after them.
fn take_hex<'a, const N: usize, const ANY_CASE: bool>(
    text: &'a [u8],
    into: &mut [u8; N],
) -> Option<&'a [u8]> {
    let (digits, left) = text.split_at_checked(2 * N)?;
    for (byte, pair) in into.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = digit::<ANY_CASE>(pair[0])? << 4 | digit::<ANY_CASE>(pair[1])?;
    }
    Some(left)
}

fn digit<const ANY_CASE: bool>(sign: u8) -> Option<u8> {
    match sign {
        b'0'..=b'9' => Some(sign - b'0'),
        b'a'..=b'f' => Some(sign - b'a' + 10),
        b'A'..=b'F' if ANY_CASE => Some(sign - b'A' + 10),
        _ => None,
    }
}

/// Digits of a number that is read here; one with more is left to the general way.
const MOST_DIGITS: usize = 19;

/// Takes a whole number without leading zeros; what is left after it.
fn take_number<'a>(text: &'a [u8], into: &mut u64) -> Option<&'a [u8]> {
    let count = text.iter().take_while(|sign| sign.is_ascii_digit()).count();
    let (digits, left) = text.split_at(count);
    if count == 0 || count > MOST_DIGITS || (digits[0] == b'0' && count > 1) {
        return None;
    }
    *into = digits
        .iter()
        .fold(0, |number, sign| 10 * number + u64::from(sign - b'0'));
    Some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLANKS: [Blank; 10] = [
        Blank::Payer,
        Blank::Signature,
        Blank::ValidAfter,
        Blank::ValidBefore,
        Blank::Nonce,
        Blank::QuotedRequest,
        Blank::IssuedAt,
        Blank::ExpiresAt,
        Blank::QuoteSignature,
        Blank::Salt,
    ];

    fn form() -> Form {
        let pieces = (0..11).map(|n| format!("<{n}>").into_bytes()).collect();
        Form::new(pieces, &BLANKS).unwrap()
    }

    fn values() -> Vec<String> {
        vec![
            "aB".repeat(20),
            "0c".repeat(65),
            "0".to_owned(),
            "9999999999999999999".to_owned(),
            "1d".repeat(32),
            "2e".repeat(32),
            "17".to_owned(),
            "18".to_owned(),
            "3f".repeat(65),
            "40".repeat(32),
        ]
    }

    fn text(values: &[String]) -> Vec<u8> {
        let mut text = b"<0>".to_vec();
        for (n, value) in values.iter().enumerate() {
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(format!("<{}>", n + 1).as_bytes());
        }
        text
    }

    #[test]
    fn blanks_are_read() {
        let filled = form().fill(&text(&values())).unwrap();
        assert_eq!(filled.payer, [0xab; 20]);
        assert_eq!(filled.signature, [0x0c; 65]);
        assert_eq!(filled.valid_after, 0);
        assert_eq!(filled.valid_before, 9_999_999_999_999_999_999);
        assert_eq!(filled.nonce, [0x1d; 32]);
        assert_eq!(filled.quoted_request, [0x2e; 32]);
        assert_eq!((filled.issued_at, filled.expires_at), (17, 18));
        assert_eq!(filled.quote_signature, [0x3f; 65]);
        assert_eq!(filled.salt, Some([0x40; 32]));
        let header = STANDARD.encode(text(&values()));
        assert_eq!(form().read(header.as_bytes()), Some(filled));
    }

    #[test]
    fn a_number_has_one_spelling() {
        for number in [
            "",
            "00",
            "01",
            "-1",
            "+1",
            "1.0",
            "1e3",
            " 1",
            "10000000000000000000",
        ] {
            for at in [2, 3, 6, 7] {
                let mut values = values();
                number.clone_into(&mut values[at]);
                assert_eq!(form().fill(&text(&values)), None, "{number} at {at}");
            }
        }
    }

    #[test]
    fn hex_has_its_length_and_case() {
        for at in [1, 4, 5, 8, 9] {
            for change in [
                |v: &str| v[1..].to_owned(),
                |v: &str| format!("0{v}"),
                |v: &str| v.replace('0', "g"),
            ] {
                let mut values = values();
                values[at] = change(&values[at]);
                let changed = values != self::values();
                assert!(!changed || form().fill(&text(&values)).is_none());
            }
            let mut values = values();
            values[at] = "A".repeat(values[at].len());
            assert_eq!(form().fill(&text(&values)), None);
        }
    }

    #[test]
    fn any_other_text_is_left() {
        let good = text(&values());
        for at in 0..good.len() {
            assert_eq!(form().fill(&good[..at]), None);
        }
        for at in [0, 1, 2, good.len() - 1] {
            let mut other = good.clone();
            other[at] ^= 1;
            assert_eq!(form().fill(&other), None);
        }
        assert_eq!(form().fill(&[good.as_slice(), b" "].concat()), None);
    }

    #[test]
    fn a_header_has_one_spelling() {
        let text = text(&values());
        let header = STANDARD.encode(&text);
        assert!(header.ends_with('='), "else nothing is cut off below");
        let bare = header.trim_end_matches('=');
        let last = bare.len() - 1;
        let loose = format!("{}{}", &bare[..last], (bare.as_bytes()[last] + 1) as char);
        for other in [
            bare.to_owned(),
            format!("{header}="),
            format!("{header}\n"),
            format!("{loose}{}", &header[bare.len()..]),
            header.replace('P', "-"),
        ] {
            assert_eq!(form().read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_form_has_every_blank_once() {
        let pieces = || (0..11).map(|_| b"x".to_vec()).collect::<Vec<_>>();
        let mut twice = BLANKS;
        twice[0] = Blank::Signature;
        assert!(Form::new(pieces(), &twice).is_err());
        assert!(Form::new(pieces(), &BLANKS[1..]).is_err());
        assert!(Form::new(pieces()[1..].to_vec(), &BLANKS).is_err());
        assert!(Form::new(vec![], &[]).is_err());
        let without_salt = Form::new(pieces()[1..].to_vec(), &BLANKS[..9]);
        assert!(without_salt.is_ok_and(|form| !form.has_salt));
    }

    #[test]
    fn names_are_known() {
        for (name, blank) in Blank::ALL {
            assert_eq!(Blank::named(name), Some(blank));
        }
        assert_eq!(Blank::named("Payer"), None);
    }
}

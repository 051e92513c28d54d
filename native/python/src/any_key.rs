//! Verifying keys of every mode.

use crate::Failure;
use commitment::{Profile, Root, Security};
use graph::Graph;
use key::{KeyError, Mode, PrivateKey, Public, VerifyingKey, mode_of};
use verifier::Rejection;
use verifier::private::Known;

/// A verifying key of any mode; one of the private mode with the links that were checked under it.
pub enum AnyKey {
    Plain(Box<VerifyingKey>),
    Private(Box<PrivateKey>, Known),
}

impl AnyKey {
    fn plain(key: VerifyingKey) -> Self {
        Self::Plain(Box::new(key))
    }

    fn private(key: PrivateKey) -> Self {
        Self::Private(Box::new(key), Known::default())
    }

    pub fn without_commitment(
        mode: Mode,
        graph: Graph,
        profile: Profile,
    ) -> Result<Self, KeyError> {
        match mode {
            Mode::Private => Ok(Self::private(PrivateKey::standard(graph, profile)?)),
            Mode::Clear => Ok(Self::plain(VerifyingKey::new(graph, profile)?)),
        }
    }

    /// The key of these bytes, one of the private mode once `ranges` show that its weights are in theirs. Others come
    /// without.
    pub fn decode(bytes: &[u8], ranges: &[u8]) -> Result<Self, Failure> {
        if mode_of(bytes) != Some(Mode::Private) {
            if !ranges.is_empty() {
                let why = "only keys of mode private show the ranges of their weights";
                return Err(Failure::new("RANGES_UNUSED", why));
            }
            return Ok(Self::plain(VerifyingKey::decode(bytes)?));
        }
        let key = PrivateKey::decode(bytes)?;
        verifier::private::verify_ranges(&key, ranges).map_err(unshown)?;
        Ok(Self::private(key))
    }

    pub fn graph(&self) -> &Graph {
        match self {
            Self::Plain(key) => key.graph(),
            Self::Private(key, _) => key.graph(),
        }
    }

    pub const fn mode(&self) -> Mode {
        match self {
            Self::Plain(_) => Mode::Clear,
            Self::Private(..) => Mode::Private,
        }
    }

    pub fn security(&self) -> Security {
        match self {
            Self::Plain(key) => key.security(),
            Self::Private(key, _) => key.security(),
        }
    }

    /// The key where it is one of the private mode.
    pub fn private_key(&self) -> Result<&PrivateKey, Failure> {
        match self {
            Self::Private(key, _) => Ok(key),
            Self::Plain(_) => Err(shown()),
        }
    }

    pub fn verify_private_inputs(
        &self,
        root: &Root,
        public: &Public<'_>,
        proof: &[u8],
    ) -> Result<(), Failure> {
        let verify = verifier::private::verify_private_inputs;
        match self {
            Self::Private(key, known) => Ok(verify(key, known, root, public, proof)?),
            Self::Plain(_) => Err(shown()),
        }
    }

    pub fn verify(&self, public: &Public<'_>, proof: &[u8]) -> Result<(), Rejection> {
        match self {
            Self::Plain(key) => verifier::verify(key, public, proof),
            Self::Private(key, known) => {
                verifier::private::verify_knowing(key, known, public, proof)
            }
        }
    }
}

/// What is said where inputs are to be private of a key whose proofs show them.
fn shown() -> Failure {
    Failure::new(
        "INPUTS_PUBLIC_ONLY",
        "proofs of mode clear show their inputs",
    )
}

/// What is said where ranges are not shown: what is wrong with a proof of theirs is nothing of a proof under the key.
fn unshown(rejection: Rejection) -> Failure {
    match rejection {
        Rejection::RangesMissing | Rejection::NoRanges(_) => rejection.into(),
        other => {
            let why = format!("the proof of the ranges is not valid: {other}");
            Failure::new("RANGES_INVALID", why)
        }
    }
}

//! Chains of links, from a key to what a proof opens, and the links that a verifier knows.

use super::commitment::Commitment;
use super::link::Link;
use crate::rejection::Rejection;
use commitment::{Reader, Writer};
use key::{Kind, MAX_LINKS, PrivateKey};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Links that are known at most: those of so many epochs.
const KNOWN: usize = 256;

/// Links that were checked before, by a digest of their bytes and of what they lead from.
#[derive(Default)]
pub struct Known(Mutex<VecDeque<([u8; 32], Commitment)>>);

impl Known {
    fn find(&self, digest: &[u8; 32]) -> Option<Commitment> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = known.iter();
        let found = known.find(|(own, _)| own == digest)?;
        Some(found.1.clone())
    }

    /// The oldest one is forgotten where there are too many.
    fn add(&self, digest: [u8; 32], commitment: Commitment) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN {
            known.pop_front();
        }
        known.push_back((digest, commitment));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Appends links one after another, the first of which opens the key.
pub fn write(key: &PrivateKey, links: &[Link], out: &mut Writer) {
    let mut parent = Kind::Key;
    for link in links {
        link.write(key, parent, out);
        parent = link.kind;
    }
}

/// Reads so many links, the first of which opens the key, where there may be as many.
pub(super) fn read(
    key: &PrivateKey,
    count: usize,
    most: usize,
    input: &mut Reader<'_>,
) -> Result<Vec<Link>, Rejection> {
    if count > most {
        return Err(Rejection::LinkCount(count));
    }
    let mut parent = Kind::Key;
    let mut links = Vec::with_capacity(count);
    for _ in 0..count {
        let link = Link::read(key, parent, input)?;
        parent = link.kind;
        links.push(link);
    }
    Ok(links)
}

/// Reads links until there is nothing left.
pub fn read_all(key: &PrivateKey, bytes: &[u8]) -> Result<Vec<Link>, Rejection> {
    let mut input = Reader::new(bytes);
    let mut parent = Kind::Key;
    let mut links = Vec::new();
    while input.remaining() > 0 {
        if links.len() >= MAX_LINKS {
            return Err(Rejection::LinkCount(links.len() + 1));
        }
        let link = Link::read(key, parent, &mut input)?;
        parent = link.kind;
        links.push(link);
    }
    Ok(links)
}

/// The commitment that links lead to from the key's own, each checked or known.
pub fn follow(key: &PrivateKey, known: &Known, links: &[Link]) -> Result<Commitment, Rejection> {
    let mut commitment = Commitment::of_key(key);
    for link in links {
        let mut bytes = Writer::default();
        link.write(key, commitment.kind(), &mut bytes);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&commitment.digest());
        hasher.update(&bytes.bytes);
        let digest = hasher.finalize().into();
        commitment = if let Some(found) = known.find(&digest) {
            found
        } else {
            let checked = link.verify(key, &commitment)?;
            known.add(digest, checked.clone());
            checked
        };
    }
    Ok(commitment)
}

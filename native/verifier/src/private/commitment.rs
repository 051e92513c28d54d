//! Commitments to the weights of a key, and what tells candidates for their roots apart.

use super::link::{Drawn, Link};
use commitment::Root;
use hiding::LinearForm;
use key::{Kind, PrivateKey};
use p3_field::PrimeCharacteristicRing;
use transcript::{Extension, write_extension};

/// What digests of commitments begin with, behind its length, as those that transcripts absorb begin with theirs.
const LABEL: &[u8] = b"inferproof/sumcheck/1/link/digest";

/// A commitment to a key's weights: the key's own, or one that a link leads to.
#[derive(Clone, Debug)]
pub struct Commitment {
    kind: Kind,
    root: Root,
    digest: [u8; 32],
    /// What a link has drawn for it, and the value that it has then. The key's own has its pin.
    bound: Option<(Drawn, Extension)>,
}

impl Commitment {
    /// That of the key itself.
    pub fn of_key(key: &PrivateKey) -> Self {
        Self {
            kind: Kind::Key,
            root: key.root(),
            digest: key.digest(),
            bound: None,
        }
    }

    /// That which a link from this one leads to, where `drawn` are the link's challenges. The caller MUST have
    /// made the link or checked it.
    #[must_use]
    pub fn child(&self, key: &PrivateKey, link: &Link, drawn: Drawn) -> Self {
        let mut told = [&self.digest[..], &link.child(key), &link.fresh].concat();
        write_extension(&mut told, link.value);
        let lengths = (LABEL.len() as u32, told.len() as u64);
        let (label, data) = (lengths.0.to_le_bytes(), lengths.1.to_le_bytes());
        let told = [&label, LABEL, &data, &told].concat();
        Self {
            kind: link.kind,
            root: link.root,
            digest: key.profile().hash().digest(&told),
            bound: Some((drawn, link.value)),
        }
    }

    /// One that no link leads to: what a link would say of it is given.
    #[cfg(feature = "audit")]
    pub const fn alone(kind: Kind, root: Root, drawn: Drawn, value: Extension) -> Self {
        Self {
            kind,
            root,
            digest: root,
            bound: Some((drawn, value)),
        }
    }

    /// What it is opened for.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its root.
    pub const fn root(&self) -> Root {
        self.root
    }

    /// What it is known by: the digest of its key, or one that binds its parent's and all that a link says of it.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The form that each of its openings MUST claim, and its value: one candidate for the root has it, or several
    /// that have the same weights. Nothing where the root of a key has one candidate.
    pub fn binding(&self, key: &PrivateKey) -> Option<(LinearForm, Extension)> {
        let Some((drawn, value)) = &self.bound else {
            let (point, value) = key.pin()?;
            let mut form = LinearForm::new();
            form.add_whole(point.to_vec(), Extension::ONE);
            return Some((form, value));
        };
        let vector = key.vector(self.kind)?;
        Some((drawn.form(vector), *value))
    }
}

//! Makes links.

use super::masks::Draw;
use super::model::Model;
#[cfg(not(feature = "audit"))]
use super::model::commit;
#[cfg(feature = "audit")]
use super::model::{Beyond, Half, commit_beyond};
use crate::error::ProveError;
use crate::session::{Phase, Watch};
#[cfg(feature = "audit")]
use graph::Values;
use hiding::{Committed, Context, Randomness};
use key::{Kind, LINK_CELLS};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, Extension, Transcript};
use verifier::private::{Commitment, Link, link};

/// What a link opens, and what for.
pub(super) struct Making<'a> {
    pub(super) model: &'a Model,
    pub(super) parent: &'a Commitment,
    pub(super) committed: &'a Committed,
    pub(super) kind: Kind,
    /// The number under which the caller has counted the opening.
    pub(super) slot: u64,
    pub(super) draw: Draw<'a>,
    /// What a test lies about.
    #[cfg(feature = "audit")]
    pub(super) lie: Lie<'a>,
}

/// What a test lies about in a link.
#[cfg(feature = "audit")]
#[derive(Clone, Copy, Default)]
pub struct Lie<'a> {
    /// Weights and parameters of the child.
    pub values: Option<Values<'a>>,
    /// What the child holds in place of some of these.
    pub beyond: &'a [Beyond],
    /// Added to ρ in the fresh vector.
    pub mask: Extension,
    /// Added to w.
    pub value: Extension,
    /// Whether w is that of the parent's weights and the fresh vector's ρ, which opens.
    pub of_parent: bool,
    /// Whether the child has zeros for a half, so that nothing is hidden.
    pub without_half: bool,
    /// What the parent is said to be.
    pub parent: Option<&'a Commitment>,
    /// A transcript that was prepared.
    pub transcript: Option<&'a Transcript>,
}

/// A link with what it leads to.
pub(super) struct Made {
    pub(super) link: Link,
    pub(super) commitment: Commitment,
    pub(super) committed: Committed,
}

impl Making<'_> {
    /// What randomness of the link is drawn for.
    pub(super) fn context<'b>(&'b self, about: &'b [u8; 32], parent: &'b [u8; 32]) -> Context<'b> {
        Context {
            statement: about,
            witness: &self.model.digest,
            key: parent,
            slot: self.slot,
        }
    }

    /// The link to an epoch, whose masks are drawn here and are nowhere else.
    pub(super) fn epoch(
        &self,
        watch: Watch<'_>,
        open: impl FnOnce() -> Result<(), ProveError>,
    ) -> Result<Made, ProveError> {
        let parent = self.parent.digest();
        let masks = (self.draw)(&self.context(&[0; 32], &parent))?;
        self.link(masks, watch, open)
    }

    /// The link to a commitment with these masks. `open` is asked before the parent is opened.
    pub(super) fn link(
        &self,
        mut masks: Randomness,
        watch: Watch<'_>,
        open: impl FnOnce() -> Result<(), ProveError>,
    ) -> Result<Made, ProveError> {
        let begins =
            |phase, watch: Watch<'_>| watch(phase).then_some(()).ok_or(ProveError::Cancelled);
        begins(Phase::Commit, watch)?;
        let key = &self.model.key;
        let mut child = self.child(&mut masks)?;
        let root = child.root();
        let mut transcript = self.transcript();
        let half = link::begin(key, self.claimed(), (self.kind, &root), &mut transcript);
        let vector = key.vector(self.kind).ok_or(ProveError::EpochKind)?;
        let mask = child.keep(&vector.half_at(&half))?;
        let fresh = self.fresh(mask, &root)?;

        let drawn = link::draw(key, half, &fresh.root(), &mut transcript);
        let value = child.keep(&drawn.form(vector))?;
        let value = self.told(value, mask, &drawn)?;
        let claim = link::claim(key, self.claimed(), &drawn, value, &mut transcript);
        let claim = claim.ok_or(ProveError::EpochKind)?;
        let of_parent = key
            .vector(self.parent.kind())
            .ok_or(ProveError::EpochKind)?;

        begins(Phase::Open, watch)?;
        open()?;
        let fresh_root = fresh.root();
        let opening = of_parent
            .shape()
            .prove(fresh, &[self.committed], &claim, &mut transcript)?;
        let link = Link {
            kind: self.kind,
            root,
            fresh: fresh_root,
            value,
            opening,
        };
        let commitment = self.claimed().child(key, &link, drawn);
        Ok(Made {
            link,
            commitment,
            committed: child,
        })
    }

    /// The fresh vector, which holds ρ.
    fn fresh(&self, mask: Extension, child: &[u8; 32]) -> Result<Committed, ProveError> {
        let mask = self.masked(mask);
        let mut cells = vec![Base::ZERO; LINK_CELLS];
        let coefficients: &[Base] = mask.as_basis_coefficients_slice();
        for (cell, &coefficient) in cells.iter_mut().zip(coefficients) {
            *cell = coefficient;
        }
        let parent = self.parent.digest();
        let mut randomness = (self.draw)(&self.context(child, &parent))?;
        let vector = self.model.key.vector(self.parent.kind());
        let shape = vector.ok_or(ProveError::EpochKind)?.shape();
        Ok(shape.commit(0, &[&cells], &mut randomness)?)
    }
}

// Each of them is one that a test may lie in.
#[cfg(not(feature = "audit"))]
#[allow(clippy::unused_self)]
impl Making<'_> {
    fn child(&self, masks: &mut Randomness) -> Result<Committed, ProveError> {
        let (key, values) = (&self.model.key, self.model.values());
        commit(key, self.kind, &values, Randomness::base, masks)
    }

    fn transcript(&self) -> Transcript {
        self.model.key.transcript()
    }

    const fn claimed(&self) -> &Commitment {
        self.parent
    }

    const fn masked(&self, mask: Extension) -> Extension {
        mask
    }

    #[allow(clippy::unnecessary_wraps)]
    const fn told(
        &self,
        value: Extension,
        _: Extension,
        _: &link::Drawn,
    ) -> Result<Extension, ProveError> {
        Ok(value)
    }
}

/// Where a test lies.
#[cfg(feature = "audit")]
impl Making<'_> {
    fn child(&self, masks: &mut Randomness) -> Result<Committed, ProveError> {
        let half: Half = if self.lie.without_half {
            |_| Base::ZERO
        } else {
            Randomness::base
        };
        let values = self.lie.values.unwrap_or_else(|| self.model.values());
        commit_beyond(
            &self.model.key,
            self.kind,
            &values,
            self.lie.beyond,
            half,
            masks,
        )
    }

    fn transcript(&self) -> Transcript {
        let prepared = self.lie.transcript.cloned();
        prepared.unwrap_or_else(|| self.model.key.transcript())
    }

    fn claimed(&self) -> &Commitment {
        self.lie.parent.unwrap_or(self.parent)
    }

    fn masked(&self, mask: Extension) -> Extension {
        mask + self.lie.mask
    }

    fn told(
        &self,
        value: Extension,
        mask: Extension,
        drawn: &link::Drawn,
    ) -> Result<Extension, ProveError> {
        if !self.lie.of_parent {
            return Ok(value + self.lie.value);
        }
        let vector = self.model.key.vector(self.parent.kind());
        let vector = vector.ok_or(ProveError::EpochKind)?;
        let value = self.committed.value(&drawn.weights(vector))?;
        Ok(value + self.masked(mask) + self.lie.value)
    }
}

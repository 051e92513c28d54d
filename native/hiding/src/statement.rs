//! The one linear claim that an opening shows, and what the opening itself adds to it.

use crate::channel::{Channel, point};
use crate::form::{LinearForm, Unfit};
use crate::shape::{PLANES, Shape};
use commitment::merkle::Digest;
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, Extension, Site};

/// That linear forms, one on each vector, have this sum. Both sides MUST have fixed the forms before the
/// opening: they depend on nothing that is drawn in it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// One form for each vector, in their order.
    pub forms: Vec<LinearForm>,
    /// The value of their sum.
    pub value: Extension,
}

/// A claim that is not about the vectors of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// There is not one form for each vector.
    #[error("there are {0} linear forms, and not one for each vector")]
    Forms(usize),
    /// A form does not fit.
    #[error("vector {vector}: {unfit}")]
    Unfit {
        /// Index of the vector.
        vector: usize,
        /// What does not fit.
        unfit: Unfit,
    },
}

impl Claim {
    /// Checks that it is about the caller's columns of the vectors.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), ClaimError> {
        if self.forms.len() != shape.vectors.len() {
            return Err(ClaimError::Forms(self.forms.len()));
        }
        let forms = self.forms.iter().zip(&shape.vectors);
        for (index, (form, vector)) in forms.enumerate() {
            let own = if vector.fresh { PLANES + 1 } else { 0 };
            let columns = vector.columns.len() - own;
            form.check(vector, columns).map_err(|unfit| {
                let vector = index;
                ClaimError::Unfit { vector, unfit }
            })?;
        }
        Ok(())
    }

    /// What begins every opening.
    pub(crate) fn absorb(&self, roots: &[Digest], channel: &mut impl Channel) {
        channel.absorb_roots(Site::Opening, roots, &[self.value]);
    }
}

/// Points at which the block of masks and the vectors are asked for.
pub(crate) struct Points {
    /// Of the block of masks.
    pub(crate) masks: Vec<Vec<Extension>>,
    /// Of the joint vector.
    pub(crate) samples: Vec<Vec<Extension>>,
}

impl Points {
    /// Draws those of the block of masks.
    pub(crate) fn of_masks(shape: &Shape, channel: &mut impl Channel) -> Vec<Vec<Extension>> {
        (0..shape.mask_claims)
            .map(|_| point(channel, shape.block()))
            .collect()
    }

    /// The forms of the claim with those of the block's claims and of the answers, by powers of a
    /// challenge.
    pub(crate) fn joined(
        &self,
        shape: &Shape,
        claim: &Claim,
        batching: Extension,
    ) -> Vec<LinearForm> {
        let mut forms = claim.forms.clone();
        let mut power = batching;
        for point in &self.masks {
            if let Some(form) = forms.first_mut() {
                add_mask(form, shape, point, power);
            }
            power *= batching;
        }
        for (index, point) in self.samples.iter().enumerate() {
            add_sample(&mut forms, shape, index, point, power);
            power *= batching;
        }
        forms
    }
}

/// X^l.
pub(crate) fn basis(l: usize) -> Extension {
    Extension::from_basis_coefficients_fn(|limb| if limb == l { Base::ONE } else { Base::ZERO })
}

/// Adds `scale` times B at a point, B = Σ_l X^l·B_l.
fn add_mask(form: &mut LinearForm, shape: &Shape, point: &[Extension], scale: Extension) {
    for (l, column) in shape.block_columns().enumerate() {
        form.add_point(column, point.to_vec(), scale * basis(l));
    }
}

/// Adds `scale` times the vectors that answers are about, at a point of the joint vector, and the pad of
/// answer `index`.
pub(crate) fn add_sample(
    forms: &mut [LinearForm],
    shape: &Shape,
    index: usize,
    point: &[Extension],
    scale: Extension,
) {
    for (form, vector) in forms.iter_mut().zip(&shape.vectors) {
        if vector.sampled {
            let (own, slot) = shape.part(vector, point);
            form.add_whole(own, scale * slot);
        }
    }
    if let Some(form) = forms.first_mut() {
        let pad = (0..PLANES).map(|l| scale * basis(l)).collect();
        form.add_cells(shape.pad_column(), index * PLANES, pad);
    }
}

/// Σ over vectors of form(vector), from tables of the joint vector.
pub(crate) fn table(shape: &Shape, forms: &[LinearForm]) -> Vec<Extension> {
    let mut table = vec![Extension::ZERO; 1 << shape.joint()];
    for (form, vector) in forms.iter().zip(&shape.vectors) {
        form.add_to(shape, vector, &mut table);
    }
    table
}

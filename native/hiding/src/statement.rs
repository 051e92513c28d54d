//! The one linear claim that an opening shows, and what the opening itself adds to it.

use crate::channel::{Channel, point};
use crate::form::{LinearForm, Unfit};
use crate::shape::{Mask, PLANES, Shape, VectorShape};
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
            form.check(vector, vector.own()).map_err(|unfit| {
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

/// Points at which masks and vectors are asked for.
pub(crate) struct Points {
    /// Of the masks: as many of each vector, one vector after another.
    pub(crate) masks: Vec<Vec<Extension>>,
    /// Of the joint vector.
    pub(crate) samples: Vec<Vec<Extension>>,
}

impl Points {
    /// Draws those of the masks.
    pub(crate) fn of_masks(shape: &Shape, channel: &mut impl Channel) -> Vec<Vec<Extension>> {
        let vectors = shape.vectors.iter();
        vectors
            .flat_map(|vector| std::iter::repeat_n(vector, shape.mask_claims))
            .map(|vector| point(channel, vector.mask_variables()))
            .collect()
    }

    /// The forms of the claim with those of the masks' claims and of the answers, by powers of a
    /// challenge.
    pub(crate) fn joined(
        &self,
        shape: &Shape,
        claim: &Claim,
        batching: Extension,
    ) -> Vec<LinearForm> {
        let mut forms = claim.forms.clone();
        let mut power = batching;
        let mut points = self.masks.iter();
        for (form, vector) in forms.iter_mut().zip(&shape.vectors) {
            for point in points.by_ref().take(shape.mask_claims) {
                add_mask(form, vector, point, power);
                power *= batching;
            }
        }
        for (index, point) in self.samples.iter().enumerate() {
            add_sample(&mut forms, shape, index, point, power);
            power *= batching;
        }
        forms
    }
}

/// X^l.
fn basis(l: usize) -> Extension {
    Extension::from_basis_coefficients_fn(|limb| if limb == l { Base::ONE } else { Base::ZERO })
}

/// Adds `scale` times a vector's mask at a point; that of the fresh one is B = Σ_l X^l·B_l.
pub(crate) fn add_mask(
    form: &mut LinearForm,
    vector: &VectorShape,
    point: &[Extension],
    scale: Extension,
) {
    match vector.mask {
        Mask::Block(_) => {
            for l in 0..PLANES {
                form.add_point(vector.own() + l, point.to_vec(), scale * basis(l));
            }
        }
        Mask::Column => form.add_point(vector.own(), point.to_vec(), scale),
        Mask::Half => {
            let (columns, rows) = point.split_at(vector.fold);
            form.add_whole([columns, &[Extension::ONE], rows].concat(), scale);
        }
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

/// The weights of all forms as a table of the joint vector.
#[cfg(any(test, feature = "audit"))]
pub(crate) fn table(shape: &Shape, forms: &[LinearForm]) -> Vec<Extension> {
    let mut table = vec![Extension::ZERO; 1 << shape.joint()];
    for (form, vector) in forms.iter().zip(&shape.vectors) {
        form.add_to(shape, vector, &mut table);
    }
    table
}

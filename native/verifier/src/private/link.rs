//! Links: that two commitments hold the same weights.
//!
//! ```text
//! absorb parent's digest, (child's root, kind, openings)      draw y
//! absorb root of the fresh vector, which holds ρ              draw z, α, c
//! absorb w                                                    draw β
//! open fresh vector and parent:  ρ + c·v + β·(parent's binding) = w + β·(its value),
//!                                v = Σ_j αʲ · column_j(z)
//! ```
//!
//! The child's side is not opened: of the child, ρ is its uniform half at y, and all of its openings claim that
//! ρ + c·v is w. A candidate for the child with other weights has another v, and then c·(v − v′) = ρ′ − ρ for one c at most.
//! w shows nothing, since ρ is uniform, and the half has served five equations more.

use super::commitment::Commitment;
use crate::rejection::Rejection;
use commitment::{Reader, Root, Writer};
use hiding::{Claim, LinearForm, Opening};
use key::{Kind, LINK_PROTOCOL, PrivateKey, WeightVector};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, DEGREE, Extension, Site, Transcript};

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What the child is opened for.
    pub kind: Kind,
    /// The child's root.
    pub root: Root,
    /// Root of the fresh vector.
    pub fresh: Root,
    /// w.
    pub value: Extension,
    /// That of fresh vector and parent.
    pub opening: Opening,
}

/// Challenges of a link.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// y: where the child's half is ρ.
    half: Vec<Extension>,
    /// z: where all columns of weights and parameters are asked for.
    point: Vec<Extension>,
    /// What columns are told apart by.
    alpha: Extension,
    /// c.
    factor: Extension,
}

impl Drawn {
    /// ρ + c·v as a form on the child.
    pub fn form(&self, child: &WeightVector) -> LinearForm {
        let mut form = child.half_at(&self.half);
        form.add(&self.weights(child), Extension::ONE);
        form
    }

    /// c·v as a form on a vector of any kind.
    pub fn weights(&self, vector: &WeightVector) -> LinearForm {
        let mut form = LinearForm::new();
        form.add(&vector.weights_at(&self.point, self.alpha), self.factor);
        form
    }
}

/// Absorbs what a link begins with, and draws y.
pub fn begin(
    key: &PrivateKey,
    parent: &Commitment,
    (kind, root): (Kind, &Root),
    transcript: &mut Transcript,
) -> Vec<Extension> {
    transcript.absorb(Site::Protocol, LINK_PROTOCOL);
    transcript.absorb(Site::LinkParent, &parent.digest());
    transcript.absorb(Site::LinkChild, &described(key, kind, root));
    let variables = key.vector(kind).map_or(1, WeightVector::variables);
    transcript.point(variables - 1)
}

/// Absorbs the root of the fresh vector, and draws what the weights are asked for with.
pub fn draw(
    key: &PrivateKey,
    half: Vec<Extension>,
    fresh: &Root,
    transcript: &mut Transcript,
) -> Drawn {
    transcript.absorb(Site::LinkFresh, fresh);
    Drawn {
        half,
        point: transcript.point(key.point_variables()),
        alpha: transcript.challenge(),
        factor: transcript.challenge(),
    }
}

/// Absorbs w and gives the claim of the opening, which MUST follow.
pub fn claim(
    key: &PrivateKey,
    parent: &Commitment,
    drawn: &Drawn,
    value: Extension,
    transcript: &mut Transcript,
) -> Option<Claim> {
    transcript.absorb_elements(Site::LinkValue, &[value]);
    let beta = transcript.challenge();
    let basis = |l: usize| {
        Extension::from_basis_coefficients_fn(|limb| if limb == l { Base::ONE } else { Base::ZERO })
    };
    let mut fresh = LinearForm::new();
    fresh.add_cells(0, 0, (0..DEGREE).map(basis).collect());
    let mut weights = drawn.weights(key.vector(parent.kind())?);
    let mut total = value;
    if let Some((form, value)) = parent.binding(key) {
        weights.add(&form, beta);
        total += beta * value;
    }
    Some(Claim {
        forms: vec![fresh, weights],
        value: total,
    })
}

/// A child as transcripts and digests have it.
fn described(key: &PrivateKey, kind: Kind, root: &Root) -> Vec<u8> {
    let openings = key.openings_of(kind).to_le_bytes();
    [&root[..], &[kind.code()], &openings].concat()
}

impl Link {
    pub(super) fn child(&self, key: &PrivateKey) -> Vec<u8> {
        described(key, self.kind, &self.root)
    }

    /// Appends the canonical bytes, with the fields that they are made of. `parent` is what it opens.
    pub fn write(&self, key: &PrivateKey, parent: Kind, out: &mut Writer) {
        out.field("link: kind");
        out.bytes.push(self.kind.code());
        out.field("link: root");
        out.bytes.extend_from_slice(&self.root);
        out.field("link: fresh root");
        out.bytes.extend_from_slice(&self.fresh);
        out.field("link: value");
        out.extensions(&[self.value]);
        let own = out.fields.len();
        if let Some(vector) = key.vector(parent) {
            self.opening.encode(vector.shape(), out);
        }
        // Its fields are apart from those of the proof's own opening.
        for (name, _) in out.fields.iter_mut().skip(own) {
            *name = "link: opening";
        }
    }

    /// Reads a link that opens a commitment of the kind `parent`. Every length follows from that and the key, but the
    /// number of siblings, which is bounded by them.
    pub fn read(key: &PrivateKey, parent: Kind, input: &mut Reader<'_>) -> Result<Self, Rejection> {
        let [code] = input.array()?;
        let kind = Kind::from_code(code).filter(|&kind| parent.leads_to(kind));
        // Whether there are proofs of such inputs is asked of the last link.
        let kind = kind.filter(|&kind| kind.inputs().is_some() || key.vector(kind).is_some());
        let kind = kind.ok_or(Rejection::LinkKind(code))?;
        let vector = key.vector(parent).ok_or(Rejection::LinkKind(code))?;
        Ok(Self {
            kind,
            root: input.array()?,
            fresh: input.array()?,
            value: input.extension()?,
            opening: Opening::decode(vector.shape(), input)?,
        })
    }

    /// The commitment that the link leads to from `parent`, if it holds.
    pub fn verify(&self, key: &PrivateKey, parent: &Commitment) -> Result<Commitment, Rejection> {
        self.verify_with(key, parent, &mut key.transcript())
    }

    /// The same with a transcript that a test has prepared.
    #[cfg(feature = "audit")]
    pub fn verify_audited(
        &self,
        key: &PrivateKey,
        parent: &Commitment,
        transcript: &mut Transcript,
    ) -> Result<Commitment, Rejection> {
        self.verify_with(key, parent, transcript)
    }

    fn verify_with(
        &self,
        key: &PrivateKey,
        parent: &Commitment,
        transcript: &mut Transcript,
    ) -> Result<Commitment, Rejection> {
        let half = begin(key, parent, (self.kind, &self.root), transcript);
        let drawn = draw(key, half, &self.fresh, transcript);
        let claim = claim(key, parent, &drawn, self.value, transcript);
        let vector = key.vector(parent.kind());
        let (Some(claim), Some(vector)) = (claim, vector) else {
            return Err(Rejection::LinkKind(self.kind.code()));
        };
        let roots = [self.fresh, parent.root()];
        let checked = vector
            .shape()
            .verify(&roots, &claim, &self.opening, transcript);
        checked.map_err(Rejection::Link)?;
        Ok(parent.child(key, self, drawn))
    }
}

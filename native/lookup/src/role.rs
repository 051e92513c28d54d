//! Whoever reads a proof and says what becomes of its relations.
//!
//! [`Argument::follow`] is the text of the relations, for either: a verifier of elements, which checks
//! them, and a recorder of elements that were sent under pads, which turns them into equations. They
//! differ in one relation, that no root is a fraction without value and that both are one number:
//!
//! ```text
//! elements:  D ≠ 0, D′ ≠ 0, N·D′ = N′·D                          of the roots N / D and N′ / D′
//! equations: d·i = 1 for the four denominators d of the children of both roots,
//!            n₀·i₀ + n₁·i₁ = n₀′·i₀′ + n₁′·i₁′
//! ```
//!
//! where the four inverses i are sent under pads too, after the children. D = d₀·d₁ is not zero if and
//! only if both of its factors have inverses, and then the sums are the roots.

use crate::fractions::Children;
use crate::proof::Proof;
use crate::rejection::Rejection;
use p3_field::{Field, PrimeCharacteristicRing};
use relation::{About, Form, Recorder, Unreadable};
use sumcheck::{Value, dot};
use transcript::{Extension, Site, Transcript};

/// Whoever reads a proof.
pub trait Role {
    /// How the values of the proof are held.
    type Value: Value;

    /// The next values, which are absorbed together.
    fn receive(&mut self, site: Site, count: usize) -> Result<Vec<Self::Value>, Rejection>;

    /// A challenge.
    fn challenge(&mut self) -> Extension;

    /// That two values are equal, or else why the proof is rejected.
    fn equal(
        &mut self,
        otherwise: Rejection,
        a: Self::Value,
        b: Self::Value,
    ) -> Result<(), Rejection>;

    /// That a sum of products is a value.
    fn products(
        &mut self,
        otherwise: Rejection,
        products: Vec<(Self::Value, Self::Value)>,
        sum: Self::Value,
    ) -> Result<(), Rejection>;

    /// That the roots with these children have values and are one number.
    fn roots(&mut self, children: &[Children<Self::Value>]) -> Result<(), Rejection>;
}

/// Whoever has the elements of a proof, and checks them.
pub struct Checker<'a> {
    elements: std::vec::IntoIter<Extension>,
    transcript: &'a mut Transcript,
}

impl<'a> Checker<'a> {
    /// A checker of a proof that has the shape of the argument.
    pub(crate) fn new(proof: &Proof, transcript: &'a mut Transcript) -> Self {
        let mut elements = Vec::new();
        for layer in &proof.layers {
            elements.extend_from_slice(layer.rounds.as_flattened());
            elements.extend_from_slice(&layer.children);
        }
        elements.extend_from_slice(&proof.columns);
        elements.extend_from_slice(&proof.multiplicities);
        Self {
            elements: elements.into_iter(),
            transcript,
        }
    }
}

impl Role for Checker<'_> {
    type Value = Extension;

    fn receive(&mut self, site: Site, count: usize) -> Result<Vec<Extension>, Rejection> {
        let received: Vec<Extension> = self.elements.by_ref().take(count).collect();
        if received.len() < count {
            return Err(Rejection::Shape);
        }
        self.transcript.absorb_elements(site, &received);
        Ok(received)
    }

    fn challenge(&mut self) -> Extension {
        self.transcript.challenge()
    }

    fn equal(&mut self, otherwise: Rejection, a: Extension, b: Extension) -> Result<(), Rejection> {
        if a == b { Ok(()) } else { Err(otherwise) }
    }

    fn products(
        &mut self,
        otherwise: Rejection,
        products: Vec<(Extension, Extension)>,
        sum: Extension,
    ) -> Result<(), Rejection> {
        let (left, right): (Vec<_>, Vec<_>) = products.into_iter().unzip();
        self.equal(otherwise, dot(&left, &right), sum)
    }

    fn roots(&mut self, children: &[Children]) -> Result<(), Rejection> {
        let sums: Vec<_> = children.iter().map(Children::sum).collect();
        if sums.iter().any(|sum| sum.denominator == Extension::ZERO) {
            return Err(Rejection::ZeroDenominator);
        }
        match sums[..] {
            [a, b] if a.numerator * b.denominator == b.numerator * a.denominator => Ok(()),
            _ => Err(Rejection::Sum),
        }
    }
}

/// The inverses that a prover adds under pads to the children of both roots; zero for what has none, of
/// which no proof is accepted.
pub fn inverses(children: &[Children]) -> Vec<Extension> {
    let fractions = children.iter().flat_map(|children| children.0);
    let inverses = fractions.map(|fraction| fraction.denominator.try_inverse());
    inverses.map(Option::unwrap_or_default).collect()
}

impl From<Unreadable> for Rejection {
    fn from(_: Unreadable) -> Self {
        Self::Shape
    }
}

impl Rejection {
    /// What the equations of a recorder are about, where elements would be rejected so.
    const fn about(self) -> About {
        match self {
            Self::Shape => About("lookup shape", 0),
            Self::ZeroDenominator => About("lookup inverse", 0),
            Self::Sum => About("lookup sum", 0),
            Self::Layer(depth) => About("lookup layer", depth),
            Self::Columns => About("lookup rows", 0),
            Self::Tables => About("lookup entries", 0),
        }
    }
}

impl Role for Recorder<'_> {
    type Value = Form;

    fn receive(&mut self, site: Site, count: usize) -> Result<Vec<Form>, Rejection> {
        Ok(Recorder::receive(self, site, count)?)
    }

    fn challenge(&mut self) -> Extension {
        Recorder::challenge(self)
    }

    fn equal(&mut self, otherwise: Rejection, a: Form, b: Form) -> Result<(), Rejection> {
        let recorded = self.equations().equal(otherwise.about(), a, b);
        recorded.map_err(|_| otherwise)
    }

    fn products(
        &mut self,
        otherwise: Rejection,
        products: Vec<(Form, Form)>,
        sum: Form,
    ) -> Result<(), Rejection> {
        let about = otherwise.about();
        let recorded = self.equations().products(about, products, sum);
        recorded.map_err(|_| otherwise)
    }

    fn roots(&mut self, children: &[Children<Form>]) -> Result<(), Rejection> {
        let count = 2 * children.len();
        let inverses = Recorder::receive(self, Site::LookupChildren, count)?;
        let fractions = children.iter().flat_map(|children| &children.0);
        let one = Form::from(Extension::ONE);
        let mut sum = Vec::with_capacity(count);
        for (place, (fraction, inverse)) in fractions.zip(inverses).enumerate() {
            let product = vec![(fraction.denominator.clone(), inverse.clone())];
            Role::products(self, Rejection::ZeroDenominator, product, one.clone())?;
            // The second root counts the other way.
            let sign = if place < 2 {
                Extension::ONE
            } else {
                -Extension::ONE
            };
            sum.push((fraction.numerator.clone() * sign, inverse));
        }
        Role::products(self, Rejection::Sum, sum, Form::default())
    }
}

#[cfg(test)]
mod tests;

//! What a sumcheck shows, and its rounds on both sides.

use crate::value::Value;
use p3_field::{Field, PrimeCharacteristicRing};
use std::convert::Infallible;
use transcript::{Extension, Site, Transcript};

/// What is summed over the hypercube, as a prover keeps it while variables are bound one by one.
pub trait Sum {
    /// Coefficients of X⁰, X², …, Xᵈ of the polynomial h of the variable that is next; the claim fixes
    /// the one of X¹. In a sum with weights, h is without the factor eq of that variable.
    fn round(&mut self) -> Vec<Extension>;
    /// Binds that variable.
    fn fold(&mut self, x: Extension);
}

/// Where the rounds ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended<V = Extension> {
    /// One coordinate for each round.
    pub point: Vec<Extension>,
    /// What the sum must be there, all variables being bound.
    pub left: V,
}

/// What sums over the hypercube are claimed to be.
#[derive(Clone, Debug)]
pub struct Statement<'a, V = Extension> {
    rounds: usize,
    /// Variables and value of each sum.
    claims: Vec<(usize, V)>,
    weights: Option<&'a [Extension]>,
}

/// How the claim of a round depends on its polynomial h.
#[derive(Clone, Copy)]
enum Relation {
    /// It is h(0) + h(1). The message is the coefficients of X⁰, X², …, Xᵈ.
    Sum,
    /// It is (1 − r)·h(0) + r·h(1) for this r. The message is h(1) − h(0) and the coefficient of X².
    Weighted(Extension),
}

impl Relation {
    /// What a prover sends of a polynomial with these coefficients of X⁰, X², …, Xᵈ.
    fn message(self, claim: Extension, mut coefficients: Vec<Extension>) -> Vec<Extension> {
        if let (Self::Weighted(r), Some(constant)) = (self, coefficients.first_mut()) {
            // A coordinate that is 0 has probability 1 / |E|; the proof is then not accepted.
            let inverse = r.try_inverse().unwrap_or(Extension::ZERO);
            *constant = (claim - *constant) * inverse;
        }
        coefficients
    }

    /// The value at x of the polynomial that was sent, which is linear in claim and message:
    ///
    /// ```text
    /// Sum:       h(x) = x·claim + (1 − 2x)·h₀ + Σ_{j≥2} (x^j − x)·h_j
    /// Weighted:  h(x) = claim + (x − r)·s + Σ_{j≥2} (x^j − x)·h_j
    /// ```
    fn value<V: Value>(self, claim: &V, message: &[V], x: Extension) -> V {
        let (of_claim, of_first) = match self {
            Self::Sum => (x, Extension::ONE - x.double()),
            Self::Weighted(r) => (Extension::ONE, x - r),
        };
        let powers = std::iter::successors(Some(x.square()), |&power| Some(power * x));
        let of_higher = powers.map(|power| power - x);
        let factors = std::iter::once(of_first).chain(of_higher);
        let terms = factors.zip(message);
        V::combination(std::iter::once((of_claim, claim)).chain(terms))
    }
}

impl<'a, V: Value> Statement<'a, V> {
    /// That a sum over so many variables is `claim`.
    pub fn sum(variables: usize, claim: V) -> Self {
        Self::batch([(variables, claim)])
    }

    /// That sums over so many variables each are these values, which have to be multiplied with powers
    /// of a challenge already. A sum joins when as many variables are left as it has, so that all of
    /// them end at suffixes of one point.
    pub fn batch(claims: impl IntoIterator<Item = (usize, V)>) -> Self {
        let claims: Vec<(usize, V)> = claims.into_iter().collect();
        let rounds = claims.iter().map(|(variables, _)| *variables).max();
        Self {
            rounds: rounds.unwrap_or(0),
            claims,
            weights: None,
        }
    }

    /// That Σ eq(`point`, x)·g(x) is `claim`. The factor eq of the variable of a round stays out of
    /// its polynomial, whose degree is so one less.
    pub fn weighted(point: &'a [Extension], claim: V) -> Self {
        Self {
            weights: Some(point),
            ..Self::sum(point.len(), claim)
        }
    }

    /// Follows a prover. `receive` takes a message, absorbs it and draws the challenge. What is left
    /// MUST be compared with the sum at the point.
    pub fn verify<E>(
        &self,
        mut receive: impl FnMut() -> Result<(Vec<V>, Extension), E>,
    ) -> Result<Ended<V>, E> {
        self.run(|_, _| receive())
    }

    fn run<E>(
        &self,
        mut exchange: impl FnMut(Relation, &V) -> Result<(Vec<V>, Extension), E>,
    ) -> Result<Ended<V>, E> {
        let mut point = Vec::with_capacity(self.rounds);
        let mut claim = V::default();
        self.join(&mut claim, self.rounds);
        for round in 0..self.rounds {
            let weight = self.weights.and_then(|weights| weights.get(round));
            let relation = weight.map_or(Relation::Sum, |&r| Relation::Weighted(r));
            let (message, x) = exchange(relation, &claim)?;
            claim = relation.value(&claim, &message, x);
            self.join(&mut claim, self.rounds - round - 1);
            point.push(x);
        }
        Ok(Ended { point, left: claim })
    }

    /// Adds the claims that join when so many variables are left.
    fn join(&self, claim: &mut V, left: usize) {
        for (_, joining) in self.claims.iter().filter(|(own, _)| *own == left) {
            *claim += joining.clone();
        }
    }
}

impl Statement<'_> {
    /// Proves it. `send` passes each message on, which it may alter, and draws the challenge.
    pub fn prove(
        &self,
        sum: &mut impl Sum,
        mut send: impl FnMut(&mut [Extension]) -> Extension,
    ) -> Ended {
        let Ok(ended) = self.run(|relation, claim| {
            let mut message = relation.message(*claim, sum.round());
            let x = send(&mut message);
            sum.fold(x);
            Ok::<_, Infallible>((message, x))
        });
        ended
    }
}

/// Absorbs a message and draws its challenge.
pub fn pass(transcript: &mut Transcript, site: Site, message: &[Extension]) -> Extension {
    transcript.absorb_elements(site, message);
    transcript.challenge()
}

#[cfg(test)]
mod tests {
    use super::{Ended, Statement, Sum, pass};
    use crate::{Batch, Engine, Reference, Simd, dot, equality, powers};
    use p3_field::PrimeCharacteristicRing;
    use transcript::{Extension, Site, Transcript};

    fn prove(statement: &Statement<'_>, sum: &mut impl Sum) -> (Vec<Vec<Extension>>, Ended) {
        let (mut rounds, mut transcript) = (Vec::new(), Transcript::new());
        let ended = statement.prove(sum, |round| {
            rounds.push(round.to_vec());
            pass(&mut transcript, Site::Round, round)
        });
        (rounds, ended)
    }

    fn verify(statement: &Statement<'_>, rounds: &[Vec<Extension>]) -> Option<Ended> {
        let (mut rounds, mut transcript) = (rounds.iter(), Transcript::new());
        let ended = statement.verify(|| {
            let round = rounds.next().ok_or(())?;
            Ok::<_, ()>((round.clone(), pass(&mut transcript, Site::Round, round)))
        });
        ended.ok()
    }

    #[test]
    fn sums_of_different_sizes_end_at_suffixes_of_one_point() {
        let sizes = [3, 0, 5, 5, 1];
        let powers = powers(Extension::from_u32(77), sizes.len());
        let mut transcript = Transcript::new();
        let tables: Vec<[Vec<Extension>; 2]> = sizes
            .iter()
            .zip(&powers)
            .map(|(&variables, &power)| {
                let [mut a, b] = [(); 2].map(|()| transcript.point(1 << variables));
                for value in &mut a {
                    *value *= power;
                }
                [a, b]
            })
            .collect();
        let claims: Vec<_> = tables.iter().map(|[a, b]| dot(a, b)).collect();
        let statement =
            |claims: &[Extension]| Statement::batch(sizes.into_iter().zip(claims.iter().copied()));
        let products = || tables.iter().map(|tables| tables.to_vec());
        let honest = statement(&claims);
        let (rounds, ended) = prove(&honest, &mut Batch::<Reference>::new(products()));
        let simd = prove(&honest, &mut Batch::<Simd>::new(products()));
        assert_eq!(simd, (rounds.clone(), ended.clone()));
        assert_eq!(verify(&honest, &rounds), Some(ended.clone()));
        assert_eq!(verify(&honest, &rounds[1..]), None);

        let at = |[a, b]: &[Vec<Extension>; 2], variables: usize| {
            let point = &ended.point[ended.point.len() - variables..];
            let weights = equality(point, 1 << variables);
            dot(&weights, a) * dot(&weights, b)
        };
        let expected: Extension = tables.iter().zip(sizes).map(|(t, v)| at(t, v)).sum();
        assert_eq!(ended.left, expected);
        for wrong in 0..sizes.len() {
            let mut claims = claims.clone();
            claims[wrong] += Extension::ONE;
            let left = verify(&statement(&claims), &rounds).map(|ended| ended.left);
            assert_ne!(left, Some(expected));
        }
    }

    /// Σ eq(point, x)·a(x)·b(x), the factor of the first variable apart.
    struct Weighted<'a> {
        tables: Reference,
        rest: &'a [Extension],
    }

    impl Sum for Weighted<'_> {
        fn round(&mut self) -> Vec<Extension> {
            let rest = equality(&self.rest[1..], 1 << (self.rest.len() - 1));
            let mut tables = self.tables.tables().to_vec();
            // A factor that does not depend on the first variable.
            tables.push([&rest[..], &rest[..]].concat());
            let mut coefficients = Reference::new(tables).round();
            assert_eq!(coefficients.pop(), Some(Extension::ZERO));
            coefficients
        }

        fn fold(&mut self, x: Extension) {
            self.tables.fold(x);
            self.rest = &self.rest[1..];
        }
    }

    #[test]
    fn weights_stay_out_of_the_polynomials() {
        let mut transcript = Transcript::new();
        let point = transcript.point(4);
        let tables = [(); 2].map(|()| transcript.point(16)).to_vec();
        let weights = equality(&point, 16);
        let products: Vec<_> = (0..16).map(|x| tables[0][x] * tables[1][x]).collect();
        let statement = Statement::weighted(&point, dot(&weights, &products));
        let mut sum = Weighted {
            tables: Reference::new(tables.clone()),
            rest: &point,
        };
        let (rounds, ended) = prove(&statement, &mut sum);
        assert_eq!(verify(&statement, &rounds), Some(ended.clone()));
        let at = equality(&ended.point, 16);
        assert_eq!(ended.left, dot(&at, &tables[0]) * dot(&at, &tables[1]));
        let wrong = Statement::weighted(&point, Extension::ONE);
        assert_ne!(verify(&wrong, &rounds), Some(ended));
    }
}

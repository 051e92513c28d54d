//! One sumcheck for all contractions.
//!
//! Claim l is Σ_x f_l(x)·t_l(x) = c_l over m_l variables. Their sum with powers of a challenge is
//! checked in max m_l rounds: a claim joins when as many variables are left as it has, so that all
//! of them end at suffixes of one point. A round's polynomial h has degree 2; the proof carries
//! h(0) and its leading coefficient, and h(1) is the current claim minus h(0).

use p3_field::PrimeCharacteristicRing;
use transcript::{Extension, Site, Transcript};

/// A round's polynomial as the proof carries it: h(0) and the coefficient of X².
pub type Round = [Extension; 2];

/// Absorbs a round's polynomial and returns its value at the challenge drawn, and the challenge.
pub fn step(
    claim: Extension,
    [constant, leading]: Round,
    transcript: &mut Transcript,
) -> (Extension, Extension) {
    transcript.absorb_elements(Site::Round, &[constant, leading]);
    let x = transcript.challenge();
    let linear = claim - constant.double() - leading;
    (constant + x * (linear + x * leading), x)
}

/// Powers of `base` from 1 upward.
pub fn powers(base: Extension, count: usize) -> Vec<Extension> {
    std::iter::successors(Some(Extension::ONE), |&power| Some(power * base))
        .take(count)
        .collect()
}

/// A product of two tables under the sum, as the prover keeps it.
#[derive(Clone, Debug)]
pub struct Product {
    /// 2^m values of the committed side.
    pub committed: Vec<Extension>,
    /// 2^m values of the known side, multiplied with the claim's power.
    pub known: Vec<Extension>,
}

impl Product {
    fn round(&self) -> Round {
        let half = self.committed.len() / 2;
        let (f0, f1) = self.committed.split_at(half);
        let (t0, t1) = self.known.split_at(half);
        let mut round = [Extension::ZERO; 2];
        for ((&f0, &f1), (&t0, &t1)) in f0.iter().zip(f1).zip(t0.iter().zip(t1)) {
            round[0] += f0 * t0;
            round[1] += (f1 - f0) * (t1 - t0);
        }
        round
    }

    fn fold(&mut self, x: Extension) {
        for table in [&mut self.committed, &mut self.known] {
            let half = table.len() / 2;
            let (low, high) = table.split_at_mut(half);
            for (low, &high) in low.iter_mut().zip(high.iter()) {
                *low += x * (high - *low);
            }
            table.truncate(half);
        }
    }
}

/// What a prover sends, and the point at which it ends.
#[derive(Clone, Debug)]
pub struct Sent {
    /// One polynomial for each round.
    pub rounds: Vec<Round>,
    /// One coordinate for each round.
    pub point: Vec<Extension>,
}

/// Proves that the products sum up to `claims`, both multiplied with their powers already.
pub fn prove(
    mut products: Vec<Product>,
    claims: &[Extension],
    transcript: &mut Transcript,
) -> Sent {
    let own: Vec<usize> = products
        .iter()
        .map(|product| product.known.len().ilog2() as usize)
        .collect();
    let variables = own.iter().copied().max().unwrap_or(0);
    let mut claim = Extension::ZERO;
    let mut sent = Sent {
        rounds: Vec::with_capacity(variables),
        point: Vec::with_capacity(variables),
    };
    for left in (1..=variables).rev() {
        claim += joining(left, &own, claims);
        let mut round = [Extension::ZERO; 2];
        for (product, &own) in products.iter().zip(&own) {
            if own >= left {
                let [constant, leading] = product.round();
                round[0] += constant;
                round[1] += leading;
            }
        }
        let (next, x) = step(claim, round, transcript);
        claim = next;
        for (product, &own) in products.iter_mut().zip(&own) {
            if own >= left {
                product.fold(x);
            }
        }
        sent.rounds.push(round);
        sent.point.push(x);
    }
    sent
}

/// Replays the rounds: the claim that is left, and the point at which it is one.
///
/// `own` are the variables of each claim; there must be as many rounds as the most of them.
pub fn replay(
    rounds: &[Round],
    own: &[usize],
    claims: &[Extension],
    transcript: &mut Transcript,
) -> (Extension, Vec<Extension>) {
    let mut claim = Extension::ZERO;
    let mut point = Vec::with_capacity(rounds.len());
    for (&round, left) in rounds.iter().zip((1..=rounds.len()).rev()) {
        let (next, x) = step(claim + joining(left, own, claims), round, transcript);
        claim = next;
        point.push(x);
    }
    (claim + joining(0, own, claims), point)
}

/// The claims that join when `left` variables are left.
fn joining(left: usize, own: &[usize], claims: &[Extension]) -> Extension {
    own.iter()
        .zip(claims)
        .filter(|&(&own, _)| own == left)
        .map(|(_, &claim)| claim)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Product, powers, prove, replay};
    use crate::linear::dot;
    use commitment::equality;
    use p3_field::PrimeCharacteristicRing;
    use transcript::{Extension, Site, Transcript};

    fn products(seed: &[u8], sizes: &[usize]) -> Vec<Product> {
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Inputs, seed);
        sizes
            .iter()
            .map(|&variables| Product {
                committed: transcript.point(1 << variables),
                known: transcript.point(1 << variables),
            })
            .collect()
    }

    #[test]
    fn claims_of_different_sizes_end_at_suffixes_of_one_point() {
        let sizes = [3, 0, 5, 5, 1];
        let mut products = products(b"a", &sizes);
        let powers = powers(Extension::from_u32(77), sizes.len());
        for (product, &power) in products.iter_mut().zip(&powers) {
            for value in &mut product.known {
                *value *= power;
            }
        }
        let claims: Vec<_> = products
            .iter()
            .map(|product| dot(&product.committed, &product.known))
            .collect();
        let sent = prove(products.clone(), &claims, &mut Transcript::new());
        let (left, point) = replay(&sent.rounds, &sizes, &claims, &mut Transcript::new());
        assert_eq!(point, sent.point);
        let at = |product: &Product, variables: usize| {
            let weights = equality(&point[point.len() - variables..], 1 << variables);
            dot(&weights, &product.committed) * dot(&weights, &product.known)
        };
        let expected: Extension = products.iter().zip(sizes).map(|(p, v)| at(p, v)).sum();
        assert_eq!(left, expected);

        for wrong in 0..sizes.len() {
            let mut claims = claims.clone();
            claims[wrong] += Extension::ONE;
            let (left, _) = replay(&sent.rounds, &sizes, &claims, &mut Transcript::new());
            assert_ne!(left, expected);
        }
    }
}

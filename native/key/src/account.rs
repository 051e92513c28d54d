//! What is proven about the soundness of proofs, with the chain of links that each
//! comes with.
//!
//! A chain has at most [`MAX_LINKS`] links. All but one open commitments of keys, and the last one may open an
//! epoch for links; where a key has none, all open keys. Each of a link's terms counts as many times as there
//! may be such links. The proof of the key's ranges has one link of its own, and counts with each proof.

use crate::error::KeyError;
use crate::kinds::{Kind, WeightVector};
use crate::private::PrivateKey;
use crate::proofs::Proofs;
use claim_reduction::Visibility;
use commitment::{Security, Term, challenge_bits};

/// Links that lead from a key to what a proof opens, at most.
pub const MAX_LINKS: usize = 16;
/// Provable bits that all proofs under a key have at least.
pub const LEAST_BITS: f64 = 100.0;

impl PrivateKey {
    /// What is proven about the soundness of proofs for this key, hash and transcript being ideal. What lies
    /// between the commitments and their opening counts once for each candidate.
    pub fn security(&self) -> Security {
        self.account(&self.public)
    }

    /// The same of proofs of private inputs; why there are none where the graph has no plan for them.
    pub fn security_of_private_inputs(&self) -> Result<Security, &KeyError> {
        Ok(self.account(self.proofs(Visibility::Private)?))
    }

    /// Returns where all proofs under the key have the bits that they are to have, those about private inputs too
    /// where there are any. A key that shows no ranges has none, and is refused for that.
    pub fn check_bits(&self) -> Result<(), KeyError> {
        self.ranges().map_err(Clone::clone)?;
        let public = self.security().provable_bits;
        let private = self
            .security_of_private_inputs()
            .map(|own| own.provable_bits);
        if private.map_or(public, |bits| bits.min(public)) < LEAST_BITS {
            return Err(KeyError::Bits);
        }
        Ok(())
    }

    fn account(&self, proofs: &Proofs) -> Security {
        let matrices = self.ground.contractions.len();
        let mut terms = of_proof(proofs, matrices + self.graph().parameters().count());
        let own = self.of_key();
        if self.profile().binds() {
            // Two candidates that differ agree at the point with at most variables / |E|.
            let variables = own.variables() as f64;
            let candidates = own.shape.candidate_bits();
            let bits = challenge_bits() as f64 - variables.log2() + 1.0 - 2.0 * candidates;
            terms.push(Term::new("weights: pin", bits));
        }
        terms.extend(of_opening(proofs));
        let last = proofs.weights();
        match self.vector(Kind::Links) {
            None => self.links("links of keys", own, (MAX_LINKS, last), &mut terms),
            Some(epoch) => {
                self.links("links of keys", own, (MAX_LINKS - 1, last), &mut terms);
                self.links("link of an epoch", epoch, (1, last), &mut terms);
            }
        }
        terms.extend(self.of_ranges());
        Security::new(self.profile(), terms)
    }

    /// The terms of the proofs of the ranges, which are checked once for a key. Of several parts each term is as
    /// many times that of the part with the greatest. A key without such proofs is none that is sound.
    fn of_ranges(&self) -> Vec<Term> {
        let Ok(parts) = self.ranges() else {
            return vec![Term::new("ranges: not shown", 0.0)];
        };
        let mut worst: Vec<Term> = Vec::new();
        for part in parts {
            let proofs = part.proofs();
            let mut terms = of_proof(proofs, part.graph().parameters().count());
            terms.extend(of_opening(proofs));
            let last = proofs.weights();
            self.links("link", self.of_key(), (1, last), &mut terms);
            for term in terms {
                match worst.iter_mut().find(|own| own.name == term.name) {
                    Some(own) => own.bits = own.bits.min(term.bits),
                    None => worst.push(term),
                }
            }
        }
        let count = (parts.len() as f64).log2();
        let all = worst.into_iter();
        all.map(|term| Term::new(format!("ranges: {}", term.name), term.bits - count))
            .collect()
    }

    /// Adds the terms of so many links that open commitments of one kind, on the way to the vector that a proof
    /// opens.
    fn links(
        &self,
        name: &str,
        parent: &WeightVector,
        (count, last): (usize, &WeightVector),
        terms: &mut Vec<Term>,
    ) {
        let mut add = |what: &str, bits: f64| {
            let bits = bits - (count as f64).log2();
            terms.push(Term::new(format!("{name}: {what}"), bits));
        };
        let field = challenge_bits() as f64;
        let own = parent.shape.candidate_bits();
        let kinds = [Kind::Key, Kind::Links];
        let vectors = kinds.into_iter().filter_map(|kind| self.vector(kind));
        let children = vectors
            .chain([last])
            .map(|child| child.shape.candidate_bits());
        let child = children.fold(0.0, f64::max);
        // Candidates for the child that are of other weights have another value, and then no other value fits.
        let degree = (self.point_variables() + parent.weights.owned()) as f64;
        add("point of the weights", field - degree.log2() - child);
        add("value under its mask", field - own - child);
        // Its two claims.
        add("batching of claims", field - own);
        for term in parent.shape.soundness() {
            add(&term.name, term.bits);
        }
    }
}

/// The terms of a proof that are between its roots and its opening, of which there are as many claims on `tensors`,
/// matrices and parameters. Each counts once for each candidate.
fn of_proof(proofs: &Proofs, tensors: usize) -> Vec<Term> {
    let candidates = proofs.shape().candidate_bits();
    let relations = proofs.relations();
    let mut terms = relations.security();
    terms.extend(relation::Shape::new(relations.products()).security());
    // The equations, three of the relation proof, claims on columns, matrices, parameters and private inputs,
    // and that of the epoch.
    let private = relations.plan().inputs.len();
    let claims = relations.claims() + tensors + private + 1;
    let forms = relations.checks() + 3 + claims;
    let batching = challenge_bits() as f64 - (forms as f64).log2();
    terms.push(Term::new("batching of equations and claims", batching));
    let outer = |term: Term| Term::new(term.name, term.bits - candidates);
    terms.into_iter().map(outer).collect()
}

/// Those of its opening.
fn of_opening(proofs: &Proofs) -> impl Iterator<Item = Term> {
    let terms = proofs.shape().soundness().into_iter();
    terms.map(|term| Term::new(format!("opening: {}", term.name), term.bits))
}

//! What is proven about the soundness of proofs of the private mode, with the chain of links that each
//! comes with.
//!
//! A chain has at most [`MAX_LINKS`] links. All but one open commitments of keys, and the last one may open an
//! epoch for links; where a key has none, all open keys. Each of a link's terms counts as many times as there
//! may be such links.

use crate::error::KeyError;
use crate::kinds::{Kind, WeightVector};
use crate::private::PrivateKey;
use crate::proofs::Proofs;
use claim_reduction::Visibility;
use commitment::{Security, Term, challenge_bits};

/// Links that lead from a key to what a proof opens, at most.
pub const MAX_LINKS: usize = 16;

impl PrivateKey {
    /// What is proven about the soundness of proofs for this key, hash and transcript being ideal. What lies
    /// between the commitments and their opening counts once for each candidate.
    pub fn security(&self) -> Security {
        self.account(&self.public, Visibility::Public)
    }

    /// The same of proofs of private inputs; why there are none where the graph has no plan for them.
    pub fn security_of_private_inputs(&self) -> Result<Security, &KeyError> {
        let inputs = Visibility::Private;
        Ok(self.account(self.proofs(inputs)?, inputs))
    }

    fn account(&self, proofs: &Proofs, inputs: Visibility) -> Security {
        let candidates = proofs.shape().candidate_bits();
        let relations = proofs.relations();
        let mut terms = relations.security();
        terms.extend(relation::Shape::new(relations.products()).security());
        // The equations, three of the relation proof, claims on columns, matrices, parameters and private inputs,
        // and that of the epoch.
        let parameters = self.graph().parameters().count();
        let private = relations.plan().inputs.len();
        let matrices = self.ground.contractions.len();
        let claims = relations.claims() + matrices + parameters + private + 1;
        let forms = relations.checks() + 3 + claims;
        let batching = challenge_bits() as f64 - (forms as f64).log2();
        terms.push(Term::new("batching of equations and claims", batching));
        let outer = |term: Term| Term::new(term.name, term.bits - candidates);
        let mut terms: Vec<Term> = terms.into_iter().map(outer).collect();
        let own = self.of_key();
        if self.profile().binds() {
            // Two candidates that differ agree at the point with at most variables / |E|.
            let variables = own.variables() as f64;
            let candidates = own.shape.candidate_bits();
            let bits = challenge_bits() as f64 - variables.log2() + 1.0 - 2.0 * candidates;
            terms.push(Term::new("weights: pin", bits));
        }
        let opening = proofs.shape().soundness().into_iter();
        terms.extend(opening.map(|term| Term::new(format!("opening: {}", term.name), term.bits)));
        match self.vector(Kind::Links) {
            None => self.links("links of keys", own, (MAX_LINKS, inputs), &mut terms),
            Some(epoch) => {
                self.links("links of keys", own, (MAX_LINKS - 1, inputs), &mut terms);
                self.links("link of an epoch", epoch, (1, inputs), &mut terms);
            }
        }
        Security::new(self.profile(), terms)
    }

    /// Adds the terms of so many links that open commitments of one kind, on the way to what proofs of such
    /// inputs open.
    fn links(
        &self,
        name: &str,
        parent: &WeightVector,
        (count, inputs): (usize, Visibility),
        terms: &mut Vec<Term>,
    ) {
        let mut add = |what: &str, bits: f64| {
            let bits = bits - (count as f64).log2();
            terms.push(Term::new(format!("{name}: {what}"), bits));
        };
        let field = challenge_bits() as f64;
        let own = parent.shape.candidate_bits();
        let kinds = [Kind::Key, Kind::Links, Kind::of_proofs(inputs)];
        let vectors = kinds.into_iter().filter_map(|kind| self.vector(kind));
        let children = vectors.map(|child| child.shape.candidate_bits());
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

//! Error terms of one opening, each with its theorem.
//!
//! The account is that of WHIR for one vector of interleaved columns, which is what the vectors and R are
//! together: row j of the code is leaf j of all trees. What is added to it is the batching of the mask
//! block's claims and of the out-of-domain answer with the caller's claim, and the line R + γ·f₁.
//! Extraction: all columns have the distance of one code of dimension N + t, so there are Λ candidates in
//! all by Johnson's bound; the out-of-domain answer tells those of the vectors apart, the union over Λ
//! those of R. The tail is absorbed before leaves are drawn, so that a word without its tail is near
//! the later code exactly where the word is near the longer one.

use crate::regime::{Rate, Regime};
use crate::schedule::Queries;
use crate::shape::Shape;

/// One error term.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What can go wrong.
    pub name: String,
    /// −log2 of the probability with which it does.
    pub bits: f64,
    /// The theorem that says so, with its conditions, which the choice of parameters meets.
    pub theorem: &'static str,
}

const QUERIES: &str = "each query, drawn after the word and the tail, misses a word that is δ away with probability at most 1 − δ";

/// The code of what is committed to, tails included.
fn first(shape: &Shape) -> Option<Rate> {
    Rate::new((1 << shape.rows) + shape.tails, 1 << shape.leaves())
}

impl Shape {
    /// The error terms of one opening.
    pub fn soundness(&self) -> Vec<Term> {
        terms(self)
    }

    /// −log2 of the sum of all terms.
    pub fn provable_bits(&self) -> f64 {
        let terms = self.soundness();
        let error: f64 = terms.iter().map(|term| (-term.bits).exp2()).sum();
        -error.log2()
    }

    /// log2 of the number of joint vectors that the roots may stand for.
    pub fn candidate_bits(&self) -> f64 {
        let regime = Regime::of(self.profile);
        first(self).map_or(f64::INFINITY, |code| regime.candidate_bits(code))
    }
}

struct Account {
    regime: Regime,
    terms: Vec<Term>,
}

impl Account {
    fn add(&mut self, name: impl Into<String>, bits: f64, theorem: &'static str) {
        let name = name.into();
        self.terms.push(Term {
            name,
            bits,
            theorem,
        });
    }

    /// A fold of so many variables: one line and one check for each.
    fn fold(&mut self, name: &str, code: Rate, variables: usize) {
        let union = (variables as f64).log2();
        let (regime, lines) = (self.regime, self.regime.of_lines());
        let name = |what: &str| format!("{name}: {what} of folds");
        self.add(name("proximity"), regime.line_bits(code) - union, lines);
        let check = regime.check_bits(code, 2.0 * variables as f64);
        self.add(name("sumcheck"), check, regime.of_lists());
    }

    fn queries(&mut self, name: &str, code: Rate, queries: Queries) {
        let bits = queries.count as f64 * self.regime.query_bits(code) + queries.work as f64;
        self.add(format!("{name}: queries"), bits, QUERIES);
    }
}

/// All terms.
fn terms(shape: &Shape) -> Vec<Term> {
    let regime = Regime::of(shape.profile);
    let mut account = Account {
        regime,
        terms: Vec::new(),
    };
    // Without a code there is nothing that could be said, and no shape has none.
    let Some(mut code) = first(shape) else {
        account.add("opening: no theorem applies", 0.0, QUERIES);
        return account.terms;
    };
    let schedule = &shape.schedule;
    let pairs = "Schwartz-Zippel for each pair of Λ candidates: the answer's pad is a cell of them";
    if shape.samples() > 0 {
        // The point has independent coordinates, and the pad is one cell more.
        let degree = (shape.joint() as f64).log2();
        let bits = regime.sample_bits(code, degree);
        account.add("vectors: out-of-domain answer", bits, pairs);
    }
    let claims = (shape.mask_values() + shape.samples()) as f64;
    let batching = regime.check_bits(code, claims);
    account.add("vectors: batching of claims", batching, regime.of_lists());
    account.fold("vectors", code, shape.fold);
    let line = regime.line_bits(code);
    account.add("pad: proximity of R + γ·f", line, regime.of_lines());
    let claim = regime.check_bits(code, 1.0);
    account.add("pad: claim of R + γ·f", claim, regime.of_lists());
    let mut left = shape.rows;
    for (index, round) in schedule.rounds.iter().enumerate() {
        let name = format!("round {}", index + 1);
        account.queries(&name, code, round.queries);
        let message = 1 << (left - round.fold);
        let Some(next) = Rate::new(message, message << round.rate) else {
            account.add(name, 0.0, QUERIES);
            break;
        };
        code = next;
        if round.samples > 0 {
            // Powers of one challenge: a polynomial of degree below 2^left.
            let bits = regime.sample_bits(code, left as f64);
            account.add(format!("{name}: out-of-domain answer"), bits, pairs);
        }
        let claims = (round.samples + round.queries.count) as f64;
        let batching = regime.check_bits(code, claims);
        account.add(format!("{name}: batching"), batching, regime.of_lists());
        account.fold(&name, code, round.fold);
        left -= round.fold;
    }
    account.queries("end", code, schedule.end);
    if schedule.last() > 0 {
        let bits = regime.check_bits(code, 2.0 * schedule.last() as f64);
        account.add("end: sumcheck", bits, "Schwartz-Zippel");
    }
    account.terms
}

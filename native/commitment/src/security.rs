//! Provable bits, term by term: the report of a key, and the terms of an opening.

use crate::{Config, Profile};
use p3_field::Field;
use std::fmt::Write;
use transcript::Extension;

/// One error term.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What can go wrong.
    pub name: String,
    /// -log2 of the probability with which it does.
    pub bits: f64,
}

impl Term {
    /// A named term.
    pub fn new(name: impl Into<String>, bits: f64) -> Self {
        Self {
            name: name.into(),
            bits,
        }
    }
}

/// -log2 of the sum of the terms' probabilities.
pub fn compose(terms: &[Term]) -> f64 {
    let error: f64 = terms.iter().map(|term| (-term.bits).exp2()).sum();
    -error.log2()
}

/// Provable bits of the proofs for one key, term by term.
#[derive(Clone, Debug, PartialEq)]
pub struct Security {
    /// Bits of all terms together.
    pub provable_bits: f64,
    /// The profile's name.
    pub profile: &'static str,
    /// The error terms.
    pub terms: Vec<Term>,
}

impl Security {
    /// The report of these terms.
    pub fn new(profile: Profile, terms: Vec<Term>) -> Self {
        Self {
            provable_bits: compose(&terms),
            profile: profile.name(),
            terms,
        }
    }

    /// The report as JSON. Bits are rounded down to hundredths.
    pub fn to_json(&self) -> String {
        let mut out = format!(
            "{{\"provable_bits\":{},\"profile\":\"{}\",\"terms\":[",
            floor(self.provable_bits),
            self.profile
        );
        for (index, term) in self.terms.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a string does not fail. Names hold nothing that JSON would escape.
            let _ = write!(
                out,
                "{comma}{{\"name\":\"{}\",\"bits\":{}}}",
                term.name,
                floor(term.bits)
            );
        }
        out.push_str("]}");
        out
    }
}

/// Bits to two decimals, rounded down; a term that cannot fail counts as 999 bits.
fn floor(bits: f64) -> f64 {
    (bits.min(999.0) * 100.0).floor() / 100.0
}

/// A lower bound of log2 of the number of challenges.
pub fn challenge_bits() -> usize {
    let bits = <Extension as Field>::bits();
    bits - 1
}

/// The terms of one opening of `claims` claims, out-of-domain samples not counted.
pub(crate) fn opening(config: &Config, profile: Profile, claims: usize) -> Vec<Term> {
    let assumption = profile.assumption();
    let field = challenge_bits();
    let mut terms = vec![Term::new(
        "opening: batching of the claims",
        config.initial_claims_error(claims + config.commitment_ood_samples()),
    )];
    let out_of_domain = |terms: &mut Vec<Term>, name: &str, variables, rate, samples| {
        if profile.binds() {
            let bits = assumption.ood_error(variables, rate, field, samples);
            terms.push(Term::new(format!("{name}: out-of-domain samples"), bits));
        }
    };
    let folds = |terms: &mut Vec<Term>, name: &str, variables, rate, folds: usize, work: usize| {
        // The Johnson bound keeps one bit in reserve, as the library's own composition does.
        let reserve = f64::from(u8::from(profile.binds()));
        let gap = assumption.prox_gaps_error(variables, rate, field, 2) - reserve + work as f64;
        let sum = assumption.fold_sumcheck_error(field, variables, rate) + work as f64;
        let union = (folds as f64).log2();
        terms.push(Term::new(
            format!("{name}: proximity of folds"),
            gap - union,
        ));
        terms.push(Term::new(format!("{name}: sumcheck of folds"), sum - union));
    };
    out_of_domain(
        &mut terms,
        "opening, first code",
        config.num_variables(),
        config.starting_log_inv_rate,
        config.commitment_ood_samples(),
    );
    folds(
        &mut terms,
        "opening, first code",
        config.num_variables(),
        config.starting_log_inv_rate,
        config.round_folding_factor(0),
        config.starting_folding_pow_bits(),
    );
    let mut rate = config.starting_log_inv_rate;
    for (index, round) in config.round_parameters().iter().enumerate() {
        let name = format!("opening, round {}", index + 1);
        let work = round.pow_bits as f64;
        out_of_domain(
            &mut terms,
            &name,
            round.num_variables,
            round.log_inv_rate,
            round.ood_samples,
        );
        terms.push(Term::new(
            format!("{name}: queries"),
            assumption.queries_error(rate, round.num_queries) + work,
        ));
        terms.push(Term::new(
            format!("{name}: batching of the queries"),
            assumption.queries_combination_error(
                field,
                round.num_variables,
                round.log_inv_rate,
                round.ood_samples,
                round.num_queries,
            ) + work,
        ));
        folds(
            &mut terms,
            &name,
            round.num_variables,
            round.log_inv_rate,
            config.round_folding_factor(index + 1),
            round.folding_pow_bits,
        );
        rate = round.log_inv_rate;
    }
    let terminal = config.terminal();
    terms.push(Term::new(
        "opening, end: queries",
        assumption.queries_error(rate, terminal.num_queries) + terminal.pow_bits as f64,
    ));
    if config.final_sumcheck_rounds() > 0 {
        terms.push(Term::new(
            "opening, end: sumcheck",
            field as f64 - 1.0 + config.final_folding_pow_bits() as f64
                - (config.final_sumcheck_rounds() as f64).log2(),
        ));
    }
    terms
}

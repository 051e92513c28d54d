//! Provable bits of an opening, term by term.

use crate::{Config, Profile};
use p3_field::Field;
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
        if profile == Profile::Default {
            let bits = assumption.ood_error(variables, rate, field, samples);
            terms.push(Term::new(format!("{name}: out-of-domain samples"), bits));
        }
    };
    let folds = |terms: &mut Vec<Term>, name: &str, variables, rate, folds: usize, work: usize| {
        // The Johnson bound keeps one bit in reserve, as the library's own composition does.
        let reserve = f64::from(u8::from(profile == Profile::Default));
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

//! Protocol parameters by size: never read from a proof.

mod small;

use crate::{Config, Profile};
use p3_whir::{FoldingFactor, ProtocolParameters};

/// Bits that each single error term has to reach.
pub const TERM_BITS: usize = 102;
/// Bits of proof of work before each set of queries.
pub const WORK_BITS: usize = 13;

/// Of the first code, as the number of halvings: more of it makes queries stronger and the
/// codeword, which the prover keeps, larger.
const fn rate(variables: usize) -> usize {
    if variables <= 21 { 3 } else { 2 }
}

/// Variables that the first fold takes.
const fn first_fold(variables: usize) -> usize {
    match variables {
        0..=19 => 7,
        20..=23 => 8,
        _ => 9,
    }
}

/// Variables that every later fold takes at most.
const fn later_fold(variables: usize) -> usize {
    if variables <= 23 { 4 } else { 5 }
}

/// Of the codes after the first: three more halvings each, so that their domains shrink.
const fn later_rate(round: usize) -> usize {
    4 + 3 * round
}

/// The parameters for a polynomial of `variables` variables.
pub(crate) fn parameters(variables: usize, profile: Profile) -> ProtocolParameters {
    if profile == Profile::Small {
        return small::parameters(variables);
    }
    let folding_factor =
        FoldingFactor::ConstantFromSecondRound(first_fold(variables), later_fold(variables));
    let rounds = folding_factor
        .compute_number_of_rounds(variables)
        .map_or(0, |(rounds, _)| rounds);
    ProtocolParameters {
        starting_log_inv_rate: rate(variables),
        round_log_inv_rates: (0..rounds).map(later_rate).collect(),
        folding_factor,
        soundness_type: profile.assumption(),
        security_level: TERM_BITS,
        pow_bits: WORK_BITS,
    }
}

/// One row of a table of parameters by size.
pub(crate) fn to_json(config: &Config, profile: Profile) -> String {
    let later_fold = match config.folding_factor {
        FoldingFactor::ConstantFromSecondRound(_, later) => later.to_string(),
        _ => "null".to_owned(),
    };
    let end = config.final_round_config();
    let rounds: Vec<String> = config
        .round_parameters()
        .iter()
        .map(|round| {
            format!(
                "{{\"out_of_domain\":{},\"queries\":{},\"work\":{}}}",
                round.ood_samples, round.num_queries, round.pow_bits
            )
        })
        .collect();
    let rates: Vec<usize> = config
        .round_parameters()
        .iter()
        .map(|round| round.log_inv_rate)
        .collect();
    format!(
        "{{\"profile\":\"{}\",\"n\":{},\"term_bits\":{},\"work_bits\":{},\"rate\":{},\
             \"folds\":{:?},\"later_fold\":{},\"rates\":{:?},\"out_of_domain\":{},\
             \"rounds\":[{}],\"end\":{{\"f\":{},\"queries\":{},\"work\":{}}}}}",
        profile.name(),
        config.num_variables(),
        config.security_level,
        config.pow_bits,
        config.starting_log_inv_rate,
        config.folding_schedule(),
        later_fold,
        rates,
        config.commitment_ood_samples(),
        rounds.join(","),
        end.num_variables,
        end.num_queries,
        end.pow_bits,
    )
}

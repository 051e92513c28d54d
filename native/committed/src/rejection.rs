//! Why a proof is rejected.

use commitment::Malformed;

/// Why a proof is rejected; [`Rejection::code`] is stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The bytes are not those of a proof for this key.
    #[error("the proof is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// The proof is of another version.
    #[error("the proof is of version {0}, which is not supported")]
    Version(u8),
    /// Inputs of another number, size or range than the graph's.
    #[error("input {0} is missing, or has another size or range than the graph says")]
    Input(usize),
    /// Outputs of another number, size or range than the graph's.
    #[error("output {0} is missing, or has another size or range than the graph says")]
    Output(usize),
    /// A column is not in its table.
    #[error("the lookup argument is not valid: {0}")]
    Lookups(#[from] lookup::Rejection),
    /// A claim does not follow.
    #[error("{0}")]
    Reduction(#[from] claim_reduction::Rejected),
    /// The columns are not the committed ones.
    #[error("the opening of the witness is not valid: {0}")]
    WitnessOpening(String),
    /// The weights are not the committed ones.
    #[error("the opening of the weights is not valid: {0}")]
    WeightOpening(String),
}

impl Rejection {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "PROOF_MALFORMED",
            Self::Version(_) => "PROOF_VERSION",
            Self::Input(_) => "INPUT_MISMATCH",
            Self::Output(_) => "OUTPUT_MISMATCH",
            Self::Lookups(_) => "LOOKUP_MISMATCH",
            Self::Reduction(_) => "REDUCTION_MISMATCH",
            Self::WitnessOpening(_) => "WITNESS_OPENING_INVALID",
            Self::WeightOpening(_) => "WEIGHT_OPENING_INVALID",
        }
    }
}

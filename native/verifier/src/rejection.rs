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
    /// A contraction's result is outside of the range that its node declares.
    #[error("result {index} of contraction {contraction} is out of range")]
    ContractionOutputRange {
        /// Which contraction.
        contraction: usize,
        /// Which of its results.
        index: usize,
    },
    /// The graph cannot be executed with these inputs and these results.
    #[error("the graph cannot be executed: {0}")]
    Execution(#[from] executor::Fault),
    /// The outputs are not what the graph computes.
    #[error("the outputs are not those of the graph")]
    OutputMismatch,
    /// The results of the contractions are not those of the claimed weights.
    #[error("the results of the contractions do not follow from the weights")]
    ContractionMismatch,
    /// The claimed weights are not the committed ones.
    #[error("the opening of the weights is not valid: {0}")]
    Opening(String),
}

impl Rejection {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "PROOF_MALFORMED",
            Self::Version(_) => "PROOF_VERSION",
            Self::ContractionOutputRange { .. } => "ACCUMULATOR_RANGE",
            Self::Execution(_) => "EXECUTION",
            Self::OutputMismatch => "OUTPUT_MISMATCH",
            Self::ContractionMismatch => "CONTRACTION_MISMATCH",
            Self::Opening(_) => "OPENING_INVALID",
        }
    }
}

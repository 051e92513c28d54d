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
    /// A claim on weights, parameters or private inputs is missing, or is about nothing that is committed to.
    #[error("the opening of the weights is not valid: {0}")]
    WeightOpening(String),
    /// The relation proof is not one of the recorded equations.
    #[error("{0}")]
    Relation(#[from] relation::Refused),
    /// A proof comes with more links than a chain has.
    #[error("the proof comes with {0} links, more than a chain has")]
    LinkCount(usize),
    /// A link leads to a commitment of no kind that its parent leads to.
    #[error("a link leads to a commitment of kind {0}, which its parent does not lead to")]
    LinkKind(u8),
    /// The links do not lead to an epoch for proofs, or to one for proofs of public inputs where they are private,
    /// or the other way round.
    #[error("the links do not lead to an epoch for proofs of such inputs")]
    LinkEnd,
    /// The graph has no plan for inputs that are private.
    #[error("the key has no proofs of private inputs: {0}")]
    PublicOnly(String),
    /// A key has weights whose ranges no proof shows.
    #[error("the ranges of the key cannot be shown: {0}")]
    NoRanges(String),
    /// A key comes without the proof that its weights are in their ranges.
    #[error("the key comes without the proof of its ranges")]
    RangesMissing,
    /// A link's two commitments do not hold the same weights.
    #[error("a link is not valid: {0}")]
    Link(hiding::Rejected),
    /// An equation or a claim does not hold for what is committed to.
    #[error("the hiding opening is not valid: {0}")]
    Hidden(#[from] hiding::Rejected),
}

impl Rejection {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "PROOF_MALFORMED",
            Self::Version(_) => "PROOF_VERSION",
            Self::Output(_) => "OUTPUT_MISMATCH",
            Self::Hidden(_) => "OPENING_INVALID",
            Self::Input(_) => "INPUT_MISMATCH",
            Self::Lookups(_) => "LOOKUP_MISMATCH",
            Self::Reduction(_) => "REDUCTION_MISMATCH",
            Self::Relation(_) => "RELATION_MISMATCH",
            Self::LinkCount(_) => "LINK_COUNT",
            Self::LinkKind(_) => "LINK_KIND",
            Self::LinkEnd => "LINK_END",
            Self::PublicOnly(_) => "INPUTS_PUBLIC_ONLY",
            Self::NoRanges(_) => "KEY_RANGES",
            Self::RangesMissing => "RANGES_MISSING",
            Self::Link(_) => "LINK_INVALID",
            Self::WeightOpening(_) => "WEIGHT_OPENING_INVALID",
        }
    }
}

//! Why there is no proof.

use key::KeyError;

/// Why there is no proof; [`ProveError::code`] is stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// The key cannot be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The weights are not those that the key commits to.
    #[error("the weights are not those of the verifying key")]
    OtherWeights,
    /// The graph cannot be executed.
    #[error("the graph cannot be executed: {0}")]
    Execution(#[from] executor::Fault),
    /// A column is outside of its table.
    #[error("{0}")]
    Lookups(#[from] lookup::ProveError),
    /// The reduction failed, which it does for no execution but by chance.
    #[error("{0}")]
    Reduction(#[from] claim_reduction::Rejected),
    /// The operating system gives no randomness for what hides.
    #[error("{0}")]
    Randomness(#[from] hiding::NoEntropy),
    /// Columns or weights cannot be committed to so that openings hide them.
    #[error("{0}")]
    Hiding(#[from] hiding::CommitError),
    /// There is no hiding opening.
    #[error("{0}")]
    HidingOpening(#[from] hiding::ProveError),
    /// There is no relation proof.
    #[error("{0}")]
    Relation(#[from] relation::Refused),
    /// What was sent under pads cannot be followed, which happens by chance only.
    #[error("what was sent cannot be followed: {0}")]
    Recording(verifier::Rejection),
    /// There is no opening of this number.
    #[error("opening {slot} is not among the {openings} that the commitment has for this")]
    Slot {
        /// The number.
        slot: u64,
        /// How many there are.
        openings: u64,
    },
    /// The opening of this number was made before.
    #[error("opening {0} of the commitment was made before")]
    Spent(u64),
    /// An epoch for links proves nothing, and one for proofs leads to no other.
    #[error("the commitment is not of the kind that is opened so")]
    EpochKind,
    /// A key has been renewed as often as proofs have room for links.
    #[error("the key was renewed as often as its proofs have room for links")]
    Rotations,
    /// A proof of the ranges comes with one link, from the key's own commitment.
    #[error("the ranges are shown by the key's own commitment, which was renewed")]
    RangesRotated,
    /// The run is one of another key.
    #[error("the run is one of another key")]
    OtherRun,
    /// The links of a key do not hold.
    #[error("{0}")]
    Links(verifier::Rejection),
    /// A form does not fit the vector that it is about.
    #[error("{0}")]
    Form(#[from] hiding::Unfit),
    /// The caller has cancelled.
    #[error("proving was cancelled")]
    Cancelled,
}

impl ProveError {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::OtherWeights => "WEIGHTS_OTHER",
            Self::Execution(_) => "EXECUTION",
            Self::Lookups(_) => "LOOKUPS",
            Self::Reduction(_) => "REDUCTION",
            Self::Randomness(_) => "RANDOMNESS",
            Self::Hiding(_) | Self::HidingOpening(_) | Self::Form(_) => "HIDING",
            Self::Relation(_) | Self::Recording(_) => "RELATION",
            Self::Slot { .. } => "SLOT_RANGE",
            Self::Spent(_) => "OPENINGS_SPENT",
            Self::EpochKind => "EPOCH_KIND",
            Self::Rotations => "ROTATIONS_SPENT",
            Self::RangesRotated => "RANGES_ROTATED",
            Self::OtherRun => "RUN_OTHER",
            Self::Links(rejection) => rejection.code(),
            Self::Cancelled => "CANCELLED",
        }
    }
}

//! Why a key cannot be made or read.

use claim_reduction::{Limit, Unsupported};
use commitment::Malformed;
use layers::TooCostly;

/// A key that cannot be made or read; [`KeyError::code`] is stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not those of a verifying key.
    #[error("the verifying key is malformed")]
    Malformed,
    /// The key is of another version or profile.
    #[error("the verifying key is of a version or profile that is not supported")]
    Version,
    /// The key is of a mode that has ended.
    #[error(
        "the verifying key is of mode {0}, which has ended: the weights follow from its proofs"
    )]
    ModeEnded(&'static str),
    /// Checking a proof under it would cost too much, by what is counted before it is done.
    #[error(transparent)]
    Costly(#[from] TooCostly),
    /// The graph in it is not well formed.
    #[error("the graph of the verifying key is not well formed: {0}")]
    Graph(#[from] graph::Fault),
    /// The graph has no weights, so that there is nothing to commit to.
    #[error("the graph has no weighted contraction")]
    NoWeights,
    /// The contractions are too costly to check.
    #[error("the operands of the graph's contractions take too much to be weighted")]
    Operands,
    /// A matrix or parameter that no output depends on has nothing to be opened for.
    #[error("a weight matrix or parameter has no part in any output")]
    Unread,
    /// Not all results of the graph can be committed to.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// Proofs that hide results are too costly to check.
    #[error("the graph takes its verifier too much where its results are hidden")]
    Work,
    /// The lookups cannot be argued about.
    #[error("{0}")]
    Lookups(#[from] lookup::Error),
    /// Columns and weights cannot be committed to so that openings hide them.
    #[error("{0}")]
    Hiding(#[from] hiding::ShapeError),
    /// No commitment to the weights serves as many openings as the key is to have.
    #[error("no commitment to the weights serves {0} openings")]
    Openings(u32),
    /// The ranges of so many weights take more proofs than a key has.
    #[error("the ranges of the weights take {parts} proofs; a key has at most {most}")]
    Ranges {
        /// How many.
        parts: usize,
        /// How many there may be.
        most: usize,
    },
    /// All error terms together are more than proofs may have.
    #[error("proofs under the key would have less than 100 provable bits")]
    Bits,
}

impl KeyError {
    /// The reason's name, which does not change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "KEY_MALFORMED",
            Self::Version => "KEY_VERSION",
            Self::ModeEnded(_) => "KEY_MODE_ENDED",
            Self::Costly(_) => "KEY_TOO_COSTLY",
            Self::Graph(_) => "KEY_GRAPH",
            Self::NoWeights => "KEY_NO_WEIGHTS",
            Self::Unread => "KEY_UNREAD",
            Self::Unsupported(_) => "KEY_UNSUPPORTED",
            Self::Operands | Self::Work => "KEY_WORK",
            Self::Lookups(_) => "KEY_LOOKUPS",
            Self::Hiding(_) => "KEY_COMMITMENT",
            Self::Openings(_) => "KEY_OPENINGS",
            Self::Ranges { .. } | Self::Bits => "KEY_RANGES",
        }
    }
}

impl From<Unsupported> for KeyError {
    fn from(refused: Unsupported) -> Self {
        match refused.limit {
            None => Self::Unsupported(refused),
            Some(Limit::Work) => Self::Work,
            Some(Limit::Lookups { lookups, tables }) => {
                Self::Lookups(lookup::Error::Count { lookups, tables })
            }
        }
    }
}

impl From<Malformed> for KeyError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

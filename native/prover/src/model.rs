//! A key with what its proofs are made from.

use crate::error::ProveError;
use commitment::Committed;
use key::VerifyingKey;

/// A verifying key, its weights, and what their commitment is opened from.
pub(crate) struct Model {
    pub(crate) key: VerifyingKey,
    pub(crate) weights: Vec<i8>,
    pub(crate) committed: Committed,
}

impl Model {
    /// Commits to the weights under a key that has no commitment yet.
    pub(crate) fn commit(key: VerifyingKey, weights: Vec<i8>) -> Result<Self, ProveError> {
        let committed = committed(&key, &weights)?;
        let values = committed.binding_evaluation().values.clone();
        Ok(Self {
            key: key.with_commitment(committed.root(), values),
            weights,
            committed,
        })
    }

    /// Checks that these are the key's weights.
    pub(crate) fn load(key: VerifyingKey, weights: Vec<i8>) -> Result<Self, ProveError> {
        let committed = committed(&key, &weights)?;
        if committed.root() != key.root()
            || committed.binding_evaluation() != key.binding_evaluation()
        {
            return Err(ProveError::OtherWeights);
        }
        Ok(Self {
            key,
            weights,
            committed,
        })
    }
}

fn committed(key: &VerifyingKey, weights: &[i8]) -> Result<Committed, ProveError> {
    let scheme = key.scheme();
    Ok(scheme.commit(weights, |root| key.binding_point(root))?)
}

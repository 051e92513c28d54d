//! Why an opening is rejected.

use crate::statement::ClaimError;

/// An opening that does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The claim is not about the vectors.
    #[error(transparent)]
    Form(#[from] ClaimError),
    /// There is not one root for each vector.
    #[error("there are {0} roots, and not one for each vector")]
    Roots(usize),
    /// A part of it has another length than the shape says.
    #[error("a part of the opening has another length than its shape says")]
    Lengths,
    /// Work was not done.
    #[error("a witness of work is not one")]
    Work,
    /// Leaves that are not those of the roots.
    #[error("opened leaves do not lead to their root")]
    Leaves,
    /// The last polynomial is not what the last code says.
    #[error("the last polynomial is not that of the opened leaves")]
    LastPolynomial,
    /// The claim does not hold for what was opened.
    #[error("the claim does not hold for what was opened")]
    Claim,
}

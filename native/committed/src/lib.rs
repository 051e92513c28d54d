//! The committed mode of proof system `sumcheck`: key, prover, verifier.
//!
//! A proof commits to the columns of the non-linear operations, shows by one lookup argument that
//! they are in their tables, and reduces the claim about the outputs to openings of the columns and
//! of the weights. The verifier never sees a result of a contraction. The mode is experimental:
//! `specs/committed-mode.md` says what is still missing.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::unreachable
    )
)]

mod effort;
mod key;
mod proof;
mod prove;
mod verify;

pub use effort::MAX_EFFORT;
pub use key::{Key, KeyError, MODE, PROTOCOL, Public};
pub use proof::{PROOF_VERSION, Proof};
pub use prove::{Phase, ProveError, Prover, Run, Watch, Witness};
pub use verify::Rejection;

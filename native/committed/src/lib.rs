//! The committed mode of proof system `sumcheck`: key, prover, verifier.
//!
//! ```text
//! proof = (root of the columns, lookup argument, claim reduction, opening of the columns, opening of the weights)
//! accept ⇔ every looked-up row is in its table, outputs~(r) reduces to inputs~, columns~ and W~ at points,
//!          and both openings give these values
//! ```
//!
//! A proof commits to the columns of the non-linear operations, shows by one lookup argument that
//! they are in their tables, and reduces the claim about the outputs to openings of the columns and
//! of the weights. The verifier never sees a result of a contraction.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `effort` | what checking a proof asks of a verifier, counted from the key |
//! | `key` | the key of the mode |
//! | `proof` | a proof and its bytes |
//! | `prove` | the prover |
//! | `rejection` | why a proof is rejected |
//! | `verify` | the verifier |
//!
//! # Soundness
//!
//! As in the clear mode, the caller MUST check that the key is that of the model that it means, that
//! inputs, outputs and statement are its own, and that [`Key::security`] has the bits that it asks for. The
//! mode hides nothing by design: openings tell field elements about weights and columns, and no zero
//! knowledge is claimed. It is experimental: `specs/committed-mode.md` says what is still missing.
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
mod rejection;
mod verify;

pub use commitment::{Phase, Public, Watch};
pub use effort::MAX_EFFORT;
pub use key::{Key, KeyError, MODE, PROTOCOL};
pub use proof::{PROOF_VERSION, Proof};
pub use prove::{ProveError, Prover, Run, Witness};
pub use rejection::Rejection;

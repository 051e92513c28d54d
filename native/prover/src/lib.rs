//! Prover of proof system `sumcheck`, in all of its modes.
//!
//! ```text
//! run = execute(graph, inputs, weights),    proof = prove(run, inputs, statement)
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `clear` | proofs of the mode in which results of contractions travel in the clear |
//! | `error` | why there is no proof |
//! | `model` | a key with what its proofs are made from |
//! | `private` | proofs that show nothing but their statement, and the epochs that they open |
//! | `proving_key` | committing, running, proving, in the clear mode |
//! | `relations` | the columns of an execution, and lookups and reduction about them |
//! | `session` | what a proof is asked for with, and its phases, which a caller may follow and stop |
//!
//! # Soundness
//!
//! [`ProvingKey::load`] checks that the weights are those of the key: root and binding evaluation are
//! computed anew. A run is proven as it is, for the inputs that it is given with: that they are the ones that
//! it was run on is the caller's part, and a proof that mixes runs does not verify. Nobody needs to trust a
//! prover; who hands a proof on checks it with the `verifier` before.
#![forbid(unsafe_code)]

pub mod clear;
mod error;
mod model;
pub mod private;
mod proving_key;
pub mod relations;
mod session;

pub use error::ProveError;
pub use proving_key::{ProvingKey, Run};
#[cfg(feature = "audit")]
pub use session::Alter;
pub use session::{Phase, Watch};

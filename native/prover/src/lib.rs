//! Prover of proof system `sumcheck`.
//!
//! ```text
//! run = execute(graph, inputs, weights),    proof = prove(run, inputs, statement)
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `error` | why there is no proof |
//! | `private` | proofs that show nothing but their statement, and the epochs that they open |
//! | `relations` | the columns of an execution, and lookups and reduction about them |
//! | `session` | what a proof is asked for with, and its phases, which a caller may follow and stop |
//!
//! # Soundness
//!
//! [`private::ProvingKey::load`] checks that the weights are those of the key: root and pin are computed anew. A run is proven as it is, for the inputs that it is given with: that they are the ones that
//! it was run on is the caller's part, and a proof that mixes runs does not verify. Nobody needs to trust a
//! prover; who hands a proof on checks it with the `verifier` before.
#![forbid(unsafe_code)]

mod error;
pub mod private;
pub mod relations;
mod session;

pub use error::ProveError;
#[cfg(feature = "audit")]
pub use session::Alter;
pub use session::{Phase, Watch};

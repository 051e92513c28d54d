//! What graphs are reduced to: complete, sound, and the same numbers everywhere. One program: each would be
//! linked anew.
mod choices;
mod columns;
#[path = "../common/mod.rs"]
mod common;
mod complete;
mod declared;
mod differences;
mod exact;
mod idle;
mod integers;
mod malicious;
mod parameters;
mod picking;
mod private_inputs;
mod ranges;
mod rescaling;
mod saturated;

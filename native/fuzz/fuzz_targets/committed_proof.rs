//! `cargo +nightly fuzz run committed_proof`
#![no_main]

#[allow(dead_code)]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::committed_proof(data));

//! Proofs that any other verifier can be checked with, byte for byte what this prover makes.
mod models;

use key::{Public, VerifyingKey};
use models::{STATEMENT, case, json, vectors, views};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/committed/");

/// Set `WRITE_VECTORS=1` to write the files anew.
#[test]
fn proofs_are_the_vectors() {
    for (name, graph, profile) in vectors() {
        let case = case(graph, profile);
        let (outputs, proof) = case.prove();
        let text = json(&case, &outputs, &proof);
        let path = format!("{FOLDER}{name}.json");
        if std::env::var_os("WRITE_VECTORS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap();
        assert!(stored == text, "{name}: the proof is not the stored one");
        let key = VerifyingKey::decode(&case.key().encode()).unwrap();
        let public = Public {
            inputs: &views(&case.inputs),
            outputs: &views(&outputs),
            statement: STATEMENT,
        };
        verifier::verify(&key, &public, &proof).unwrap();
    }
}

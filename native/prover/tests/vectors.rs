//! Proofs that any other verifier can be checked with, byte for byte what this prover makes.
mod common;

use commitment::Profile;
use common::{STATEMENT, cnn, inputs, key, mlp, tiny, views};
use graph::Graph;
use key::{Public, VerifyingKey};
use std::fmt::Write;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/sumcheck/");
const GRAPHS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../vectors/integer_graphs.json"
);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The graph of every operation among the repository's vectors.
fn everything() -> Graph {
    let text = std::fs::read_to_string(GRAPHS).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entries = vectors["valid"].as_array().unwrap();
    let entry = entries
        .iter()
        .find(|entry| entry["description"] == "a graph of every operation")
        .unwrap();
    let digits = entry["graph"].as_str().unwrap().strip_prefix("0x").unwrap();
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    Graph::decode(&bytes).unwrap()
}

/// Set `WRITE_VECTORS=1` to write the files anew.
#[test]
fn proofs_are_the_vectors() {
    let cases = [
        ("cnn-default", cnn(), Profile::Default),
        ("everything-default", everything(), Profile::Default),
        ("linear-default", mlp(&[400, 512]), Profile::Default),
        ("linear-small", mlp(&[400, 512]), Profile::Small),
        ("tiny-conservative", tiny(), Profile::Conservative),
    ];
    for (name, graph, profile) in cases {
        let given = inputs(&graph, 3);
        let key = key(graph, profile);
        let (outputs, proof) = key.prove(&views(&given), STATEMENT, &mut |_| true).unwrap();
        let key = key.verifying_key().encode();
        let text = format!(
            "{{\n\"key\": \"{}\",\n\"statement\": \"{}\",\n\"inputs\": {given:?},\n\
             \"outputs\": {outputs:?},\n\"proof\": \"{}\"\n}}\n",
            hex(&key),
            hex(&STATEMENT),
            hex(&proof),
        );
        let path = format!("{FOLDER}{name}.json");
        if std::env::var_os("WRITE_VECTORS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap();
        assert!(stored == text, "{name}: the proof is not the stored one");
        let public = Public {
            inputs: &views(&given),
            outputs: &views(&outputs),
            statement: STATEMENT,
        };
        let key = VerifyingKey::decode(&key).unwrap();
        verifier::verify(&key, &public, &proof).unwrap();
    }
}

//! The vectors of the repository, which the Python side writes.
#![allow(missing_docs)]

use graph::Graph;
use serde_json::Value;

fn vectors() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../vectors/integer_graphs.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().strip_prefix("0x").unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn valid_graphs_are_decoded_and_encoded_to_the_same_bytes() {
    let vectors = vectors();
    let valid = vectors["valid"].as_array().unwrap();
    assert!(valid.len() >= 18);
    for entry in valid {
        let data = hex(&entry["graph"]);
        let graph = Graph::decode(&data).unwrap_or_else(|fault| panic!("{entry}: {fault}"));
        assert_eq!(graph.encode(), data, "{}", entry["description"]);
        let shapes: Vec<_> = graph.nodes.iter().map(|node| node.shape.clone()).collect();
        assert_eq!(serde_json::json!(shapes), entry["shapes"]);
        assert_eq!(serde_json::json!(graph.outputs), entry["outputs"]);
    }
}

#[test]
fn invalid_bytes_are_refused_for_the_reason_and_in_the_words_of_the_python_side() {
    for entry in vectors()["invalid"].as_array().unwrap() {
        let fault = Graph::decode(&hex(&entry["graph"])).unwrap_err();
        assert_eq!(fault.code(), entry["reason"], "{}", entry["description"]);
        assert_eq!(
            fault.to_string(),
            entry["message"],
            "{}",
            entry["description"]
        );
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused_or_another_graph() {
    for entry in vectors()["valid"].as_array().unwrap() {
        let data = hex(&entry["graph"]);
        let graph = Graph::decode(&data).unwrap();
        for size in 0..data.len() {
            assert!(Graph::decode(&data[..size]).is_err());
        }
        for bit in 0..data.len() * 8 {
            let mut changed = data.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Graph::decode(&changed) {
                assert_eq!(other.encode(), changed);
                assert_ne!(other, graph);
            }
        }
    }
}

//! Every graph of the repository's vectors that has weights is proven and verified.
mod common;

use commitment::Profile;
use common::{STATEMENT, views};
use graph::Graph;
use key::{KeyError, Public};
use prover::ProvingKey;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../vectors/integer_graphs.json");

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().trim_start_matches("0x").as_bytes();
    text.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn tensors(value: &Value) -> Vec<Vec<i32>> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn graphs_of_the_vectors_are_proven_and_verified() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut proven = 0;
    for case in vectors["valid"].as_array().unwrap() {
        let name = &case["description"];
        let graph = Graph::decode(&bytes(&case["graph"])).unwrap();
        let weights: Vec<i8> = bytes(&case["weights"])
            .into_iter()
            .map(|byte| byte as i8)
            .collect();
        let (inputs, outputs) = (
            tensors(&case["input_values"]),
            tensors(&case["output_values"]),
        );
        if graph.parameters().next().is_some() {
            let error = ProvingKey::new(graph, &weights, Profile::Default).err();
            assert_eq!(error.unwrap(), KeyError::Parameters.into(), "{name}");
            continue;
        }
        if graph.weights.is_empty() {
            let error = ProvingKey::new(graph, &weights, Profile::Default).err();
            assert_eq!(error.unwrap(), KeyError::NoWeights.into(), "{name}");
            continue;
        }
        let key = ProvingKey::new(graph, &weights, Profile::Default).unwrap();
        let (found, proof) = key
            .prove(&views(&inputs), STATEMENT, &mut |_| true)
            .unwrap();
        assert_eq!(found, outputs, "{name}");
        let public = Public {
            inputs: &views(&inputs),
            outputs: &views(&outputs),
            statement: STATEMENT,
        };
        let result = verifier::verify(key.verifying_key(), &public, &proof);
        assert_eq!(result, Ok(()), "{name}");
        proven += 1;
    }
    assert!(proven >= 3, "{proven}");
}

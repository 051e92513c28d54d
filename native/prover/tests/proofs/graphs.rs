//! Every graph of the repository's vectors that has weights and can be hidden is proven and verified.

use crate::hidden::{OPENINGS, case_of};
use commitment::Profile;
use graph::{Graph, Values};
use key::{KeyError, PrivateKey};
use serde_json::Value;

const VECTORS: &str = include_str!("../../../../vectors/integer_graphs.json");

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
        let empty = graph.weights.is_empty();
        match PrivateKey::new(graph.clone(), Profile::Default, OPENINGS).err() {
            None => assert!(!empty, "{name}"),
            Some(KeyError::NoWeights) if empty => continue,
            // Its products are too large to be apart in the field: these graphs were drawn without regard to it.
            Some(KeyError::Unsupported(_)) => continue,
            Some(error) => panic!("{name}: {error}"),
        }
        let weights = bytes(&case["weights"]).into_iter();
        let weights: Vec<i8> = weights.map(|byte| byte as i8).collect();
        let parameters = case.get("parameters");
        let parameters: Vec<i32> = parameters
            .map(|values| serde_json::from_value(values.clone()).unwrap())
            .unwrap_or_default();
        let values = Values {
            weights: &weights,
            parameters: &parameters,
        };
        let inputs = tensors(&case["input_values"]);
        let made = case_of(graph, &values, inputs, Profile::Default);
        let (outputs, proof) = made.prove();
        assert_eq!(outputs, tensors(&case["output_values"]), "{name}");
        assert_eq!(made.verify(&outputs, &proof), Ok(()), "{name}");
        proven += 1;
    }
    assert!(proven >= 3, "{proven}");
}

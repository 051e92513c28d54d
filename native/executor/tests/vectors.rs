//! The vectors of the repository, which the plain Python executor computed.
#![allow(missing_docs)]

use executor::{Tensors, execute};
use graph::{Graph, Values};
use serde_json::Value;

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().strip_prefix("0x").unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn lists(value: &Value) -> Vec<Vec<i32>> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn every_operation_gives_the_plain_executors_values() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../vectors/integer_graphs.json"
    );
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut tensors = Tensors::default();
    for entry in vectors["valid"].as_array().unwrap() {
        let graph = Graph::decode(&hex(&entry["graph"])).unwrap();
        let weights: Vec<i8> = hex(&entry["weights"])
            .iter()
            .map(|&byte| byte as i8)
            .collect();
        let inputs = lists(&entry["input_values"]);
        let inputs: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
        let expected = lists(&entry["output_values"]);
        let parameters: Vec<i32> = entry
            .get("parameters")
            .map(|values| serde_json::from_value(values.clone()).unwrap())
            .unwrap_or_default();
        let values = Values {
            weights: &weights,
            parameters: &parameters,
        };
        execute(&graph, &values, &inputs, &mut tensors).unwrap();
        let outputs: Vec<Vec<i32>> = tensors.outputs(&graph).map(<[i32]>::to_vec).collect();
        assert_eq!(outputs, expected, "{}", entry["description"]);
    }
}

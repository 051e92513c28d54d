//! Proofs of random graphs and of models for another verifier to check.
//!
//! `cargo run --release -p inferproof-prover --example prove_models -- FOLDER FIRST COUNT` writes a
//! vector for each of COUNT seeds from FIRST on whose random graph has weights, and for each of them
//! whose random graph with divisions and roots has; with FIRST `models` one for each model.
#[path = "../tests/hidden/mod.rs"]
mod hidden;
#[path = "../tests/models/mod.rs"]
mod models;

use commitment::Profile;
use graph::Graph;
use hidden::case_seeded;
use models::{dense, graphs, lenet, random, told};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, first, rest @ ..] = arguments.as_slice() else {
        panic!("FOLDER FIRST COUNT, or FOLDER models");
    };
    if first == "models" {
        write(folder, "lenet", lenet(), Profile::Default, 1);
        write(folder, "dense", dense(&[784, 128, 10]), Profile::Default, 1);
        write(
            folder,
            "dense-conservative",
            dense(&[40, 33, 7]),
            Profile::Conservative,
            1,
        );
        return;
    }
    let first: u64 = first.parse().unwrap();
    let count: u64 = rest[0].parse().unwrap();
    for seed in first..first + count {
        if let Some(graph) = random(seed) {
            let profile = Profile::OFF_CHAIN[seed as usize % 2];
            write(folder, &format!("random-{seed}"), graph, profile, seed | 1);
        }
        let graph = graphs::normalised(seed);
        if !graph.weights.is_empty() {
            write(
                folder,
                &format!("divided-{seed}"),
                graph,
                Profile::Default,
                seed | 1,
            );
        }
    }
}

fn write(folder: &str, name: &str, graph: Graph, profile: Profile, seed: u64) {
    let case = case_seeded(graph, profile, seed);
    let (outputs, proof) = case.prove();
    case.verify(&outputs, &proof).unwrap();
    let text = told(&case.key().encode(), &case.inputs, &outputs, &proof);
    std::fs::write(format!("{folder}/{name}.json"), text).unwrap();
}

//! Measures proving, verifying and the size of proofs, over fresh inputs.
//!
//! Times are means of the processor's and not of the clock, so that other work on the machine counts
//! little.
//!
//! `cargo run --release -p inferproof-prover --example measure [runs [model]]`
#[path = "../tests/common/mod.rs"]
mod common;

use commitment::Profile;
use common::{STATEMENT, inputs, lenet, mlp, views, weights};
use graph::Graph;
use key::Public;
use prover::ProvingKey;

/// Milliseconds that this thread has run so far.
fn milliseconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

fn measure(name: &str, graph: &Graph, profile: Profile, runs: u64) {
    let weights = weights(graph, 1);
    let start = milliseconds();
    let key = ProvingKey::new(graph.clone(), &weights, profile).unwrap();
    let commit = milliseconds() - start;
    let inputs: Vec<_> = (0..runs).map(|run| inputs(graph, 100 + run)).collect();
    let start = milliseconds();
    let proofs: Vec<_> = inputs
        .iter()
        .map(|inputs| key.prove(&views(inputs), STATEMENT, &mut |_| true).unwrap())
        .collect();
    let prove = (milliseconds() - start) / runs as f64;
    let start = milliseconds();
    for (inputs, (outputs, proof)) in inputs.iter().zip(&proofs) {
        let public = Public {
            inputs: &views(inputs),
            outputs: &views(outputs),
            statement: STATEMENT,
        };
        verifier::verify(key.verifying_key(), &public, proof).unwrap();
    }
    let verify = (milliseconds() - start) / runs as f64;
    let mut sizes: Vec<_> = proofs.iter().map(|(_, proof)| proof.len()).collect();
    sizes.sort_unstable();
    println!(
        "{name:28} {:12} commit {commit:8.1} ms  prove {:7.2} ms  verify {:6.2} ms  proof {:7} B  bits {:.1}",
        profile.name(),
        prove,
        verify,
        sizes[sizes.len() / 2],
        key.verifying_key().security().provable_bits,
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let runs = arguments.next().map_or(31, |runs| runs.parse().unwrap());
    let only = arguments.next().unwrap_or_default();
    for profile in Profile::ALL {
        for (name, graph) in [
            ("MLP 784-128-10", mlp(&[784, 128, 10])),
            ("LeNet-5 28x28", lenet()),
            ("dense 512-1024-512", mlp(&[512, 1024, 512])),
            ("dense 1024-2048-1024", mlp(&[1024, 2048, 1024])),
        ] {
            if name.contains(&only) {
                measure(name, &graph, profile, runs);
            }
        }
    }
}

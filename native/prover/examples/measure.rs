//! Measures proving, verifying and the size of proofs: medians over fresh inputs.
//!
//! Times are of the processor and not of the clock, so that other work on the machine counts little.
//!
//! `cargo run --release -p inferproof-prover --example measure [runs]`
#[path = "../tests/common/mod.rs"]
mod common;

use commitment::Profile;
use common::{STATEMENT, inputs, lenet, mlp, views, weights};
use graph::Graph;
use prover::ProvingKey;
use verifier::Public;

/// Milliseconds that this thread has run so far.
fn milliseconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn measure(name: &str, graph: &Graph, profile: Profile, runs: u64) {
    let weights = weights(graph, 1);
    let start = milliseconds();
    let key = ProvingKey::new(graph.clone(), &weights, profile).unwrap();
    let commit = milliseconds() - start;
    let (mut prove, mut verify, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..runs {
        let inputs = inputs(graph, 100 + run);
        let start = milliseconds();
        let (outputs, proof) = key.prove(&views(&inputs), STATEMENT, &()).unwrap();
        prove.push(milliseconds() - start);
        let public = Public {
            inputs: &views(&inputs),
            outputs: &views(&outputs),
            statement: STATEMENT,
        };
        let start = milliseconds();
        key.verifying_key().verify(&public, &proof).unwrap();
        verify.push(milliseconds() - start);
        sizes.push(proof.len());
    }
    sizes.sort_unstable();
    println!(
        "{name:28} {:12} commit {commit:8.1} ms  prove {:7.2} ms  verify {:6.2} ms  proof {:7} B  bits {:.1}",
        profile.name(),
        median(prove),
        median(verify),
        sizes[sizes.len() / 2],
        key.verifying_key().security().provable_bits,
    );
}

fn main() {
    let runs = std::env::args()
        .nth(1)
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(31);
    let only = std::env::args().nth(2);
    for profile in Profile::ALL {
        match only.as_deref() {
            Some("mlp") => measure("MLP 784-128-10", &mlp(&[784, 128, 10]), profile, runs),
            Some("1m") => measure("dense 512-1024-512", &mlp(&[512, 1024, 512]), profile, runs),
            Some("4m") => measure(
                "dense 1024-2048-1024",
                &mlp(&[1024, 2048, 1024]),
                profile,
                runs,
            ),
            _ => {}
        }
        if only.is_some() {
            continue;
        }
        measure("MLP 784-128-10", &mlp(&[784, 128, 10]), profile, runs);
        measure("LeNet-5 28x28", &lenet(), profile, runs);
        measure("dense 512-1024-512", &mlp(&[512, 1024, 512]), profile, runs);
        measure(
            "dense 1024-2048-1024",
            &mlp(&[1024, 2048, 1024]),
            profile,
            runs,
        );
    }
}

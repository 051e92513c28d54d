//! Measures the committed mode on a graph with its weights and inputs from files.
//!
//! `cargo run --release -p inferproof-committed --example measure_committed -- PREFIX [runs]` reads
//! PREFIX.graph, PREFIX.weights and PREFIX.inputs. Times are of this thread's processor.

use commitment::Profile;
use committed::{Key, Phase, Prover, Public};
use graph::{Graph, elements};

fn milliseconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let prefix = arguments.next().unwrap();
    let runs: usize = arguments.next().map_or(3, |runs| runs.parse().unwrap());
    let read = |kind: &str| std::fs::read(format!("{prefix}.{kind}")).unwrap();
    let graph = Graph::decode(&read("graph")).unwrap();
    let weights: Vec<i8> = read("weights").into_iter().map(|byte| byte as i8).collect();
    let words: Vec<i32> = read("inputs")
        .chunks_exact(4)
        .map(|word| i32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let mut rest = words.as_slice();
    let inputs: Vec<&[i32]> = graph
        .inputs
        .iter()
        .map(|input| {
            let (own, tail) = rest.split_at(elements(&input.shape));
            rest = tail;
            own
        })
        .collect();
    for profile in Profile::ALL {
        let prover = match Prover::new(graph.clone(), &weights, profile) {
            Ok(prover) => prover,
            Err(error) => return println!("{prefix}: {error}"),
        };
        let plan = prover.key().plan();
        let cells = |variables: &mut dyn Iterator<Item = usize>| -> usize {
            variables.map(|variables| 1 << variables).sum()
        };
        println!(
            "{prefix} {}: {} columns of {} elements, {} lookups of {} rows in {} tables of {} entries",
            profile.name(),
            plan.columns.len(),
            cells(&mut plan.columns.iter().map(reduce::Column::variables)),
            plan.lookups.len(),
            cells(&mut plan.lookups.iter().map(|lookup| lookup.variables)),
            plan.tables.len(),
            cells(
                &mut prover
                    .key()
                    .argument()
                    .tables()
                    .iter()
                    .map(lookup::Table::variables)
            ),
        );
        for _ in 0..runs {
            let mut phases: Vec<(Phase, f64)> = Vec::new();
            let start = milliseconds();
            let (outputs, proof) = prover
                .prove(&inputs, [7; 32], &mut |phase| {
                    phases.push((phase, milliseconds()));
                })
                .unwrap();
            let end = milliseconds();
            let mut ends: Vec<f64> = phases.iter().skip(1).map(|&(_, at)| at).collect();
            ends.push(end);
            let spans: Vec<String> = phases
                .iter()
                .zip(ends)
                .map(|(&(phase, at), end)| format!("{phase:?} {:.1}", end - at))
                .collect();
            let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
            let public = Public {
                inputs: &inputs,
                outputs: &outputs,
                statement: [7; 32],
            };
            let key = Key::decode(&prover.key().encode()).unwrap();
            let begun = milliseconds();
            key.verify(&public, &proof).unwrap();
            println!(
                "  prove {:.1} ms ({})  verify {:.2} ms  proof {} B  bits {:.1}",
                end - start,
                spans.join(", "),
                milliseconds() - begun,
                proof.len(),
                key.provable_bits(),
            );
        }
    }
}

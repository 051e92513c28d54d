//! Measures the committed mode beside the clear one, on a graph with its weights and inputs from
//! files, over fresh inputs and in turns.
//!
//! `cargo run --release -p inferproof-prover --example measure_committed -- PREFIX [profile]` reads
//! PREFIX.graph, PREFIX.weights and PREFIX.inputs, which holds one set of inputs after another as
//! little-endian words; `python -m bench.committed_files FOLDER` writes them. Times are medians of
//! this thread's processor time.
#[path = "../../commitment/examples/timing/mod.rs"]
mod timing;

use commitment::Profile;
use graph::{Graph, elements};
use key::{Committed, Mode, Public, VerifyingKey};
use prover::{Phase, ProvingKey};
use timing::{median, nanoseconds, timed};

const STATEMENT: [u8; 32] = [7; 32];
/// Proofs that are not counted.
const WARM_UP: usize = 2;
/// Verifications that one figure is the mean of.
const REPEATS: usize = 5;

/// One set of inputs.
type Inputs<'a> = Vec<&'a [i32]>;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let prefix = arguments.next().unwrap();
    let only = arguments.next().unwrap_or_default();
    let read = |kind: &str| std::fs::read(format!("{prefix}.{kind}")).unwrap();
    let graph = Graph::decode(&read("graph")).unwrap();
    let weights: Vec<i8> = read("weights").into_iter().map(|byte| byte as i8).collect();
    let words: Vec<i32> = read("inputs")
        .chunks_exact(4)
        .map(|word| i32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let sizes: Vec<usize> = graph.inputs.iter().map(|i| elements(&i.shape)).collect();
    let samples: Vec<Inputs<'_>> = words
        .chunks_exact(sizes.iter().sum())
        .map(|mut rest| {
            let mut take = |&size: &usize| {
                let (own, tail) = rest.split_at(size);
                rest = tail;
                own
            };
            sizes.iter().map(&mut take).collect()
        })
        .collect();
    for profile in Profile::COMMITTED {
        if profile.name().contains(&only) {
            println!("{prefix} {}", profile.name());
            measure(&graph, &weights, &samples, profile);
        }
    }
    println!("  peak memory {} kB", peak());
}

/// The most memory that the process has taken, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let figure = line.split_whitespace().nth(1).unwrap();
    figure.parse().unwrap()
}

fn measure(graph: &Graph, weights: &[i8], samples: &[Inputs<'_>], profile: Profile) {
    let clear = ProvingKey::new(Mode::Clear, graph.clone(), weights, profile).unwrap();
    let before = peak();
    let committed = match ProvingKey::new(Mode::Committed, graph.clone(), weights, profile) {
        Ok(prover) => prover,
        Err(error) => return println!("  {error}"),
    };
    let key = VerifyingKey::decode(&committed.verifying_key().encode()).unwrap();
    shape(key.committed().unwrap());
    let mut of_clear = [const { Vec::new() }; 3];
    let mut of_committed = [const { Vec::new() }; 3];
    let mut phases: Vec<(Phase, Vec<f64>)> = Vec::new();
    for (number, inputs) in samples.iter().enumerate() {
        let counts = number >= WARM_UP;
        let mut times = [const { Vec::new() }; 2];
        let proved = timed(&mut times[0], 1, || {
            clear.prove(inputs, STATEMENT, &mut |_| true)
        });
        let (outputs, proof) = proved.unwrap();
        let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
        let public = Public {
            inputs,
            outputs: &outputs,
            statement: STATEMENT,
        };
        timed(&mut times[1], REPEATS, || {
            verifier::verify(clear.verifying_key(), &public, &proof).unwrap();
        });
        if counts {
            of_clear[0].push(times[0][0]);
            of_clear[1].push(times[1][0]);
            of_clear[2].push(proof.len() as f64);
        }

        let mut times = [const { Vec::new() }; 2];
        let mut marks: Vec<(Phase, f64)> = Vec::new();
        let proved = timed(&mut times[0], 1, || {
            committed.prove(inputs, STATEMENT, &mut |phase| {
                marks.push((phase, nanoseconds()));
                true
            })
        });
        let end = nanoseconds();
        let (same, proof) = proved.unwrap();
        assert_eq!(same, outputs);
        let public = Public {
            inputs,
            outputs: &outputs,
            statement: STATEMENT,
        };
        timed(&mut times[1], REPEATS, || {
            verifier::verify(&key, &public, &proof).unwrap();
        });
        if counts {
            of_committed[0].push(times[0][0]);
            of_committed[1].push(times[1][0]);
            of_committed[2].push(proof.len() as f64);
            let ends = marks.iter().skip(1).map(|&(_, at)| at).chain([end]);
            for (index, (&(phase, at), end)) in marks.iter().zip(ends).enumerate() {
                if phases.len() == index {
                    phases.push((phase, Vec::new()));
                }
                phases[index].1.push(end - at);
            }
        }
    }
    for (name, figures, bits) in [
        (
            "clear",
            &mut of_clear,
            clear.verifying_key().security().provable_bits,
        ),
        ("committed", &mut of_committed, key.security().provable_bits),
    ] {
        let [prove, verify, bytes] = figures.each_mut().map(|figures| median(figures));
        println!(
            "  {name:9} prove {:6.2} ms  verify {:5.2} ms  proof {bytes} B  bits {bits:.1}",
            prove / 1e6,
            verify / 1e6,
        );
    }
    for (phase, times) in &mut phases {
        println!("    {:12} {:6.2} ms", phase.name(), median(times) / 1e6);
    }
    println!(
        "    memory {before} kB with the clear mode alone, {} kB in all",
        peak()
    );
}

/// Prints what is committed and looked up.
fn shape(derived: &Committed) {
    let cells = |variables: &mut dyn Iterator<Item = usize>| -> usize {
        variables.map(|variables| 1 << variables).sum()
    };
    let plan = derived.plan();
    println!(
        "  {} columns of {} elements, {} lookups of {} rows in {} tables of {} entries; {} cells",
        plan.columns.len(),
        cells(&mut plan.columns.iter().map(claim_reduction::Column::variables)),
        plan.lookups.len(),
        cells(&mut plan.lookups.iter().map(|lookup| lookup.variables)),
        plan.tables.len(),
        cells(
            &mut derived
                .argument()
                .tables()
                .iter()
                .map(lookup::Table::variables)
        ),
        1_usize << derived.columns().variables(),
    );
}

//! Measures the private mode beside the committed one, on a graph with its weights and inputs from files.
//!
//! `cargo run --release -p inferproof-prover --example measure_private -- PREFIX [OPENINGS [profile]]` reads
//! what `measure_committed` reads. A key is made for so many openings. Times are medians of this thread's
//! processor time.
#[path = "../../commitment/examples/timing/mod.rs"]
mod timing;

use commitment::Profile;
use graph::{Graph, elements};
use key::{Mode, PrivateKey, Public, VerifyingKey, WEIGHTS};
use prover::{Phase, ProvingKey, Watch, private};
use timing::{median, nanoseconds, timed};

const STATEMENT: [u8; 32] = [7; 32];
/// Verifications that one figure is the mean of.
const REPEATS: usize = 3;

type Inputs<'a> = Vec<&'a [i32]>;
type Proved = (Vec<Vec<i32>>, Vec<u8>);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let prefix = arguments.next().unwrap();
    let openings = arguments
        .next()
        .map_or(16, |number| number.parse().unwrap());
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
        .take(openings as usize)
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
        if !profile.name().contains(&only) {
            continue;
        }
        println!("{prefix} {}", profile.name());
        let committed = ProvingKey::new(Mode::Committed, graph.clone(), &weights, profile);
        let committed = committed.unwrap();
        let key = VerifyingKey::decode(&committed.verifying_key().encode()).unwrap();
        measure(
            "committed",
            &samples,
            |inputs, watch| committed.prove(inputs, STATEMENT, watch).unwrap(),
            |public, proof| verifier::verify(&key, public, proof).unwrap(),
        );
        let mut times = Vec::new();
        let hidden = timed(&mut times, 1, || {
            private::ProvingKey::new(graph.clone(), &weights, profile, openings).unwrap()
        });
        let key = PrivateKey::decode(&hidden.private_key().encode()).unwrap();
        let variables = |vector| key.shape().variables(vector).unwrap();
        println!(
            "  private: witness 2^{}, weights 2^{}, serves {} openings of {} rows, commit {:.2} ms, \
             {} padded elements, {} products, bits {:.1}",
            variables(0),
            variables(WEIGHTS),
            key.served(),
            key.shape().queries(),
            times[0] / 1e6,
            key.relations().sent(),
            key.relations().products(),
            key.security().provable_bits,
        );
        measure(
            "private",
            &samples,
            |inputs, watch| hidden.prove(inputs, STATEMENT, 0, watch).unwrap(),
            |public, proof| verifier::private::verify(&key, public, proof).unwrap(),
        );
    }
}

/// Proves and verifies each sample, and prints medians.
fn measure(
    name: &str,
    samples: &[Inputs<'_>],
    prove: impl Fn(&[&[i32]], Watch<'_>) -> Proved,
    verify: impl Fn(&Public<'_>, &[u8]),
) {
    let mut figures = [const { Vec::new() }; 3];
    let mut phases: Vec<(Phase, Vec<f64>)> = Vec::new();
    for inputs in samples {
        let mut marks: Vec<(Phase, f64)> = Vec::new();
        let (outputs, proof) = timed(&mut figures[0], 1, || {
            prove(inputs, &mut |phase| {
                marks.push((phase, nanoseconds()));
                true
            })
        });
        let end = nanoseconds();
        let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
        let public = Public {
            inputs,
            outputs: &outputs,
            statement: STATEMENT,
        };
        timed(&mut figures[1], REPEATS, || verify(&public, &proof));
        figures[2].push(proof.len() as f64);
        let ends = marks.iter().skip(1).map(|&(_, at)| at).chain([end]);
        for (index, (&(phase, at), end)) in marks.iter().zip(ends).enumerate() {
            if phases.len() == index {
                phases.push((phase, Vec::new()));
            }
            phases[index].1.push(end - at);
        }
    }
    let [proving, verifying, bytes] = figures.each_mut().map(|figures| median(figures));
    println!(
        "  {name:9} prove {:7.2} ms  verify {:6.2} ms  proof {bytes} B",
        proving / 1e6,
        verifying / 1e6,
    );
    for (phase, times) in &mut phases {
        println!("    {:12} {:7.2} ms", phase.name(), median(times) / 1e6);
    }
}

//! Measures private proofs of a graph with its weights and inputs from files.
//!
//! `cargo run --release -p inferproof-prover --example measure_private -- PREFIX [SAMPLES [profile [THREADS]]]`
//! reads PREFIX.graph, PREFIX.weights, and as little-endian words PREFIX.parameters and PREFIX.inputs, which holds one set
//! of inputs after another; `python -m bench.model_files FOLDER` writes them. Keys serve what keys are to serve. Times are medians by the
//! clock with the least behind them, and in brackets the same of the processor time of all threads.
#[path = "../../lookup/examples/timing/mod.rs"]
mod timing;

use claim_reduction::Visibility;
use commitment::{Profile, Writer};
use graph::{Graph, Values, elements};
use hiding::Secret;
use key::{INPUTS, Kind, PrivateKey, Public, WEIGHTS};
use parallel::Pool;
use prover::private::{Epoch, ProvingKey};
use prover::{Phase, Watch};
use std::cell::Cell;
use timing::{clock, median, nanoseconds};
use verifier::private::{Known, verify_knowing, verify_private_inputs};

const STATEMENT: [u8; 32] = [7; 32];
/// Verifications that one figure is the mean of.
const REPEATS: usize = 3;
/// Keys that are read and links that are made.
const LINKS: u64 = 5;

type Inputs<'a> = Vec<&'a [i32]>;
type Proved = (Vec<Vec<i32>>, Vec<u8>);

/// A time by the clock, and processor time.
#[derive(Clone, Copy)]
struct Time([f64; 2]);

/// Median and least of some times.
struct Spread {
    middle: [f64; 2],
    least: [f64; 2],
}

impl Spread {
    fn of(times: &[Time]) -> Self {
        let of_kind = |kind: usize| -> Vec<f64> { times.iter().map(|time| time.0[kind]).collect() };
        Self {
            middle: [0, 1].map(|kind| median(&mut of_kind(kind)) / 1e6),
            least: [0, 1].map(|kind| of_kind(kind).into_iter().fold(f64::NAN, f64::min) / 1e6),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([clock, processor], [least, of_processor]) = (self.middle, self.least);
        write!(
            f,
            "{clock:.2}, {least:.2} ms ({processor:.2}, {of_processor:.2})"
        )
    }
}

impl Time {
    fn now() -> Self {
        Self([clock(), nanoseconds()])
    }

    fn since(self, start: Self) -> Self {
        Self([self.0[0] - start.0[0], self.0[1] - start.0[1]])
    }
}

/// Runs several times and notes the mean.
fn timed<T>(times: &mut Vec<Time>, repeats: usize, mut run: impl FnMut() -> T) -> T {
    let start = Time::now();
    let mut result = run();
    for _ in 1..repeats {
        result = run();
    }
    let took = Time::now().since(start);
    times.push(Time(took.0.map(|time| time / repeats as f64)));
    result
}

/// What memory this process held at most, and holds, in bytes of 2^20.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<usize>()
            .unwrap()
            >> 10
    };
    format!("{} MiB held, {} at most", of("VmRSS"), of("VmHWM"))
}

fn main() {
    let threads = std::env::args()
        .nth(4)
        .map_or(1, |threads| threads.parse().unwrap());
    if threads == 1 {
        return run();
    }
    Pool::new(threads).unwrap().run(run);
}

fn run() {
    let mut arguments = std::env::args().skip(1);
    let prefix = arguments.next().unwrap();
    let samples = arguments
        .next()
        .map_or(12, |number| number.parse().unwrap());
    let only = arguments.next().unwrap_or_default();
    let read = |kind: &str| std::fs::read(format!("{prefix}.{kind}")).unwrap();
    let graph = Graph::decode(&read("graph")).unwrap();
    let weights: Vec<i8> = read("weights").into_iter().map(|byte| byte as i8).collect();
    let words = |kind: &str| -> Vec<i32> {
        let bytes = read(kind);
        let words = bytes.chunks_exact(4);
        words
            .map(|word| i32::from_le_bytes(word.try_into().unwrap()))
            .collect()
    };
    let parameters = words("parameters");
    let values = Values {
        weights: &weights,
        parameters: &parameters,
    };
    let sizes: Vec<usize> = graph.inputs.iter().map(|i| elements(&i.shape)).collect();
    let given = words("inputs");
    let samples: Vec<Inputs<'_>> = given
        .chunks_exact(sizes.iter().sum())
        .take(samples)
        .map(|mut rest| {
            let mut take = |&size: &usize| {
                let (own, tail) = rest.split_at(size);
                rest = tail;
                own
            };
            sizes.iter().map(&mut take).collect()
        })
        .collect();
    for profile in Profile::OFF_CHAIN {
        if !profile.name().contains(&only) {
            continue;
        }
        println!("{prefix} {}", profile.name());
        let (key, epoch) = prepared(&graph, &values, profile);
        let read = PrivateKey::decode(&key.private_key().encode()).unwrap();
        let slot = Cell::new(0);
        let prove = |inputs: &[&[i32]], watch: Watch<'_>| {
            watch(Phase::Execute);
            let run = key.run(inputs).unwrap();
            let proof = epoch.prove(&run, inputs, STATEMENT, slot.get(), watch);
            slot.set(slot.get() + 1);
            (run.outputs().to_vec(), proof.unwrap())
        };
        let known = Known::default();
        measure("private", &samples, prove, |public, proof| {
            verify_knowing(&read, &known, public, proof).unwrap();
        });
        private_inputs(&key, &read, &samples);
        let one = epoch_of(&key, &epoch);
        let prove = |inputs: &[&[i32]], watch: Watch<'_>| {
            let run = key.run(inputs).unwrap();
            let proof = one.prove(&run, inputs, STATEMENT, 0, watch);
            (run.outputs().to_vec(), proof.unwrap())
        };
        println!("  and with links that are not known:");
        measure("private", &samples[..1], prove, |public, proof| {
            verifier::private::verify(&read, public, proof).unwrap();
        });
    }
}

/// The same for private inputs, whose tree is made anew for each proof as for a job's first attempt.
fn private_inputs(key: &ProvingKey, read: &PrivateKey, samples: &[Inputs<'_>]) {
    let first = key.begin_private(LINKS + 2, &mut |_| true).unwrap();
    let epoch = if first.proves() {
        first
    } else {
        first.begin_private(0, &mut |_| true).unwrap()
    };
    let security = read.security_of_private_inputs().unwrap();
    let shape = read.proofs(Visibility::Private).unwrap().shape();
    println!(
        "  private inputs: {} proofs an epoch, inputs 2^{}, fresh 2^{}, {} queries, bits {:.1}",
        epoch.openings(),
        shape.variables(INPUTS).unwrap(),
        shape.variables(0).unwrap(),
        shape.queries(),
        security.provable_bits
    );
    let (slot, root) = (Cell::new(0), Cell::new([0; 32]));
    let prove = |inputs: &[&[i32]], watch: Watch<'_>| {
        watch(Phase::Execute);
        let committed = prover::private::Inputs::commit(read, inputs, &Secret([7; 32])).unwrap();
        root.set(committed.root());
        let run = key.run_private(inputs).unwrap();
        let proof = epoch.prove_private(&run, (&committed, 0), STATEMENT, slot.get(), watch);
        slot.set(slot.get() + 1);
        (run.outputs().to_vec(), proof.unwrap())
    };
    let known = Known::default();
    measure("hidden", samples, prove, |public, proof| {
        let shown = Public {
            inputs: &[],
            ..*public
        };
        verify_private_inputs(read, &known, &root.get(), &shown, proof).unwrap();
    });
}

/// Another epoch like this one.
fn epoch_of(key: &ProvingKey, epoch: &Epoch) -> Epoch {
    let first = key.begin(LINKS + 1, &mut |_| true).unwrap();
    match epoch.links().len() {
        1 => first,
        _ => first.begin(0, &mut |_| true).unwrap(),
    }
}

/// A key and an epoch for proofs, and what they take.
fn prepared(graph: &Graph, values: &Values<'_>, profile: Profile) -> (ProvingKey, Epoch) {
    let mut times = [const { Vec::new() }; 4];
    let (made, secret) = timed(&mut times[0], 1, || {
        ProvingKey::new(graph.clone(), values, profile).unwrap()
    });
    let bytes = made.private_key().encode();
    for kind in Kind::ALL {
        let Some(vector) = made.private_key().vector(kind) else {
            continue;
        };
        let shape = vector.shape();
        println!(
            "  {kind:?}: {} openings, weights 2^{} in 2^{} columns, fresh 2^{}, {} queries",
            vector.openings(),
            vector.variables(),
            shape.column_variables(WEIGHTS).unwrap(),
            shape.variables(0).unwrap(),
            shape.queries(),
        );
    }
    println!("  bits {:.1}", made.private_key().security().provable_bits);
    ranges(&made);
    let mut epoch = None;
    for slot in 0..LINKS {
        let load = || ProvingKey::load(&bytes, values, secret, &[]).unwrap();
        let key = timed(&mut times[1], 1, load);
        let first = timed(&mut times[2], 1, || key.begin(slot, &mut |_| true).unwrap());
        epoch = Some(if first.proves() {
            first
        } else {
            timed(&mut times[3], 1, || first.begin(0, &mut |_| true).unwrap())
        });
    }
    let [made_in, read, first, second] = times.each_ref().map(|times| Spread::of(times));
    let epoch = epoch.unwrap();
    println!("  key made {made_in}, read {read}; first epoch {first}, epoch of an epoch {second}");
    println!("  {}", memory());
    let mut parent = Kind::Key;
    for link in epoch.links() {
        let mut bytes = Writer::default();
        link.write(made.private_key(), parent, &mut bytes);
        println!("  link of {parent:?}: {} B", bytes.bytes.len());
        parent = link.kind;
    }
    (made, epoch)
}

/// What a key's proof of its ranges takes, which is made once and checked once.
fn ranges(made: &ProvingKey) {
    let key = made.private_key();
    let mut times = [const { Vec::new() }; 2];
    for (number, part) in key.ranges().unwrap().iter().enumerate() {
        let shape = part.proofs().shape();
        println!(
            "  part {number} of the ranges: {} elements, weights 2^{}, fresh 2^{}, {} queries",
            part.graph().parameter_elements(),
            shape.variables(WEIGHTS).unwrap(),
            shape.variables(0).unwrap(),
            shape.queries(),
        );
    }
    let parts = made.range_parts().unwrap() as u8;
    let proofs = timed(&mut times[0], 1, || {
        let proofs = (0..parts).map(|part| {
            let slot = LINKS + 10 + u64::from(part);
            made.prove_ranges(part, slot, &mut |_| true).unwrap()
        });
        proofs.collect::<Vec<_>>().concat()
    });
    let read = PrivateKey::decode(&key.encode()).unwrap();
    timed(&mut times[1], 1, || {
        verifier::private::verify_ranges(&read, &proofs).unwrap();
    });
    let [proved, verified] = times.each_ref().map(|times| Spread::of(times));
    println!(
        "  ranges proved {proved}, verified {verified}, {} B",
        proofs.len()
    );
}

/// Proves and verifies each sample, and prints medians.
fn measure(
    name: &str,
    samples: &[Inputs<'_>],
    prove: impl Fn(&[&[i32]], Watch<'_>) -> Proved,
    verify: impl Fn(&Public<'_>, &[u8]),
) {
    let mut figures = [const { Vec::new() }; 2];
    let mut bytes = Vec::new();
    let mut phases: Vec<(Phase, Vec<Time>)> = Vec::new();
    for inputs in samples {
        let mut marks: Vec<(Phase, Time)> = Vec::new();
        let (outputs, proof) = timed(&mut figures[0], 1, || {
            prove(inputs, &mut |phase| {
                marks.push((phase, Time::now()));
                true
            })
        });
        let end = Time::now();
        let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
        let public = Public {
            inputs,
            outputs: &outputs,
            statement: STATEMENT,
        };
        timed(&mut figures[1], REPEATS, || verify(&public, &proof));
        bytes.push(proof.len() as f64);
        let ends = marks.iter().skip(1).map(|&(_, at)| at).chain([end]);
        for (index, (&(phase, at), end)) in marks.iter().zip(ends).enumerate() {
            if phases.len() == index {
                phases.push((phase, Vec::new()));
            }
            phases[index].1.push(end.since(at));
        }
    }
    let [proving, verifying] = figures.each_ref().map(|figures| Spread::of(figures));
    let bytes = median(&mut bytes);
    println!("  {name:9} prove {proving}  verify {verifying}  proof {bytes} B");
    for (phase, times) in &phases {
        println!("    {:12} {}", phase.name(), Spread::of(times));
    }
}

//! Measures what it takes to record the checks of lookups and reduction as equations in pads, and the relation
//! proof of these, on a graph with its weights and inputs from files.
//!
//! `cargo run --release -p inferproof-prover --example measure_relation -- PREFIX` reads PREFIX.graph,
//! PREFIX.weights and PREFIX.inputs as `measure_private` does. What is read as sent is random, since no
//! step depends on whether it is right. Times are medians of this thread's processor time.
#[path = "../../lookup/examples/timing/mod.rs"]
mod timing;

use commitment::Profile;
use executor::Tensors;
use graph::{Graph, Values, elements};
use key::{Openings, PrivateKey, Public};
use relation::{Functional, Shape, prove, verify};
use timing::{median, timed};
use transcript::{Extension, Transcript};
use verifier::relations::record;

const REPEATS: usize = 9;

fn main() {
    let prefix = std::env::args().nth(1).unwrap();
    let read = |kind: &str| std::fs::read(format!("{prefix}.{kind}")).unwrap();
    let graph = Graph::decode(&read("graph")).unwrap();
    let weights: Vec<i8> = read("weights").into_iter().map(|byte| byte as i8).collect();
    let words: Vec<i32> = read("inputs")
        .chunks_exact(4)
        .map(|word| i32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let mut rest = &words[..];
    let inputs: Vec<&[i32]> = graph
        .inputs
        .iter()
        .map(|input| rest.split_off(..elements(&input.shape)).unwrap())
        .collect();
    let mut tensors = Tensors::keeping([]);
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    executor::execute(&graph, &values, &inputs, &mut tensors).unwrap();
    let outputs: Vec<&[i32]> = tensors.outputs(&graph).collect();
    let public = Public {
        inputs: &inputs,
        outputs: &outputs,
        statement: [7; 32],
    };
    let openings = Openings {
        key: 2,
        links: 0,
        proofs: 2,
    };
    let key = PrivateKey::new(graph.clone(), Profile::Default, openings).unwrap();
    let (subject, derived) = (key.under([0; 32]), key.relations());
    let mut random = Transcript::new();
    let sent = random.point(derived.sent());
    let shape = Shape::new(derived.products());
    let pads = random.point(sent.len() + shape.spares());
    let spare = sent.len() as u32;

    let mut times = [const { Vec::new() }; 4];
    let mut size = (0, 0, 0);
    for _ in 0..REPEATS {
        let recorded = timed(&mut times[0], 1, || {
            let transcript = &mut Transcript::new();
            record(&subject, derived, &public, &[0; 32], &sent, transcript).unwrap()
        });
        let equations = &recorded.equations;
        let (proof, _) = timed(&mut times[1], 1, || {
            prove(equations, &pads, spare, &mut Transcript::new()).unwrap()
        });
        let forms = timed(&mut times[2], 1, || {
            verify(equations, spare, &proof, &mut Transcript::new()).unwrap()
        });
        let linear = equations.linear.iter().map(|equation| &equation.form);
        let claims = recorded.columns.iter().map(|claim| &claim.value);
        let claims = claims.chain(recorded.matrices.iter().map(|claim| &claim.value));
        let all: Vec<_> = linear.chain(&forms).chain(claims).collect();
        size = (
            equations.linear.len(),
            equations.quadratic.len(),
            all.iter().map(|form| form.terms().len()).sum(),
        );
        timed(&mut times[3], 1, || {
            let alpha = Extension::from(transcript::Base::new(3));
            Functional::batch(pads.len(), alpha, all.iter().copied())
                .unwrap()
                .cells()
        });
    }
    println!(
        "{prefix}: {} elements, {} products, {} spares; {} linear equations, {} with products; {} coefficients",
        sent.len(),
        derived.products(),
        shape.spares(),
        size.0,
        size.1,
        size.2
    );
    for (name, times) in ["record", "prove", "verify", "functional"]
        .iter()
        .zip(&mut times)
    {
        println!("  {name:10} {:7.3} ms", median(times) / 1e6);
    }
}

//! How long commitment, opening and verification take, and how long the opening is.
//!
//! `cargo run --release --example measure -p inferproof-hiding [variables of the fresh vector] [of another one]`

use commitment::columns::evaluate;
use commitment::merkle::Digest;
use commitment::{Profile, Writer};
use hiding::{Claim, Committed, Context, LinearForm, Randomness, Shape, Vector};
use p3_field::PrimeCharacteristicRing;
use std::error::Error;
use std::time::{Duration, Instant};
use transcript::{Base, Extension, Site, Transcript};

/// Columns of one size that fill seven eighths of a vector.
const COLUMNS: usize = 14;
const RUNS: usize = 7;

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse())
        .collect::<Result<_, _>>()?;
    let variables = arguments.first().copied().unwrap_or(20);
    let fresh = [variables - 4; COLUMNS];
    let others = arguments.get(1).map(|&variables| Vector {
        columns: vec![variables],
        openings: 0,
        sampled: false,
    });
    let others: Vec<Vector> = others.into_iter().collect();
    let shape = Shape::new(&fresh, &others, Profile::Default)?;
    let sizes = std::iter::once(&fresh[..]).chain(others.iter().map(|other| &other.columns[..]));
    let columns: Vec<Vec<Vec<Base>>> = sizes
        .map(|sizes| {
            let columns = sizes.iter().enumerate();
            columns
                .map(|(seed, &variables)| {
                    (0..1_usize << variables)
                        .map(|index| Base::from_usize(index.wrapping_mul(index + seed) >> 3))
                        .collect()
                })
                .collect()
        })
        .collect();
    let mut times = [(); 3].map(|()| Vec::new());
    let mut bytes = 0;
    for run in 0..RUNS {
        let context = Context {
            statement: &[0; 32],
            witness: &[1; 32],
            key: &[2; 32],
            slot: run as u64,
        };
        let mut committed = Vec::new();
        for (vector, columns) in columns.iter().enumerate().rev() {
            let start = Instant::now();
            let mut randomness = Randomness::new(&context)?;
            let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
            committed.push(shape.commit(vector, &columns, &mut randomness)?);
            if vector == 0 {
                times[0].push(start.elapsed());
            }
        }
        committed.reverse();
        let roots: Vec<Digest> = committed.iter().map(Committed::root).collect();
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Witness, roots.as_flattened());
        let mut value = Extension::ZERO;
        let mut forms = Vec::new();
        for columns in &columns {
            let mut form = LinearForm::new();
            for (index, column) in columns.iter().enumerate() {
                let point = transcript.point(column.len().ilog2() as usize);
                value += evaluate(column, &point);
                form.add_point(index, point, Extension::ONE);
            }
            forms.push(form);
        }
        let claim = Claim { forms, value };
        let mut verifier = transcript.clone();
        let start = Instant::now();
        let fresh = committed.remove(0);
        let others: Vec<&Committed> = committed.iter().collect();
        let opening = shape.prove(fresh, &others, &claim, &mut transcript)?;
        times[1].push(start.elapsed());
        let mut out = Writer::default();
        opening.encode(&shape, &mut out);
        bytes = out.bytes.len();
        let start = Instant::now();
        shape.verify(&roots, &claim, &opening, &mut verifier)?;
        times[2].push(start.elapsed());
    }
    let all: Vec<_> = (0..shape.vectors())
        .filter_map(|vector| shape.variables(vector))
        .collect();
    let [commit, prove, verify] = times.map(median);
    println!(
        "2^{all:?} cells, {} queries, {:.2} bits: commit to the first {commit:.1} ms, open {prove:.1} ms, \
         verify {verify:.2} ms, {bytes} bytes; medians of {RUNS}",
        shape.queries(),
        shape.provable_bits(),
    );
    Ok(())
}

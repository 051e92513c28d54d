//! Measures the lookup argument: nanoseconds for each leaf, of this crate's two provers and of the
//! library's tree over the same leaves, one after the other and several times.
//!
//! Times are those of the processor and not of the clock, so that other work on the machine counts
//! little.
//!
//! `cargo run --release -p inferproof-lookup --example measure [runs [log of the leaves]...]`
mod timing;

use lookup::{Argument, Column, Engine, Lookup, Reference, Simd, Table};
use p3_field::PrimeCharacteristicRing;
use p3_multi_stark::fractional_gkr::{Fraction, LeafNumerator, prove_fractional_gkr};
use p3_multilinear_util::poly::{Poly, PolyMaybePacked};
use timing::{median, timed};
use transcript::{Base, Extension, Transcript};

fn measure(runs: usize, log: usize) {
    // Three quarters of the leaves are functions, one quarter is remainders.
    let tables = vec![
        Table::Range { bits: 8 },
        Table::Function {
            first: -2048,
            values: (0..4096).map(|j| j * j % 255 - 127).collect(),
        },
    ];
    let part = |table| Lookup {
        table,
        variables: log - 2,
    };
    let argument = Argument::new(tables, vec![part(1), part(1), part(1), part(0)]).unwrap();
    let rows = 1_usize << (log - 2);
    let entry = |column: usize, row: usize| (row.wrapping_mul(2_654_435_761) + column) >> 7;
    let mut keys = Vec::new();
    let mut values = Vec::new();
    for column in 0..3 {
        let entries = (0..rows).map(|row| (entry(column, row) % 4096) as i32);
        let pairs = entries.map(|j| (Base::from_i32(j - 2048), Base::from_i32(j * j % 255 - 127)));
        let (of_keys, of_values): (Vec<Base>, Vec<Base>) = pairs.unzip();
        keys.push(of_keys);
        values.push(of_values);
    }
    keys.push(
        (0..rows)
            .map(|row| Base::from_usize(entry(3, row) % 256))
            .collect(),
    );
    values.push(Vec::new());
    let pairs = keys.iter().zip(&values);
    let columns: Vec<Column<'_>> = pairs
        .map(|(keys, values)| Column { keys, values })
        .collect();
    let mut times = [const { Vec::new() }; 5];
    let repeats = (1 << 21 >> log).max(1);
    for run in 0..runs {
        let multiplicities = timed(&mut times[0], repeats, || {
            argument.multiplicities(&columns).unwrap()
        });
        let begin = || {
            let mut transcript = Transcript::new();
            transcript.absorb_elements(transcript::Site::Witness, &[Extension::from_usize(run)]);
            transcript
        };
        let (proof, claims) = timed(&mut times[1], repeats, || {
            Simd::prove(&argument, &columns, &multiplicities, &mut begin()).unwrap()
        });
        timed(&mut times[2], 50, || {
            assert_eq!(argument.verify(&proof, &mut begin()).as_ref(), Ok(&claims));
        });
        if log <= 18 {
            timed(&mut times[3], 1, || {
                let (other, _) =
                    Reference::prove(&argument, &columns, &multiplicities, &mut begin()).unwrap();
                assert!(other == proof);
            });
        }
        library(&mut times[4], repeats, &columns, run);
    }
    let leaves = (1_usize << log) as f64;
    let [count, simd, verify, reference, library] = times.each_mut().map(|times| median(times));
    println!(
        "2^{log} leaves: own {:.1} ns a leaf, library {:.1}, plain {:.1}, counting {:.1}; verify {:.2} ms",
        simd / leaves,
        library / leaves,
        reference / leaves,
        count / leaves,
        verify / 1e6
    );
}

/// The library's tree over as many leaves: numerators 1 and -1, so that the sum is zero, packed.
/// Making the denominators is counted, as it is for this crate's provers.
fn library(times: &mut Vec<f64>, repeats: usize, columns: &[Column<'_>], run: usize) {
    let alpha = Transcript::new().challenge() + Base::from_usize(run);
    let rows = columns[0].keys.len();
    let numerators: Vec<Base> = [1, 1, -1, -1]
        .into_iter()
        .flat_map(|sign| std::iter::repeat_n(Base::from_i32(sign), rows))
        .collect();
    let numerators = Poly::new(numerators);
    let denominators: Vec<Extension> = [0, 1, 0, 1]
        .into_iter()
        .flat_map(|column| columns[column].keys.iter().map(|&key| alpha + key))
        .collect();
    timed(times, repeats, || {
        let denominators = Poly::new(denominators.clone()).pack::<Base, Extension>();
        let denominators = PolyMaybePacked::Packed(denominators);
        let fraction = Fraction {
            n: LeafNumerator::Base(&numerators),
            d: &denominators,
        };
        let mut transcript = Transcript::new();
        let sponge = transcript.sponge().unwrap();
        prove_fractional_gkr::<Base, Extension, _>(fraction, sponge)
    });
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse().unwrap());
    let runs = arguments.next().unwrap_or(11);
    let mut logs: Vec<usize> = arguments.collect();
    if logs.is_empty() {
        logs = vec![14, 16, 18, 20];
    }
    for log in logs {
        measure(runs, log);
    }
}

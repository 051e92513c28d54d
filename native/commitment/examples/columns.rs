//! Measures the commitment to witness columns: nanoseconds for each element, and bytes.
//!
//! Times are those of the processor and not of the clock, so that other work on the machine counts
//! little.
//!
//! `cargo run --release -p inferproof-commitment --example columns [runs [log of the elements]...]`
mod timing;

use commitment::columns::{ColumnValue, Columns, evaluate};
use commitment::{Profile, Writer, compose};
use p3_field::PrimeCharacteristicRing;
use timing::{median, timed};
use transcript::{Base, Extension, Site, Transcript};

fn measure(runs: usize, log: usize, profile: Profile) {
    // Sixteen columns that fill the stack, each claimed at a point of its own and at a shared one.
    let variables = vec![log - 4; 16];
    let columns: Vec<Vec<Base>> = (0..variables.len())
        .map(|seed| {
            let element = |index: usize| (index.wrapping_mul(2_654_435_761) + seed) % 8192;
            (0..1_usize << (log - 4))
                .map(|index| Base::from_usize(element(index)))
                .collect()
        })
        .collect();
    let views: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
    let scheme = Columns::new(&variables, 2 * variables.len(), profile).unwrap();
    let mut times = [const { Vec::new() }; 3];
    let mut bytes = 0;
    let repeats = (1 << 20 >> log).max(1);
    for _ in 0..runs {
        let committed = timed(&mut times[0], repeats, || scheme.commit(&views).unwrap());
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Witness, &committed.root());
        let shared = transcript.point(log - 4);
        let claims: Vec<ColumnValue> = (0..2 * variables.len())
            .map(|index| {
                let column = index / 2;
                let point = if index % 2 == 0 {
                    shared.clone()
                } else {
                    transcript.point(log - 4)
                };
                let value = evaluate(&columns[column], &point);
                ColumnValue {
                    column,
                    point,
                    value,
                }
            })
            .collect();
        let values: Vec<Extension> = claims.iter().map(|claim| claim.value).collect();
        transcript.absorb_elements(Site::LookupColumns, &values);
        let points: Vec<(usize, Vec<Extension>)> = claims
            .iter()
            .map(|claim| (claim.column, claim.point.clone()))
            .collect();
        let opening = timed(&mut times[1], repeats, || {
            let mut transcript = transcript.clone();
            scheme.open(&committed, &points, &mut transcript).unwrap()
        });
        timed(&mut times[2], 20, || {
            let mut transcript = transcript.clone();
            let verdict = scheme.verify(&committed.root(), &opening, &claims, &mut transcript);
            verdict.unwrap();
        });
        let mut out = Writer::default();
        opening.encode(&scheme, &mut out);
        bytes = out.bytes.len();
    }
    let [commit, open, verify] = times.each_mut().map(|times| median(times));
    let elements = (1_usize << log) as f64;
    println!(
        "2^{log} {:12}: commit {:6.1} ns an element, open {:6.1}, together {:7.2} ms; verify {:.2} ms, {bytes} B, {:.2} bits",
        profile.name(),
        commit / elements,
        open / elements,
        (commit + open) / 1e6,
        verify / 1e6,
        compose(&scheme.security())
    );
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse().unwrap());
    let runs = arguments.next().unwrap_or(11);
    let mut logs: Vec<usize> = arguments.collect();
    if logs.is_empty() {
        logs = (12..=21).collect();
    }
    for log in logs {
        for profile in Profile::COMMITTED {
            measure(runs, log, profile);
        }
    }
}

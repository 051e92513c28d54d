//! Vectors of openings under Keccak-256, which the contracts' tests read: shape, claim, bytes, and where a
//! change is rejected.
//!
//! Set `WRITE_VECTORS=1` to write the files anew.

use super::stream;
use crate::form::LinearForm;
use crate::opening::Opening;
use crate::shape::{Mask, Shape, Vector};
use crate::statement::Claim;
use commitment::columns::evaluate;
use commitment::{Profile, Reader, Writer};
use p3_field::PrimeCharacteristicRing;
use std::fmt::Write;
use transcript::{Base, Extension, Site, Transcript, write_extension};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/evm/");

fn quoted(bytes: &[u8]) -> String {
    let mut text = "\"0x".to_owned();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text + "\""
}

fn encoded(elements: &[Extension]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &element in elements {
        write_extension(&mut bytes, element);
    }
    bytes
}

/// The numbers of a shape, in the order in which the contracts' tests read them.
fn numbers(shape: &Shape) -> Vec<usize> {
    let schedule = &shape.schedule;
    let mut numbers = vec![shape.rows, shape.fold, shape.tails, schedule.rate];
    numbers.extend([schedule.samples, shape.mask_claims]);
    numbers.extend([schedule.end.count, schedule.end.work]);
    numbers.extend([schedule.rounds.len(), shape.vectors.len()]);
    for round in &schedule.rounds {
        numbers.extend([round.queries.count, round.queries.work]);
        numbers.extend([round.samples, round.fold, round.rate]);
    }
    for vector in &shape.vectors {
        let mask = match vector.mask {
            Mask::Block(_) => 0,
            Mask::Column => 1,
            Mask::Half => 2,
        };
        numbers.extend([vector.fold, vector.slot, vector.salts, mask]);
        numbers.extend([usize::from(vector.sampled), vector.columns.len()]);
        for place in &vector.columns {
            numbers.extend([place.variables, place.slot]);
        }
    }
    numbers
}

/// A claim about each column of each vector at a point, and about cells of each first column.
struct Stated {
    claim: Claim,
    /// Vector, column, whether cells, the first of them, number of values.
    heads: Vec<usize>,
    /// Scale and values of each term.
    values: Vec<Extension>,
}

fn state(columns: &[Vec<Vec<Base>>], transcript: &mut Transcript) -> Stated {
    let (mut forms, mut value) = (Vec::new(), Extension::ZERO);
    let (mut heads, mut values) = (Vec::new(), Vec::new());
    for (vector, columns) in columns.iter().enumerate() {
        let mut form = LinearForm::new();
        for (index, column) in columns.iter().enumerate() {
            let point = transcript.point(column.len().ilog2() as usize);
            let scale = transcript.challenge();
            value += scale * evaluate(column, &point);
            heads.extend([vector, index, 0, 0, point.len()]);
            values.push(scale);
            values.extend(&point);
            form.add_point(index, point, scale);
        }
        // Across a multiple of 32, so that what stands before it has another number there.
        let (first, weights) = (100, transcript.point(33));
        let cells = columns[0][first..].iter().zip(&weights);
        value += cells.map(|(&x, &w)| w * x).sum::<Extension>();
        heads.extend([vector, 0, 1, first, weights.len()]);
        values.push(Extension::ONE);
        values.extend(&weights);
        form.add_cells(0, first, weights);
        forms.push(form);
    }
    Stated {
        claim: Claim { forms, value },
        heads,
        values,
    }
}

fn check(name: &str, fresh: &[usize], others: &[Vector]) {
    let shape = Shape::new(fresh, others, Profile::Evm).unwrap();
    let sizes = std::iter::once(fresh).chain(others.iter().map(|other| &other.columns[..]));
    let mut source = stream(7);
    let columns: Vec<Vec<Vec<Base>>> = sizes
        .map(|sizes| sizes.iter().map(|&v| source.bases(1 << v)).collect())
        .collect();
    let committed: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(index, columns)| {
            let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
            let mut masks = stream(11 + index as u8);
            shape.commit(index, &columns, &mut masks).unwrap()
        })
        .collect();
    let roots: Vec<_> = committed.iter().map(crate::Committed::root).collect();
    let begin = || {
        let mut transcript = Transcript::by(Profile::Evm.hash());
        transcript.absorb(Site::Witness, roots.as_flattened());
        transcript
    };
    let stated = state(&columns, &mut begin());
    let all: Vec<_> = committed.iter().collect();
    let opening = shape
        .prove_again(&all, &stated.claim, &mut begin())
        .unwrap();
    let mut out = Writer::default();
    opening.encode(&shape, &mut out);

    let verify = |bytes: &[u8]| {
        let mut input = Reader::new(bytes);
        let opening = Opening::decode(&shape, &mut input).ok()?;
        input.finish().ok()?;
        let mut transcript = begin();
        let verdict = shape.verify(&roots, &stated.claim, &opening, &mut transcript);
        verdict.ok().map(|()| transcript.challenge())
    };
    let after = verify(&out.bytes).unwrap();
    // The first byte of each part, its middle and its last.
    let mut ends: Vec<usize> = out.fields.iter().map(|&(_, first)| first).collect();
    ends.push(out.bytes.len());
    let parts = ends.windows(2).filter(|pair| pair[0] < pair[1]);
    let places: Vec<usize> = parts
        .flat_map(|pair| [pair[0], usize::midpoint(pair[0], pair[1]), pair[1] - 1])
        .collect();
    for &place in &places {
        let mut bytes = out.bytes.clone();
        bytes[place] ^= 1;
        assert_eq!(verify(&bytes), None, "byte {place}");
    }
    let text = format!(
        "{{\n\"shape\": {:?},\n\"roots\": {},\n\"terms\": {:?},\n\"values\": {},\n\"value\": {},\n\
         \"opening\": {},\n\"places\": {places:?},\n\"after\": {}\n}}\n",
        numbers(&shape),
        quoted(roots.as_flattened()),
        stated.heads,
        quoted(&encoded(&stated.values)),
        quoted(&encoded(&[stated.claim.value])),
        quoted(&out.bytes),
        quoted(&encoded(&[after])),
    );
    let path = format!("{FOLDER}{name}.json");
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(stored == text, "{name}: the opening is not the stored one");
}

#[test]
fn openings_are_the_vectors() {
    let other = |columns: &[usize], openings, sampled| Vector {
        columns: columns.to_vec(),
        openings,
        sampled,
    };
    check("opening-single", &[12, 11, 8], &[]);
    let others = [other(&[13], 0, false), other(&[9, 10], 1, true)];
    check("opening-joint", &[10, 8, 9], &others);
    check("opening-two-codes", &[16, 15, 9], &[other(&[14], 0, true)]);
}

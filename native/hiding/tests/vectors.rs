//! Openings that any other verifier can be checked with, byte for byte what this prover makes.

mod common;

use commitment::Profile;
use common::{begin, beside, elements};
use hiding::{Claim, Committed, Context, LinearForm, Randomness, Shape, Vector};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use serde_json::{Value, json};
use transcript::{Base, Extension, Transcript};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/hiding/");

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(digit).collect()
}

fn numbers(element: Extension) -> Value {
    let coefficients: &[Base] = element.as_basis_coefficients_slice();
    let coefficients = coefficients.iter().map(Base::as_canonical_u32);
    coefficients.collect()
}

fn all(elements: &[Extension]) -> Value {
    elements.iter().copied().map(numbers).collect()
}

/// A claim at points of the transcript, and its terms in words.
fn claim(columns: &[Vec<Vec<Base>>], transcript: &mut Transcript) -> (Claim, Value) {
    let mut value = Extension::ZERO;
    let (mut forms, mut texts) = (Vec::new(), Vec::new());
    for columns in columns {
        let (mut form, mut terms) = (LinearForm::new(), Vec::new());
        for (index, column) in columns.iter().enumerate() {
            let point = transcript.point(column.len().ilog2() as usize);
            let scale = transcript.challenge();
            value += scale * commitment::columns::evaluate(column, &point);
            terms.push(json!({"column": index, "point": all(&point), "scale": numbers(scale)}));
            form.add_point(index, point, scale);
        }
        let weights = transcript.point(5);
        let cells = columns[0][126..].iter().zip(&weights);
        value += cells
            .map(|(&cell, &weight)| weight * cell)
            .sum::<Extension>();
        terms.push(json!({"column": 0, "first": 126, "weights": all(&weights)}));
        form.add_cells(0, 126, weights);
        forms.push(form);
        texts.push(Value::from(terms));
    }
    (Claim { forms, value }, Value::from(texts))
}

fn vector(fresh: &[usize], others: &[Vector], profile: Profile) -> Value {
    let shape = Shape::new(fresh, others, profile).unwrap();
    let sizes = std::iter::once(fresh).chain(others.iter().map(|other| &other.columns[..]));
    let columns: Vec<Vec<Vec<Base>>> = sizes
        .map(|sizes| {
            let sizes = sizes.iter().enumerate();
            sizes.map(|(seed, &size)| elements(size, seed)).collect()
        })
        .collect();
    let mut committed: Vec<Committed> = columns
        .iter()
        .enumerate()
        .map(|(index, columns)| {
            let context = Context {
                statement: &[1; 32],
                witness: &[2; 32],
                key: &[3; 32],
                slot: index as u64,
            };
            let mut masks = Randomness::of_seed(&[4; 32], &context);
            let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
            shape.commit(index, &columns, &mut masks).unwrap()
        })
        .collect();
    let roots: Vec<[u8; 32]> = committed.iter().map(Committed::root).collect();
    let mut transcript = begin(profile, &roots);
    let (claim, forms) = claim(&columns, &mut transcript);
    let mut verifier = transcript.clone();
    let fresh_vector = committed.remove(0);
    let beside: Vec<&Committed> = committed.iter().collect();
    let opening = shape
        .prove(fresh_vector, &beside, &claim, &mut transcript)
        .unwrap();
    shape
        .verify(&roots, &claim, &opening, &mut verifier)
        .unwrap();
    let mut out = commitment::Writer::default();
    opening.encode(&shape, &mut out);
    let others = others.iter().map(|other| {
        json!({"columns": other.columns, "openings": other.openings, "sampled": other.sampled})
    });
    json!({
        "profile": profile.name(),
        "fresh": fresh,
        "others": others.collect::<Vec<_>>(),
        "roots": roots.iter().map(|root| hex(root)).collect::<Vec<_>>(),
        "forms": forms,
        "value": numbers(claim.value),
        "opening": hex(&out.bytes),
    })
}

/// Set `WRITE_VECTORS=1` to write the files anew.
#[test]
fn openings_are_the_vectors() {
    let vectors = [
        ("one-default", vector(&[11, 9, 8], &[], Profile::Default)),
        (
            "three-default",
            vector(
                &[10, 8],
                &[beside(&[12], 0, false), beside(&[9, 8], 2, true)],
                Profile::Default,
            ),
        ),
        (
            "two-conservative",
            vector(&[9], &[beside(&[13], 0, false)], Profile::Conservative),
        ),
    ];
    for (name, vector) in vectors {
        let text = format!("{vector}\n");
        let path = format!("{FOLDER}{name}.json");
        if std::env::var_os("WRITE_VECTORS").is_some() {
            std::fs::create_dir_all(FOLDER).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap();
        assert!(stored == text, "{name}: the opening is not the stored one");
    }
}

//! Vectors of the fields and of the transcript by Keccak-256, which the contracts' tests read.
//!
//! Set `WRITE_VECTORS=1` to write the files anew.

use p3_field::{BasedVectorSpace, Field, PrimeCharacteristicRing, PrimeField32};
use std::fmt::Write;
use transcript::{Base, Extension, HashFunction, Site, Transcript, write_extension};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/evm/");
/// Random pairs of elements.
const RANDOM: usize = 1024;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn bytes(elements: &[Extension]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &element in elements {
        write_extension(&mut bytes, element);
    }
    bytes
}

fn check(name: &str, fields: &[(&str, String)]) {
    let lines: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
    let path = format!("{FOLDER}{name}.json");
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(stored == text, "{name}: not what is stored");
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", hex(bytes))
}

/// A transcript that everything random comes from.
fn source() -> Transcript {
    let mut transcript = Transcript::by(HashFunction::Keccak256);
    transcript.absorb(Site::Protocol, b"vectors");
    transcript
}

/// Pairs of all elements whose coefficients are the same edge value, or one edge value at one place, and
/// then random ones.
fn pairs() -> Vec<(Extension, Extension)> {
    let edges = [0, 1, 2, Base::ORDER_U32 - 2, Base::ORDER_U32 - 1].map(Base::new);
    let mut special = Vec::new();
    for edge in edges {
        special.push(Extension::from_basis_coefficients_fn(|_| edge));
    }
    for place in 0..5 {
        let at = |index| if index == place { edges[4] } else { Base::ZERO };
        special.push(Extension::from_basis_coefficients_fn(at));
    }
    let both = special
        .iter()
        .flat_map(|&a| special.iter().map(move |&b| (a, b)));
    let mut pairs: Vec<_> = both.collect();
    let mut source = source();
    pairs.extend((0..RANDOM).map(|_| (source.challenge(), source.challenge())));
    pairs
}

#[test]
fn the_fields_operations_are_the_vectors() {
    let pairs = pairs();
    let of = |operation: &dyn Fn(Extension, Extension) -> Extension| {
        let results: Vec<_> = pairs.iter().map(|&(a, b)| operation(a, b)).collect();
        quoted(&bytes(&results))
    };
    let lowest = |b: Extension| -> Base {
        let coefficients: &[Base] = b.as_basis_coefficients_slice();
        coefficients[0]
    };
    check(
        "field",
        &[
            ("count", pairs.len().to_string()),
            ("left", of(&|a, _| a)),
            ("right", of(&|_, b| b)),
            ("sum", of(&|a, b| a + b)),
            ("difference", of(&|a, b| a - b)),
            ("product", of(&|a, b| a * b)),
            ("square", of(&|a, _| a.square())),
            ("scaled", of(&|a, b| a * lowest(b))),
            // That of 0 stands for nothing.
            ("inverse", of(&|a, _| a.try_inverse().unwrap_or_default())),
        ],
    );
}

/// Both eq and values of polynomials by their definitions, and not by the crates that provers use.
#[test]
fn polynomials_values_are_the_vectors() {
    let mut source = source();
    let (left, right) = (source.point(7), source.point(7));
    let one = Extension::ONE;
    let factor = |(&a, &b): (&Extension, &Extension)| a * b + (one - a) * (one - b);
    let equal: Extension = left.iter().zip(&right).map(factor).product();
    let corner = |variables: usize, index: usize| -> Extension {
        let bits = (0..variables).map(|bit| (index >> (variables - 1 - bit)) & 1);
        let factors = left.iter().zip(bits);
        let factors = factors.map(|(&x, bit)| if bit == 1 { x } else { one - x });
        factors.product()
    };
    let table: Vec<Extension> = (0..16).map(|index| corner(4, index)).collect();
    let coefficients = source.point(19);
    let (x, base) = (source.challenge(), Base::new(2_000_000_011));
    let value = |x: Extension| -> Extension {
        let terms = coefficients.iter().zip(x.powers());
        terms.map(|(&c, power)| c * power).sum()
    };
    check(
        "polynomials",
        &[
            ("left", quoted(&bytes(&left))),
            ("right", quoted(&bytes(&right))),
            ("equal", quoted(&bytes(&[equal]))),
            ("corner", "93".to_owned()),
            ("equalAtCorner", quoted(&bytes(&[corner(7, 93)]))),
            ("table", quoted(&bytes(&table))),
            ("coefficients", quoted(&bytes(&coefficients))),
            ("x", quoted(&bytes(&[x]))),
            ("value", quoted(&bytes(&[value(x)]))),
            ("base", base.as_canonical_u32().to_string()),
            ("valueAtBase", quoted(&bytes(&[value(base.into())]))),
        ],
    );
}

#[test]
fn the_transcript_is_the_vector() {
    let mut transcript = Transcript::by(HashFunction::Keccak256);
    let roots: Vec<u8> = (0..64).collect();
    transcript.absorb(Site::Opening, &roots);
    transcript.absorb(Site::OpeningSample, b"");
    let challenges = transcript.point(200);
    transcript.absorb_elements(Site::OpeningRound, &challenges[..2]);
    let bits = [1_usize, 7, 20, 40];
    let indices = bits.map(|bits| transcript.index(bits));
    let witness = transcript.work(12);
    let after = transcript.challenge();
    let indices: Vec<String> = indices.iter().map(usize::to_string).collect();
    check(
        "transcript",
        &[
            ("openingLabel", format!("\"{}\"", Site::Opening.label())),
            (
                "sampleLabel",
                format!("\"{}\"", Site::OpeningSample.label()),
            ),
            ("roundLabel", format!("\"{}\"", Site::OpeningRound.label())),
            ("roots", quoted(&roots)),
            ("challenges", quoted(&bytes(&challenges))),
            ("bits", "[1, 7, 20, 40]".to_owned()),
            ("indices", format!("[{}]", indices.join(", "))),
            ("workBits", "12".to_owned()),
            ("witness", quoted(&witness.as_canonical_u32().to_le_bytes())),
            ("after", quoted(&bytes(&[after]))),
        ],
    );
}

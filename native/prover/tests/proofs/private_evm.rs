//! Private proofs under the profile that contracts check: vectors that the second verifier and
//! the contracts are held to, and the bytes of them whose change this one rejects. All that hides is drawn
//! from fixed numbers here, so that the same bytes are made again.
//!
//! Set `WRITE_VECTORS=1` to write the files anew.

use crate::hidden::{Case, OPENINGS, case, drawn, lie, parameters, seeded, seeded_by};
use crate::liar::{code, honest, recount};
use crate::models::graphs::{Builder, clamps};
use crate::models::{linear, told, vision};
use commitment::Profile;
use graph::{Graph, Values};
use hiding::Secret;
use key::{Kind, PrivateKey};
use p3_field::PrimeCharacteristicRing;
use prover::private::{Lie, ProvingKey};
use serde_json::Value;
use transcript::{Base, Transcript};
use verifier::private::Proof;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/evm/");

/// A network for images of 28 × 28, of one hidden layer.
fn mlp() -> Graph {
    let mut b = Builder::new(42);
    let x = b.input(&[1, 784], -128, 127);
    let x = b.linear(x, 128, true);
    let x = b.rescale(x, &[5], 0, 14, 0, 127);
    let x = b.linear(x, 10, true);
    b.finish(&[x])
}

fn graphs() -> [(&'static str, Graph); 5] {
    [
        ("linear", linear()),
        ("clamps", clamps(-40, 90)),
        ("parameters", parameters()),
        ("vision", vision()),
        ("mlp", mlp()),
    ]
}

/// Bytes as they are written in `models.json`.
fn bytes(digits: &Value) -> Vec<u8> {
    let digits = digits.as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// One of the tabular models of the zoo, as it was compiled.
fn tabular(name: &str) -> Case {
    let text = std::fs::read_to_string(format!("{FOLDER}models.json")).unwrap();
    let model: Value = serde_json::from_str(&text).unwrap();
    let model = &model[name];
    let graph = Graph::decode(&bytes(&model["graph"])).unwrap();
    let inputs = drawn(&graph, 77).1;
    let weights: Vec<i8> = bytes(&model["weights"]).iter().map(|&w| w as i8).collect();
    let parameters = bytes(&model["parameters"]);
    let words = parameters.as_chunks::<4>().0.iter();
    let parameters: Vec<i32> = words.map(|&word| i32::from_le_bytes(word)).collect();
    let values = Values {
        weights: &weights,
        parameters: &parameters,
    };
    let prover = ProvingKey::with_secret(graph, &values, Profile::Evm, OPENINGS, Secret([6; 32]));
    let prover = prover.unwrap();
    let draw = seeded_by([4; 32]);
    let epoch = prover.begin_lying(Kind::Proofs, 0, &draw, Lie::default());
    Case::new(prover, epoch.unwrap(), inputs)
}

fn cases() -> Vec<(&'static str, Case)> {
    let graphs = graphs().into_iter();
    let cases = graphs.map(|(name, graph)| (name, seeded(graph, Profile::Evm)));
    let zoo = ["fraud", "token_risk"].map(|name| (name, tabular(name)));
    cases.chain(zoo).collect()
}

/// Bytes of a proof: the first of each field, its middle and its last. Behind them those of what says how
/// many links there are and of which kinds, which contracts are told by whom they trust.
fn places(case: &Case, proof: &Proof) -> Vec<usize> {
    let written = proof.write(case.key());
    let mut fields = written.fields;
    fields.push(("end", written.bytes.len()));
    let told = ["version", "count of links", "link: kind"];
    let parts = fields.windows(2).filter(|pair| pair[0].1 < pair[1].1);
    let parts = parts.filter(|pair| !told.contains(&pair[0].0));
    parts
        .flat_map(|pair| {
            let (first, end) = (pair[0].1, pair[1].1);
            [first, usize::midpoint(first, end), end - 1]
        })
        .collect()
}

fn check(name: &str, text: &str) {
    let path = std::path::PathBuf::from(format!("{FOLDER}proofs/{name}.json"));
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(stored == text, "{name}: not what is stored");
}

#[test]
fn proofs_are_the_vectors() {
    for (name, mut case) in cases() {
        if name == "parameters" {
            let draw = seeded_by([9; 32]);
            let links = case
                .prover
                .begin_lying(Kind::Links, 0, &draw, Lie::default());
            let epoch = links.unwrap().begin_lying(0, &draw, Lie::default());
            case.epoch = epoch.unwrap();
        }
        let (outputs, proof) = lie(&case, |_| (), case.key().transcript(), &mut honest);
        let encoded = proof.encode(case.key());
        case.verify(&outputs, &encoded).unwrap();
        let places = places(&case, &proof);
        for &place in &places {
            let mut changed = encoded.clone();
            changed[place] ^= 1;
            case.verify(&outputs, &changed).unwrap_err();
        }
        let text = told(&case.key().encode(), &case.inputs, &outputs, &encoded);
        let shown = text.strip_suffix("\n}\n").unwrap();
        check(name, &format!("{shown},\n\"places\": {places:?}\n}}\n"));
    }
}

/// What is false in it is found by the claim of the opening alone.
#[test]
fn a_proof_of_a_prover_that_lies_is_the_vector() {
    let case = tabular("fraud");
    let relations = case.key().relations();
    let corrupt = |witness: &mut prover::relations::Witness| {
        witness.columns.committed[0][0] += Base::ONE;
        recount(relations, witness);
    };
    let (outputs, proof) = lie(&case, corrupt, case.key().transcript(), &mut honest);
    let proof = proof.encode(case.key());
    assert_eq!(code(case.verify(&outputs, &proof)), "OPENING_INVALID");
    let text = told(&case.key().encode(), &case.inputs, &outputs, &proof);
    check("fraud-lie", &text);
}

#[test]
fn fresh_proofs_are_accepted_and_those_by_another_transcript_are_not() {
    let case = case(linear(), Profile::Evm);
    assert_eq!(case.verdict(), "");
    let read = PrivateKey::decode(&case.key().encode()).unwrap();
    let (outputs, proof) = case.prove();
    case.verify_with(&read, &outputs, &proof).unwrap();
    assert_eq!(read.profile(), Profile::Evm);
    let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut honest);
    let proof = proof.encode(case.key());
    assert_eq!(code(case.verify(&outputs, &proof)), "OPENING_INVALID");
}

#[test]
fn a_key_has_a_hundred_provable_bits() {
    for (name, case) in cases() {
        let graph = case.key().graph().clone();
        let key = PrivateKey::standard(graph, Profile::Evm).unwrap();
        let bits = key.security().provable_bits;
        assert!(bits >= 100.0, "{name}: {bits}");
    }
}

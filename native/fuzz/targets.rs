//! What is done with bytes of strangers, and what must hold of it whatever they are.
//!
//! libFuzzer runs these, and so does `prover/tests/fuzz.rs` on the kept corpora and on random
//! changes of them. A target panics where something does not hold, or lets a panic through.

use graph::Graph;
use key::{LEAST_BITS, PrivateKey, Public};
use std::sync::OnceLock;

/// A graph that is read has these bytes as its one form.
pub fn graph(data: &[u8]) {
    if let Ok(graph) = Graph::decode(data) {
        assert!(graph.encode() == data, "the graph has two forms");
    }
}

/// A key that is read has these bytes as its one form, and is sound.
pub fn key(data: &[u8]) {
    if let Ok(key) = PrivateKey::decode(data) {
        let bits = key.security().provable_bits;
        assert!(key.encode() == data, "the key has two forms");
        assert!(bits >= LEAST_BITS, "the key promises {bits} bits");
    }
}

/// The first byte chooses a case, the rest is a proof for it: accepted is the case's own alone.
pub fn proof(data: &[u8]) {
    let Some((&number, given)) = data.split_first() else {
        return;
    };
    let Some(case) = cases().get(usize::from(number)) else {
        return;
    };
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(&case.outputs),
        statement: case.statement,
    };
    let accepted = verifier::private::verify(&case.key, &public, given).is_ok();
    assert!(
        accepted == (given == case.proof),
        "another proof is accepted, or its own refused"
    );
}

fn views(arrays: &[Vec<i32>]) -> Vec<&[i32]> {
    arrays.iter().map(Vec::as_slice).collect()
}

/// A statement with its proof, from the repository's vectors.
pub struct Case {
    /// Its name among the vectors.
    pub name: &'static str,
    /// The key's bytes.
    pub key_bytes: Vec<u8>,
    key: PrivateKey,
    statement: [u8; 32],
    inputs: Vec<Vec<i32>>,
    outputs: Vec<Vec<i32>>,
    /// The proof that is accepted.
    pub proof: Vec<u8>,
}

/// Name and text of a vector, and the name of its kept inputs.
macro_rules! vector {
    ($name:literal) => {
        (
            concat!("private-", $name),
            include_str!(concat!("../../vectors/private/", $name, ".json")),
        )
    };
}

/// The cases of [`proof`]; their order does not change, since kept inputs count on it.
pub fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        [
            vector!("wide-default"),
            vector!("everything-default"),
            vector!("vision-conservative"),
            vector!("clamps-conservative"),
            vector!("integers-default"),
        ]
        .map(|(name, text)| case(name, text))
        .into()
    })
}

fn case(name: &'static str, text: &str) -> Case {
    let told: serde_json::Value = serde_json::from_str(text).unwrap();
    let bytes = |field: &str| from_hex(told[field].as_str().unwrap());
    let arrays = |field: &str| -> Vec<Vec<i32>> {
        let arrays = told[field].as_array().unwrap().iter();
        let values = |array: &serde_json::Value| {
            let values = array.as_array().unwrap().iter();
            values
                .map(|value| i32::try_from(value.as_i64().unwrap()).unwrap())
                .collect()
        };
        arrays.map(values).collect()
    };
    let key_bytes = bytes("key");
    Case {
        name,
        key: PrivateKey::decode(&key_bytes).unwrap(),
        key_bytes,
        statement: bytes("statement").try_into().unwrap(),
        inputs: arrays("inputs"),
        outputs: arrays("outputs"),
        proof: bytes("proof"),
    }
}

/// The bytes that these hexadecimal digits stand for.
pub fn from_hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

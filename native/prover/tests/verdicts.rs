//! Changes of the vectors, and the codes with which the plain verifier of `tests/reference` rejects
//! them: this one gives the same.

use key::{Public, VerifyingKey};
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/");

fn read(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(format!("{FOLDER}{name}.json")).unwrap()).unwrap()
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    let digits = vector[field].as_str().unwrap();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn tensors(vector: &Value, field: &str) -> Vec<Vec<i32>> {
    serde_json::from_value(vector[field].clone()).unwrap()
}

#[test]
fn both_verifiers_give_one_verdict() {
    let mut judged = 0;
    for (name, changes) in read("verdicts/committed").as_object().unwrap() {
        let vector = read(&format!("committed/{name}"));
        let (inputs, outputs) = (tensors(&vector, "inputs"), tensors(&vector, "outputs"));
        let views = |tensors: &'static [Vec<i32>]| -> Vec<&'static [i32]> {
            tensors.iter().map(Vec::as_slice).collect()
        };
        let public = Public {
            inputs: &views(inputs.leak()),
            outputs: &views(outputs.leak()),
            statement: bytes(&vector, "statement").try_into().unwrap(),
        };
        let code = |key: &[u8], proof: &[u8]| match VerifyingKey::decode(key) {
            Ok(key) => verifier::verify(&key, &public, proof).map_err(|error| error.code()),
            Err(error) => Err(error.code()),
        };
        let (key, proof) = (bytes(&vector, "key"), bytes(&vector, "proof"));
        assert_eq!(code(&key, &proof), Ok(()), "{name}");
        for kind in ["proof", "key"] {
            for change in changes[kind].as_array().unwrap() {
                let (place, bit) = (change[0].as_u64().unwrap(), change[1].as_u64().unwrap());
                let (mut key, mut proof) = (key.clone(), proof.clone());
                let changed = if kind == "key" { &mut key } else { &mut proof };
                changed[place as usize] ^= 1 << bit;
                let expected = change[2].as_str().unwrap();
                assert_eq!(
                    code(&key, &proof),
                    Err(expected),
                    "{name}: {kind} at {place}, bit {bit}"
                );
                judged += 1;
            }
        }
    }
    assert!(judged > 120, "{judged}");
}

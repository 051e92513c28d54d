//! Changes of the vectors, and the codes with which the plain verifier of `tests/reference` rejects
//! them: this one gives the same.

use key::{PrivateKey, Public};
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

/// The code with which a key or a proof is rejected.
type Code<'a> = &'a dyn Fn(&[u8], &Public<'_>, &[u8]) -> Result<(), &'static str>;

/// Judges the changes of all vectors of a mode, and says how many there are.
fn judged(mode: &str, code: Code<'_>) -> usize {
    let mut judged = 0;
    for (name, changes) in read(&format!("verdicts/{mode}")).as_object().unwrap() {
        let vector = read(&format!("{mode}/{name}"));
        let (inputs, outputs) = (tensors(&vector, "inputs"), tensors(&vector, "outputs"));
        let [inputs, outputs] =
            [&inputs, &outputs].map(|all| all.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let public = Public {
            inputs: &inputs,
            outputs: &outputs,
            statement: bytes(&vector, "statement").try_into().unwrap(),
        };
        let (key, proof) = (bytes(&vector, "key"), bytes(&vector, "proof"));
        assert_eq!(code(&key, &public, &proof), Ok(()), "{name}");
        for kind in ["proof", "key"] {
            for change in changes[kind].as_array().unwrap() {
                let (place, bit) = (change[0].as_u64().unwrap(), change[1].as_u64().unwrap());
                let (mut key, mut proof) = (key.clone(), proof.clone());
                let changed = if kind == "key" { &mut key } else { &mut proof };
                changed[place as usize] ^= 1 << bit;
                let expected = change[2].as_str().unwrap();
                assert_eq!(
                    code(&key, &public, &proof),
                    Err(expected),
                    "{name}: {kind} at {place}, bit {bit}"
                );
                judged += 1;
            }
        }
    }
    judged
}

#[test]
fn both_verifiers_give_one_verdict_of_the_private_mode() {
    let judged = judged("private", &|key, public, proof| {
        let key = PrivateKey::decode(key).map_err(|error| error.code())?;
        verifier::private::verify(&key, public, proof).map_err(|error| error.code())
    });
    assert!(judged > 120, "{judged}");
}

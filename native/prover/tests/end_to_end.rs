//! Honest proofs verify; nothing else does.
mod common;

use commitment::Profile;
use common::{STATEMENT, bare_key, cnn, conv1d, inputs, key, mlp, tiny, views, weights};
use graph::Graph;
use key::{KeyError, Public, VerifyingKey};
use prover::{Phase, ProveError, ProvingKey};
use verifier::Rejection;

fn check(
    key: &VerifyingKey,
    inputs: &[Vec<i32>],
    outputs: &[Vec<i32>],
    statement: [u8; 32],
    proof: &[u8],
) -> Result<(), Rejection> {
    let public = Public {
        inputs: &views(inputs),
        outputs: &views(outputs),
        statement,
    };
    verifier::verify(key, &public, proof)
}

/// The key of these weights.
fn other_key(graph: &Graph, weights: &[i8], profile: Profile) -> VerifyingKey {
    let key = ProvingKey::new(graph.clone(), weights, profile).unwrap();
    VerifyingKey::decode(&key.verifying_key().encode()).unwrap()
}

#[test]
fn honest_proofs_verify_in_each_profile() {
    for graph in [tiny(), mlp(&[40, 33, 7, 1]), cnn(), conv1d()] {
        for profile in Profile::ALL {
            let inputs = inputs(&graph, 3);
            let key = key(graph.clone(), profile);
            let (outputs, proof) = key
                .prove(&views(&inputs), STATEMENT, &mut |_| true)
                .unwrap();
            let run = key.run(&views(&inputs)).unwrap();
            assert_eq!(outputs, key.outputs(&run));
            let bytes = key.verifying_key().encode();
            let verifier = VerifyingKey::decode(&bytes).unwrap();
            assert_eq!(verifier.encode(), bytes);
            check(&verifier, &inputs, &outputs, STATEMENT, &proof).unwrap();
            // The same proof comes out again, also from a key that was read.
            let read = ProvingKey::load(&bytes, weights(&graph, 1)).unwrap();
            let again = read
                .prove(&views(&inputs), STATEMENT, &mut |_| true)
                .unwrap();
            assert_eq!(again, (outputs, proof));
        }
    }
}

#[test]
fn another_statement_input_output_or_key_is_rejected() {
    let graph = cnn();
    let given = inputs(&graph, 3);
    let honest = key(graph.clone(), Profile::Default);
    let (outputs, proof) = honest
        .prove(&views(&given), STATEMENT, &mut |_| true)
        .unwrap();
    let verifier = honest.verifying_key();
    let code = |result: Result<(), Rejection>| result.unwrap_err().code();

    let mut statement = STATEMENT;
    statement[31] ^= 1;
    let result = check(verifier, &given, &outputs, statement, &proof);
    assert_eq!(code(result), "CONTRACTION_MISMATCH");

    let mut input = given.clone();
    input[0][17] ^= 1;
    let result = check(verifier, &input, &outputs, STATEMENT, &proof);
    assert_eq!(code(result), "CONTRACTION_MISMATCH");
    input[0][17] = 128;
    let result = check(verifier, &input, &outputs, STATEMENT, &proof);
    assert_eq!(code(result), "EXECUTION");
    input[0].pop();
    let result = check(verifier, &input, &outputs, STATEMENT, &proof);
    assert_eq!(code(result), "EXECUTION");

    for output in 0..2 {
        let mut wrong = outputs.clone();
        wrong[output][3] += 1;
        let result = check(verifier, &given, &wrong, STATEMENT, &proof);
        assert_eq!(code(result), "OUTPUT_MISMATCH");
    }
    let result = check(verifier, &given, &outputs[..1], STATEMENT, &proof);
    assert_eq!(code(result), "OUTPUT_MISMATCH");

    let other = other_key(&graph, &weights(&graph, 2), Profile::Default);
    let result = check(&other, &given, &outputs, STATEMENT, &proof);
    assert_eq!(code(result), "CONTRACTION_MISMATCH");
    for profile in [Profile::Conservative, Profile::Small] {
        let other = other_key(&graph, &weights(&graph, 1), profile);
        let result = check(&other, &given, &outputs, STATEMENT, &proof);
        assert_eq!(code(result), "PROOF_MALFORMED");
    }

    let mut bytes = verifier.encode();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(VerifyingKey::decode(&bytes).is_err());
}

#[test]
fn a_proof_of_one_profile_verifies_under_no_key_of_another() {
    // Of sizes at which `default` has no later code, and at which it has some.
    for graph in [tiny(), mlp(&[128, 160, 9])] {
        let given = inputs(&graph, 3);
        let keys = Profile::ALL.map(|profile| key(graph.clone(), profile));
        for (index, own) in keys.iter().enumerate() {
            let (outputs, proof) = own.prove(&views(&given), STATEMENT, &mut |_| true).unwrap();
            for (place, other) in keys.iter().enumerate() {
                let result = check(other.verifying_key(), &given, &outputs, STATEMENT, &proof);
                if place == index {
                    assert_eq!(result, Ok(()));
                } else {
                    // Results are read first, and have another coding in `small`.
                    let code = result.unwrap_err().code();
                    assert!(
                        ["PROOF_MALFORMED", "ACCUMULATOR_RANGE"].contains(&code),
                        "{code}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_graph_that_differs_only_in_a_bias_is_another_key() {
    let mut graph = mlp(&[40, 33, 7]);
    let weights = weights(&graph, 1);
    let given = inputs(&graph, 3);
    let key = ProvingKey::new(graph.clone(), &weights, Profile::Default).unwrap();
    let (outputs, proof) = key.prove(&views(&given), STATEMENT, &mut |_| true).unwrap();
    let mut parts = (*graph).clone();
    parts.constants[0].values[0] += 1;
    graph = graph::Graph::new(parts).unwrap();
    let other = other_key(&graph, &weights, Profile::Default);
    assert_eq!(other.root(), key.verifying_key().root());
    assert_ne!(
        other.binding_evaluation(),
        key.verifying_key().binding_evaluation()
    );
    let result = check(&other, &given, &outputs, STATEMENT, &proof);
    assert_eq!(result.unwrap_err().code(), "CONTRACTION_MISMATCH");
}

fn tiny_binding_evaluations() -> usize {
    let key = key(tiny(), Profile::Default);
    key.verifying_key().scheme().plan().blocks().len()
}

#[test]
fn keys_are_read_strictly() {
    let bytes = key(tiny(), Profile::Default).verifying_key().encode();
    let code = |bytes: &[u8]| match VerifyingKey::decode(bytes) {
        Ok(_) => "",
        Err(error) => error.code(),
    };
    assert_eq!(code(&bytes), "");
    assert_eq!(code(&bytes[..20]), "KEY_MALFORMED");
    for (byte, expected) in [
        (0, "KEY_MALFORMED"),
        (8, "KEY_VERSION"),
        (12, "KEY_VERSION"),
    ] {
        let mut wrong = bytes.clone();
        wrong[byte] ^= 8;
        assert_eq!(code(&wrong), expected);
    }
    let values = tiny_binding_evaluations();
    assert_eq!(bytes[46..50], (values as u32).to_le_bytes());
    for count in [values - 1, values + 1, 1 << 20, u32::MAX as usize] {
        let mut wrong = bytes.clone();
        wrong[46..50].copy_from_slice(&(count as u32).to_le_bytes());
        // One too many or too few moves the beginning of the graph; many are not there.
        assert!(["KEY_MALFORMED", "KEY_GRAPH"].contains(&code(&wrong)));
    }
    // A whole value too many or too few.
    let mut wrong = bytes.clone();
    wrong.splice(46..50, (values as u32 + 1).to_le_bytes());
    wrong.splice(50..50, [0; 20]);
    assert_eq!(code(&wrong), "KEY_MALFORMED");
    let mut wrong = bytes.clone();
    wrong.splice(46..70, (values as u32 - 1).to_le_bytes());
    assert_eq!(code(&wrong), "KEY_MALFORMED");
    // Not below the modulus.
    let mut wrong = bytes.clone();
    wrong[50..54].fill(0xff);
    assert_eq!(code(&wrong), "KEY_MALFORMED");
    // Another value is another key, and not that of these weights.
    let mut wrong = bytes.clone();
    wrong[50] ^= 1;
    assert_eq!(code(&wrong), "");
    let error = ProvingKey::load(&wrong, weights(&tiny(), 1));
    assert_eq!(error.err().unwrap(), ProveError::OtherWeights);
    let mut long = bytes.clone();
    long.push(0);
    assert_eq!(code(&long), "KEY_GRAPH");
    let other = weights(&tiny(), 9);
    let error = ProvingKey::load(&bytes, other.clone()).err().unwrap();
    assert_eq!(error, ProveError::OtherWeights);
    let error = ProvingKey::load(&bytes, other[1..].to_vec()).err().unwrap();
    assert_eq!(error.code(), "COMMITMENT");
}

#[test]
fn a_graph_without_weights_or_with_too_many_results_has_no_key() {
    let graph = common::Builder::new(&[4], 9).finish(&[0]);
    let error = bare_key(graph, Profile::Default).err();
    assert_eq!(error.unwrap(), KeyError::NoWeights);
    let mut graph = common::Builder::new(&[1 << 11, 2], 9);
    let y = graph.linear(0, (1 << 12) + 1, false);
    let graph = graph.finish(&[y]);
    let error = bare_key(graph, Profile::Default).err();
    assert_eq!(error.unwrap().code(), "KEY_ACCUMULATORS");
}

#[test]
fn proving_can_be_cancelled_at_each_phase() {
    let graph = tiny();
    let given = inputs(&graph, 3);
    let key = key(graph, Profile::Default);
    for phase in [Phase::Execute, Phase::Reduce, Phase::Open] {
        let result = key.prove(&views(&given), STATEMENT, &mut |begun| begun != phase);
        assert_eq!(result.unwrap_err(), ProveError::Cancelled);
    }
    let result = key.prove(&[&[0; 3]], STATEMENT, &mut |_| true);
    assert_eq!(result.unwrap_err().code(), "EXECUTION");
}

#[test]
fn the_report_adds_up_to_a_hundred_bits() {
    for profile in Profile::ALL {
        for graph in [tiny(), cnn(), mlp(&[784, 128, 10])] {
            let key = bare_key(graph, profile).unwrap();
            let security = key.security();
            assert!(security.provable_bits >= 100.0);
            assert!(
                security
                    .terms
                    .iter()
                    .all(|term| term.bits >= security.provable_bits)
            );
            let json = security.to_json();
            assert!(json.starts_with("{\"provable_bits\":10"));
            assert!(json.contains(profile.name()));
            assert!(json.contains("contractions: sumcheck"));
            assert_eq!(
                json.contains("key: pin of the weights"),
                profile != Profile::Conservative
            );
        }
    }
}

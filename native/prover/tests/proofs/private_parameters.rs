//! Parameters are hidden like weights, and held like them: a proof with others than those that the key
//! commits to is rejected, whichever side of the commitment the others are on.

use crate::hidden::{OPENINGS, case, case_with, drawn, drawn_parameters, lie, parameters};
use crate::liar::{code, honest};
use crate::models::{STATEMENT, views};
use commitment::Profile;
use executor::Fault;
use graph::{Op, Values};
use key::Public;
use prover::ProveError;
use prover::private::{Lie, ProvingKey};
use transcript::Transcript;

/// For each parameter, all of them with one element changed within its range.
fn changed() -> Vec<Vec<i32>> {
    let graph = parameters();
    let given = drawn_parameters(&graph, 77);
    let mut first = 0;
    let mut all = Vec::new();
    for (_, node) in graph.parameters() {
        let mut other = given.clone();
        other[first] += if other[first] < node.hi { 1 } else { -1 };
        all.push(other);
        first += graph::elements(&node.shape);
    }
    assert_eq!((all.len(), first), (4, given.len()));
    all
}

#[test]
fn keys_of_other_parameters_show_the_same_graph() {
    let first = case(parameters(), Profile::Default);
    for other in changed() {
        let other = case_with(parameters(), &other, Profile::Default);
        let graph = first.key().graph().encode();
        assert_eq!(other.key().graph().encode(), graph);
        assert_ne!(other.key().root(), first.key().root());
        let encoded = other.key().encode();
        assert!(encoded.ends_with(&graph));
        // Nothing but root and pin differs, which are of one length.
        assert_eq!(encoded.len(), first.key().encode().len());
    }
}

/// The maker of an epoch commits to others under the honest key.
#[test]
fn an_epoch_of_other_parameters_than_those_of_the_key_is_rejected() {
    for profile in Profile::OFF_CHAIN {
        let mut honest_case = case(parameters(), profile);
        let (weights, _) = drawn(&parameters(), 77);
        for other in changed() {
            let values = Values {
                weights: &weights,
                parameters: &other,
            };
            // w as it follows from the epoch, and as it follows from the key.
            for (of_parent, expected) in [(false, "LINK_INVALID"), (true, "OPENING_INVALID")] {
                honest_case = honest_case.lied(Lie {
                    values: Some(values),
                    of_parent,
                    ..Lie::default()
                });
                assert_eq!(honest_case.verdict(), expected);
            }
        }
        honest_case = honest_case.lied(Lie::default());
        assert_eq!(honest_case.verdict(), "");
    }
}

/// The maker of a proof opens the honest commitment for an execution with others.
#[test]
fn an_execution_with_other_parameters_is_rejected() {
    let case = case(parameters(), Profile::Default);
    let inputs = views(&case.inputs);
    let proven = |witness: &prover::relations::Witness| {
        let mut transcript = Transcript::new();
        let proof = case.epoch.prove_witness(
            &inputs,
            None,
            STATEMENT,
            witness,
            &[5; 32],
            &mut transcript,
            &mut honest,
        );
        let public = Public {
            inputs: &inputs,
            outputs: &views(&witness.outputs),
            statement: STATEMENT,
        };
        let proof = proof.unwrap().encode(case.key());
        code(verifier::private::verify(case.key(), &public, &proof))
    };
    for other in changed() {
        let cheat = case_with(parameters(), &other, Profile::Default);
        let witness = cheat.epoch.witness(&inputs).unwrap();
        assert_eq!(proven(&witness), "OPENING_INVALID");
    }
    let witness = case.epoch.witness(&inputs).unwrap();
    assert_eq!(proven(&witness), "");
}

#[test]
fn each_message_of_a_reduction_with_parameters_is_checked() {
    let case = case(parameters(), Profile::Default);
    let mut lengths = Vec::new();
    lie(&case, |_| (), Transcript::new(), &mut |_, message| {
        lengths.push(message.len());
    });
    for number in (0..lengths.len()).step_by(3) {
        let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut |message, values| {
            if message == number {
                values[number % lengths[number]] +=
                    transcript::Extension::from(transcript::Base::new(1));
            }
        });
        let code = code(case.verify(&outputs, &proof.encode(case.key())));
        assert_eq!(code, "OPENING_INVALID", "message {number}");
    }
}

#[test]
fn parameters_outside_of_their_ranges_or_of_another_number_have_no_key() {
    let graph = parameters();
    let (weights, _) = drawn(&graph, 77);
    let given = drawn_parameters(&graph, 77);
    let new = |parameters: &[i32]| {
        let values = Values {
            weights: &weights,
            parameters,
        };
        let key = ProvingKey::with_openings(graph.clone(), &values, Profile::Default, OPENINGS);
        key.err()
    };
    assert_eq!(new(&given), None);
    let mut first = 0;
    for (number, node) in graph.parameters() {
        assert_eq!(node.op, Op::Parameter);
        for wrong in [node.lo - 1, node.hi + 1] {
            let mut other = given.clone();
            other[first] = wrong;
            let range = Fault::Range {
                node: number,
                operator: "Parameter",
                lo: node.lo,
                hi: node.hi,
            };
            assert_eq!(new(&other), Some(ProveError::Execution(range)));
        }
        first += graph::elements(&node.shape);
    }
    let short = Fault::Parameters {
        got: given.len() - 1,
        expected: given.len(),
    };
    assert_eq!(new(&given[1..]), Some(ProveError::Execution(short)));
    assert!(new(&[]).is_some());
}

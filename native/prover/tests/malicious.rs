//! A prover that lies about any part of its witness, and transcripts with an absorb left out.
//!
//! Attacks on remainders and lookups, such as (q - 1, r + 2^s), have nothing to attack here: in the
//! clear mode the verifier itself executes all that is not a weighted contraction.
mod common;
mod forge;

use commitment::Profile;
use common::{STATEMENT, bare_key, cnn, inputs, key, mlp, tiny, views, weights};
use forge::{kernel, small};
use key::{Mode, Public};
use p3_field::PrimeCharacteristicRing;
use prover::ProvingKey;
use prover::clear::{Proved, Witness};
use transcript::{Extension, Site, Transcript};
use verifier::Rejection;
use verifier::clear::Proof;

fn verify(key: &ProvingKey, inputs: &[Vec<i32>], proved: &Proved) -> Result<(), Rejection> {
    let key = key.verifying_key();
    let public = Public {
        inputs: &views(inputs),
        outputs: &views(&proved.outputs),
        statement: STATEMENT,
    };
    verifier::verify(key, &public, &proved.proof.encode(key))
}

fn code(result: Result<(), Rejection>) -> &'static str {
    result.map_or_else(|rejection| rejection.code(), |()| "")
}

fn lie(key: &ProvingKey, inputs: &[Vec<i32>], corrupt: impl Fn(&mut Witness)) -> Proved {
    key.prove_audited(&views(inputs), STATEMENT, &mut Transcript::new(), corrupt)
        .unwrap()
}

#[test]
fn a_wrong_result_of_any_contraction_is_rejected() {
    let graph = cnn();
    let inputs = inputs(&graph, 3);
    let key = key(graph, Profile::Default);
    let honest = lie(&key, &inputs, |_| ());
    assert_eq!(code(verify(&key, &inputs, &honest)), "");
    let count = honest.proof.contraction_outputs.len();
    for index in (0..count).step_by(7).chain([count - 1]) {
        // The prover adapts all that follows to its lie, as far as the outputs show it.
        let proved = lie(&key, &inputs, |witness| {
            witness.contraction_outputs[index] += 1;
        });
        let code = code(verify(&key, &inputs, &proved));
        assert!(
            ["CONTRACTION_MISMATCH", "OUTPUT_MISMATCH"].contains(&code),
            "{index}: {code}"
        );
    }
}

#[test]
fn a_wrong_result_with_the_output_that_follows_from_it_is_rejected() {
    let graph = mlp(&[40, 33, 7]);
    let inputs = inputs(&graph, 3);
    let key = key(graph, Profile::Default);
    for index in 0..7 {
        let proved = lie(&key, &inputs, |witness| {
            witness.contraction_outputs[33 + index] -= 5;
            witness.outputs[0][index] -= 5;
        });
        assert_eq!(code(verify(&key, &inputs, &proved)), "CONTRACTION_MISMATCH");
    }
}

#[test]
fn a_wrong_output_is_rejected() {
    let graph = cnn();
    let inputs = inputs(&graph, 3);
    let key = key(graph, Profile::Default);
    for output in 0..2 {
        let proved = lie(&key, &inputs, |witness| witness.outputs[output][0] += 1);
        assert_eq!(code(verify(&key, &inputs, &proved)), "OUTPUT_MISMATCH");
    }
}

#[test]
fn other_weights_under_the_honest_root_are_rejected() {
    for graph in [tiny(), cnn()] {
        let inputs = inputs(&graph, 3);
        let mut other = weights(&graph, 1);
        let last = other.len() - 1;
        other[last] = other[last].wrapping_add(1);
        let cheat = key(graph, Profile::Default).cheat(&other).unwrap();
        let proved = lie(&cheat, &inputs, |_| ());
        assert_eq!(code(verify(&cheat, &inputs, &proved)), "OPENING_INVALID");
    }
}

/// In the default profile a root may be close to the codewords of several sets of weights. A key
/// stands for the one whose values it binds: whoever opens the root to another set fails.
#[test]
fn a_root_is_not_opened_to_weights_that_its_key_does_not_bind() {
    let graph = cnn();
    let inputs = inputs(&graph, 3);
    let honest = key(graph.clone(), Profile::Default);
    let verifying_key = honest.verifying_key();
    let (root, binding_evaluation) = (
        verifying_key.root(),
        verifying_key.binding_evaluation().clone(),
    );
    let bare = || bare_key(graph.clone(), Profile::Default).unwrap();
    for block in 0..binding_evaluation.values.len() {
        let mut values = binding_evaluation.values.clone();
        values[block] += Extension::ONE;
        let other = bare().with_commitment(root, values);
        assert_eq!(other.binding_evaluation().point, binding_evaluation.point);
        assert_ne!(other.digest(), verifying_key.digest());
        // The prover knows the key and makes its proof for it.
        let cheat = key(graph.clone(), Profile::Default).with_key(other);
        let proved = lie(&cheat, &inputs, |_| ());
        assert_eq!(code(verify(&cheat, &inputs, &proved)), "OPENING_INVALID");
    }
}

#[test]
fn the_point_of_the_binding_evaluation_depends_on_all_that_the_key_has_before_it() {
    let graph = mlp(&[40, 33, 7]);
    let point = |graph: &graph::Graph, root: [u8; 32]| {
        let key = bare_key(graph.clone(), Profile::Default).unwrap();
        key.binding_point(&root)
    };
    let first = point(&graph, [0; 32]);
    assert_eq!(first.len(), 10);
    for byte in 0..32 {
        let mut root = [0; 32];
        root[byte] = 1;
        assert_ne!(point(&graph, root), first);
    }
    let mut parts = (*graph).clone();
    parts.constants[0].values[0] += 1;
    let other = graph::Graph::new(parts).unwrap();
    assert_ne!(point(&other, [0; 32]), first);
}

#[test]
fn wrong_rounds_and_evaluations_are_rejected() {
    let graph = mlp(&[40, 33, 7]);
    let inputs = inputs(&graph, 3);
    let key = key(graph, Profile::Default);
    let honest = lie(&key, &inputs, |_| ());
    for round in 0..honest.proof.rounds.len() {
        for part in 0..2 {
            let mut proof = honest.proof.clone();
            proof.rounds[round][part] += Extension::ONE;
            let proved = with(&honest, proof);
            assert_eq!(code(verify(&key, &inputs, &proved)), "CONTRACTION_MISMATCH");
        }
    }
}

fn with(proved: &Proved, proof: Proof) -> Proved {
    Proved {
        outputs: proved.outputs.clone(),
        proof,
    }
}

#[test]
fn the_transcript_absorbs_exactly_its_inventory() {
    let graph = mlp(&[40, 33, 7]);
    let inputs = inputs(&graph, 3);
    let key = key(graph, Profile::Default);
    let mut transcript = Transcript::new();
    key.prove_audited(&views(&inputs), STATEMENT, &mut transcript, |_| ())
        .unwrap();
    let mut expected = vec![
        (Site::Protocol, Mode::Clear.protocol().len()),
        (Site::Key, 32),
        (Site::Statement, 32),
        (Site::Inputs, 4 * 40),
        (Site::Outputs, 4 * 7),
        (Site::ContractionOutputs, 4 * (33 + 7)),
    ];
    expected.extend([(Site::Round, 40); 6]);
    assert_eq!(transcript.log(), expected);
    let mut sites: Vec<Site> = expected.into_iter().map(|(site, _)| site).collect();
    sites.dedup();
    // The commitment is absorbed where the key is made; the key's digest stands for it here.
    let of_proofs = Site::ALL
        .into_iter()
        .filter(|&site| site != Site::Commitment);
    assert_eq!(sites, of_proofs.collect::<Vec<_>>());
}

#[test]
fn an_absorb_left_out_on_either_side_is_noticed() {
    let graph = cnn();
    let inputs = inputs(&graph, 3);
    let key = key(graph, Profile::Default);
    let honest = lie(&key, &inputs, |_| ());
    for site in Site::ALL {
        if site == Site::Commitment {
            continue;
        }
        let mut without = Transcript::without(site);
        let proved = key
            .prove_audited(&views(&inputs), STATEMENT, &mut without.clone(), |_| ())
            .unwrap();
        assert_eq!(
            code(verify(&key, &inputs, &proved)),
            "CONTRACTION_MISMATCH",
            "{site:?}"
        );
        let public = Public {
            inputs: &views(&inputs),
            outputs: &views(&honest.outputs),
            statement: STATEMENT,
        };
        let verifying_key = key.verifying_key();
        let bytes = honest.proof.encode(verifying_key);
        let result = verifier::verify_audited(verifying_key, &public, &bytes, &mut without);
        assert_eq!(code(result), "CONTRACTION_MISMATCH", "{site:?}");
    }
}

/// Were the results of the contractions not absorbed, a prover who knows the challenges could
/// choose them: this is the forgery, and what stops it.
#[test]
fn results_forged_for_frozen_challenges_pass_frozen_and_fail_live() {
    // The output does not depend on the results, so that forged ones leave it as it is.
    let mut graph = common::Builder::new(&[1, 6], 127);
    let y = graph.linear(0, 8, true);
    let y = graph.rescale(y, 40);
    let graph = graph.finish(&[y]);
    let inputs = inputs(&graph, 3);
    let key = key(graph, Profile::Default);
    let verifying_key = key.verifying_key();
    let honest = lie(&key, &inputs, |_| ());
    let public = Public {
        inputs: &views(&inputs),
        outputs: &views(&honest.outputs),
        statement: STATEMENT,
    };
    let mut frozen = Transcript::without(Site::ContractionOutputs);
    verifier::clear::begin(verifying_key, &public, &[], &mut frozen);
    let (challenges, _) = verifier::clear::draw(verifying_key, &mut frozen);
    let kernel = kernel(&sumcheck::equality(&challenges[0].row, 8));
    let forged = small(&kernel, &honest.proof.contraction_outputs);
    assert_ne!(forged, honest.proof.contraction_outputs);

    let forge = |mut transcript| {
        key.prove_audited(&views(&inputs), STATEMENT, &mut transcript, |witness| {
            witness.contraction_outputs.clone_from(&forged);
        })
        .unwrap()
    };
    let without = || Transcript::without(Site::ContractionOutputs);
    let bytes = forge(without()).proof.encode(verifying_key);
    let result = verifier::verify_audited(verifying_key, &public, &bytes, &mut without());
    assert_eq!(result, Ok(()));
    assert_eq!(
        code(verifier::verify(verifying_key, &public, &bytes)),
        "CONTRACTION_MISMATCH"
    );
    let live = forge(Transcript::new());
    assert_eq!(code(verify(&key, &inputs, &live)), "CONTRACTION_MISMATCH");
}

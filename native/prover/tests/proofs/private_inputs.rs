//! Proofs whose inputs nobody sees: they verify for the root that the payer computes, and for nothing else.

use crate::hidden::{Case, OPENINGS, case, graphs};
use crate::models::graphs::{Builder, clamps};
use crate::models::{STATEMENT, integers, views, vision};
use crate::{hidden, liar};
use claim_reduction::Visibility;
use commitment::Profile;
use hiding::Secret;
use key::{INPUT_OPENINGS, Kind, PrivateKey, Public};
use p3_field::PrimeCharacteristicRing;
use prover::ProveError;
use prover::private::Inputs;
use std::collections::BTreeSet;
use transcript::Base;
use verifier::private::{Known, Proof, verify, verify_private_inputs};

const SECRET: [u8; 32] = [9; 32];

fn private(graph: graph::Graph, profile: Profile) -> Case {
    case(graph, profile).with_private_inputs(SECRET)
}

/// The code with which a proof is rejected for a root, or nothing.
fn verdict(case: &Case, root: [u8; 32], outputs: &[Vec<i32>], proof: &[u8]) -> &'static str {
    let public = Public {
        inputs: &[],
        outputs: &views(outputs),
        statement: STATEMENT,
    };
    let verified = verify_private_inputs(case.key(), &Known::default(), &root, &public, proof);
    verified.map_or_else(|rejection| rejection.code(), |()| "")
}

fn root(case: &Case) -> [u8; 32] {
    case.private.as_ref().unwrap().root()
}

#[test]
fn honest_proofs_verify_in_both_profiles() {
    for profile in Profile::OFF_CHAIN {
        for (name, graph) in graphs() {
            let case = private(graph, profile);
            let (outputs, proof) = case.prove();
            let key = PrivateKey::decode(&case.key().encode()).unwrap();
            assert_eq!(case.verify_with(&key, &outputs, &proof), Ok(()), "{name}");
        }
    }
}

#[test]
fn the_account_has_a_hundred_bits_in_both_profiles() {
    for profile in Profile::OFF_CHAIN {
        for (name, graph) in graphs() {
            let key = PrivateKey::new(graph, profile, OPENINGS).unwrap();
            let security = key.security_of_private_inputs().unwrap();
            assert!(security.provable_bits >= 100.0, "{name}: {security:?}");
            let proofs = key.proofs(Visibility::Private).unwrap();
            // Each claim on an input counts in the batching.
            let claims = proofs.relations().claims() + key.graph().inputs.len();
            let mut terms = security.terms.iter();
            let batching = terms.find(|term| term.name.starts_with("batching of equations"));
            let most = 154.0 - (claims as f64).log2() - proofs.shape().candidate_bits();
            assert!(batching.unwrap().bits < most, "{name}");
        }
    }
}

#[test]
fn another_root_statement_output_or_visibility_is_rejected() {
    let case = private(vision(), Profile::Default);
    let (outputs, proof) = case.prove();
    assert_eq!(verdict(&case, root(&case), &outputs, &proof), "");
    let mut other = root(&case);
    other[5] ^= 1;
    assert_eq!(verdict(&case, other, &outputs, &proof), "OPENING_INVALID");
    let mut wrong = outputs.clone();
    wrong[0][1] += 1;
    assert_eq!(
        verdict(&case, root(&case), &wrong, &proof),
        "OPENING_INVALID"
    );
    wrong[0].pop();
    assert_eq!(
        verdict(&case, root(&case), &wrong, &proof),
        "OUTPUT_MISMATCH"
    );
    let inputs = views(&case.inputs);
    let public = |inputs, statement| Public {
        inputs,
        outputs: &[],
        statement,
    };
    let views = views(&outputs);
    let whole = |inputs, statement| Public {
        outputs: &views,
        ..public(inputs, statement)
    };
    // Inputs are either shown or committed to.
    let known = Known::default();
    let both = whole(&inputs, STATEMENT);
    let rejection = verify_private_inputs(case.key(), &known, &root(&case), &both, &proof);
    assert_eq!(rejection.unwrap_err().code(), "INPUT_MISMATCH");
    let other = whole(&[], [8; 32]);
    let rejection = verify_private_inputs(case.key(), &known, &root(&case), &other, &proof);
    assert_eq!(rejection.unwrap_err().code(), "OPENING_INVALID");
    // A verifier that has the inputs takes no proof of private ones, and the other way round.
    let rejection = verify(case.key(), &whole(&inputs, STATEMENT), &proof);
    assert_eq!(rejection.unwrap_err().code(), "LINK_END");
    let shown = hidden::case(vision(), Profile::Default);
    let (outputs, proof) = shown.prove();
    assert_eq!(shown.verify(&outputs, &proof), Ok(()));
    assert_eq!(verdict(&shown, root(&case), &outputs, &proof), "LINK_END");
}

#[test]
fn a_root_follows_from_key_inputs_and_secret_and_tells_nothing_without() {
    let case = private(clamps(-40, 90), Profile::Default);
    let inputs = views(&case.inputs);
    let root_of = |key: &PrivateKey, inputs: &[&[i32]], secret: u8| {
        let secret = Secret([secret; 32]);
        Inputs::commit(key, inputs, &secret).unwrap().root()
    };
    // The payer has the key's bytes, its inputs and the secret.
    let key = PrivateKey::decode(&case.key().encode()).unwrap();
    assert_eq!(root_of(&key, &inputs, 9), root(&case));
    let mut other = case.inputs.clone();
    other[0][0] ^= 1;
    let of_another = hidden::case(clamps(-40, 90), Profile::Default);
    let roots = BTreeSet::from([
        root(&case),
        root_of(&key, &inputs, 10),
        root_of(&key, &views(&other), 9),
        root_of(of_another.key(), &inputs, 9),
    ]);
    assert_eq!(roots.len(), 4);
    // Inputs that the graph does not take have none.
    other[0][0] = 10_000;
    for wrong in [views(&other), Vec::new()] {
        let refused = Inputs::commit(&key, &wrong, &Secret(SECRET)).err().unwrap();
        assert_eq!(refused.code(), "EXECUTION");
    }
}

/// An attempt after another one, be it in another process: the same tree, and nothing else.
#[test]
fn attempts_share_their_root_and_no_element() {
    let case = private(integers(), Profile::Default);
    let (outputs, first) = case.prove();
    let again = Inputs::commit(case.key(), &views(&case.inputs), &Secret(SECRET)).unwrap();
    assert_eq!(again.root(), root(&case));
    let case = case.committed_to(again);
    let (same, second) = case.prove();
    assert_eq!(outputs, same);
    let [first, second] = [first, second].map(|proof| {
        assert_eq!(verdict(&case, root(&case), &outputs, &proof), "");
        Proof::decode(case.key(), Visibility::Private, &proof).unwrap()
    });
    assert_ne!(first.witness, second.witness);
    let sent = first.sent.iter().chain(&first.relation.factors);
    let others: BTreeSet<_> = second.sent.iter().map(|e| format!("{e:?}")).collect();
    assert!(sent.clone().count() > 100);
    assert!(
        sent.into_iter()
            .all(|element| !others.contains(&format!("{element:?}")))
    );
}

#[test]
fn a_commitment_to_inputs_is_opened_eight_times_and_no_attempt_is_made_twice() {
    let case = private(clamps(-40, 90), Profile::Default);
    let run = case.prover.run_private(&views(&case.inputs)).unwrap();
    let own = case.private.as_ref().unwrap();
    assert_eq!(own.openings(), INPUT_OPENINGS as u64);
    let attempt = |attempt| {
        // Openings of the epoch are counted apart.
        case.epoch.recount();
        let given = (own, attempt);
        let proof = case
            .epoch
            .prove_private(&run, given, STATEMENT, 0, &mut |_| true)?;
        assert_eq!(verdict(&case, root(&case), run.outputs(), &proof), "");
        Ok::<_, ProveError>(())
    };
    for number in 0..8 {
        assert_eq!(attempt(number), Ok(()));
    }
    let ninth = attempt(8).unwrap_err();
    let (slot, openings) = (8, 8);
    assert_eq!(ninth, ProveError::Slot { slot, openings });
    assert_eq!(ninth.code(), "SLOT_RANGE");
    let twice = attempt(3).unwrap_err();
    assert_eq!(
        (&twice, twice.code()),
        (&ProveError::Spent(3), "OPENINGS_SPENT")
    );
}

#[test]
fn runs_inputs_and_epochs_that_do_not_belong_together_are_refused() {
    let case = private(clamps(-40, 90), Profile::Default);
    let shown = hidden::case(clamps(-40, 90), Profile::Default);
    let inputs = views(&case.inputs);
    let own = case.private.as_ref().unwrap();
    let prove = |epoch: &prover::private::Epoch, run, inputs| {
        epoch.recount();
        let proof = epoch.prove_private(run, (inputs, 0), STATEMENT, 0, &mut |_| true);
        proof.err().map(|error| error.code())
    };
    let run = case.prover.run_private(&inputs).unwrap();
    // Of another key's run and inputs, of a run on public inputs, and of other inputs.
    let of_shown = shown.prover.run_private(&inputs).unwrap();
    assert_eq!(prove(&case.epoch, &of_shown, own), Some("RUN_OTHER"));
    let others = Inputs::commit(shown.key(), &inputs, &Secret(SECRET)).unwrap();
    assert_eq!(prove(&case.epoch, &run, &others), Some("RUN_OTHER"));
    let of_public = case.prover.run(&inputs).unwrap();
    assert_eq!(prove(&case.epoch, &of_public, own), Some("RUN_OTHER"));
    let mut other = case.inputs.clone();
    other[0][0] ^= 1;
    let others = Inputs::commit(case.key(), &views(&other), &Secret(SECRET)).unwrap();
    assert_eq!(prove(&case.epoch, &run, &others), Some("RUN_OTHER"));
    // An epoch for public inputs, and one for private ones.
    assert_eq!(prove(&shown.epoch, &of_shown, own), Some("EPOCH_KIND"));
    let proof = case
        .epoch
        .prove(&of_public, &inputs, STATEMENT, 0, &mut |_| true);
    assert_eq!(proof.unwrap_err().code(), "EPOCH_KIND");
    let public = shown.prover.run_private(&inputs).unwrap();
    let proof = shown
        .epoch
        .prove(&public, &inputs, STATEMENT, 0, &mut |_| true);
    assert_eq!(proof.unwrap_err().code(), "RUN_OTHER");
    assert_eq!(prove(&case.epoch, &run, own), None);
}

/// Epochs begin at a key, or at an epoch for links.
#[test]
fn epochs_for_private_inputs_begin_where_those_for_public_ones_do() {
    let case = case(clamps(-40, 90), Profile::Default);
    let links = case.prover.begin(0, &mut |_| true).unwrap();
    assert!(!links.proves() && !links.is_private());
    let epoch = links.begin_private(0, &mut |_| true).unwrap();
    assert!(epoch.proves() && epoch.is_private());
    assert_eq!(epoch.commitment().kind(), Kind::PrivateInputs);
    assert_eq!(epoch.openings(), u64::from(OPENINGS.proofs));
    let refused = epoch.begin_private(0, &mut |_| true).err();
    assert_eq!(refused, Some(ProveError::EpochKind));
    let case = Case { epoch, ..case };
    let inputs = Inputs::commit(case.key(), &views(&case.inputs), &Secret(SECRET)).unwrap();
    let case = case.committed_to(inputs);
    assert_eq!(case.verdict(), "");
}

/// A layer of a given input, and the columns that the input is committed in.
fn layer() -> (Case, Vec<Vec<Base>>) {
    let mut b = Builder::new(3);
    let x = b.input(&[3, 5], -9, 9);
    let y = b.linear(x, 2, true);
    let y = b.rescale(y, &[1], 0, 4, -2000, 2000);
    let case = private(b.finish(&[y]), Profile::Default);
    let vector = case.proofs().inputs().unwrap();
    let columns = vector.cells(&views(&case.inputs));
    (case, columns)
}

/// The case with other columns under the root of its inputs.
fn lying(case: Case, columns: &[Vec<Base>]) -> Case {
    let inputs = Inputs::lying(case.key(), &views(&case.inputs), &Secret(SECRET), columns);
    case.committed_to(inputs.unwrap())
}

#[test]
fn another_input_than_was_committed_to_is_rejected() {
    let (case, mut columns) = layer();
    columns[0][0] += Base::ONE;
    assert_eq!(lying(case, &columns).verdict(), "OPENING_INVALID");
}

/// What a result reads is searched for by `claim_reduction/tests/relations/declared.rs`: here an input is read by nothing, so
/// that one claim is left of it, at the point of its limbs.
#[test]
fn what_stands_in_the_padding_of_an_input_is_what_its_limbs_say() {
    let mut b = Builder::new(3);
    let (x, _) = (b.input(&[3, 5], -9, 9), b.input(&[3, 5], -9, 9));
    let y = b.linear(x, 2, true);
    let case = private(b.finish(&[y]), Profile::Default);
    let vector = case.proofs().inputs().unwrap();
    let mut columns = vector.cells(&views(&case.inputs));
    // Rows of eight cells, of which five are elements.
    columns[1][5] = Base::ONE;
    let padded = lying(case, &columns);
    assert_eq!(padded.verdict(), "OPENING_INVALID");
    let held = padded.proofs().relations().plan().inputs[1].clone();
    let (outputs, proof) = hidden::lie(
        &padded,
        |witness| {
            for (limbs, number) in [(&held.over, 1), (&held.under, 17)] {
                for limb in limbs {
                    let part = number >> limb.shift & ((1 << limb.bits) - 1);
                    witness.columns.committed[limb.column][5] = Base::from_u32(part);
                }
            }
            liar::recount(padded.proofs().relations(), witness);
        },
        transcript::Transcript::new(),
        &mut liar::honest,
    );
    let proof = proof.encode(padded.key());
    assert_eq!(verdict(&padded, root(&padded), &outputs, &proof), "");
}

#[test]
fn an_input_out_of_its_range_is_rejected() {
    for (element, over, under) in [(10, 19, 31), (10, 19, 30), (10, 18, 0), (-10, 31, 19)] {
        let (case, mut columns) = layer();
        columns[0][0] = Base::from_i32(element);
        let mut case = lying(case, &columns);
        let held = case.proofs().relations().plan().inputs[0].clone();
        // The outputs are those of this input, which the executor does not take.
        case.inputs[0][0] = element.clamp(-9, 9);
        let (outputs, proof) = hidden::lie(
            &case,
            |witness| {
                let mut tensors = Vec::new();
                for id in 0..case.key().graph().tensors() {
                    tensors.push(witness.tensors.get(id).to_vec());
                }
                tensors[0][0] = element;
                witness.tensors = executor::Tensors::holding(tensors);
                for (limbs, number) in [(&held.over, over), (&held.under, under)] {
                    for limb in limbs {
                        let part = number >> limb.shift & ((1 << limb.bits) - 1);
                        witness.columns.committed[limb.column][0] = Base::from_u32(part);
                    }
                }
                liar::recount(case.proofs().relations(), witness);
            },
            transcript::Transcript::new(),
            &mut liar::honest,
        );
        let proof = proof.encode(case.key());
        let code = verdict(&case, root(&case), &outputs, &proof);
        assert_eq!(code, "OPENING_INVALID", "{element} {over} {under}");
    }
}

/// What the verifier of public inputs would execute, and whose products wrap around.
#[test]
fn a_key_without_a_plan_for_private_inputs_serves_public_ones_and_says_so() {
    let mut b = Builder::new(1);
    let x = b.input(&[3], -40_000, 40_000);
    let square = b.node(graph::Op::Mul, &[x, x], &[3], 0, 500_000_000);
    let y = b.rescale(square, &[1], 0, 15, 0, 127);
    let y = b.linear(y, 2, false);
    let mut case = case(b.finish(&[y]), Profile::Default);
    case.inputs[0].iter_mut().for_each(|x| *x %= 20_000);
    assert_eq!(case.verdict(), "");
    let why = case.key().proofs(Visibility::Private).err().unwrap();
    assert_eq!(why.code(), "KEY_UNSUPPORTED");
    assert!(case.key().security_of_private_inputs().is_err());
    assert_eq!(case.key().openings_of(Kind::PrivateInputs), 0);
    let inputs = views(&case.inputs);
    let refused = Inputs::commit(case.key(), &inputs, &Secret(SECRET))
        .err()
        .unwrap();
    assert_eq!(refused.code(), "KEY_UNSUPPORTED");
    let (outputs, proof) = case.prove();
    let code = verdict(&case, SECRET, &outputs, &proof);
    assert_eq!(code, "INPUTS_PUBLIC_ONLY");
    let links = case.prover.begin(0, &mut |_| true);
    let epoch = links.unwrap().begin_private(0, &mut |_| true).err();
    assert_eq!(epoch, Some(ProveError::EpochKind));
}

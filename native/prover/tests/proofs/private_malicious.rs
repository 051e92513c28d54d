//! Provers that lie about any part of their witness or about what they send; and transcripts with an absorb left out. What is hidden is checked by the one opening, so
//! that it is there that lies are found.

use crate::hidden::{Case, case, lie};
use crate::liar::{code, honest, recount, swap_entry};
use crate::models::{STATEMENT, choices, everything, exact, held, integers, views, vision, wide};
use claim_reduction::Visibility;
use commitment::Profile;
use graph::Graph;
use key::{PROTOCOL, Public};
use p3_field::PrimeCharacteristicRing;
use prover::relations::Witness;
use transcript::{Base, Extension, Site, Transcript};

/// What a proof of the mode absorbs, each site once at least.
fn inventory(inputs: Visibility) -> Vec<Site> {
    let all = Site::ALL.into_iter().chain(Site::REDUCTION);
    let given = match inputs {
        Visibility::Public => Site::InputRoot,
        Visibility::Private => Site::Inputs,
    };
    let others = [Site::Commitment, given];
    let all = all.chain(Site::RELATION).chain(Site::OPENING);
    let all = all.chain(Site::PRIVATE_INPUTS);
    all.filter(|site| !others.contains(site)).collect()
}

/// A model with its inputs public, and the same with private ones.
fn both(graph: Graph, profile: Profile) -> [Case; 2] {
    let private = case(graph.clone(), profile).with_private_inputs([9; 32]);
    [case(graph, profile), private]
}

fn rejected(case: &Case, corrupt: impl Fn(&mut Witness)) -> &'static str {
    let (outputs, proof) = lie(case, corrupt, Transcript::new(), &mut honest);
    code(case.verify(&outputs, &proof.encode(case.key())))
}

fn audited(
    case: &Case,
    outputs: &[Vec<i32>],
    proof: &[u8],
    mut transcript: Transcript,
) -> (&'static str, Transcript) {
    let (inputs, root) = case.shown();
    let public = Public {
        inputs: &inputs,
        outputs: &views(outputs),
        statement: STATEMENT,
    };
    let result =
        verifier::private::verify_audited(case.key(), &public, root, proof, &mut transcript);
    (code(result), transcript)
}

#[test]
fn every_column_and_every_multiplicity_is_held() {
    for graph in [
        vision(),
        wide(),
        everything(),
        integers(),
        choices(),
        exact(),
        held(),
    ] {
        for case in both(graph, Profile::Default) {
            held_to_its_columns(&case);
        }
    }
}

fn held_to_its_columns(case: &Case) {
    assert_eq!(rejected(case, |_| ()), "");
    let plan = case.proofs().relations().plan();
    for column in 0..plan.columns.len() {
        let code = rejected(case, |witness| {
            witness.columns.committed[column][0] += Base::ONE;
        });
        assert_eq!(code, "OPENING_INVALID", "{column}");
    }
    // Counted as it is, where it is in its table.
    for column in (0..plan.columns.len()).step_by(3) {
        let code = rejected(case, |witness| {
            witness.columns.committed[column][0] += Base::ONE;
            recount(case.proofs().relations(), witness);
        });
        assert_eq!(code, "OPENING_INVALID", "{column}, counted");
    }
    for table in 0..plan.tables.len() {
        let code = rejected(case, |witness| {
            witness.multiplicities[table][0] += Base::ONE;
        });
        assert_eq!(code, "OPENING_INVALID", "{table}");
    }
}

/// The lookups are right for the lie: another entry of the table, counted as it is looked up.
#[test]
fn another_entry_of_the_table_fails_its_relation() {
    let graphs = [vision(), integers(), choices(), held()];
    let cases = graphs.map(|graph| both(graph, Profile::Conservative));
    for case in cases.into_iter().flatten() {
        let relations = case.proofs().relations();
        for number in (0..relations.plan().lookups.len()).step_by(2) {
            let code = rejected(&case, |witness| swap_entry(relations, witness, number));
            assert_eq!(code, "OPENING_INVALID", "lookup {number}");
        }
    }
}

#[test]
fn a_wrong_output_is_rejected() {
    // Each output has other values in its range.
    let graphs = [vision(), everything(), integers(), choices(), held()];
    let cases = graphs.map(|graph| both(graph, Profile::Default));
    for case in cases.into_iter().flatten() {
        for output in 0..case.key().graph().outputs.len() {
            let code = rejected(&case, |witness| {
                let value = &mut witness.outputs[output][0];
                *value += if *value > 0 { -1 } else { 1 };
            });
            assert_eq!(code, "OPENING_INVALID", "{output}");
        }
    }
}

#[test]
fn each_message_of_the_reduction_is_checked() {
    let graphs = [(everything(), 5), (integers(), 3)];
    let cases = graphs.map(|(graph, step)| both(graph, Profile::Default).map(|case| (case, step)));
    for (case, step) in cases.into_iter().flatten() {
        let mut lengths = Vec::new();
        lie(&case, |_| (), Transcript::new(), &mut |_, message| {
            lengths.push(message.len());
        });
        for number in (0..lengths.len()).step_by(step) {
            let index = number % lengths[number];
            let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut |message, values| {
                if message == number {
                    values[index] += Extension::ONE;
                }
            });
            let code = code(case.verify(&outputs, &proof.encode(case.key())));
            assert_eq!(code, "OPENING_INVALID", "message {number}");
        }
    }
}

#[test]
fn the_transcript_absorbs_exactly_its_inventory() {
    for case in both(vision(), Profile::Default) {
        absorbs_its_inventory(&case);
    }
}

fn absorbs_its_inventory(case: &Case) {
    let (outputs, proof) = case.prove();
    let (code, transcript) = audited(case, &outputs, &proof, Transcript::new());
    assert_eq!(code, "");
    let log = transcript.log();
    let private = case.private.is_some();
    let given = if private {
        (Site::InputRoot, 32)
    } else {
        (Site::Inputs, 4 * 60)
    };
    let expected = [
        (Site::Protocol, PROTOCOL.len()),
        (Site::Key, 32),
        (Site::Statement, 32),
        given,
        (Site::Outputs, 4 * 3),
        (Site::Witness, 32),
    ];
    assert_eq!(log[..6], expected);
    // All padded elements, then the relation proof, then the opening.
    let relation = log
        .iter()
        .position(|&(site, _)| site == Site::RelationMasks)
        .unwrap();
    let sent: usize = log[6..relation].iter().map(|&(_, length)| length).sum();
    assert_eq!(sent, 20 * case.proofs().relations().sent());
    let variables = relation::Shape::new(case.proofs().relations().products()).variables;
    let mut ends = vec![(Site::RelationMasks, 20)];
    ends.extend(vec![(Site::RelationRound, 60); variables]);
    ends.push((Site::RelationFactors, 40));
    // All roots and the value.
    let roots = if private { 3 } else { 2 };
    ends.push((Site::Opening, 32 * roots + 20));
    assert_eq!(log[relation..relation + ends.len()], ends);
    let mut seen: Vec<Site> = log.iter().map(|&(site, _)| site).collect();
    seen.sort();
    seen.dedup();
    let mut inventory = inventory(case.visibility());
    inventory.sort();
    assert_eq!(seen, inventory);
}

#[test]
fn an_absorb_left_out_on_either_side_is_noticed() {
    for case in both(vision(), Profile::Default) {
        notices_what_is_left_out(&case);
    }
}

fn notices_what_is_left_out(case: &Case) {
    let (outputs, proof) = case.prove();
    for site in inventory(case.visibility()) {
        let without = || Transcript::without(site);
        let (_, bare) = lie(case, |_| (), without(), &mut honest);
        let bare = bare.encode(case.key());
        assert_ne!(code(case.verify(&outputs, &bare)), "", "{site:?}");
        assert_ne!(audited(case, &outputs, &proof, without()).0, "", "{site:?}");
        // With the same left out on both sides it is noticed by nobody: the site is used.
        assert_eq!(audited(case, &outputs, &bare, without()).0, "", "{site:?}");
    }
}

/// Were the statement not absorbed, a proof could be given for another one.
#[test]
fn a_proof_is_replayed_where_the_statement_is_not_absorbed() {
    let case = case(vision(), Profile::Default);
    let without = || Transcript::without(Site::Statement);
    let (outputs, proof) = lie(&case, |_| (), without(), &mut honest);
    let proof = proof.encode(case.key());
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(&outputs),
        statement: [9; 32],
    };
    let replayed =
        verifier::private::verify_audited(case.key(), &public, None, &proof, &mut without());
    assert_eq!(code(replayed), "");
    let live = verifier::private::verify(case.key(), &public, &proof);
    assert_eq!(code(live), "OPENING_INVALID");
}

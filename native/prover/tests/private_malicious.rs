//! Provers of the private mode that lie about any part of their witness or about what they send; and transcripts with an absorb left out. What is hidden is checked by the one opening, so
//! that it is there that lies are found.
mod hidden;
mod liar;
mod models;

use commitment::Profile;
use hidden::{Case, case, lie};
use key::{Mode, Public};
use liar::{code, honest, recount, swap_entry};
use models::{STATEMENT, choices, everything, exact, held, integers, views, vision, wide};
use p3_field::PrimeCharacteristicRing;
use prover::committed::Witness;
use transcript::{Base, Extension, Site, Transcript};

/// What a proof of the mode absorbs, each site once at least.
fn inventory() -> Vec<Site> {
    let all = Site::ALL.into_iter().chain(Site::COMMITTED);
    let others = [Site::Commitment, Site::ContractionOutputs];
    let all = all.chain(Site::RELATION).chain(Site::OPENING);
    all.filter(|site| !others.contains(site)).collect()
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
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(outputs),
        statement: STATEMENT,
    };
    let result = verifier::private::verify_audited(case.key(), &public, proof, &mut transcript);
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
        let case = case(graph, Profile::Default);
        assert_eq!(rejected(&case, |_| ()), "");
        let plan = case.key().relations().plan();
        for column in 0..plan.columns.len() {
            let code = rejected(&case, |witness| {
                witness.columns.committed[column][0] += Base::ONE;
            });
            assert_eq!(code, "OPENING_INVALID", "{column}");
        }
        // Counted as it is, where it is in its table.
        for column in (0..plan.columns.len()).step_by(3) {
            let code = rejected(&case, |witness| {
                witness.columns.committed[column][0] += Base::ONE;
                recount(case.key().relations(), witness);
            });
            assert_eq!(code, "OPENING_INVALID", "{column}, counted");
        }
        for table in 0..plan.tables.len() {
            let code = rejected(&case, |witness| {
                witness.multiplicities[table][0] += Base::ONE;
            });
            assert_eq!(code, "OPENING_INVALID", "{table}");
        }
    }
}

/// The lookups are right for the lie: another entry of the table, counted as it is looked up.
#[test]
fn another_entry_of_the_table_fails_its_relation() {
    for graph in [vision(), integers(), choices(), held()] {
        let case = case(graph, Profile::Conservative);
        let relations = case.key().relations();
        for number in (0..relations.plan().lookups.len()).step_by(2) {
            let code = rejected(&case, |witness| swap_entry(relations, witness, number));
            assert_eq!(code, "OPENING_INVALID", "lookup {number}");
        }
    }
}

#[test]
fn a_wrong_output_is_rejected() {
    // Each output has other values in its range.
    for graph in [vision(), everything(), integers(), choices(), held()] {
        let case = case(graph, Profile::Default);
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
    for (graph, step) in [(everything(), 3), (integers(), 2)] {
        let case = case(graph, Profile::Default);
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
    let case = case(vision(), Profile::Default);
    let (outputs, proof) = case.prove();
    let (code, transcript) = audited(&case, &outputs, &proof, Transcript::new());
    assert_eq!(code, "");
    let log = transcript.log();
    let expected = [
        (Site::Protocol, Mode::Private.protocol().len()),
        (Site::Key, 32),
        (Site::Statement, 32),
        (Site::Inputs, 4 * 60),
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
    assert_eq!(sent, 20 * case.key().relations().sent());
    let variables = relation::Shape::new(case.key().relations().products()).variables;
    let mut ends = vec![(Site::RelationMasks, 20)];
    ends.extend(vec![(Site::RelationRound, 60); variables]);
    ends.push((Site::RelationFactors, 40));
    // Both roots and the value.
    ends.push((Site::Opening, 32 + 32 + 20));
    assert_eq!(log[relation..relation + ends.len()], ends);
    let mut seen: Vec<Site> = log.iter().map(|&(site, _)| site).collect();
    seen.sort();
    seen.dedup();
    let mut inventory = inventory();
    inventory.sort();
    assert_eq!(seen, inventory);
}

#[test]
fn an_absorb_left_out_on_either_side_is_noticed() {
    let case = case(vision(), Profile::Default);
    let (outputs, proof) = case.prove();
    for site in inventory() {
        let without = || Transcript::without(site);
        let (_, bare) = lie(&case, |_| (), without(), &mut honest);
        let bare = bare.encode(case.key());
        assert_ne!(code(case.verify(&outputs, &bare)), "", "{site:?}");
        assert_ne!(
            audited(&case, &outputs, &proof, without()).0,
            "",
            "{site:?}"
        );
        // With the same left out on both sides it is noticed by nobody: the site is used.
        assert_eq!(audited(&case, &outputs, &bare, without()).0, "", "{site:?}");
    }
}

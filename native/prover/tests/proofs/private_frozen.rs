//! Whole proofs under frozen challenges: whatever a prover draws anew has to change every word that it
//! sends, since the messages themselves are then the same each time.

use crate::hidden::{Case, case, lie_with};
use crate::liar::honest;
use crate::models::graphs::clamps;
use crate::models::{STATEMENT, integers, views};
use commitment::Profile;
use hiding::{Context, Randomness, Secret};
use key::Public;
use prover::private::Inputs;
use std::collections::{BTreeMap, BTreeSet};
use transcript::{Extension, Transcript};
use verifier::private::Proof;

/// Proofs that are compared.
const PROOFS: u8 = 24;
/// Bytes of a word.
const WORD: usize = 4;

fn proved(case: &Case, seed: u8) -> Proof {
    let (outputs, proof) = lie_with(case, [seed; 32], |_| (), Transcript::deaf(), &mut honest);
    let (inputs, root) = case.shown();
    let public = Public {
        inputs: &inputs,
        outputs: &views(&outputs),
        statement: STATEMENT,
    };
    let bytes = proof.encode(case.key());
    let mut transcript = Transcript::deaf();
    let verdict =
        verifier::private::verify_audited(case.key(), &public, root, &bytes, &mut transcript);
    assert_eq!(verdict, Ok(()));
    // Its negative neighbour: challenges that depend on what is absorbed are others.
    assert!(case.verify(&outputs, &bytes).is_err());
    proof
}

/// The pads that a prover draws first.
fn pads(case: &Case, seed: u8) -> Vec<Extension> {
    let nothing = [0; 32];
    let context = Context {
        statement: &nothing,
        witness: &nothing,
        key: &nothing,
        slot: 0,
    };
    Randomness::of_seed(&[seed; 32], &context).extensions(case.proofs().pads().count())
}

#[test]
fn each_element_is_sent_under_its_own_pad_and_under_no_other() {
    let private = case(clamps(-40, 90), Profile::Default).with_private_inputs([9; 32]);
    let public = [clamps(-40, 90), integers()].map(|graph| case(graph, Profile::Default));
    for case in public.into_iter().chain([private]) {
        let mut messages = None;
        for seed in 0..PROOFS {
            let proof = proved(&case, seed);
            let sent = proof.sent.iter().zip(pads(&case, seed));
            let plain: Vec<Extension> = sent.map(|(&sent, pad)| sent - pad).collect();
            let first = messages.get_or_insert_with(|| plain.clone());
            assert_eq!(*first, plain);
        }
    }
}

/// The words of each field, position by position, over all proofs.
fn words(case: &Case, proofs: &[Proof]) -> BTreeMap<(&'static str, usize), Vec<Vec<u32>>> {
    let mut all: BTreeMap<(&'static str, usize), Vec<Vec<u32>>> = BTreeMap::new();
    for proof in proofs {
        let written = proof.write(case.key());
        let ends = written.fields.iter().skip(1).map(|&(_, start)| start);
        let ends = ends.chain([written.bytes.len()]);
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (&(name, start), end) in written.fields.iter().zip(ends) {
            let number = seen.entry(name).or_default();
            let own = all.entry((name, *number)).or_default();
            *number += 1;
            let words = written.bytes[start..end].chunks_exact(WORD);
            let words = words.map(|word| u32::from_le_bytes(word.try_into().unwrap()));
            own.push(words.collect());
        }
    }
    all
}

/// Fields with words that are the same in proofs, by name and number. All others are to be spread evenly.
fn constant(case: &Case, proofs: &[Proof]) -> BTreeSet<(&'static str, usize)> {
    let mut constant = BTreeSet::new();
    for ((name, number), of_proofs) in words(case, proofs) {
        // Work, lengths and hashes hide nothing that they are made of; nor has the version a word.
        // Links are those of the epoch, so of all of its proofs; their own tests are `private_links.rs`.
        let elements = !["work", "count", "siblings", "root", "witness", "link"]
            .iter()
            .any(|other| name.contains(other));
        if !elements {
            continue;
        }
        let (mut low, mut words) = ([0_usize; 256], 0);
        for position in 0..of_proofs[0].len() {
            let values: BTreeSet<u32> = of_proofs.iter().map(|words| words[position]).collect();
            // Of 2^31 values, two of 24 are equal once in some seven million positions.
            if values.len() + 1 < of_proofs.len() {
                constant.insert((name, number));
                continue;
            }
            words += of_proofs.len();
            for words in &of_proofs {
                low[(words[position] & 255) as usize] += 1;
            }
        }
        let expected = words as f64 / 256.0;
        if expected < 5.0 {
            continue;
        }
        let square = |&count: &usize| (count as f64 - expected).powi(2) / expected;
        let statistic: f64 = low.iter().map(square).sum();
        // Eight standard deviations of chi-square with 255 degrees.
        let most = 255.0 + 8.0 * (2.0 * 255.0_f64).sqrt();
        assert!(statistic < most, "{name} {number}: {statistic}");
    }
    constant
}

#[test]
fn every_word_that_is_sent_changes_and_is_spread_evenly() {
    for profile in Profile::OFF_CHAIN {
        // Each with a commitment of its own to the same weights.
        let cases = (0..PROOFS).map(|seed| (case(integers(), profile), seed));
        let proofs: Vec<Proof> = cases.map(|(case, seed)| proved(&case, seed)).collect();
        let any = case(integers(), profile);
        assert_eq!(constant(&any, &proofs), BTreeSet::new());
    }
}

#[test]
fn every_word_changes_and_is_spread_evenly_where_inputs_are_private() {
    for profile in Profile::OFF_CHAIN {
        let own = |seed| case(clamps(-40, 90), profile).with_private_inputs([seed; 32]);
        let proofs: Vec<Proof> = (0..PROOFS).map(|seed| proved(&own(seed), seed)).collect();
        assert_eq!(constant(&own(0), &proofs), BTreeSet::new());
    }
}

/// What one commitment to inputs shows at the same challenges, in proofs of epochs of their own: leaves of the
/// third tree at the same places, and values of its column of masks. So its openings are counted too.
#[test]
fn control_of_one_commitment_to_inputs_some_words_are_the_same() {
    let own = || case(clamps(-40, 90), Profile::Default);
    let first = own().with_private_inputs([9; 32]);
    let cells = first
        .proofs()
        .inputs()
        .unwrap()
        .cells(&views(&first.inputs));
    let proofs: Vec<Proof> = (0..PROOFS)
        .map(|seed| {
            let case = own().with_private_inputs([9; 32]);
            // Keys differ, and with them what a secret makes: the tree is the first one's.
            let inputs = Inputs::lying(first.key(), &views(&case.inputs), &Secret([9; 32]), &cells);
            proved(&case.committed_to(inputs.unwrap()), seed)
        })
        .collect();
    let expected = BTreeSet::from([("opening: leaves", 2), ("opening: values of masks", 0)]);
    assert_eq!(constant(&first, &proofs), expected);
}

/// What one commitment to weights shows at the same challenges is the same each time: leaves at the same
/// places, values of the half, and the weights' share in the last round of the fold, where that is sent. So
/// openings are counted; nothing else is the same.
#[test]
fn control_of_one_commitment_to_weights_some_words_are_the_same() {
    for (profile, share) in Profile::OFF_CHAIN.into_iter().zip([false, true]) {
        let case = case(integers(), profile);
        let proofs: Vec<Proof> = (0..PROOFS).map(|seed| proved(&case, seed)).collect();
        let mut expected =
            BTreeSet::from([("opening: leaves", 1), ("opening: values of masks", 0)]);
        expected.extend(share.then_some(("opening: first fold", 0)));
        assert_eq!(constant(&case, &proofs), expected);
    }
    // And with the same seed all of them are.
    let case = case(clamps(-40, 90), Profile::Default);
    let same: Vec<Proof> = (0..3).map(|_| proved(&case, 7)).collect();
    assert!(same.iter().all(|proof| *proof == same[0]));
}

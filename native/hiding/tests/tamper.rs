//! Every field of an opening is bound: by a check, by a root, or by the transcript.

mod common;

use commitment::{Malformed, Profile};
use common::{Case, beside};
use hiding::{Committed, Opening};
use std::collections::BTreeMap;
use transcript::{Site, Transcript};

fn joint() -> Case {
    by(Profile::Default)
}

fn by(profile: Profile) -> Case {
    let others = [beside(&[13], 0, false), beside(&[9, 10], 1, true)];
    Case::new(&[10, 8, 9], &others, profile)
}

fn accepted(case: &Case, bytes: &[u8]) -> bool {
    case.decode(bytes)
        .is_ok_and(|opening| case.check(&opening).is_ok())
}

#[test]
fn a_change_of_any_field_is_rejected() {
    change_all_fields(&joint());
}

#[test]
fn a_change_of_any_field_is_rejected_by_keccak() {
    change_all_fields(&by(Profile::Evm));
}

fn change_all_fields(case: &Case) {
    let written = case.encode(&case.open());
    assert!(accepted(case, &written.bytes));
    let mut ends: Vec<usize> = written.fields.iter().map(|&(_, first)| first).collect();
    ends.push(written.bytes.len());
    let mut seen = BTreeMap::<&str, usize>::new();
    for (&(name, first), &end) in written.fields.iter().zip(&ends[1..]) {
        *seen.entry(name).or_default() += 1;
        if first == end {
            continue;
        }
        for place in [first, usize::midpoint(first, end), end - 1] {
            for bit in [0, 5] {
                let mut bytes = written.bytes.clone();
                bytes[place] ^= 1 << bit;
                assert!(!accepted(case, &bytes), "{name}, byte {}", place - first);
            }
        }
    }
    // The manifest: one later code, three first trees and one later one.
    let expected = BTreeMap::from([
        ("opening: values of masks", 1),
        ("opening: padded answer", 1),
        ("opening: first fold", 1),
        ("opening: claim of the pad", 1),
        ("opening: tail", 1),
        ("opening: root", 1),
        ("opening: answers", 1),
        ("opening: work", 2),
        ("opening: leaves", 4),
        ("opening: count of siblings", 4),
        ("opening: siblings", 4),
        ("opening: fold", 1),
        ("opening: last polynomial", 1),
        ("opening: last fold", 1),
    ]);
    assert_eq!(seen, expected);
}

#[test]
fn bytes_that_are_missing_left_over_or_not_canonical_are_rejected() {
    let case = joint();
    let bytes = case.encode(&case.open()).bytes;
    for length in [0, 1, 60, bytes.len() / 2, bytes.len() - 1] {
        assert!(!accepted(&case, &bytes[..length]));
    }
    assert!(!accepted(&case, &[&bytes[..], &[0]].concat()));
    let mut other = bytes;
    other[..4].copy_from_slice(&2_130_706_433_u32.to_le_bytes());
    assert!(case.decode(&other).is_err());
}

#[test]
fn more_siblings_than_all_paths_of_a_tree_have_are_refused() {
    // log2 of the leaves of the first trees.
    const DEPTH: usize = 11;
    let case = joint();
    let written = case.encode(&case.open());
    let mut fields = written.fields.iter();
    let (_, place) = fields
        .find(|(name, _)| *name == "opening: count of siblings")
        .unwrap();
    let refusal = |count: usize| {
        let mut bytes = written.bytes[..*place].to_vec();
        bytes.extend_from_slice(&(count as u32).to_le_bytes());
        bytes.resize(bytes.len() + 32 * count, 0);
        case.decode(&bytes).unwrap_err()
    };
    let most = case.shape.queries() * DEPTH;
    assert_eq!(refusal(most), Malformed::Short);
    assert_eq!(refusal(most + 1), Malformed::Count);
}

fn prove(case: &Case, transcript: &mut Transcript) -> Opening {
    let committed: Vec<&Committed> = case.committed.iter().collect();
    case.shape
        .prove_again(&committed, &case.claim, transcript)
        .unwrap()
}

#[test]
fn what_is_absorbed_is_the_inventory_and_in_its_order() {
    let case = joint();
    let mut prover = case.begin();
    let opening = prove(&case, &mut prover);
    let mut verifier = case.begin();
    let roots = case.roots();
    let verdict = case
        .shape
        .verify(&roots, &case.claim, &opening, &mut verifier);
    assert_eq!(verdict, Ok(()));
    assert_eq!(prover.log(), verifier.log());
    let element = 20;
    let mut expected = vec![
        (Site::Witness, 3 * 32),
        (Site::Opening, 3 * 32 + element),
        (Site::OpeningMasks, 3 * 3 * element),
        (Site::OpeningSample, element),
    ];
    let log = prover.log();
    let folds = log[expected.len()..]
        .iter()
        .take_while(|(site, _)| *site == Site::OpeningRound)
        .count();
    assert!(folds > 6);
    expected.extend(vec![(Site::OpeningRound, 2 * element); folds]);
    let tail = case.shape.queries() + 1;
    expected.extend([
        (Site::OpeningPad, element),
        (Site::OpeningTail, tail * element),
        (Site::OpeningRoot, 32),
        (Site::OpeningAnswer, element),
    ]);
    expected.extend(vec![(Site::OpeningRound, 2 * element); 4]);
    expected.push((Site::OpeningLast, 8 * element));
    expected.extend(vec![(Site::OpeningRound, 2 * element); 3]);
    assert_eq!(log, expected);
}

#[test]
fn leaving_out_any_site_on_either_side_is_rejected() {
    for profile in [Profile::Default, Profile::Evm] {
        leave_out_all_sites(&by(profile));
    }
}

fn leave_out_all_sites(case: &Case) {
    let roots = case.roots();
    let started = |site: Option<Site>| match site {
        Some(site) => case.begin().leaving_out(site),
        None => case.begin(),
    };
    let whole = prove(case, &mut started(None));
    let verify = |opening: &Opening, site| {
        let claim = &case.claim;
        case.shape
            .verify(&roots, claim, opening, &mut started(site))
    };
    for site in Site::OPENING {
        let without = prove(case, &mut started(Some(site)));
        assert!(verify(&without, None).is_err(), "{site:?}");
        assert!(verify(&whole, Some(site)).is_err(), "{site:?}");
        // Its negative neighbour: where both leave it out, nothing else is wrong.
        assert_eq!(verify(&without, Some(site)), Ok(()), "{site:?}");
    }
}

#[test]
fn an_opening_by_one_hash_is_none_by_another() {
    let case = by(Profile::Default);
    let opening = case.open();
    let roots = case.roots();
    let mut transcript = common::begin(Profile::Evm, &roots);
    let verdict = case
        .shape
        .verify(&roots, &case.claim, &opening, &mut transcript);
    assert!(verdict.is_err());
}

//! Links: a chain of honest ones verifies, and none that a prover lies in.

use crate::hidden::{Case, OPENINGS, case, drawn, drawn_parameters, parameters, seeded_by};
use crate::models::graphs::clamps;
use crate::models::{STATEMENT, views, vision};
use claim_reduction::Visibility;
use commitment::Profile;
use graph::Values;
use hiding::Randomness;
use key::{Kind, LINK_PROTOCOL, MAX_LINKS, PrivateKey, Public};
use p3_field::PrimeCharacteristicRing;
use prover::ProveError;
use prover::private::{Epoch, Lie, ProvingKey};
use std::collections::BTreeSet;
use transcript::{Extension, Site, Transcript};
use verifier::Rejection;
use verifier::private::chain::read_all;
use verifier::private::{Commitment, Known, Link, Proof, verify_knowing};

fn small() -> Case {
    case(clamps(-40, 90), Profile::Default)
}

fn code(result: Result<Commitment, Rejection>) -> &'static str {
    result.map_or_else(|rejection| rejection.code(), |_| "")
}

/// The verdict on a case's proof with its links changed.
fn relinked(case: &Case, change: impl FnOnce(&mut Vec<Link>)) -> &'static str {
    let (outputs, proof) = case.prove();
    let mut proof = Proof::decode(case.key(), Visibility::Public, &proof).unwrap();
    change(&mut proof.links);
    let verdict = case.verify(&outputs, &proof.encode(case.key()));
    verdict.map_or_else(|rejection| rejection.code(), |()| "")
}

#[test]
fn proofs_behind_one_link_or_two_verify_and_their_names_are_distinct() {
    for profile in Profile::OFF_CHAIN {
        let case = case(parameters(), profile).behind_two_links();
        assert_eq!(case.verdict(), "");
        let mut names = BTreeSet::from([case.key().digest(), case.prover.commitment().digest()]);
        assert_eq!(names.len(), 1);
        let [links, proofs] = case.epoch.links() else {
            panic!("two links");
        };
        assert_eq!((links.kind, proofs.kind), (Kind::Links, Kind::Proofs));
        let of_links = links.verify(case.key(), case.prover.commitment()).unwrap();
        let of_proofs = proofs.verify(case.key(), &of_links).unwrap();
        assert_eq!(of_proofs.digest(), case.epoch.commitment().digest());
        names.extend([of_links.digest(), of_proofs.digest()]);
        let honest = || Lie::default();
        let other = case
            .prover
            .begin_lying(Kind::Proofs, 0, &Randomness::new, honest());
        names.insert(other.unwrap().commitment().digest());
        assert_eq!(names.len(), 4);
    }
}

#[test]
fn epochs_are_begun_by_what_the_key_says() {
    let case = small();
    let beginning = |openings: key::Openings| {
        let (weights, _) = drawn(case.key().graph(), 77);
        let values = Values {
            weights: &weights,
            parameters: &[],
        };
        let graph = case.key().graph().clone();
        let made = ProvingKey::with_openings(graph, &values, Profile::Default, openings);
        made.unwrap().0
    };
    let without = key::Openings {
        links: 0,
        ..OPENINGS
    };
    let direct = beginning(without).begin(0, &mut |_| true).unwrap();
    assert!(direct.proves());
    assert_eq!(direct.openings(), 2);
    let again = direct.begin(0, &mut |_| true).err();
    assert_eq!(again, Some(ProveError::EpochKind));
    assert_eq!(ProveError::EpochKind.code(), "EPOCH_KIND");
    let key = beginning(OPENINGS);
    let links = key.begin(0, &mut |_| true).unwrap();
    assert!(!links.proves());
    let inputs = views(&case.inputs);
    let run = key.run(&inputs).unwrap();
    let proof = links.prove(&run, &inputs, STATEMENT, 0, &mut |_| true);
    assert_eq!(proof.err(), Some(ProveError::EpochKind));
    // A run of another key's.
    let epoch = links.begin(1, &mut |_| true).unwrap();
    let other = case.prover.run(&inputs).unwrap();
    let proof = epoch.prove(&other, &inputs, STATEMENT, 0, &mut |_| true);
    assert_eq!(proof.err(), Some(ProveError::OtherRun));
    assert_eq!(ProveError::OtherRun.code(), "RUN_OTHER");
    // Each opening once; and cancelled before it is made, not at all.
    let spent = links.begin(1, &mut |_| true).err();
    assert_eq!(spent, Some(ProveError::Spent(1)));
    let cancelled = links
        .begin(0, &mut |phase| phase != prover::Phase::Open)
        .err();
    assert_eq!(cancelled, Some(ProveError::Cancelled));
    assert!(links.begin(0, &mut |_| true).is_ok());
    // The key's last opening is for rotation.
    let slot = |slot| ProveError::Slot { slot, openings: 1 };
    assert_eq!(key.begin(1, &mut |_| true).err(), Some(slot(1)));
    assert!(key.rotate(1).is_ok());
    let beyond = ProveError::Slot {
        slot: 2,
        openings: 2,
    };
    assert_eq!(key.rotate(2).err(), Some(beyond));
}

#[test]
fn a_key_is_read_with_its_own_weights_and_secret_only() {
    let graph = parameters();
    let (weights, inputs) = drawn(&graph, 77);
    let given = drawn_parameters(&graph, 77);
    let values = Values {
        weights: &weights,
        parameters: &given,
    };
    for profile in Profile::OFF_CHAIN {
        let made = ProvingKey::with_openings(graph.clone(), &values, profile, OPENINGS);
        let (made, secret) = made.unwrap();
        let bytes = made.private_key().encode();
        let load = |values: &Values<'_>, secret| ProvingKey::load(&bytes, values, secret, &[]);
        let read = load(&values, secret).unwrap();
        assert_eq!(read.commitment().digest(), made.private_key().digest());
        let epoch = read.begin_lying(Kind::Proofs, 0, &Randomness::new, Lie::default());
        let case = Case::new(read, epoch.unwrap(), inputs.clone());
        assert_eq!(case.verdict(), "");
        let mut other = secret;
        other.0[0] ^= 1;
        let refused = |values, secret| load(values, secret).err();
        assert_eq!(refused(&values, other), Some(ProveError::OtherWeights));
        let mut changed = weights.clone();
        changed[3] ^= 1;
        let others = Values {
            weights: &changed,
            ..values
        };
        assert_eq!(refused(&others, secret), Some(ProveError::OtherWeights));
        let mut changed = given.clone();
        changed[0] += if changed[0] < 1000 { 1 } else { -1 };
        let others = Values {
            parameters: &changed,
            ..values
        };
        assert_eq!(refused(&others, secret), Some(ProveError::OtherWeights));
    }
}

#[test]
fn a_key_that_is_renewed_proves_under_the_first_one() {
    let case = small();
    let (weights, _) = drawn(case.key().graph(), 77);
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    let bytes = case.key().encode();
    let load = |secret, links: &[u8]| ProvingKey::load(&bytes, &values, secret, links);
    let (first, secret) = case.prover.rotate(1).unwrap();
    let renewed = load(secret, &first).unwrap();
    assert_eq!(renewed.private_key().digest(), case.key().digest());
    assert_ne!(renewed.commitment().digest(), case.key().digest());
    // With the links of another rotation the secret is of no commitment; without them, neither.
    let (other, other_secret) = renewed.rotate(1).unwrap();
    let again = load(other_secret, &other).unwrap();
    let refused = |secret, links| load(secret, links).err();
    assert_eq!(refused(secret, &other), Some(ProveError::OtherWeights));
    assert_eq!(refused(secret, &[]), Some(ProveError::OtherWeights));
    let short = refused(secret, &first[..first.len() - 1]).unwrap();
    assert_eq!(short.code(), "PROOF_MALFORMED");
    let mut wrong = first.clone();
    wrong[40] ^= 1;
    assert_eq!(refused(secret, &wrong).unwrap().code(), "LINK_INVALID");
    // Proofs of both verify under the key that there was first, and no link can be left out.
    for (prover, length) in [(renewed, 3), (again, 4)] {
        let links = prover.begin(0, &mut |_| true).unwrap();
        let epoch = links.begin(0, &mut |_| true).unwrap();
        assert_eq!(epoch.links().len(), length);
        let inputs = case.inputs.clone();
        let case = Case::new(prover, epoch, inputs);
        assert_eq!(case.verdict(), "");
        for index in 0..length {
            let verdict = relinked(&case, |links| {
                links.remove(index);
            });
            let codes = ["LINK_INVALID", "LINK_KIND", "LINK_END", "PROOF_MALFORMED"];
            assert!(codes.contains(&verdict), "{index}: {verdict}");
        }
        if length == 4 {
            // The two rotations in another order.
            assert_eq!(relinked(&case, |links| links.swap(0, 1)), "LINK_INVALID");
        }
    }
}

#[test]
fn a_key_is_renewed_as_often_as_proofs_have_room_for_its_links() {
    let case = small();
    let (weights, _) = drawn(case.key().graph(), 77);
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    let bytes = case.key().encode();
    let mut latest: Option<ProvingKey> = None;
    let mut rotated = Vec::new();
    for _ in 0..MAX_LINKS - 2 {
        let (links, secret) = latest.as_ref().unwrap_or(&case.prover).rotate(1).unwrap();
        latest = Some(ProvingKey::load(&bytes, &values, secret, &links).unwrap());
        rotated.push(links);
    }
    let latest = latest.unwrap();
    // As many are read as a chain has, whatever they say, and not one more.
    let most = rotated[0].repeat(MAX_LINKS);
    assert_eq!(read_all(case.key(), &most).unwrap().len(), MAX_LINKS);
    let more = rotated[0].repeat(MAX_LINKS + 1);
    let refused = Rejection::LinkCount(MAX_LINKS + 1);
    assert_eq!(read_all(case.key(), &more), Err(refused));
    assert_eq!(latest.rotate(1).err(), Some(ProveError::Rotations));
    assert_eq!(ProveError::Rotations.code(), "ROTATIONS_SPENT");
    let links = latest.begin(0, &mut |_| true).unwrap();
    let epoch = links.begin(0, &mut |_| true).unwrap();
    assert_eq!(epoch.links().len(), MAX_LINKS);
    let case = Case::new(latest, epoch, case.inputs);
    assert_eq!(case.verdict(), "");
    // One more is refused before any is checked.
    let more = relinked(&case, |links| links.insert(0, links[0].clone()));
    assert_eq!(more, "LINK_COUNT");
}

/// Weights with one of them changed.
fn one_changed(weights: &[i8]) -> Vec<i8> {
    let mut other = weights.to_vec();
    other[1] ^= 1;
    other
}

#[test]
fn an_epoch_of_other_weights_is_rejected_whatever_is_said_of_it() {
    for profile in Profile::OFF_CHAIN {
        let mut case = case(vision(), profile);
        let (weights, _) = drawn(case.key().graph(), 77);
        let weights = one_changed(&weights);
        let values = Some(Values {
            weights: &weights,
            parameters: &[],
        });
        let lie = Lie {
            values,
            ..Lie::default()
        };
        // w of the child is not that of the key; w of the key is not that of the child.
        let lies = [
            (lie, "LINK_INVALID"),
            (
                Lie {
                    of_parent: true,
                    ..lie
                },
                "OPENING_INVALID",
            ),
        ];
        for (lie, expected) in lies {
            case = case.lied(lie);
            assert_eq!(case.verdict(), expected, "{profile:?}");
        }
        case = case.lied(Lie::default());
        assert_eq!(case.verdict(), "");
    }
}

#[test]
fn another_value_or_another_mask_is_rejected() {
    let one = Extension::ONE;
    let honest = Lie::default();
    let lies = [
        (honest, ""),
        (
            Lie {
                value: one,
                ..honest
            },
            "LINK_INVALID",
        ),
        (
            Lie {
                mask: one,
                ..honest
            },
            "LINK_INVALID",
        ),
        // The link holds of the fresh vector and of the key, but not of the child.
        (
            Lie {
                mask: one,
                of_parent: true,
                ..honest
            },
            "OPENING_INVALID",
        ),
        // As it follows from the key, it is that of the child.
        (
            Lie {
                of_parent: true,
                ..honest
            },
            "",
        ),
    ];
    let mut case = small();
    for (lie, expected) in lies {
        case = case.lied(lie);
        assert_eq!(case.verdict(), expected);
    }
}

#[test]
fn links_of_another_key_or_epoch_lead_nowhere() {
    let case = small().behind_two_links();
    let other = small().behind_two_links();
    assert_eq!(
        relinked(&case, |links| *links = other.epoch.links().to_vec()),
        "LINK_INVALID"
    );
    // A link that was made for one parent under another one of the same key.
    let again = case
        .prover
        .begin_lying(Kind::Links, 0, &Randomness::new, Lie::default());
    let again = again.unwrap();
    assert_eq!(
        relinked(&case, |links| links[0] = again.links()[0].clone()),
        "LINK_INVALID"
    );
    // In another order, an epoch for proofs leads on.
    assert_eq!(relinked(&case, |links| links.swap(0, 1)), "LINK_KIND");
    assert_eq!(
        relinked(&case, |links| links[1] = links[0].clone()),
        "LINK_KIND"
    );
    assert_eq!(relinked(&case, |links| links.truncate(1)), "LINK_END");
    assert_eq!(relinked(&case, Vec::clear), "LINK_END");
    // Another epoch of the same key and weights, behind links that hold.
    let second = again.begin(0, &mut |_| true).unwrap();
    let links = second.links().to_vec();
    assert_eq!(relinked(&case, |own| *own = links), "OPENING_INVALID");
}

#[test]
fn a_child_of_another_kind_is_another_child() {
    let case = small();
    let link = &case.epoch.links()[0];
    let parent = case.prover.commitment();
    assert_eq!(code(link.verify(case.key(), parent)), "");
    for kind in [Kind::Key, Kind::Links] {
        let other = Link {
            kind,
            ..link.clone()
        };
        assert_eq!(code(other.verify(case.key(), parent)), "LINK_INVALID");
    }
}

/// The verifying key with other openings of epochs, of which neither shape depends on it.
#[test]
fn a_child_of_another_number_of_openings_is_another_child() {
    let case = small();
    let openings = key::Openings {
        proofs: OPENINGS.proofs - 1,
        ..OPENINGS
    };
    let graph = case.key().graph().clone();
    let other = PrivateKey::new(graph, Profile::Default, openings).unwrap();
    let (_, pin) = case.key().pin().unwrap();
    let other = other.with_commitment(case.key().root(), pin);
    let link = &case.epoch.links()[0];
    // Even where the digest of the parent is the same.
    let parent = case.prover.commitment();
    assert_eq!(code(link.verify(case.key(), parent)), "");
    assert_eq!(code(link.verify(&other, parent)), "LINK_INVALID");
}

#[test]
fn another_pin_is_that_of_no_weights_under_the_key() {
    let case = small();
    let key = || PrivateKey::decode(&case.key().encode()).unwrap();
    let (root, (_, pin)) = (case.key().root(), case.key().pin().unwrap());
    for (pin, expected) in [(pin + Extension::ONE, "LINK_INVALID"), (pin, "")] {
        let key = key().with_commitment(root, pin);
        let parent = Commitment::of_key(&key);
        let lie = Lie {
            parent: Some(&parent),
            ..Lie::default()
        };
        let epoch = case
            .prover
            .begin_lying(Kind::Proofs, 0, &Randomness::new, lie);
        let link = epoch.unwrap().links()[0].clone();
        assert_eq!(code(link.verify(&key, &parent)), expected);
    }
}

/// An epoch's link, made on a prepared transcript.
fn made_on(case: &Case, seed: u8, transcript: &Transcript, without_half: bool) -> Epoch {
    let lie = Lie {
        transcript: Some(transcript),
        without_half,
        ..Lie::default()
    };
    let draw = seeded_by([seed; 32]);
    case.prover
        .begin_lying(Kind::Proofs, 0, &draw, lie)
        .unwrap()
}

#[test]
fn a_link_absorbs_exactly_its_inventory() {
    let case = small();
    let link = &case.epoch.links()[0];
    let mut transcript = Transcript::new();
    let parent = case.prover.commitment();
    assert_eq!(
        code(link.verify_audited(case.key(), parent, &mut transcript)),
        ""
    );
    let log = transcript.log();
    let expected = [
        (Site::Protocol, LINK_PROTOCOL.len()),
        (Site::LinkParent, 32),
        (Site::LinkChild, 32 + 1 + 4),
        (Site::LinkFresh, 32),
        (Site::LinkValue, 20),
        // Both roots and the value.
        (Site::Opening, 32 + 32 + 20),
    ];
    assert_eq!(log[..6], expected);
    let rest: BTreeSet<Site> = log[5..].iter().map(|&(site, _)| site).collect();
    assert_eq!(rest, BTreeSet::from(Site::OPENING));
}

#[test]
fn an_absorb_that_a_link_leaves_out_is_noticed() {
    let case = small();
    let parent = case.prover.commitment();
    let honest = &case.epoch.links()[0];
    let sites = Site::LINK.into_iter().chain(Site::OPENING);
    for site in sites.chain([Site::Protocol]) {
        let without = Transcript::without(site);
        let epoch = made_on(&case, 7, &without, false);
        let bare = &epoch.links()[0];
        assert_ne!(code(bare.verify(case.key(), parent)), "", "{site:?}");
        let audited = |link: &Link| {
            code(link.verify_audited(case.key(), parent, &mut Transcript::without(site)))
        };
        assert_ne!(audited(honest), "", "{site:?}");
        // With the same left out on both sides it is noticed by nobody: the site is used.
        assert_eq!(audited(bare), "", "{site:?}");
    }
}

/// At the same challenges c·v is the same each time, so that what changes is the mask.
#[test]
fn the_value_of_a_link_changes_with_its_mask_and_shows_the_weights_without() {
    const LINKS: u8 = 24;
    let case = small();
    let parent = case.prover.commitment();
    let values = |without_half| -> Vec<Extension> {
        let links = (0..LINKS).map(|seed| {
            let epoch = made_on(&case, seed, &Transcript::deaf(), without_half);
            let link = epoch.links()[0].clone();
            let verdict = link.verify_audited(case.key(), parent, &mut Transcript::deaf());
            assert_eq!(code(verdict), "");
            link.value
        });
        links.collect()
    };
    let masked = values(false);
    for (index, value) in masked.iter().enumerate() {
        assert!(!masked[..index].contains(value));
    }
    let shown = values(true);
    assert!(shown.iter().all(|value| *value == shown[0]));
}

#[test]
fn a_link_that_is_known_is_not_checked_again_and_others_are() {
    let case = small();
    let known = Known::default();
    let (outputs, proof) = case.prove();
    let verify = |case: &Case, proof: &[u8]| {
        let public = Public {
            inputs: &views(&case.inputs),
            outputs: &views(&outputs),
            statement: STATEMENT,
        };
        verify_knowing(case.key(), &known, &public, proof).map_err(|error| error.code())
    };
    assert_eq!(known.count(), 0);
    assert_eq!(verify(&case, &proof), Ok(()));
    assert_eq!(known.count(), 1);
    assert_eq!(verify(&case, &case.prove().1), Ok(()));
    assert_eq!(known.count(), 1);
    // A byte of a known link's opening makes it another link, which does not hold.
    let parsed = Proof::decode(case.key(), Visibility::Public, &proof).unwrap();
    let fields = parsed.write(case.key()).fields;
    let opening = fields.iter().find(|(name, _)| *name == "link: opening");
    let mut wrong = proof.clone();
    wrong[opening.unwrap().1] ^= 1;
    assert_eq!(verify(&case, &wrong), Err("LINK_INVALID"));
    assert_eq!(known.count(), 1);
    let second = case.behind_two_links();
    assert_eq!(verify(&second, &second.prove().1), Ok(()));
    assert_eq!(known.count(), 3);
}

//! A prover that lies about any part of its witness, and transcripts with an absorb left out.
mod forge;
mod liar;
mod models;

use commitment::Profile;
use forge::{kernel, small};
use graph::{Graph, Op, Parts};
use key::{Mode, Public, VerifyingKey};
use liar::{code, honest, lie, rejected, swap_entry};
use models::graphs::Builder;
use models::{Case, STATEMENT, case, choices, everything, held, integers, views, vision, wide};
use p3_field::{BasedVectorSpace, Field, PrimeCharacteristicRing, PrimeField32};
use prover::committed::Witness;
use transcript::{Base, Extension, Site, Transcript};
use verifier::committed::Proof;

/// What a proof of the mode absorbs.
const INVENTORY: [Site; 11] = [
    Site::Protocol,
    Site::Key,
    Site::Statement,
    Site::Inputs,
    Site::Outputs,
    Site::Witness,
    Site::LookupChildren,
    Site::LookupRound,
    Site::LookupColumns,
    Site::Round,
    Site::Claims,
];

/// Where a column is found out: it is looked up, tied to others by a relation, or claimed by what was
/// made of tensors that it is not.
const HELD: [&str; 3] = [
    "LOOKUP_MISMATCH",
    "REDUCTION_MISMATCH",
    "WITNESS_OPENING_INVALID",
];

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
    let result = verifier::verify_audited(case.key(), &public, proof, &mut transcript);
    (code(result), transcript)
}

#[test]
fn every_column_is_held_by_its_lookup_or_by_its_relation() {
    for graph in [
        vision(),
        wide(),
        everything(),
        integers(),
        choices(),
        held(),
    ] {
        let case = case(graph, Profile::Default);
        let plan = case.derived().plan();
        for column in 0..plan.columns.len() {
            let code = rejected(&case, |witness| {
                witness.columns.committed[column][0] += Base::ONE;
            });
            assert!(HELD.contains(&code), "{column}: {code}");
        }
        for table in 0..plan.tables.len() {
            let code = rejected(&case, |witness| {
                witness.multiplicities[table][0] += Base::ONE;
            });
            assert_eq!(code, "LOOKUP_MISMATCH", "{table}");
        }
    }
}

/// The lookups are right for the lie: another entry of the table, counted as it is looked up.
#[test]
fn another_entry_of_the_table_fails_its_relation() {
    for graph in [
        vision(),
        wide(),
        everything(),
        integers(),
        choices(),
        held(),
    ] {
        let case = case(graph, Profile::Default);
        for number in 0..case.derived().plan().lookups.len() {
            let code = rejected(&case, |witness| swap_entry(case.derived(), witness, number));
            assert!(
                ["REDUCTION_MISMATCH", "WITNESS_OPENING_INVALID"].contains(&code),
                "lookup {number}: {code}"
            );
        }
    }
}

#[test]
fn a_wrong_output_is_rejected() {
    for graph in [vision(), everything(), integers(), choices(), held()] {
        let case = case(graph, Profile::Default);
        for output in 0..case.key().graph().outputs.len() {
            let code = rejected(&case, |witness| {
                let value = &mut witness.outputs[output][0];
                *value += if *value > 0 { -1 } else { 1 };
            });
            // What moves elements only takes the claim to a column, which the opening knows.
            assert!(HELD[1..].contains(&code), "{output}: {code}");
        }
    }
}

#[test]
fn other_weights_under_the_honest_root_are_rejected() {
    let honest_case = case(vision(), Profile::Default);
    let mut cheat = Case::new(vision(), Profile::Default, 78);
    cheat.inputs.clone_from(&honest_case.inputs);
    let (outputs, proof) = cheat.prove();
    let code = code(honest_case.verify(&outputs, &proof));
    assert_eq!(code, "LOOKUP_MISMATCH");
    // The same with the challenges of the honest key: the weights are not those of its root.
    let key = VerifyingKey::decode(&honest_case.key().encode()).unwrap();
    let other = cheat.prover.with_key(key);
    let cheat = Case {
        prover: other,
        inputs: honest_case.inputs.clone(),
    };
    let (outputs, proof) = cheat.prove();
    assert_eq!(
        honest_case.verify(&outputs, &proof).unwrap_err().code(),
        "WEIGHT_OPENING_INVALID"
    );
}

#[test]
fn each_message_of_the_reduction_is_checked() {
    // Of an identity each, since what it sends is in no other graph.
    for (graph, step) in [(everything(), 3), (integers(), 1), (choices(), 1)] {
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
            let code = code(case.verify(&outputs, &case.encode(&proof)));
            let expected = [
                "REDUCTION_MISMATCH",
                "WITNESS_OPENING_INVALID",
                "WEIGHT_OPENING_INVALID",
            ];
            assert!(expected.contains(&code), "message {number}: {code}");
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
        (Site::Protocol, Mode::Committed.protocol().len()),
        (Site::Key, 32),
        (Site::Statement, 32),
        (Site::Inputs, 4 * 60),
        (Site::Outputs, 4 * 3),
        (Site::Witness, 32),
    ];
    assert_eq!(log[..6], expected);
    let (values, rest): (Vec<_>, Vec<_>) = log[6..]
        .iter()
        .copied()
        .partition(|(site, _)| [Site::LookupChildren, Site::LookupRound].contains(site));
    // The lookup argument: layer k has k rounds; the last layer of rows has no numerators.
    let mut sites = log[6..6 + values.len()].iter();
    for layer in 0.. {
        let rounds = sites.by_ref().take(layer);
        assert!(
            rounds
                .into_iter()
                .all(|&own| own == (Site::LookupRound, 40))
        );
        let Some(&(site, length)) = sites.next() else {
            break;
        };
        assert_eq!(site, Site::LookupChildren);
        assert!([160, 120, 80, 40].contains(&length), "{length}");
    }
    assert_eq!(rest[0].0, Site::LookupColumns);
    let decoded = case.decode(&proof);
    let claimed = decoded.lookups.columns.len() + decoded.lookups.multiplicities.len();
    assert_eq!(rest[0].1, 20 * claimed);
    // What the reduction sends is absorbed in full, and nothing else is.
    let reduction = &rest[1..];
    let sent: usize = reduction.iter().map(|&(_, length)| length).sum();
    assert_eq!(sent, 20 * decoded.reduction.len());
    let of_reduction = [Site::Round, Site::Claims];
    assert!(
        reduction
            .iter()
            .all(|(site, _)| of_reduction.contains(site))
    );
    let seen = |site: &Site| log.iter().any(|(own, _)| own == site);
    assert!(INVENTORY.iter().all(seen));
    let all = Site::ALL.into_iter().chain(Site::COMMITTED);
    let others = [Site::Commitment, Site::ContractionOutputs];
    let mut inventory: Vec<Site> = all.filter(|site| !others.contains(site)).collect();
    let mut listed = INVENTORY.to_vec();
    inventory.sort();
    listed.sort();
    assert_eq!(inventory, listed);
}

#[test]
fn an_absorb_left_out_on_either_side_is_noticed() {
    let case = case(vision(), Profile::Default);
    let (outputs, proof) = case.prove();
    for site in INVENTORY {
        let without = || Transcript::without(site);
        let (_, bare) = lie(&case, |_| (), without(), &mut honest);
        let bare = case.encode(&bare);
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

/// A transcript at the point at which the lookup argument begins.
fn begun(case: &Case, outputs: &[Vec<i32>], witness: &[u8; 32], site: Site) -> Transcript {
    let digest: [u8; 32] = blake3::hash(&case.key().encode()).into();
    let mut transcript = Transcript::without(site);
    transcript.absorb(Site::Protocol, Mode::Committed.protocol());
    transcript.absorb(Site::Key, &digest);
    transcript.absorb(Site::Statement, &STATEMENT);
    transcript.absorb_integers(Site::Inputs, &views(&case.inputs));
    transcript.absorb_integers(Site::Outputs, &views(outputs));
    transcript.absorb(Site::Witness, witness);
    transcript
}

/// Demands that a forgery passes where a site is left out, and fails where it is not, made for
/// either transcript.
fn passes_frozen_only(
    case: &Case,
    site: Site,
    forge: impl Fn(Transcript) -> (Vec<Vec<i32>>, Proof),
    live: &[&str],
) {
    let (outputs, proof) = forge(Transcript::without(site));
    let bytes = case.encode(&proof);
    let (code_frozen, _) = audited(case, &outputs, &bytes, Transcript::without(site));
    assert_eq!(code_frozen, "", "{site:?}");
    assert_ne!(code(case.verify(&outputs, &bytes)), "");
    let (outputs, proof) = forge(Transcript::new());
    let code = code(case.verify(&outputs, &case.encode(&proof)));
    assert!(live.contains(&code), "{code}");
}

/// One output that has any integers, and one that is rescaled.
fn open_output() -> Graph {
    let mut b = Builder::new(1);
    let x = b.input(&[1, 6], -127, 127);
    let y = b.linear(x, 8, true);
    let z = b.rescale(y, &[1], 0, 9, 0, 100);
    let mut parts: Parts = (*b.finish(&[y, z])).clone();
    (parts.nodes[0].lo, parts.nodes[0].hi) = (1 - (1 << 29), (1 << 29) - 1);
    // The rescaling keeps its plan of columns whatever it is given.
    assert!(matches!(parts.nodes[1].op, Op::Rescale { .. }));
    Graph::new(parts).unwrap()
}

/// Were the outputs not absorbed, they could be chosen for the point at which they are checked.
#[test]
fn outputs_forged_for_a_frozen_point_pass_frozen_and_fail_live() {
    let case = case(open_output(), Profile::Default);
    let site = Site::Outputs;
    let (outputs, proof) = lie(&case, |_| (), Transcript::without(site), &mut honest);
    let mut transcript = begun(&case, &outputs, &proof.witness, site);
    let argument = case.derived().argument();
    argument.verify(&proof.lookups, &mut transcript).unwrap();
    let point = transcript.point(3);
    let forged = small(&kernel(&sumcheck::equality(&point, 8)), &outputs[0]);
    assert_ne!(forged, outputs[0]);
    let forge = |transcript| {
        let corrupt = |witness: &mut Witness| witness.outputs[0].clone_from(&forged);
        lie(&case, corrupt, transcript, &mut honest)
    };
    passes_frozen_only(&case, site, forge, &["REDUCTION_MISMATCH"]);
}

/// Were the children of the lookup trees not absorbed, the roots could be made equal for the branch
/// that is drawn: here for a witness that counts an entry once too often.
#[test]
fn roots_forged_for_a_frozen_branch_pass_frozen_and_fail_live() {
    let case = case(vision(), Profile::Default);
    let site = Site::LookupChildren;
    let forge = |transcript: Transcript| {
        let corrupt = |witness: &mut Witness| witness.multiplicities[0][0] += Base::ONE;
        let (outputs, mut proof) = lie(&case, corrupt, transcript, &mut honest);
        let mut known = begun(&case, &outputs, &proof.witness, site);
        let _fingerprint = known.point(3);
        let branch = known.challenge();
        let children = &mut proof.lookups.layers[0].children;
        let [a, b, c, d, n0, d0, n1, d1] = children[..] else {
            panic!("both trees have a root");
        };
        let (top, bottom) = (a * d + c * b, b * d);
        // The numerators change by δ and ε, so that the roots are equal and the claim stays:
        // (δ·d1 + ε·d0)·bottom = top·d0·d1 − (n0·d1 + n1·d0)·bottom, and (1 − branch)·δ + branch·ε = 0.
        let missing = top * d0 * d1 * bottom.inverse() - (n0 * d1 + n1 * d0);
        let ratio = -(Extension::ONE - branch) * branch.inverse();
        let change = missing * (d1 + ratio * d0).inverse();
        children[4] += change;
        children[6] += ratio * change;
        (outputs, proof)
    };
    passes_frozen_only(&case, site, forge, &["LOOKUP_MISMATCH"]);
}

/// Were the root of the witness not absorbed, a remainder beyond its range could be counted among the
/// entries of its table for the fingerprints that are drawn: (q - 1, r + 2^s) in place of (q, r).
#[test]
fn remainders_forged_for_frozen_fingerprints_pass_frozen_and_fail_live() {
    let mut b = Builder::new(1);
    let x = b.input(&[16, 16], -100, 90);
    let y = b.linear(x, 16, true);
    let y = b.rescale(y, &[1], 0, 10, -300, 300);
    let case = case(b.finish(&[y]), Profile::Default);
    let plan = case.derived().plan();
    let Some(claim_reduction::Constraint::Rescale(rescale)) = &plan.constraints[1] else {
        panic!("not a rescaling");
    };
    // No bound bites: the result is `lo` and what is above it.
    let claim_reduction::Form::Wide { above, .. } = &rescale.form else {
        panic!("not wide: {:?}", rescale.form);
    };
    let ([above], [remainder]) = (&above[..], &rescale.remainder[..]) else {
        panic!("limbs");
    };
    let of = |limb: &claim_reduction::Limb| plan.lookups[limb.lookup].table;
    let (results, range) = (of(above), of(remainder));
    assert_ne!(results, range);
    let site = Site::Witness;
    let forge = |transcript: Transcript| {
        let corrupt = |witness: &mut Witness| {
            // The quotient is one less, and so is the result.
            witness.outputs[0][0] -= 1;
            let old = &mut witness.columns.committed[above.column][0];
            let at = old.as_canonical_u32() as usize;
            *old -= Base::ONE;
            witness.multiplicities[results][at] -= Base::ONE;
            witness.multiplicities[results][at - 1] += Base::ONE;
            let kept = witness.columns.committed[remainder.column][0];
            let beyond = kept + Base::from_u64(1 << rescale.shift);
            witness.columns.committed[remainder.column][0] = beyond;

            let mut known = begun(&case, &witness.outputs, &[0; 32], site);
            let [alpha, _beta, gamma] = known.point(3)[..] else {
                panic!("three challenges");
            };
            let of = |key: Base| alpha + gamma * Base::from_usize(range) + key;
            let missing = of(beyond).inverse() - of(kept).inverse();
            let fractions: Vec<Extension> = (0..5)
                .map(|at| of(Base::from_usize(at)).inverse())
                .collect();
            let counts = combination(&fractions, missing);
            for (count, more) in witness.multiplicities[range].iter_mut().zip(counts) {
                *count += more;
            }
        };
        lie(&case, corrupt, transcript, &mut honest)
    };
    passes_frozen_only(&case, site, forge, &["LOOKUP_MISMATCH"]);
}

/// Base field elements with which these five extension elements add up to `sum`.
fn combination(elements: &[Extension], sum: Extension) -> Vec<Base> {
    let at = |element: &Extension, place: usize| -> Base {
        let coefficients: &[Base] = element.as_basis_coefficients_slice();
        coefficients[place]
    };
    let all: Vec<&Extension> = elements.iter().chain([&sum]).collect();
    let mut rows: Vec<Vec<Base>> = (0..5)
        .map(|place| all.iter().map(|element| at(element, place)).collect())
        .collect();
    for pivot in 0..5 {
        let found = (pivot..5).find(|&row| rows[row][pivot] != Base::ZERO);
        rows.swap(pivot, found.unwrap());
        let inverse = rows[pivot][pivot].inverse();
        let pivoted: Vec<Base> = rows[pivot].iter().map(|&value| value * inverse).collect();
        for (row, values) in rows.iter_mut().enumerate() {
            let factor = values[pivot];
            for (value, &other) in values.iter_mut().zip(&pivoted) {
                *value = if row == pivot {
                    other
                } else {
                    *value - factor * other
                };
            }
        }
    }
    rows.iter().map(|row| row[5]).collect()
}

/// Were the statement not absorbed, a proof could be given for another one.
#[test]
fn a_proof_is_replayed_where_the_statement_is_not_absorbed() {
    let case = case(vision(), Profile::Default);
    let without = || Transcript::without(Site::Statement);
    let (outputs, proof) = lie(&case, |_| (), without(), &mut honest);
    let proof = case.encode(&proof);
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(&outputs),
        statement: [9; 32],
    };
    let replayed = verifier::verify_audited(case.key(), &public, &proof, &mut without());
    assert_eq!(code(replayed), "");
    assert_eq!(
        code(verifier::verify(case.key(), &public, &proof)),
        "LOOKUP_MISMATCH"
    );
}

//! What finds which lie about a witness; and lies that are made for challenges that are known, where something is not
//! absorbed.

use crate::forge::{kernel, small};
use crate::hidden::{Case, case};
use crate::liar::{CLAIM, LOOKUPS, RELATION, Told, honest, rejected, swap_entry, tell};
use crate::models::graphs::Builder;
use crate::models::{STATEMENT, choices, everything, held, integers, views, vision, wide};
use claim_reduction::{Constraint, Form};
use commitment::{Profile, Root};
use graph::{Graph, Op, Parts};
use key::PROTOCOL;
use p3_field::{BasedVectorSpace, Field, PrimeCharacteristicRing, PrimeField32};
use prover::relations::Witness;
use transcript::{Base, Extension, Site, Transcript};

/// Graphs that have every kind of column and relation among them.
fn graphs() -> [Graph; 6] {
    [
        vision(),
        wide(),
        everything(),
        integers(),
        choices(),
        held(),
    ]
}

/// What finds a corrupted witness, without a proof that hides it: `private_malicious.rs` makes these.
fn found(case: &Case, corrupt: impl Fn(&mut Witness)) -> &'static str {
    let told = tell(case, corrupt, Transcript::new(), &mut honest);
    told.verdict(case, Transcript::new())
}

/// It is looked up, tied to others by a relation, or claimed by what was made of tensors that it is not.
#[test]
fn every_column_is_held_by_its_lookup_or_by_its_relation() {
    for graph in graphs() {
        let case = case(graph, Profile::Default);
        let plan = case.proofs().relations().plan();
        for column in 0..plan.columns.len() {
            let found = found(&case, |witness| {
                witness.columns.committed[column][0] += Base::ONE;
            });
            assert_ne!(found, "", "{column}");
        }
        for table in 0..plan.tables.len() {
            let found = found(&case, |witness| {
                witness.multiplicities[table][0] += Base::ONE;
            });
            assert_eq!(found, LOOKUPS, "{table}");
        }
    }
}

/// The lookups are right for the lie: another entry of the table, counted as it is looked up.
#[test]
fn another_entry_of_the_table_fails_its_relation() {
    for graph in graphs() {
        let case = case(graph, Profile::Default);
        let relations = case.proofs().relations();
        for number in 0..relations.plan().lookups.len() {
            let found = found(&case, |witness| swap_entry(relations, witness, number));
            assert!(
                [RELATION, CLAIM].contains(&found),
                "lookup {number}: {found}"
            );
        }
    }
}

#[test]
fn a_wrong_output_is_found_behind_the_lookups() {
    for graph in [vision(), everything(), integers(), choices(), held()] {
        let case = case(graph, Profile::Default);
        for output in 0..case.key().graph().outputs.len() {
            let found = found(&case, |witness| {
                let value = &mut witness.outputs[output][0];
                *value += if *value > 0 { -1 } else { 1 };
            });
            // What moves elements only takes the claim to a column.
            assert!([RELATION, CLAIM].contains(&found), "{output}: {found}");
        }
    }
}

#[test]
fn a_quotient_one_less_with_a_remainder_beyond_its_range_is_rejected_by_the_lookups() {
    let case = case(vision(), Profile::Default);
    let plan = case.proofs().relations().plan();
    let rescale = plan
        .constraints
        .iter()
        .flatten()
        .find_map(|constraint| match constraint {
            Constraint::Rescale(rescale) => Some(rescale.clone()),
            _ => None,
        });
    let rescale = rescale.unwrap();
    let Form::Direct { lookup, .. } = rescale.form else {
        panic!("not direct");
    };
    let code = rejected(&case, |witness| {
        let remainder = &mut witness.columns.committed[rescale.remainder[0].column][0];
        *remainder += Base::from_u64(1 << rescale.shift);
        let [Some(claim_reduction::Source::Own(keys)), _] = &mut witness.columns.looked[lookup]
        else {
            panic!("committed");
        };
        keys[0] -= Base::ONE;
    });
    assert_eq!(code, LOOKUPS);
}

/// A transcript at the point at which the lookup argument begins.
fn begun(case: &Case, outputs: &[Vec<i32>], witness: &Root, site: Site) -> Transcript {
    let digest = case.epoch.commitment().digest();
    let mut transcript = Transcript::without(site);
    transcript.absorb(Site::Protocol, PROTOCOL);
    transcript.absorb(Site::Key, &digest);
    transcript.absorb(Site::Statement, &STATEMENT);
    transcript.absorb_integers(Site::Inputs, &views(&case.inputs));
    transcript.absorb_integers(Site::Outputs, &views(outputs));
    transcript.absorb(Site::Witness, witness);
    transcript
}

/// Demands that a forgery passes where a site is left out, and fails where it is not, made for
/// either transcript.
fn passes_frozen_only(case: &Case, site: Site, forge: impl Fn(Transcript) -> Told, live: &str) {
    let told = forge(Transcript::without(site));
    let frozen = told.verdict(case, Transcript::without(site));
    assert_eq!(frozen, "", "{site:?}");
    assert_ne!(told.verdict(case, Transcript::new()), "");
    let told = forge(Transcript::new());
    assert_eq!(told.verdict(case, Transcript::new()), live);
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
    let told = tell(&case, |_| (), Transcript::without(site), &mut honest);
    let outputs = &told.witness.outputs;
    let mut transcript = begun(&case, outputs, &told.root, site);
    let argument = case.proofs().relations().argument();
    let lookups = argument.verify(&told.argued.lookups, &mut transcript);
    lookups.unwrap();
    let point = transcript.point(3);
    let forged = small(&kernel(&sumcheck::equality(&point, 8)), &outputs[0]);
    assert_ne!(forged, outputs[0]);
    let forge = |transcript| {
        let corrupt = |witness: &mut Witness| witness.outputs[0].clone_from(&forged);
        tell(&case, corrupt, transcript, &mut honest)
    };
    passes_frozen_only(&case, site, forge, RELATION);
}

/// Were the children of the lookup trees not absorbed, the roots could be made equal for the branch
/// that is drawn: here for a witness that counts an entry once too often.
#[test]
fn roots_forged_for_a_frozen_branch_pass_frozen_and_fail_live() {
    let case = case(vision(), Profile::Default);
    let site = Site::LookupChildren;
    let forge = |transcript: Transcript| {
        let corrupt = |witness: &mut Witness| witness.multiplicities[0][0] += Base::ONE;
        let mut told = tell(&case, corrupt, transcript, &mut honest);
        let mut known = begun(&case, &told.witness.outputs, &told.root, site);
        let _fingerprint = known.point(3);
        let branch = known.challenge();
        let children = &mut told.argued.lookups.layers[0].children;
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
        told
    };
    passes_frozen_only(&case, site, forge, LOOKUPS);
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
    let plan = case.proofs().relations().plan();
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
        tell(&case, corrupt, transcript, &mut honest)
    };
    passes_frozen_only(&case, site, forge, LOOKUPS);
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

//! The attack by which proofs of the committed mode give their weights away: rows of the weights' code are
//! opened in each proof, and from as many as a column has coefficients it is interpolated. It succeeds
//! where the half that hides is switched off, and where a commitment is opened far beyond what it
//! serves; within that it finds nothing.
mod hidden;
mod liar;
mod models;

use commitment::{Place, Profile};
use graph::Values;
use hidden::{Case, OPENINGS, drawn, lie};
use key::{Public, WEIGHTS};
use liar::honest;
use models::graphs::Builder;
use models::{STATEMENT, views};
use p3_field::{Field, PrimeCharacteristicRing, PrimeField32};
use prover::private::ProvingKey;
use std::collections::BTreeMap;
use transcript::{Base, Transcript};

/// Opened rows of the weights' code by their points.
type Rows = BTreeMap<u32, (Base, Vec<Base>)>;

/// Two dense layers.
fn graph() -> graph::Graph {
    let mut b = Builder::new(4);
    let x = b.input(&[1, 24], -100, 90);
    let x = b.linear(x, 20, true);
    let x = b.rescale(x, &[1], 0, 9, 0, 100);
    let x = b.linear(x, 9, true);
    b.finish(&[x])
}

/// A model whose weights' vector has these cells in its half.
fn case(half: impl FnMut() -> Base) -> Case {
    let (weights, inputs) = drawn(&graph(), 77);
    let profile = Profile::Default;
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    Case {
        prover: ProvingKey::with_half(graph(), &values, profile, OPENINGS, &[3; 32], half).unwrap(),
        inputs,
    }
}

/// Rows that so many proofs show, of inputs that differ. Each of them verifies.
fn shown(case: &mut Case, proofs: usize) -> Rows {
    let mut rows = Rows::new();
    for number in 0..proofs {
        case.inputs[0][number % 24] ^= 1 + number as i32 / 24;
        // That starts the count anew, so that more can be made than the commitment serves.
        let (outputs, proof) = lie(case, |_| (), Transcript::new(), &mut honest);
        let key = case.key();
        assert_eq!(case.verify(&outputs, &proof.encode(key)), Ok(()));
        let public = Public {
            inputs: &views(&case.inputs),
            outputs: &views(&outputs),
            statement: STATEMENT,
        };
        // As the verifier goes, up to the leaves.
        let (relations, mut transcript) = (key.relations(), Transcript::new());
        let recorded = verifier::committed::record(
            key,
            relations,
            &public,
            &proof.witness,
            &proof.sent,
            &mut transcript,
        );
        let recorded = recorded.unwrap();
        let spare = relations.sent() as u32;
        let ends = relation::verify(&recorded.equations, spare, &proof.relation, &mut transcript);
        let alpha = transcript.challenge();
        let claim = verifier::private::claim(key, &recorded, &ends.unwrap(), alpha).unwrap();
        let roots = [proof.witness, key.root()];
        let leaves = key
            .shape()
            .shown(WEIGHTS, &roots, &claim, &proof.opening, &mut transcript)
            .unwrap();
        assert!(leaves.len() >= key.shape().queries().min(50));
        let named = leaves
            .into_iter()
            .map(|leaf| (leaf.0.as_canonical_u32(), leaf));
        rows.extend(named);
    }
    rows
}

/// The coefficients of all columns, of which there are so many rows, from as many opened ones.
fn interpolated(rows: &Rows, coefficients: usize) -> Option<Vec<Vec<Base>>> {
    let known: Vec<&(Base, Vec<Base>)> = rows.values().take(coefficients).collect();
    if known.len() < coefficients {
        return None;
    }
    let width = known[0].1.len();
    // Newton's divided differences, all columns at once, and from there to powers.
    let mut table: Vec<Vec<Base>> = known.iter().map(|row| row.1.clone()).collect();
    for order in 1..coefficients {
        for at in (order..coefficients).rev() {
            let inverse = (known[at].0 - known[at - order].0).inverse();
            let (before, own) = table.split_at_mut(at);
            for (value, &other) in own[0].iter_mut().zip(&before[at - 1]) {
                *value = (*value - other) * inverse;
            }
        }
    }
    let mut out = vec![vec![Base::ZERO; width]; coefficients];
    for at in (0..coefficients).rev() {
        // out ← out · (X − x_at) + table[at].
        for power in (0..coefficients).rev() {
            for column in 0..width {
                let above = if power == 0 {
                    table[at][column]
                } else {
                    out[power - 1][column]
                };
                out[power][column] = above - out[power][column] * known[at].0;
            }
        }
    }
    Some(out)
}

/// Cells of the weights and, of these, how many the rows of a matrix of coefficients name. A weight that is
/// zero, or padding, is nothing to be found.
fn found(case: &Case, coefficients: &[Vec<Base>]) -> (usize, usize) {
    let key = case.key();
    let (weights, _) = drawn(key.graph(), 77);
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    let columns = key.weights().cells(&values, || Base::ZERO);
    let whole = key.shape().variables(WEIGHTS).unwrap();
    let rows = whole - key.shape().column_variables(WEIGHTS).unwrap();
    let (places, _) = Place::stacked(key.weights().columns(), whole);
    let (mut all, mut right) = (0, 0);
    for (column, place) in columns.iter().zip(places) {
        for (element, &cell) in column.iter().enumerate() {
            if cell == Base::ZERO {
                continue;
            }
            let index = (element << (whole - place.variables)) | place.slot;
            let (of_column, row) = (index >> rows, index & ((1 << rows) - 1));
            all += 1;
            let told = coefficients.get(row).map(|row| row[of_column]);
            right += usize::from(told == Some(cell));
        }
    }
    (all, right)
}

/// Rows of the weights' matrix.
fn height(case: &Case) -> usize {
    let shape = case.key().shape();
    let rows = shape.variables(WEIGHTS).unwrap() - shape.column_variables(WEIGHTS).unwrap();
    1 << rows
}

#[test]
fn weights_are_interpolated_where_the_half_is_switched_off() {
    let mut open = case(|| Base::ZERO);
    let (height, queries) = (height(&open), open.key().shape().queries());
    // More than N/q proofs; without the half there are N/2 coefficients.
    let rows = shown(&mut open, height / queries + 1);
    let coefficients = interpolated(&rows, height / 2).unwrap();
    let (all, right) = found(&open, &coefficients);
    assert!(all > 500);
    assert_eq!(right, all);
}

#[test]
fn weights_are_not_interpolated_from_as_many_proofs_as_the_commitment_serves() {
    let mut state = 1_u64;
    let half = || {
        // Any cells will do that the attack does not know.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Base::from_u64(state >> 33)
    };
    let mut masked = case(half);
    let (height, served) = (height(&masked), masked.key().served());
    let rows = shown(&mut masked, served);
    // The attack lacks rows. For any weights there is a half that explains the rows that it has: these are
    // fewer than the half's, whose powers are independent on them.
    assert!(rows.len() < height / 2);
    assert_eq!(interpolated(&rows, height), None);
    // As many proofs as give the weights away without the half give nothing, if the half is taken for zeros.
    let queries = masked.key().shape().queries();
    let mut rows = shown(&mut masked, height / queries + 1);
    let coefficients = interpolated(&rows, height / 2).unwrap();
    let (all, right) = found(&masked, &coefficients);
    assert!(all > 500 && right < 5, "{right} of {all}");
    // The negative neighbour: far beyond what the commitment serves all is interpolated, the half too. So the
    // count of openings is what protects.
    while rows.len() < height {
        rows.extend(shown(&mut masked, 2));
    }
    let coefficients = interpolated(&rows, height).unwrap();
    let (all, right) = found(&masked, &coefficients);
    assert_eq!(right, all);
}

//! The attack by which proofs give their weights away where nothing hides them: rows of the weights' code are
//! opened in each proof and in each link, and from as many as a column has coefficients it is interpolated. It succeeds
//! where the half that hides is switched off, and where a commitment is opened far beyond what it
//! serves; within that it finds nothing.

use crate::hidden::{Case, OPENINGS, drawn, lie};
use crate::liar::honest;
use crate::models::graphs::Builder;
use crate::models::{STATEMENT, views};
use commitment::{Place, Profile};
use graph::Values;
use hiding::{Randomness, Secret};
use key::{Kind, Public, WEIGHTS};
use p3_field::{Field, PrimeCharacteristicRing, PrimeField32};
use prover::private::{Lie, ProvingKey};
use std::collections::BTreeMap;
use transcript::{Base, Transcript};
use verifier::private::{Commitment, link};

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

/// A model whose commitments have a half, or zeros in place of it.
fn case(half: bool) -> Case {
    let (weights, inputs) = drawn(&graph(), 77);
    let profile = Profile::Default;
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    let secret = Secret([3; 32]);
    let make = if half {
        ProvingKey::with_secret
    } else {
        ProvingKey::without_half
    };
    let prover = make(graph(), &values, profile, OPENINGS, secret).unwrap();
    let lie = Lie {
        without_half: !half,
        ..Lie::default()
    };
    let epoch = prover.begin_lying(Kind::Proofs, 0, &Randomness::new, lie);
    Case::new(prover, epoch.unwrap(), inputs)
}

/// Rows that so many openings show.
type Shown = fn(&mut Case, usize) -> Rows;

/// Leaves by their points.
fn named(leaves: Vec<(Base, Vec<Base>)>) -> impl Iterator<Item = (u32, (Base, Vec<Base>))> {
    let leaves = leaves.into_iter();
    leaves.map(|leaf| (leaf.0.as_canonical_u32(), leaf))
}

/// Those of the key, of links to epochs. Each of them verifies.
fn of_links(case: &mut Case, links: usize) -> Rows {
    let key = case.key();
    let parent = Commitment::of_key(key);
    let shape = key.of_key().shape();
    let mut rows = Rows::new();
    for _ in 0..links {
        let lie = Lie::default();
        let epoch = case
            .prover
            .begin_lying(Kind::Proofs, 0, &Randomness::new, lie);
        let epoch = epoch.unwrap();
        let own = &epoch.links()[0];
        assert!(own.verify(key, &parent).is_ok());
        let mut transcript = Transcript::new();
        let half = link::begin(key, &parent, (own.kind, &own.root), &mut transcript);
        let drawn = link::draw(key, half, &own.fresh, &mut transcript);
        let claim = link::claim(key, &parent, &drawn, own.value, &mut transcript).unwrap();
        let roots = [own.fresh, key.root()];
        let leaves = shape.shown(WEIGHTS, &roots, &claim, &own.opening, &mut transcript);
        rows.extend(named(leaves.unwrap()));
    }
    rows
}

/// Those of an epoch, of proofs of inputs that differ. Each of them verifies.
fn of_proofs(case: &mut Case, proofs: usize) -> Rows {
    let mut rows = Rows::new();
    for number in 0..proofs {
        case.inputs[0][number % 24] ^= 1 + number as i32 / 24;
        // That counts for nothing, so that more can be made than the commitment serves.
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
        let epoch = case.epoch.commitment();
        let recorded = verifier::relations::record(
            &key.under(epoch.digest()),
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
        let claim = verifier::private::claim(key, epoch, &recorded, &ends.unwrap(), alpha).unwrap();
        let roots = [proof.witness, epoch.root()];
        let shape = key.of_proofs().shape();
        let leaves = shape.shown(WEIGHTS, &roots, &claim, &proof.opening, &mut transcript);
        rows.extend(named(leaves.unwrap()));
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
fn found(case: &Case, kind: Kind, coefficients: &[Vec<Base>]) -> (usize, usize) {
    let vector = case.key().vector(kind).unwrap();
    let (weights, _) = drawn(case.key().graph(), 77);
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    let columns = vector.weights().cells(&values, || Base::ZERO);
    let whole = vector.variables();
    let rows = whole - vector.shape().column_variables(WEIGHTS).unwrap();
    let (places, _) = Place::stacked(vector.weights().columns(), whole);
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

/// What is opened, how rows of it are had, and rows of its matrix and queries to it.
fn attacks(case: &Case) -> [(Kind, Shown, usize, usize); 2] {
    let all: [(Kind, Shown); 2] = [(Kind::Key, of_links), (Kind::Proofs, of_proofs)];
    all.map(|(kind, shown)| {
        let vector = case.key().vector(kind).unwrap();
        let shape = vector.shape();
        let rows = vector.variables() - shape.column_variables(WEIGHTS).unwrap();
        (kind, shown, 1 << rows, shape.queries())
    })
}

#[test]
fn weights_are_interpolated_where_the_half_is_switched_off() {
    let mut open = case(false);
    for (kind, shown, height, queries) in attacks(&open) {
        // As many openings as bring N/2 rows, some of them twice; without the half there are N/2 coefficients.
        let rows = shown(&mut open, height / queries + 1);
        let coefficients = interpolated(&rows, height / 2).unwrap();
        let (all, right) = found(&open, kind, &coefficients);
        assert!(all > 500);
        assert_eq!(right, all, "{kind:?}");
    }
}

#[test]
fn weights_are_not_interpolated_from_as_many_openings_as_the_commitment_serves() {
    let mut masked = case(true);
    for (kind, shown, height, queries) in attacks(&masked) {
        let vector = masked.key().vector(kind).unwrap();
        let served = vector.shape().served(WEIGHTS).unwrap();
        assert!(served >= vector.openings() as usize);
        let rows = shown(&mut masked, served);
        // The attack lacks rows. For any weights there is a half that explains the rows that it has: these are
        // fewer than the half's, whose powers are independent on them.
        assert!(rows.len() < height / 2);
        assert_eq!(interpolated(&rows, height), None);
        // As many openings as give the weights away without the half give nothing, if the half is taken for zeros.
        let mut rows = shown(&mut masked, height / queries + 1);
        let coefficients = interpolated(&rows, height / 2).unwrap();
        let (all, right) = found(&masked, kind, &coefficients);
        assert!(all > 500 && right < 5, "{right} of {all}");
        // The negative neighbour: far beyond what the commitment serves all is interpolated, the half too. So the
        // count of openings is what protects.
        while rows.len() < height {
            rows.extend(shown(&mut masked, 2));
        }
        let coefficients = interpolated(&rows, height).unwrap();
        let (all, right) = found(&masked, kind, &coefficients);
        assert_eq!(right, all, "{kind:?}");
    }
}

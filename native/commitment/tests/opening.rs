//! Commit, open, verify; and what must not verify.
use commitment::{
    BindingEvaluation, Committed, MatrixPoint, Opening, Profile, Reader, Scheme, Size, Writer,
    compose, variables,
};
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension, Site, Transcript};

const SIZES: [Size; 3] = [
    Size {
        rows: 5,
        columns: 37,
    },
    Size {
        rows: 64,
        columns: 9,
    },
    Size {
        rows: 100,
        columns: 200,
    },
];

fn weights(sizes: &[Size], seed: u64) -> Vec<i8> {
    let count = sizes.iter().map(|size| size.rows * size.columns).sum();
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as i8
        })
        .collect()
}

fn points(sizes: &[Size], transcript: &mut Transcript) -> Vec<MatrixPoint> {
    sizes
        .iter()
        .map(|size| MatrixPoint {
            row: transcript.point(variables(size.rows)),
            column: transcript.point(variables(size.columns)),
        })
        .collect()
}

fn equality(point: &[Extension], index: usize) -> Extension {
    point
        .iter()
        .rev()
        .enumerate()
        .map(|(bit, &x)| {
            if (index >> bit) & 1 == 1 {
                x
            } else {
                Extension::ONE - x
            }
        })
        .product()
}

fn value(size: Size, weights: &[i8], point: &MatrixPoint) -> Extension {
    let mut sum = Extension::ZERO;
    for row in 0..size.rows {
        for column in 0..size.columns {
            let weight = Base::from_i8(weights[row * size.columns + column]);
            sum += equality(&point.row, row) * equality(&point.column, column) * weight;
        }
    }
    sum
}

fn binding_point(scheme: &Scheme, root: &[u8; 32]) -> Vec<Extension> {
    let mut transcript = Transcript::new();
    transcript.absorb(Site::Commitment, root);
    transcript.point(scheme.binding_variables())
}

fn commit(scheme: &Scheme, weights: &[i8]) -> Committed {
    scheme
        .commit(weights, |root| binding_point(scheme, root))
        .unwrap()
}

fn begin(root: &[u8]) -> (Transcript, Vec<MatrixPoint>) {
    let mut transcript = Transcript::new();
    transcript.absorb(Site::Key, root);
    let points = points(&SIZES, &mut transcript);
    (transcript, points)
}

#[test]
fn an_opening_yields_the_values_of_the_matrices() {
    for profile in Profile::ALL {
        let scheme = Scheme::new(&SIZES, profile).unwrap();
        let weights = weights(&SIZES, 7);
        let committed = commit(&scheme, &weights);
        let (mut transcript, points) = begin(&committed.root());
        let opening = scheme.open(&committed, &points, &mut transcript).unwrap();
        let mut out = Writer::default();
        opening.encode(&scheme, &mut out);
        let bytes = out.bytes;

        let mut reader = Reader::new(&bytes);
        let decoded =
            Opening::decode(&scheme, committed.binding_evaluation(), &mut reader).unwrap();
        reader.finish().unwrap();
        let (mut transcript, points) = begin(&committed.root());
        let values = scheme
            .verify(
                &committed.root(),
                committed.binding_evaluation(),
                &decoded,
                &points,
                &mut transcript,
            )
            .unwrap();
        assert_eq!(values, decoded.claims(&scheme, &points));
        let mut start = 0;
        for ((size, point), found) in SIZES.into_iter().zip(&points).zip(values) {
            let end = start + size.rows * size.columns;
            assert_eq!(value(size, &weights[start..end], point), found);
            start = end;
        }
        let mut again = Writer::default();
        decoded.encode(&scheme, &mut again);
        assert_eq!(bytes, again.bytes);
    }
}

#[test]
fn another_root_is_rejected() {
    let scheme = Scheme::new(&SIZES, Profile::Default).unwrap();
    let committed = commit(&scheme, &weights(&SIZES, 7));
    let other = commit(&scheme, &weights(&SIZES, 8)).root();
    let (mut transcript, points) = begin(&committed.root());
    let opening = scheme.open(&committed, &points, &mut transcript).unwrap();
    let (mut transcript, points) = begin(&committed.root());
    assert!(
        scheme
            .verify(
                &other,
                committed.binding_evaluation(),
                &opening,
                &points,
                &mut transcript
            )
            .is_err()
    );
}

#[test]
fn a_binding_evaluation_of_other_weights_is_rejected() {
    let scheme = Scheme::new(&SIZES, Profile::Default).unwrap();
    let own = weights(&SIZES, 7);
    let committed = commit(&scheme, &own);
    let honest = committed.binding_evaluation();
    assert_eq!(honest.values.len(), scheme.plan().blocks().len());
    let (mut transcript, points) = begin(&committed.root());
    let opening = scheme.open(&committed, &points, &mut transcript).unwrap();
    let mut out = Writer::default();
    opening.encode(&scheme, &mut out);
    let verify = |claimed: &BindingEvaluation, binding_evaluation: &BindingEvaluation| {
        let opening = Opening::decode(&scheme, claimed, &mut Reader::new(&out.bytes)).unwrap();
        let (mut transcript, points) = begin(&committed.root());
        let root = committed.root();
        scheme.verify(
            &root,
            binding_evaluation,
            &opening,
            &points,
            &mut transcript,
        )
    };
    assert!(verify(honest, honest).is_ok());
    for block in 0..honest.values.len() {
        let mut other = honest.clone();
        other.values[block] += Extension::ONE;
        assert!(verify(&other, &other).is_err());
        // The opening's own values do not stand in for those of the key.
        let error = verify(honest, &other).unwrap_err();
        assert_eq!(error.0, "it claims other values of the pin");
    }
    let mut other = honest.clone();
    other.point[0] += Extension::ONE;
    assert!(verify(&other, &other).is_err());
}

#[test]
fn any_changed_weight_changes_the_binding_evaluation() {
    let scheme = Scheme::new(&SIZES, Profile::Default).unwrap();
    let own = weights(&SIZES, 7);
    let point = binding_point(&scheme, &[0; 32]);
    let binding_evaluation = |weights: &[i8]| {
        let committed = scheme.commit(weights, |_| point.clone()).unwrap();
        committed.binding_evaluation().values.clone()
    };
    let honest = binding_evaluation(&own);
    for index in [0, 1, 184, 185, 760, 761, own.len() - 1] {
        let mut other = own.clone();
        other[index] = other[index].wrapping_add(1);
        let changed = binding_evaluation(&other);
        let differ = honest.iter().zip(&changed).filter(|(a, b)| a != b);
        assert_eq!(differ.count(), 1, "{index}");
    }
}

#[test]
fn unique_decoding_needs_no_binding_evaluation() {
    let scheme = Scheme::new(&SIZES, Profile::Conservative).unwrap();
    let committed = commit(&scheme, &weights(&SIZES, 7));
    assert_eq!(
        committed.binding_evaluation(),
        &BindingEvaluation::default()
    );
    assert_eq!(scheme.binding_security(), None);
}

#[test]
fn every_size_has_a_hundred_bits_in_each_profile() {
    for log in 13..=28 {
        for profile in Profile::ALL {
            let sizes = [Size {
                rows: 1 << (log - 10),
                columns: 1 << 10,
            }];
            let scheme = Scheme::new(&sizes, profile).unwrap();
            assert_eq!(scheme.plan().variables(), log);
            let terms = scheme.security();
            let bits = compose(&terms);
            assert!(bits >= 100.3, "{profile:?} 2^{log}: {bits}");
            // The itemised terms are the library's own, taken apart.
            assert!((bits - scheme.opening_bits()).abs() < 1e-6, "{bits}");
            match scheme.binding_security() {
                // Far from what the sum is made of.
                Some(binding_evaluation) => assert!(
                    binding_evaluation.bits > 130.0,
                    "{}",
                    binding_evaluation.bits
                ),
                None => assert!(scheme.candidate_bits() == 0.0),
            }
        }
    }
}

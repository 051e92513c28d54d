//! Keys of every size serve a market's proofs and starts, and each shape of theirs is sound.

use commitment::Profile;
use graph::{Constant, Graph, Input, Node, Op, Parts, Weight};
use key::{KeyError, Kind, MAX_RANGE_PARTS, Openings, PrivateKey};

/// A network of dense layers with rescalings to bytes between them.
fn dense(widths: &[usize]) -> Graph {
    let mut nodes = Vec::new();
    let mut add = |op, operand: usize, width: usize, lo, hi| {
        nodes.push(Node {
            op,
            operands: vec![operand],
            shape: vec![1, width],
            lo,
            hi,
        });
        nodes.len()
    };
    let mut x = 0;
    for (weight, widths) in widths.windows(2).enumerate() {
        let most = 128 * 127 * widths[0] as i32;
        let linear = Op::Linear { weight, bias: None };
        x = add(linear, x, widths[1], -most, most);
        let rescale = Op::Rescale {
            multipliers: 0,
            axis: 0,
            shift: 14,
        };
        x = add(rescale, x, widths[1], 0, 127);
    }
    let weights = widths.windows(2).map(|widths| Weight {
        rows: widths[1],
        cols: widths[0],
    });
    let parts = Parts {
        inputs: vec![Input {
            shape: vec![1, widths[0]],
            lo: 0,
            hi: 127,
        }],
        weights: weights.collect(),
        constants: vec![Constant {
            shape: vec![1],
            values: vec![1],
        }],
        nodes,
        outputs: vec![x],
    };
    Graph::new(parts).unwrap()
}

/// From nets of the zoo's sizes to 21 million weights.
const SIZES: [&[usize]; 6] = [
    &[4, 8, 3],
    &[30, 16, 2],
    &[64, 64, 64, 10],
    &[784, 128, 10],
    &[1024, 2048, 1000],
    &[2048, 2048, 2048, 2048, 2048, 2048],
];

#[test]
fn every_key_serves_a_million_proofs_and_a_thousand_starts() {
    for widths in SIZES {
        for profile in Profile::OFF_CHAIN {
            let key = PrivateKey::standard(dense(widths), profile).unwrap();
            let Openings {
                key: own,
                links,
                proofs,
            } = key.openings();
            assert!(own > 1000, "{widths:?}: one of them is for rotation");
            assert!(proofs >= 16, "{widths:?}");
            let epochs = (own - 1) * links.max(1);
            assert!(epochs * proofs >= 1_000_000, "{widths:?}");
            // No epoch for links where there is no need of one.
            assert_eq!(links == 0, (own - 1) * proofs >= 1_000_000);
            assert_eq!(key.vector(Kind::Links).is_none(), links == 0);
            for kind in Kind::ALL {
                let Some(vector) = key.vector(kind) else {
                    continue;
                };
                let count = vector.openings();
                match kind {
                    Kind::Key => assert_eq!(count, own),
                    Kind::Links => assert_eq!(count, links),
                    Kind::Proofs => assert_eq!(count, proofs),
                    // Not more than public ones, and as many as there are in a vector for few.
                    Kind::PrivateInputs => assert!((16..=proofs).contains(&count)),
                    Kind::Ranges(_) => assert_eq!(count, 1),
                }
                assert_eq!(key.openings_of(kind), count);
                let served = vector.shape().served(key::WEIGHTS).unwrap();
                assert!(served >= vector.openings() as usize, "{widths:?} {kind:?}");
                println!(
                    "{widths:?} {profile:?} {kind:?}: {} of {served}, variables {}, k {}, queries {}",
                    vector.openings(),
                    vector.variables(),
                    vector.shape().column_variables(1).unwrap(),
                    vector.shape().queries()
                );
            }
        }
    }
}

#[test]
fn proofs_have_a_hundred_bits_with_the_longest_chain_at_every_size() {
    for widths in SIZES {
        for profile in Profile::OFF_CHAIN {
            let key = PrivateKey::standard(dense(widths), profile).unwrap();
            let private = key.security_of_private_inputs().unwrap();
            assert!(private.provable_bits >= 100.0, "{widths:?}: {private:?}");
            let security = key.security();
            println!(
                "{widths:?} {} {}",
                security.provable_bits, private.provable_bits
            );
            assert!(security.provable_bits >= 100.0, "{widths:?}: {security:?}");
            assert_eq!(security.terms.len(), private.terms.len());
            let named = |start: &str| {
                let terms = security.terms.iter();
                terms.filter(|term| term.name.starts_with(start)).count()
            };
            assert!(named("links of keys: ") > 8);
            assert_eq!(named("link of an epoch: ") > 8, key.openings().links > 0);
        }
    }
}

#[test]
fn keys_with_no_openings_or_too_many_are_refused() {
    let new = |key, links, proofs| {
        let openings = Openings { key, links, proofs };
        PrivateKey::new(dense(SIZES[0]), Profile::Default, openings).err()
    };
    assert_eq!(new(2, 0, 2), None);
    assert_eq!(new(2, 2, 2), None);
    for (key, links, proofs) in [(0, 2, 2), (2, 2, 0), (1 << 17, 2, 2), (2, 1 << 17, 2)] {
        let refused = new(key, links, proofs);
        assert!(
            matches!(refused, Some(KeyError::Openings(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn the_bytes_of_kinds_are_told_apart_and_no_others_are() {
    let ranges = (0..MAX_RANGE_PARTS as u8).map(Kind::Ranges);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().chain(ranges).collect();
    let bytes: Vec<u8> = kinds.iter().map(|kind| kind.code()).collect();
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    for byte in 0..=u8::MAX {
        let expected = bytes.iter().position(|&own| own == byte);
        assert_eq!(Kind::from_code(byte), expected.map(|index| kinds[index]));
    }
}

#[test]
fn a_key_has_an_opening_more_than_starts() {
    for (proofs, links) in [(16, 62), (976, 2), (977, 0)] {
        let expected = Openings {
            key: 1025,
            links,
            proofs,
        };
        assert_eq!(Openings::standard(proofs), expected);
    }
}

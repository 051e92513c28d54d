//! Salts of leaves, which no statistics of proofs can miss: a digest looks like any other.

use super::stream;
use crate::randomness::Randomness;
use crate::shape::{LEAF, Shape, Vector};
use commitment::Profile;
use commitment::merkle::Digest;
use p3_field::PrimeCharacteristicRing;
use transcript::Base;

/// A shape whose second vector has leaves of four elements.
fn narrow() -> Shape {
    let other = Vector {
        columns: vec![8],
        openings: 1,
        sampled: true,
    };
    Shape::new(&[12, 12], &[other], Profile::Default).unwrap()
}

/// The root of the second vector, whose salts are `salts`, everything else being the same.
fn root(shape: &Shape, salts: Option<u8>) -> Digest {
    let drawing = shape.drawn(1);
    let all: usize = drawing.iter().map(|&(_, count)| count).sum();
    let (last, count) = drawing[drawing.len() - 1];
    assert_eq!(last, "salts");
    assert!(count > 0);
    let mut masks = stream(1).bases(all);
    let own = salts.map_or_else(|| vec![Base::ZERO; count], |seed| stream(seed).bases(count));
    masks[all - count..].copy_from_slice(&own);
    let column = stream(2).bases(1 << 8);
    let mut masks = Randomness::given(masks);
    let committed = shape.commit(1, &[&column], &mut masks).unwrap();
    // All that was given was drawn, and nothing more.
    assert_eq!(masks.bases(1), [Base::ZERO]);
    committed.root()
}

#[test]
fn control_without_salts_a_guess_of_all_else_is_confirmed_by_the_root() {
    let shape = narrow();
    assert_ne!(root(&shape, Some(3)), root(&shape, Some(4)));
    assert_eq!(root(&shape, Some(3)), root(&shape, Some(3)));
    assert_eq!(root(&shape, None), root(&shape, None));
    assert_ne!(root(&shape, None), root(&shape, Some(3)));
}

#[test]
fn every_leaf_has_as_many_uniform_elements_as_a_digest_has_bits() {
    for shape in [narrow(), Shape::new(&[16, 12], &[], Profile::Evm).unwrap()] {
        for vector in &shape.vectors {
            assert!(vector.leaf() >= LEAF);
        }
    }
    let salted: Vec<bool> = narrow().vectors.iter().map(|own| own.salts > 0).collect();
    assert_eq!(salted, [false, true]);
}

/// What is said to be drawn is drawn, in that order.
#[test]
fn masks_are_drawn_as_the_drawing_says() {
    let shape = narrow();
    for vector in 0..2 {
        let drawing = shape.drawn(vector);
        let columns = [12, 12, 8];
        let columns = if vector == 0 {
            &columns[..2]
        } else {
            &columns[2..]
        };
        let columns: Vec<Vec<Base>> = columns
            .iter()
            .map(|&own| vec![Base::ZERO; 1 << own])
            .collect();
        let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
        // The number of a kind in place of each of its elements.
        let kinds = drawing.iter().enumerate();
        let given: Vec<Base> = kinds
            .flat_map(|(kind, &(_, count))| vec![Base::from_usize(kind + 1); count])
            .collect();
        let mut masks = Randomness::given(given);
        let committed = shape.commit(vector, &columns, &mut masks).unwrap();
        let place = |name: &str| {
            let found = drawing.iter().position(|own| own.0 == name).unwrap();
            Base::from_usize(found + 1)
        };
        let all = |cells: &[Base], name: &str| {
            assert!(
                !cells.is_empty() && cells.iter().all(|&cell| cell == place(name)),
                "{name}"
            );
        };
        all(&committed.tail, "tails");
        let own = &committed.columns[columns.len()..];
        if vector == 0 {
            assert_eq!(own.len(), 6);
            own[..5].iter().for_each(|plane| all(plane, "block"));
            all(&own[5], "pad of the answer");
            assert_eq!(committed.pad.len(), drawing[3].1 / 5);
        } else {
            all(&own[0], "column of masks");
            let leaf = &committed.code.open(&[7]).rows[0];
            all(&leaf[leaf.len() - shape.vectors[1].salts..], "salts");
        }
    }
    assert!(shape.drawn(2).is_empty());
}

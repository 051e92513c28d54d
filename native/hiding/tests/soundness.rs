//! The account of error terms, over all sizes.

mod common;

use commitment::{MAX_VARIABLES, Profile, WORK_BITS};
use common::beside;
use hiding::{MAX_COLUMNS, MAX_OPENINGS, MAX_SELDOM_ROWS, MAX_VECTORS, Shape, ShapeError};

/// A column that leaves room for masks in a fresh vector of so many variables.
const fn fresh(variables: usize) -> usize {
    variables - 1
}

#[test]
fn all_terms_together_have_a_hundred_bits_at_every_size() {
    for profile in [Profile::Default, Profile::Conservative, Profile::Evm] {
        for variables in 12..=MAX_VARIABLES {
            let shapes = [
                Shape::new(&[fresh(variables)], &[], profile),
                Shape::new(&[8], &[beside(&[variables], 0, false)], profile),
                Shape::new(
                    &[fresh(variables)],
                    &[
                        beside(&[variables], 0, true),
                        beside(&[variables - 2], 2, true),
                    ],
                    profile,
                ),
            ];
            for shape in shapes {
                let shape = shape.unwrap();
                let bits = shape.provable_bits();
                let terms = shape.soundness();
                assert!(
                    bits >= 100.0,
                    "{profile:?} {variables}: {bits} of {terms:?}"
                );
                assert!(terms.iter().all(|term| !term.theorem.is_empty()));
                let queries = terms.iter().filter(|term| term.name.contains("queries"));
                assert!(queries.clone().count() >= 2);
                assert!(queries.clone().all(|term| term.bits >= 104.0));
            }
        }
    }
}

/// Of openings that are made seldom, of which there are sixteen in a chain.
#[test]
fn seldom_openings_have_a_hundred_and_four_bits_with_any_number_of_rows() {
    for profile in Profile::OFF_CHAIN {
        for rows in 7..=MAX_VARIABLES - 2 {
            for variables in [rows + 2, rows + 8] {
                if variables > MAX_VARIABLES {
                    continue;
                }
                let vector = beside(&[variables], 0, false);
                let shape = Shape::of_rows(&[8], &[vector], rows, profile);
                if rows > MAX_SELDOM_ROWS {
                    assert_eq!(shape.err(), Some(ShapeError::TooLarge(0)));
                    continue;
                }
                let shape = shape.unwrap();
                let fold = shape.column_variables(1).unwrap();
                assert_eq!(shape.variables(1).unwrap() - fold, rows);
                let terms = shape.soundness();
                let bits = shape.provable_bits();
                assert!(bits >= 104.0, "{profile:?} {rows}: {bits} of {terms:?}");
                let queries = terms.iter().filter(|term| term.name.contains("queries"));
                assert!(queries.clone().count() >= 2);
                assert!(queries.clone().all(|term| term.bits >= 107.0));
            }
        }
        let large = Shape::of_rows(&[8], &[beside(&[9], 0, false)], 27, profile);
        assert_eq!(large.err(), Some(ShapeError::TooLarge(0)));
    }
}

#[test]
fn the_rate_is_the_exact_one_and_not_the_next_power_of_two() {
    // 2^7 rows and the tail at 16 times as many points: about a twelfth, for which the design counts 56
    // queries where single terms have 105 bits.
    let shape = Shape::new(&[12], &[], Profile::Default).unwrap();
    assert_eq!(shape.variables(0), Some(13));
    assert!((52..=57).contains(&shape.queries()), "{}", shape.queries());
    // Rounded up to the rate of 1/8 that the library would count with, these have less.
    let rounded = 0.5 * 3.0 - 1.05_f64.log2();
    assert!(shape.queries() as f64 * rounded + (WORK_BITS as f64) < 104.0);
}

#[test]
fn sizes_that_cannot_be_opened_are_refused() {
    let new = |fresh: &[usize], others: &[_]| {
        let shape = Shape::new(fresh, others, Profile::Default);
        shape.err()
    };
    let vector = |vector, columns| Some(ShapeError::Columns { vector, columns });
    assert_eq!(new(&[], &[]), vector(0, 0));
    let many = vec![8; MAX_COLUMNS + 1];
    assert_eq!(new(&many, &[]), vector(0, MAX_COLUMNS + 1));
    assert_eq!(new(&[9], &[beside(&[], 0, false)]), vector(1, 0));
    let others = vec![beside(&[9], 0, false); MAX_VECTORS];
    assert_eq!(
        new(&[9], &others),
        Some(ShapeError::Vectors(MAX_VECTORS + 1))
    );
    assert_eq!(new(&[64], &[]), Some(ShapeError::TooLarge(0)));
    assert_eq!(
        new(&[9], &[beside(&[MAX_VARIABLES, 4], 0, false)]),
        Some(ShapeError::TooLarge(1))
    );
    assert_eq!(
        new(&[9], &[beside(&[9], MAX_OPENINGS + 1, false)]),
        Some(ShapeError::Openings(1))
    );
    assert_eq!(
        new(&[9], &[beside(&[9], MAX_OPENINGS, false)]),
        Some(ShapeError::Tails)
    );
    let short = ShapeError::Column {
        vector: 0,
        column: 1,
        least: 6,
    };
    assert_eq!(new(&[12, 5], &[]), Some(short));
}

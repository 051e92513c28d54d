//! Columns that are not those of the execution are rejected, by a lookup or by a relation.

use crate::common;
use crate::common::graphs::Builder;
use crate::common::{Case, at};
use claim_reduction::{Constraint, Difference, Form};
use p3_field::{PrimeCharacteristicRing, PrimeField64};
use transcript::{Base, Extension};

/// A dense layer that is rescaled, in either form, and a maximum.
fn small(wide: bool) -> Case {
    let mut b = Builder::new(4);
    let x = b.input(&[3, 7], -90, 100);
    let y = b.linear(x, 5, true);
    let shift = if wide { 0 } else { 5 };
    let y = b.rescale(y, &[1], 0, shift, -40, 900);
    let y = b.max(y, 1);
    Case::new(b.finish(&[y]), 9)
}

/// Changes element 1 of a column, which is an element of its tensor.
fn shift(case: &mut Case, column: usize, by: i64) {
    case.columns.committed[column][1] += Base::from_i64(by);
}

#[test]
fn a_quotient_one_less_with_a_remainder_beyond_its_range_is_found_by_the_lookup_alone() {
    let mut case = small(false);
    let Some(Constraint::Rescale(rescale)) = &case.plan.constraints[1] else {
        panic!("not a rescaling");
    };
    let (Form::Direct { lookup, .. }, limb) = (&rescale.form, rescale.remainder[0]) else {
        panic!("not direct");
    };
    // The relation m·x + half = 2^5·(q − 1) + (r + 2^5) holds, so that only the range is broken.
    let lookup = *lookup;
    shift(&mut case, limb.column, 32);
    let [Some(claim_reduction::Source::Own(keys)), _] = &mut case.columns.looked[lookup] else {
        panic!("committed");
    };
    keys[1] -= Base::ONE;
    let result = case.check_relations();
    // What is left to the lookup argument: key − 1 has another result, or none.
    assert_eq!(result, Ok(()));
    assert!(!in_range(&case.columns.committed[limb.column], limb.bits));
}

fn in_range(column: &[Base], bits: u32) -> bool {
    let all: Vec<Base> = (0..1_u64 << bits).map(Base::from_u64).collect();
    column.iter().all(|value| all.contains(value))
}

#[test]
fn any_cell_of_any_column_that_breaks_no_lookup_breaks_a_relation() {
    for wide in [false, true] {
        let count = small(wide).columns.committed.len();
        assert!(small(wide).check_relations().is_ok());
        for column in 0..count {
            let mut case = small(wide);
            shift(&mut case, column, 1);
            // What is looked up in a function with it no longer fits, or a relation breaks.
            assert!(
                case.check_relations().is_err() || case.looked_up().is_err(),
                "{wide} {column}"
            );
        }
    }
}

fn word(value: Base) -> u64 {
    value.as_canonical_u64()
}

#[test]
fn a_result_that_is_clamped_where_it_need_not_be_is_found() {
    let case = small(true);
    let Some(Constraint::Rescale(rescale)) = case.plan.constraints[1].clone() else {
        panic!("not a rescaling");
    };
    let Form::Saturated {
        column,
        lower,
        upper,
        ..
    } = rescale.form
    else {
        panic!("not saturated");
    };
    let within = |&place: &usize| {
        let [from_lower, from_upper] =
            [&lower, &upper].map(|limbs| word(at_cell(&case, limbs, place)));
        from_lower > 5 && from_upper > 5
    };
    let Some(place) = (0..15).map(|cell| cell / 5 * 8 + cell % 5).find(within) else {
        panic!("nothing within the bounds");
    };
    // The result is one less than the quotient, or one more, and up or down is 1 without the bound being
    // reached: what stands for the other distance follows, and the number for this one has 2 more.
    for (by, side, other) in [(-1, &upper, &lower), (1, &lower, &upper)] {
        let mut case = small(true);
        let changes = [(column, by), (side[0].column, 2), (other[0].column, -1)];
        for (column, by) in changes {
            case.columns.committed[column][place] += Base::from_i64(by);
        }
        assert!(case.looked_up().is_ok());
        assert!(case.check_relations().unwrap_err().contains("node 1"));
    }
}

fn at_cell(case: &Case, limbs: &[claim_reduction::Limb], place: usize) -> Base {
    limbs
        .iter()
        .map(|limb| case.columns.committed[limb.column][place] * Base::from_u64(1 << limb.shift))
        .sum()
}

#[test]
fn a_maximum_that_is_no_element_or_not_the_greatest_is_found() {
    for by in [-1, 1] {
        let mut case = small(false);
        let id = case.graph.inputs.len() + 2;
        let honest = case.tensors.get(id).to_vec();
        let Some(Constraint::Max {
            column,
            difference: Difference::Direct(difference),
            zeros,
            ..
        }) = case.plan.constraints[2].clone()
        else {
            panic!("not a maximum");
        };
        // All that follows from another maximum, as consistent as can be.
        case.columns.committed[column][1] += Base::from_i64(by);
        let [Some(claim_reduction::Source::Own(keys)), _] = &mut case.columns.looked[difference]
        else {
            panic!("committed");
        };
        for key in &mut keys[8..13] {
            *key += Base::from_i64(by);
        }
        let flags: Vec<Base> = keys
            .iter()
            .map(|&key| Base::from_bool(key == Base::ZERO))
            .collect();
        case.columns.committed[zeros] = flags;
        assert!(
            case.looked_up().is_err() || case.check_relations().is_err(),
            "{by}"
        );
        assert_eq!(case.tensors.get(id), honest);
    }
}

#[test]
fn a_clamp_whose_second_lookup_takes_another_number_than_the_first_made_is_found() {
    let make = || Case::new(common::graphs::clamps(-40, 90), 9);
    assert!(make().check_relations().is_ok());
    for column in 0..make().columns.committed.len() {
        let mut case = make();
        shift(&mut case, column, 1);
        assert!(
            case.check_relations().is_err() || case.looked_up().is_err(),
            "{column}"
        );
    }
    let mut case = make();
    let Some(Constraint::Rescale(rescale)) = case.plan.constraints[1].clone() else {
        panic!("not a rescaling");
    };
    let Form::Clamped {
        column,
        upper: Some(upper),
        between: Some(_),
        ..
    } = rescale.form
    else {
        panic!("not clamped from both sides");
    };
    // The result is one less than it should be, and what is left of the upper bound one more.
    let place = (0..15)
        .map(|cell| cell / 5 * 8 + cell % 5)
        .find(|&place| {
            let y = case.columns.committed[column][place];
            y != Base::from_i64(-40) && y != Base::from_i64(90)
        })
        .unwrap();
    case.columns.committed[column][place] -= Base::ONE;
    for source in &mut case.columns.looked[upper] {
        let Some(claim_reduction::Source::Own(cells)) = source else {
            panic!("committed");
        };
        cells[place] += Base::ONE;
    }
    assert_eq!(case.looked_up(), Ok(()));
    assert!(case.check_relations().unwrap_err().contains("node 1"));
}

#[test]
fn a_column_is_read_where_it_was_claimed() {
    // The value of a column at a vertex is the element there.
    let case = small(false);
    let column = &case.columns.committed[0];
    let point: Vec<Extension> = [0, 0, 0, 0, 0, 1, 0, 0].map(Extension::from_u32).to_vec();
    assert_eq!(at(column, &point), Extension::from(column[4]));
}

#[test]
fn a_wide_maximum_that_is_no_element_or_not_the_greatest_is_found() {
    let make = || {
        let mut b = Builder::new(2);
        let x = b.input(&[3, 5], -(1 << 27), (1 << 27) - 1);
        let y = b.max(x, 1);
        Case::new(b.finish(&[y]), 3)
    };
    assert!(make().check_relations().is_ok());
    let Some(Constraint::Max {
        column,
        zeros,
        difference: Difference::Wide { limbs, .. },
        ..
    }) = make().plan.constraints[0].clone()
    else {
        panic!("not wide");
    };
    // One more, with all differences of the line one more: nothing is zero there.
    for said in [false, true] {
        let mut case = make();
        case.columns.committed[column][1] += Base::ONE;
        for place in 8..13 {
            case.columns.committed[limbs[0].column][place] += Base::ONE;
            if !said {
                case.columns.committed[zeros][place] = Base::ZERO;
            }
        }
        assert!(case.looked_up().is_err() || case.check_relations().is_err());
    }
    for column in 0..make().columns.committed.len() {
        let mut case = make();
        shift(&mut case, column, 1);
        assert!(case.check_relations().is_err() || case.looked_up().is_err());
    }
}

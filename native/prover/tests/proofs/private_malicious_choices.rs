//! A prover that lies about the place of a maximum, or about what shows it.
//!
//! Each lie keeps all that it can: keys and flags follow, outputs too, and the lookups are counted anew
//! where all of them are in their tables.

use crate::hidden::{Case, biased};
use crate::liar::{LOOKUPS, RELATION, recount, rejected};
use crate::models::graphs::Builder;
use claim_reduction::{ArgMax, Constraint, Difference, Source};
use p3_field::PrimeCharacteristicRing;
use prover::relations::Witness;
use transcript::Base;

const SIZE: usize = 16;
/// What the weights make of every line, in which two elements are the greatest.
const LINE: [i32; SIZE] = [0, 3, 9, 1, 9, 2, 8, 0, 0, 5, 5, 5, 1, 1, 0, 7];
/// A line of the result.
const PLACE: usize = 7;

/// 16 lines of 16, so that no column of elements has padding. The weights are zero; their bias is the
/// line.
fn case(most: i64, last: bool) -> Case {
    let mut b = Builder::new(1);
    let x = b.input(&[16, 16], -10, 10);
    let y = b.linear(x, SIZE, true);
    b.parts.constants[0].values = LINE.to_vec();
    let node = b.parts.nodes.last_mut().unwrap();
    (node.lo, node.hi) = (-most as i32, most as i32);
    let y = b.arg_max(y, last);
    let graph = b.finish(&[y]);
    let case = biased(graph, vec![vec![3; 256]]);
    let (outputs, proof) = case.prove();
    case.verify(&outputs, &proof).unwrap();
    assert_eq!(outputs[0][PLACE], if last { 4 } else { 2 });
    case
}

fn own(case: &Case) -> ArgMax {
    match case.proofs().relations().plan().constraints.last() {
        Some(Some(Constraint::ArgMax(own))) => own.clone(),
        other => panic!("not a place: {other:?}"),
    }
}

/// Writes columns for a place and a maximum, with flags that are given.
fn tell(witness: &mut Witness, own: &ArgMax, place: usize, most: i32, flags: [bool; SIZE]) {
    let columns = &mut witness.columns;
    columns.committed[own.column][PLACE] = Base::from_usize(place);
    columns.committed[own.most][PLACE] = Base::from_i32(most);
    witness.outputs[0][PLACE] = place as i32;
    for (at, x) in LINE.into_iter().enumerate() {
        let cell = PLACE * SIZE + at;
        let behind = if own.last {
            &flags[..at]
        } else {
            &flags[at + 1..]
        };
        let counted = behind.iter().filter(|&&flag| flag).count() as i32;
        let excess = most - x - counted;
        columns.committed[own.chosen][cell] = Base::from_bool(flags[at]);
        match &own.difference {
            Difference::Direct(lookup) => {
                if let Some(Source::Own(keys)) = &mut columns.looked[*lookup][0] {
                    keys[cell] = Base::from_i32(excess - i32::from(flags[at]));
                }
            }
            Difference::Wide { limbs, .. } => {
                let mut left = i64::from(excess);
                for (index, limb) in limbs.iter().enumerate() {
                    let part = left & ((1 << limb.bits) - 1);
                    // What does not fit goes to the last limb.
                    let part = if index + 1 == limbs.len() { left } else { part };
                    columns.committed[limb.column][cell] = Base::from_i64(part);
                    left = (left - part) >> limb.bits;
                }
            }
        }
    }
}

/// The code for a claimed place and maximum, with flags.
fn told(case: &Case, place: usize, most: i32, chosen: &[usize]) -> &'static str {
    let own = own(case);
    let flags = std::array::from_fn(|at| chosen.contains(&at));
    rejected(case, |witness| {
        tell(witness, &own, place, most, flags);
        recount(case.proofs().relations(), witness);
    })
}

#[test]
fn the_honest_place_is_accepted_as_it_is_told_here() {
    for most in [90, 1 << 20] {
        for last in [false, true] {
            let place = if last { 4 } else { 2 };
            assert_eq!(told(&case(most, last), place, 9, &[place]), "");
        }
    }
}

#[test]
fn another_place_has_a_key_that_is_in_no_table() {
    for most in [90, 1 << 20] {
        for last in [false, true] {
            let case = case(most, last);
            // The other one of the two that are the greatest, and some that are less.
            for place in [if last { 2 } else { 4 }, 0, 6, 15] {
                let code = told(&case, place, LINE[place], &[place]);
                assert_eq!(code, LOOKUPS, "{most} {last} {place}");
            }
        }
    }
}

/// With a maximum that no element is, all keys but that of the place are in range.
#[test]
fn a_place_whose_element_is_not_the_maximum_is_rejected() {
    for (most, code) in [(90, LOOKUPS), (1 << 20, RELATION)] {
        let case = case(most, false);
        for place in [0, 4] {
            assert_eq!(told(&case, place, 11, &[place]), code, "{most} {place}");
        }
    }
}

#[test]
fn a_place_that_is_not_the_one_that_is_chosen_is_rejected() {
    for most in [90, 1 << 20] {
        let case = case(most, false);
        assert_eq!(told(&case, 4, 9, &[2]), RELATION, "{most}");
    }
}

#[test]
fn none_or_two_that_are_chosen_are_rejected() {
    for most in [90, 1 << 20] {
        let case = case(most, false);
        // Of none the place is 0, and any maximum that is large enough is in range.
        assert_eq!(told(&case, 0, 10, &[]), RELATION, "{most}");
        // The first is counted by two: its key is one too low.
        assert_eq!(told(&case, 6, 9, &[2, 4]), LOOKUPS, "{most}");
    }
}

/// Rows of weights: each line of the bias, of 16 numbers, by an index that is an input.
fn picked() -> Case {
    let mut b = Builder::new(1);
    let x = b.input(&[1, 16], -10, 10);
    let index = b.input(&[16], 0, 15);
    let y = b.linear(x, SIZE, true);
    b.parts.constants[0].values = LINE.to_vec();
    let y = b.view(y, 0, &[1], &[SIZE]);
    let y = b.pick(y, index);
    let graph = b.finish(&[y]);
    let case = biased(graph, vec![vec![3; 16], (0..16).rev().collect()]);
    let (outputs, proof) = case.prove();
    case.verify(&outputs, &proof).unwrap();
    // The line of the result names place 8.
    assert_eq!(outputs[0][PLACE], LINE[15 - PLACE]);
    case
}

/// The code for flags of one element of the index, with the output that follows.
fn flagged(case: &Case, flags: &[(usize, i32)]) -> &'static str {
    let Some(Some(Constraint::Pick(own))) = case.proofs().relations().plan().constraints.last()
    else {
        panic!("no rows");
    };
    rejected(case, |witness| {
        let cells = &mut witness.columns.committed[own.flags][PLACE * SIZE..][..SIZE];
        cells.fill(Base::ZERO);
        let mut output = 0;
        for &(row, flag) in flags {
            cells[row] = Base::from_i32(flag);
            output += flag * LINE[row];
        }
        witness.outputs[0][PLACE] = output;
        recount(case.proofs().relations(), witness);
    })
}

#[test]
fn the_row_that_an_index_names_is_accepted_and_no_other() {
    let case = picked();
    let named = 15 - PLACE;
    assert_eq!(flagged(&case, &[(named, 1)]), "");
    for row in (0..SIZE).filter(|&row| row != named) {
        assert_eq!(flagged(&case, &[(row, 1)]), RELATION, "{row}");
        assert_eq!(flagged(&case, &[(named, 1), (row, 1)]), RELATION, "{row}");
    }
    assert_eq!(flagged(&case, &[]), RELATION);
    // Their sum is 1, and that of their rows the index.
    let code = flagged(&case, &[(named - 1, 2), (named - 2, -1)]);
    assert_eq!(code, LOOKUPS);
}

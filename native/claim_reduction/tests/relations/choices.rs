//! Places of maxima: what is executed is accepted, and no other place.

use crate::common;
use crate::common::Case;
use crate::common::graphs::{Builder, choosing};
use claim_reduction::{ArgMax, Constraint, Difference};
use p3_field::{Field, PrimeCharacteristicRing};
use transcript::{Base, Extension};

#[test]
fn random_graphs_with_places_of_maxima_are_reduced() {
    let (mut direct, mut wide) = (0, 0);
    for seed in 0..60 {
        let make = if seed % 3 == 0 {
            Case::known
        } else {
            Case::new
        };
        let case = make(choosing(seed), seed + 5);
        for constraint in case.plan.constraints.iter().flatten() {
            if let Constraint::ArgMax(own) = constraint {
                match own.difference {
                    Difference::Direct(_) => direct += 1,
                    Difference::Wide { .. } => wide += 1,
                }
            }
        }
        let result = case.check(&mut |_, _| ());
        assert!(result.is_ok(), "{seed}: {result:?} {:#?}", case.graph.nodes);
    }
    assert!(direct > 20 && wide > 20, "{direct} {wide}");
}

#[test]
fn every_value_that_is_sent_matters() {
    for seed in [1, 2, 4, 7, 8] {
        Case::new(choosing(seed), seed).each_message_matters(seed);
    }
}

/// Places in lines of numbers, of which `most` is the largest.
fn case(numbers: &[&[i32]], most: i32, last: bool) -> Case {
    let mut b = Builder::new(2);
    let size = numbers[0].len();
    let x = b.input(&[numbers.len(), size], -most, most);
    let y = b.arg_max(x, last);
    Case::of(b.finish(&[y]), vec![numbers.concat()])
}

fn own(case: &Case) -> ArgMax {
    match &case.plan.constraints[0] {
        Some(Constraint::ArgMax(own)) => own.clone(),
        other => panic!("not a place: {other:?}"),
    }
}

/// Makes columns in which a line's place is another one and the maximum is what stands there or any
/// other number; all else follows, in its range or not. The line is of four numbers.
fn told(case: &mut Case, line: usize, place: usize, most: i32) {
    let own = own(case);
    let x = case.inputs[0][line * 4..][..4].to_vec();
    let mut outputs = case.outputs();
    outputs[0][line] = place as i32;
    case.claimed = Some(outputs);
    let committed = &mut case.columns.committed;
    committed[own.column][line] = Base::from_usize(place);
    committed[own.most][line] = Base::from_i32(most);
    for (at, &x) in x.iter().enumerate() {
        let cell = line * 4 + at;
        committed[own.chosen][cell] = Base::from_bool(at == place);
        let behind = if own.last { at > place } else { at < place };
        let excess = most - x - i32::from(behind);
        match &own.difference {
            Difference::Direct(lookup) => {
                let key = Base::from_i32(excess - i32::from(at == place));
                let keys = &mut case.columns.looked[*lookup][0];
                if let Some(claim_reduction::Source::Own(keys)) = keys {
                    keys[cell] = key;
                }
            }
            Difference::Wide { limbs, .. } => {
                let mut left = i64::from(excess);
                for (index, limb) in limbs.iter().enumerate() {
                    let part = left & ((1 << limb.bits) - 1);
                    // What does not fit goes to the last limb.
                    let part = if index + 1 == limbs.len() { left } else { part };
                    committed[limb.column][cell] = Base::from_i64(part);
                    left = (left - part) >> limb.bits;
                }
            }
        }
    }
}

const LINES: [&[i32]; 3] = [&[5, 9, 9, 2], &[7, 7, 7, 7], &[-3, -8, -3, -9]];

#[test]
fn the_first_or_the_last_of_equals_is_chosen() {
    for most in [9, 1 << 20] {
        assert_eq!(case(&LINES, most, false).outputs()[0], [1, 0, 0]);
        assert_eq!(case(&LINES, most, true).outputs()[0], [2, 3, 2]);
        for last in [false, true] {
            let mut case = case(&LINES, most, last);
            let honest = case.outputs()[0].clone();
            assert_eq!(case.check(&mut |_, _| ()).err(), None);
            // The honest columns are among those that are told below.
            for (line, &place) in honest.iter().enumerate() {
                let x = case.inputs[0][line * 4 + place as usize];
                told(&mut case, line, place as usize, x);
            }
            assert_eq!(case.check(&mut |_, _| ()).err(), None);
        }
    }
}

#[test]
fn another_place_is_found_by_the_lookups_alone() {
    let mut by_lookup = 0;
    for most in [9, 1 << 20] {
        for last in [false, true] {
            for line in 0..3 {
                for place in 0..4 {
                    let mut case = case(&LINES, most, last);
                    if case.outputs()[0][line] == place {
                        continue;
                    }
                    let x = case.inputs[0][line * 4 + place as usize];
                    told(&mut case, line, place as usize, x);
                    assert_eq!(case.check_relations(), Ok(()), "{most} {line} {place}");
                    assert!(case.looked_up().is_err(), "{most} {line} {place}");
                    by_lookup += 1;
                }
            }
        }
    }
    assert_eq!(by_lookup, 2 * 2 * 3 * 3);
}

/// A maximum that none of the line is: what is chosen is then not zero, or no element's difference.
#[test]
fn a_maximum_that_is_no_element_is_rejected() {
    for most in [9, 1 << 20] {
        for place in 0..4 {
            let mut case = case(&LINES, most, false);
            told(&mut case, 0, place, 9 + 1);
            assert!(case.check(&mut |_, _| ()).is_err(), "{most} {place}");
        }
    }
}

#[test]
fn none_or_two_that_are_chosen_are_rejected() {
    for most in [9, 1 << 20] {
        for (cell, by) in [(1, -Base::ONE), (2, Base::ONE)] {
            let mut case = case(&LINES, most, false);
            let own = own(&case);
            case.columns.committed[own.chosen][cell] += by;
            if let Difference::Direct(lookup) = own.difference {
                // The key follows its flag, and is counted in the keys before it.
                if let Some(claim_reduction::Source::Own(keys)) =
                    &mut case.columns.looked[lookup][0]
                {
                    for key in &mut keys[..=cell] {
                        *key -= by;
                    }
                }
            }
            assert!(case.check(&mut |_, _| ()).is_err(), "{most} {cell}");
        }
    }
}

#[test]
fn every_cell_that_is_read_matters() {
    for (most, last) in [(9, false), (9, true), (1 << 20, false), (1 << 20, true)] {
        let honest = case(&[&[1, 4, 4], &[2, -2, 0], &[3, 3, 3]], most, last);
        let (mut by_lookup, mut by_relation) = (0, 0);
        for column in 0..honest.columns.committed.len() {
            let sizes = honest.plan.columns[column].shape.iter();
            let read: usize = sizes.map(|size| size.next_power_of_two()).product();
            for place in 0..read {
                for by in [Base::ONE, -Base::ONE] {
                    let mut case = case(&[&[1, 4, 4], &[2, -2, 0], &[3, 3, 3]], most, last);
                    case.columns.committed[column][place] += by;
                    let in_tables = case.looked_up();
                    by_lookup += usize::from(in_tables.is_err());
                    if in_tables.is_ok() {
                        let result = case.check_relations();
                        assert!(result.is_err(), "column {column}, cell {place}");
                        by_relation += 1;
                    }
                }
            }
        }
        assert!(
            by_lookup > 5 && by_relation > 5,
            "{by_lookup} {by_relation}"
        );
    }
}

/// Whoever commits to weights chooses what stands beyond their last row: it is no place.
#[test]
fn a_place_in_the_padding_is_none() {
    let graph = |rows| {
        let mut b = Builder::new(1);
        let x = b.input(&[1, 2], -100, 100);
        let y = b.linear(x, rows, false);
        let y = b.arg_max(y, false);
        b.finish(&[y])
    };
    let key = Case::of(graph(15), vec![vec![1, 9]]);
    let mut cheat = Case::of(graph(16), vec![vec![1, 9]]);
    // All rows yield -5 but the one beyond, which yields 1.
    cheat.weights = [-5, 0].repeat(15);
    cheat.weights.extend([1, 0]);
    let inputs = cheat.inputs.clone();
    let cheat = cheat.given(inputs);
    assert_eq!(cheat.outputs(), [[15]]);
    cheat.check(&mut |_, _| ()).unwrap();
    let views: Vec<&[i32]> = cheat.inputs.iter().map(Vec::as_slice).collect();
    let outputs = cheat.outputs();
    let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
    let lookup_claims = cheat.lookup_claims();
    let asked = key.problem(&views, &outputs, &lookup_claims);
    let mut told = asked;
    told.contractions = &cheat.contractions;
    let mut transcript = transcript::Transcript::new();
    let mut prover = claim_reduction::Prover::new(cheat.witness(), &mut transcript);
    claim_reduction::reduce(&mut prover, &told).unwrap();
    let rejected = Case::verify(&asked, &prover.finish()).err();
    let place = claim_reduction::Place::Node(1);
    assert_eq!(rejected, Some(claim_reduction::Rejected::Mismatch(place)));
}

#[test]
fn a_place_that_is_not_the_one_that_is_chosen_is_rejected() {
    for most in [9, 1 << 20] {
        for place in [0, 2, 3] {
            let mut case = case(&LINES, most, false);
            let own = own(&case);
            case.columns.committed[own.column][0] = Base::from_i32(place);
            let mut outputs = case.outputs();
            outputs[0][0] = place;
            case.claimed = Some(outputs);
            let error = case.check(&mut |_, _| ()).unwrap_err();
            assert!(error.contains("node 0"), "{error}");
        }
    }
}

/// The second of two that are equal, with keys in which those behind it count, not those before; and
/// the prover says of what is counted what leaves the operand as it is.
#[test]
fn keys_that_count_what_is_chosen_otherwise_are_rejected() {
    let mut case = case(&LINES, 9, false);
    let own = own(&case);
    let Difference::Direct(lookup) = own.difference else {
        panic!("not direct");
    };
    let committed = &mut case.columns.committed;
    committed[own.column][0] = Base::TWO;
    committed[own.chosen][1] = Base::ZERO;
    committed[own.chosen][2] = Base::ONE;
    if let Some(claim_reduction::Source::Own(keys)) = &mut case.columns.looked[lookup][0] {
        for (at, x) in LINES[0].iter().enumerate() {
            keys[at] = Base::from_i32(9 - x - i32::from(at >= 2));
        }
    }
    let mut outputs = case.outputs();
    outputs[0][0] = 2;
    case.claimed = Some(outputs);
    assert_eq!(case.looked_up(), Ok(()));
    let claim = case.lookup_claims().swap_remove(lookup);
    let (front, at) = claim.point.split_at(claim.point.len() - 4);
    let factor: Extension = front.iter().map(|&x| Extension::ONE - x).product();
    let mut x = vec![Base::ZERO; 16];
    for (cell, &value) in x.iter_mut().zip(&case.inputs[0]) {
        *cell = Base::from_i32(value);
    }
    let x = common::at(&x, at);
    let error = case
        .check(&mut |_, values| {
            if let [most, _, counted] = values {
                *counted = *most - claim.key * factor.inverse() - x;
            }
        })
        .unwrap_err();
    assert!(error.contains("node 0"), "{error}");
}

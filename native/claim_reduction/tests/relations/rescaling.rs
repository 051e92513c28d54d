//! Rescalings whose limbs can make quotients that are not apart: those are taken from a table of all
//! quotients, or held to their range.

use crate::common::Case;
use crate::common::graphs::Builder;
use claim_reduction::{Constraint, Form, Held, Limb, Plan, Rescale};
use graph::Graph;
use p3_field::{PrimeCharacteristicRing, PrimeField64};
use transcript::Base;

const SHIFT: u32 = 6;
/// Limbs of 24 bits on both sides of 0 make 2^25 quotients, which are not apart at this shift: p / 64
/// is a little less.
const MOST: i64 = 10_428_860;

/// 5 · x / 64 of numbers up to what the quotients are to be, clamped.
fn graph(multipliers: &[i32], shift: u32, most: i64, clamp: (i64, i64)) -> Graph {
    let mut b = Builder::new(1);
    let x = b.input(&[3, 5], -reach(shift, most), reach(shift, most));
    let axis = usize::from(multipliers.len() > 1);
    let y = b.rescale(x, multipliers, axis, shift, clamp.0, clamp.1);
    b.finish(&[y])
}

/// The operand whose quotient is this one, or next to it.
fn reach(shift: u32, quotient: i64) -> i32 {
    ((quotient << shift) / 5) as i32
}

fn rescale(case: &Case) -> Rescale {
    match &case.plan.constraints[0] {
        Some(Constraint::Rescale(rescale)) => rescale.clone(),
        other => panic!("not a rescaling: {other:?}"),
    }
}

fn held(case: &Case) -> Option<Held> {
    match rescale(case).form {
        Form::Wide { held, .. } | Form::Saturated { held, .. } => held,
        other => panic!("not of limbs: {other:?}"),
    }
}

const CLAMPS: [(i64, i64); 4] = [
    (-MOST, MOST),
    (0, 1 << 28),
    (-MOST, 1000),
    (-9_000_000, 10_000_000),
];

#[test]
fn quotients_of_all_clamps_are_held() {
    let most = reach(SHIFT, MOST);
    let mut x = vec![most, -most, 0, 1, -1, 64, 63, most / 2, -most / 3];
    x.resize(15, 7);
    for multipliers in [&[5][..], &[5, -5, 1, 4, 3]] {
        for clamp in CLAMPS {
            let case = Case::of(graph(multipliers, SHIFT, MOST, clamp), vec![x.clone()]);
            let own = held(&case).unwrap();
            assert!(own.high - own.low > 1 << 24);
            let result = case.check(&mut |_, _| ());
            assert!(result.is_ok(), "{clamp:?}: {result:?}");
            case.each_message_matters(1);
        }
    }
}

/// Half as many quotients are apart as they are.
#[test]
fn quotients_that_are_apart_are_not_held() {
    for clamp in CLAMPS {
        let case = Case::of(graph(&[5], SHIFT, 4_000_000, clamp), vec![vec![7; 15]]);
        assert_eq!(held(&case), None);
    }
}

/// Of fewer than 2^16 quotients a table is taken, whatever else would be less.
#[test]
fn few_quotients_that_are_far_from_zero_are_in_a_table() {
    // 15 results: limbs would be less than a table of some 50,000 entries, but for what they can make.
    for (most, direct) in [(26_000, true), (15_000, false)] {
        let case = Case::of(graph(&[5], 15, most, (-9, 9)), vec![vec![7; 15]]);
        let form = rescale(&case).form;
        assert_eq!(matches!(form, Form::Direct { .. }), direct, "{form:?}");
        assert!(case.check(&mut |_, _| ()).is_ok());
    }
}

#[test]
fn products_that_are_not_apart_are_refused() {
    let refusal = |most| Plan::of_all(&graph(&[5], SHIFT, most, (-MOST, MOST))).err();
    assert_eq!(refusal(16_600_000), None);
    let refused = refusal(16_700_000).unwrap();
    assert_eq!(refused.operator, "Rescale");
    assert!(refused.why.contains("apart"), "{}", refused.why);
}

/// Writes an integer into limbs: what does not fit goes to the last one.
fn store(case: &mut Case, limbs: &[Limb], cell: usize, number: i64) {
    let mut left = number;
    for (index, limb) in limbs.iter().enumerate() {
        let part = left & ((1 << limb.bits) - 1);
        let part = if index + 1 == limbs.len() { left } else { part };
        case.columns.committed[limb.column][cell] = Base::from_i64(part);
        left = (left - part) >> limb.bits;
    }
}

/// Two quotients with one residue, both of which limbs can make: one is beyond its range.
#[test]
fn a_quotient_beyond_its_range_is_found_by_what_holds_it_alone() {
    const P_BY_64: i64 = ((1 << 31) - (1 << 24)) >> SHIFT;
    // 5·x + 32 = 64·q + r = 64·(q + (p − 1) / 64) + r + 1 − p.
    let x = reach(SHIFT, -10_300_000);
    let (quotient, remainder) = ((5 * x + 32) >> SHIFT, (5 * x + 32) & 63);
    assert!(remainder < 63);
    let mut numbers = vec![7; 15];
    numbers[0] = x;
    let mut case = Case::of(graph(&[5], SHIFT, MOST, (-MOST, MOST)), vec![numbers]);
    let own = rescale(&case);
    let Form::Wide { above, held, .. } = &own.form else {
        panic!("not of limbs");
    };
    let held = held.as_ref().unwrap();
    let lie = i64::from(quotient) + P_BY_64;
    assert!(lie > held.high);
    let mut outputs = case.outputs();
    outputs[0][0] = lie as i32;
    case.claimed = Some(outputs);
    store(&mut case, above, 0, lie + MOST);
    store(&mut case, &own.remainder, 0, i64::from(remainder) + 1);
    // All lookups but those of what holds it are right.
    store(&mut case, &held.over, 0, lie - held.low);
    store(&mut case, &held.under, 0, held.high - lie);
    assert_eq!(case.check_relations(), Ok(()));
    let lookup = case.looked_up().unwrap_err();
    let holding = held.over.iter().chain(&held.under);
    let holding: Vec<usize> = holding.map(|limb| limb.lookup).collect();
    assert!(holding.contains(&lookup), "{lookup}");
    // Any t and t' that are in their ranges are not those of the quotient.
    let span = held.high - held.low;
    for (over, under) in [(0, span), (span, 0), (lie - held.low, 0)] {
        store(&mut case, &held.over, 0, over);
        store(&mut case, &held.under, 0, under);
        assert_eq!(case.looked_up(), Ok(()), "{over}");
        assert!(case.check_relations().is_err());
    }
}

#[test]
fn every_cell_that_is_read_matters() {
    let honest = || {
        let x: Vec<i32> = (0..15).map(|at| (at - 7) * 1_000_003).collect();
        Case::of(graph(&[5], SHIFT, MOST, (-9_000, 10_000_000)), vec![x])
    };
    let (mut by_lookup, mut by_relation) = (0, 0);
    for column in 0..honest().columns.committed.len() {
        for place in (0..17).chain([31, 255]) {
            for by in [Base::ONE, -Base::ONE] {
                let mut case = honest();
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
        by_lookup > 5 && by_relation > 20,
        "{by_lookup} {by_relation}"
    );
    assert!(honest().columns.committed[0][0].as_canonical_u64() < 64);
}

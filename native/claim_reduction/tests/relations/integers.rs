//! Divisions and square roots: what is executed is accepted, and nothing else.

use crate::common::Case;
use crate::common::graphs::{Builder, normalised};
use crate::common::pieces::{BITS, MODULUS, carry, number, of_division, of_root, slack, store};
use claim_reduction::{Constraint, Plan, Role};
use p3_field::PrimeCharacteristicRing;
use transcript::Base;

#[test]
fn random_graphs_with_shares_and_deviations_are_reduced() {
    let (mut whole, mut cut) = (0, 0);
    for seed in 0..80 {
        let make = if seed % 3 == 0 {
            Case::known
        } else {
            Case::new
        };
        let case = make(normalised(seed), seed + 5);
        for constraint in case.plan.constraints.iter().flatten() {
            if let Constraint::Divide { exact, divisor } = constraint {
                *if exact.pieces.is_some() {
                    &mut cut
                } else {
                    &mut whole
                } += 1;
                // The divisor is cut where it has fewest elements.
                assert!(divisor.origin.tensor < divisor.tensor);
            }
        }
        let result = case.check(&mut |_, _| ());
        assert!(result.is_ok(), "{seed}: {result:?} {:#?}", case.graph.nodes);
    }
    assert!(whole > 20 && cut > 20, "{whole} {cut}");
}

/// One division of the first input by the second.
fn division(shape: &[usize], k: i32, most: i32, divisors: (i32, i32)) -> Case {
    let mut b = Builder::new(2);
    let x = b.input(shape, -most, most);
    let d = b.input(shape, divisors.0, divisors.1);
    let y = b.divide(x, d, k);
    Case::new(b.finish(&[y]), 3)
}

fn root(shape: &[usize], k: i32, most: i32) -> Case {
    let mut b = Builder::new(2);
    let x = b.input(shape, 0, most);
    let y = b.square_root(x, k);
    Case::new(b.finish(&[y]), 3)
}

fn accepted(case: &Case) {
    let result = case.check(&mut |_, _| ());
    assert!(result.is_ok(), "{result:?} {:?}", case.inputs);
}

#[test]
fn ties_signs_and_the_ends_of_all_ranges_are_reduced() {
    let case = || division(&[2, 3], 1, 9, (1, 6));
    let x = vec![9, -9, 3, -3, 1, -1];
    for d in 1..=6 {
        let case = case().given(vec![x.clone(), vec![d; 6]]);
        accepted(&case);
        let wanted: Vec<i32> = x.iter().map(|x| (2 * x + d).div_euclid(2 * d)).collect();
        assert_eq!(case.outputs()[0], wanted);
    }
    let largest = (1 << 28) - 1;
    for (k, most) in [(1, (1 << 29) - 1), (i32::MAX, 1), (1 << 20, 500), (1, 0)] {
        let make = || division(&[5], k, most, (1, largest));
        let least = ((i64::from(k) * i64::from(most)) >> 28).max(1) as i32;
        for d in [least, least + 1, largest - 1, largest] {
            accepted(&make().given(vec![vec![most, -most, 0, most / 2, -most / 3], vec![d; 5]]));
        }
    }
    for (k, most) in [
        (1, 30),
        (1 << 24, 50_642_081),
        (i32::MAX, 1 << 24),
        (1, (1 << 29) - 1),
    ] {
        let numbers = [0, 1, 2, 15, 16, most - 1, most];
        accepted(&root(&[7], k, most).given(vec![numbers.map(|x| x.min(most)).to_vec()]));
    }
}

#[test]
fn divisors_and_results_beyond_the_field_are_refused() {
    let divided = |lo: i32, most: i32| {
        let mut b = Builder::new(2);
        let x = b.input(&[3], -9, 9);
        let d = b.input(&[3], lo, most);
        let y = b.node(graph::Op::Divide { k: 1 }, &[x, d], &[3], -9, 9);
        let refused = Plan::of_all(&b.finish(&[y])).err();
        refused.map(|refused| (refused.operator, refused.why))
    };
    let why = || "its products are too large for the field".to_owned();
    assert_eq!(divided(1, 1 << 28), None);
    assert_eq!(divided(1, (1 << 28) + 1), Some(("Divide", why())));
    let never = "its divisor is never positive".to_owned();
    assert_eq!(divided(-5, 0), Some(("Divide", never)));
    assert_eq!(divided(-5, 1), None);
    let root = |most: i64| {
        let mut b = Builder::new(2);
        let x = b.input(&[3], 0, (1 << 29) - 1);
        let y = b.node(graph::Op::SquareRoot { k: 1 << 27 }, &[x], &[3], 0, most);
        let refused = Plan::of_all(&b.finish(&[y])).err();
        refused.map(|refused| (refused.operator, refused.why))
    };
    assert_eq!(root((1 << 28) - 1), None);
    assert_eq!(root(1 << 28), Some(("SquareRoot", why())));
}

impl Case {
    fn constraint(&self) -> Constraint {
        let constraint = self.plan.constraints.iter().rev().flatten().next();
        constraint.cloned().unwrap_or_else(|| panic!("no unit"))
    }
}

/// A division whose operand and divisor are inputs of 256 elements.
fn wide() -> Case {
    division(&[16, 16], 379_625_062, 5032, (23_529, 29_148_467))
}

#[test]
fn a_quotient_one_less_or_more_with_the_rest_that_follows_is_found_by_the_slack_alone() {
    for by in [-1_i64, 1] {
        let mut case = wide();
        let Constraint::Divide { exact, .. } = case.constraint() else {
            panic!("not a division");
        };
        let fits = |place: &usize| {
            let d = i64::from(case.inputs[1][*place]);
            let rest = number(&case.columns, &exact.rest, *place) - 2 * by * d;
            rest < 1 << 26
        };
        let place = (0..256).find(fits).unwrap();
        let (a, d) = (
            case.inputs[0][place].into(),
            i64::from(case.inputs[1][place]),
        );
        let [y, rest] = [&exact.result, &exact.rest].map(|own| number(&case.columns, own, place));
        store(&mut case.columns, &exact.result, place, y + by);
        store(&mut case.columns, &exact.rest, place, rest - 2 * by * d);
        let slack = slack(&exact);
        let left = number(&case.columns, &slack, place);
        store(&mut case.columns, &slack, place, left + 2 * by * d);
        let n = of_division(&case.columns, &exact, place, a, d);
        carry(&mut case.columns, &exact, place, &n);
        // Another quotient is another output.
        let output = case.graph.outputs[0];
        case.state(output, place, by as i32);
        assert_eq!(case.check_relations(), Ok(()), "{by}");
        assert!(case.looked_up().is_err(), "{by}");
    }
}

impl Case {
    /// Changes an element of a tensor, of whose columns the test takes care.
    fn state(&mut self, tensor: usize, place: usize, by: i32) {
        let mut outputs: Vec<i32> = self.tensors.get(tensor).to_vec();
        outputs[place] += by;
        self.claimed = Some(vec![outputs]);
    }
}

#[test]
fn a_quotient_in_the_padding_is_read_by_no_sum() {
    for by in [-1_i64, 1] {
        let mut b = Builder::new(2);
        let x = b.input(&[3, 5], -500, 500);
        let d = b.input(&[3, 5], 1, 60);
        let y = b.divide(x, d, 1000);
        let sums = b.sum(y, 1);
        let mut case = Case::new(b.finish(&[sums]), 3);
        let Constraint::Divide { exact, .. } = case.constraint() else {
            panic!("not a division");
        };
        // Of the first line, behind its five elements: 0 divided by 1.
        let place = 5;
        let slack = slack(&exact);
        let numbers = [&exact.result, &exact.rest, &slack];
        assert_eq!(
            numbers.map(|own| number(&case.columns, own, place)),
            [0, 1, 0]
        );
        store(&mut case.columns, &exact.result, place, by);
        store(&mut case.columns, &exact.rest, place, 1 - 2 * by);
        store(&mut case.columns, &slack, place, 2 * by);
        let n = of_division(&case.columns, &exact, place, 0, 1);
        carry(&mut case.columns, &exact, place, &n);
        let output = case.graph.outputs[0];
        case.state(output, 0, by as i32);
        assert!(case.check_relations().is_err(), "{by}");
        assert!(case.looked_up().is_err(), "{by}");
    }
}

#[test]
fn a_quotient_that_is_right_modulo_p_only_is_found_by_the_carries_alone() {
    let mut found = 0;
    for wraps in [-2_i64, -1, 1, 2] {
        let mut case = wide();
        let Constraint::Divide { exact, .. } = case.constraint() else {
            panic!("not a division");
        };
        for place in 0..256 {
            let (a, d) = (
                i64::from(case.inputs[0][place]),
                i64::from(case.inputs[1][place]),
            );
            // The same relation, but for a multiple of p.
            let product = 2 * 379_625_062 * a + d + wraps * MODULUS;
            let (y, rest) = (product.div_euclid(2 * d), product.rem_euclid(2 * d));
            let honest = number(&case.columns, &exact.result, place);
            if y == honest || y.abs() > 590_350 {
                continue;
            }
            store(&mut case.columns, &exact.result, place, y);
            store(&mut case.columns, &exact.rest, place, rest);
            let slack = slack(&exact);
            store(&mut case.columns, &slack, place, 2 * d - 1 - rest);
            let n = of_division(&case.columns, &exact, place, a, d);
            let at_base = n.iter().rev().fold(0, |sum, c| (sum << BITS) + c);
            assert_eq!(at_base, wraps * MODULUS);
            // Honest carries do not solve the coefficients; those of the field are no carries.
            let output = case.graph.outputs[0];
            case.state(output, place, (y - honest) as i32);
            assert_eq!(case.looked_up(), Ok(()));
            assert!(case.check_relations().is_err());
            carry(&mut case.columns, &exact, place, &n);
            assert_eq!(case.check_relations(), Ok(()));
            assert!(case.looked_up().is_err());
            found += 1;
            break;
        }
    }
    assert_eq!(found, 4);
}

#[test]
fn a_root_one_off_is_found_by_rest_or_slack() {
    for by in [-1_i64, 1] {
        let mut case = root(&[16, 16], 1 << 24, 50_642_081);
        let Constraint::SquareRoot(exact) = case.constraint() else {
            panic!("not a root");
        };
        let place = 7;
        let x = i64::from(case.inputs[0][place]);
        let y = number(&case.columns, &exact.result, place) + by;
        let rest = (x << 24) - y * y;
        store(&mut case.columns, &exact.result, place, y);
        store(&mut case.columns, &exact.rest, place, rest);
        let slack = slack(&exact);
        store(&mut case.columns, &slack, place, 2 * y - rest);
        let n = of_root(&case.columns, &exact, place, x);
        carry(&mut case.columns, &exact, place, &n);
        let output = case.graph.outputs[0];
        case.state(output, place, by as i32);
        assert_eq!(case.check_relations(), Ok(()), "{by}");
        assert!(case.looked_up().is_err(), "{by}");
    }
}

#[test]
fn every_cell_matters_in_the_padding_too() {
    let make = |model: usize| match model {
        0 => division(&[3, 5], 1000, 500, (1, 60)),
        1 => root(&[3, 5], 1000, 500),
        _ => Case::new(normalised(2), 5),
    };
    for model in 0..3 {
        let honest = make(model);
        assert_eq!(honest.check_relations(), Ok(()));
        let (mut by_lookup, mut by_relation) = (0, 0);
        for column in 0..honest.columns.committed.len() {
            // A column of fewer elements than it must have is read at its begin only; of an identity
            // all of it is held nevertheless.
            let sizes = honest.plan.columns[column].shape.iter();
            let read: usize = sizes.map(|size| size.next_power_of_two()).product();
            for place in (0..17).chain([31, 63, 255]) {
                if model == 2 && place >= read {
                    continue;
                }
                for by in [Base::ONE, -Base::ONE] {
                    let mut case = make_again(&honest);
                    case.columns.committed[column][place] += by;
                    let in_tables = case.looked_up();
                    by_lookup += usize::from(in_tables.is_err());
                    if in_tables.is_ok() {
                        let result = case.check_relations();
                        assert!(result.is_err(), "{model}: column {column}, cell {place}");
                        by_relation += 1;
                    }
                }
            }
        }
        assert!(
            by_lookup > 20 && by_relation > 50,
            "{by_lookup} {by_relation}"
        );
    }
}

fn make_again(case: &Case) -> Case {
    Case {
        graph: case.graph.clone(),
        plan: case.plan.clone(),
        contractions: case.contractions.clone(),
        weights: case.weights.clone(),
        inputs: case.inputs.clone(),
        tensors: case.tensors.clone(),
        columns: case.columns.clone(),
        claimed: None,
    }
}

#[test]
fn every_value_that_is_sent_matters() {
    for seed in [1, 2, 4, 7] {
        Case::new(normalised(seed), seed).each_message_matters(seed);
    }
}

#[test]
fn a_divisor_of_a_part_of_a_tensor_is_cut_itself() {
    // The other part is negative, which is no divisor's business.
    let mut b = Builder::new(2);
    let x = b.input(&[4], -50, 50);
    let all = b.input(&[2, 4], -9, 9);
    let part = b.view(all, 4, &[1], &[4]);
    let y = b.node(graph::Op::Divide { k: 7 }, &[x, part], &[4], -400, 400);
    let inputs = vec![vec![50, -50, 7, 0], vec![-1, -2, 0, -3, 1, 9, 2, 4]];
    let case = Case::of(b.finish(&[y]), inputs);
    let Constraint::Divide { divisor, .. } = case.constraint() else {
        panic!("not a division");
    };
    assert_eq!(divisor.origin.tensor, divisor.tensor);
    assert!(matches!(case.plan.roles.last(), Some(Role::Limbs { .. })));
    accepted(&case);
}

#[test]
fn a_divisor_that_is_not_positive_has_no_columns_that_are_accepted() {
    for d in [0, -3] {
        let mut b = Builder::new(2);
        let x = b.input(&[4], -50, 50);
        let divisors = b.input(&[4], -9, 9);
        let y = b.node(graph::Op::Divide { k: 7 }, &[x, divisors], &[4], -400, 400);
        let case = Case::of(b.finish(&[y]), vec![vec![5, 0, 7, 0], vec![1, 2, 3, 4]]);
        accepted(&case);
        // All columns as they were for 0 divided by 2, and by what is not one.
        let mut lying = make_again(&case);
        lying.inputs[1][1] = d;
        assert!(lying.check_relations().is_err(), "{d}");
        // With rest and slack that fit: their sum is 2d − 1, which is less than 0.
        let Constraint::Divide { exact, divisor } = lying.constraint() else {
            panic!("not a division");
        };
        let slack = slack(&exact);
        store(&mut lying.columns, &exact.rest, 1, i64::from(d));
        store(&mut lying.columns, &slack, 1, i64::from(d) - 1);
        store(&mut lying.columns, &divisor.pieces, 1, d.into());
        let n = of_division(&lying.columns, &exact, 1, 0, d.into());
        carry(&mut lying.columns, &exact, 1, &n);
        assert!(lying.looked_up().is_err(), "{d}");
    }
}

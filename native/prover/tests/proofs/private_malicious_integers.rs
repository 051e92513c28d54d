//! A prover that lies about a quotient, a root, or what shows them.
//!
//! Each lie keeps all that it can: the rest, the slack and the carries are made to fit, outputs follow,
//! and the lookups are counted anew where all of them are in their tables.

use crate::hidden::{Case, biased};
use crate::liar::{LOOKUPS, RELATION, recount, rejected};
use crate::models::graphs::Builder;
use crate::pieces::{
    BITS, MODULUS, carry, coefficients, number, of_division, of_root, slack, store,
};
use claim_reduction::{Constraint, Exact, Number};
use graph::{Graph, Op};
use p3_field::PrimeCharacteristicRing;
use prover::relations::Witness;
use transcript::Base;

const FACTOR: i32 = 379_625_062;
/// An element of the operand, divisor and result, and its place in every column.
const PLACE: usize = 37;
const VALUE: i32 = 11;
const DIVISOR: i64 = 23_530;

/// Elements divided by those of another input: 256, so that no column has padding. The weights are
/// zero; their bias is the operand, which is held to no range, and thus cut, where it is not clamped.
fn division(clamped: bool) -> Case {
    let mut b = Builder::new(1);
    let x = b.input(&[16, 16], -10, 10);
    let divisors = b.input(&[16, 16], 1, 29_148_467);
    let y = operand(&mut b, x, clamped);
    let op = Op::Divide { k: FACTOR };
    let y = b.node(op, &[y, divisors], &[16, 16], -590_350, 590_350);
    case(
        b.finish(&[y]),
        vec![vec![3; 256], vec![DIVISOR as i32; 256]],
    )
}

fn root(clamped: bool) -> Case {
    let mut b = Builder::new(1);
    let x = b.input(&[16, 16], -10, 10);
    let y = operand(&mut b, x, clamped);
    let node = &mut b.parts.nodes[0];
    (node.lo, node.hi) = (0, 5032);
    let y = b.square_root(y, FACTOR);
    case(b.finish(&[y]), vec![vec![3; 256]])
}

fn operand(b: &mut Builder, x: usize, clamped: bool) -> usize {
    let y = b.linear(x, 16, true);
    b.parts.constants[0].values = vec![VALUE; 16];
    let inputs = b.parts.inputs.len();
    let node = &mut b.parts.nodes[y - inputs];
    (node.lo, node.hi) = (-5032, 5032);
    if clamped {
        return b.rescale(y, &[1], 0, 0, -5032, 5032);
    }
    y
}

fn case(graph: Graph, inputs: Vec<Vec<i32>>) -> Case {
    let case = biased(graph, inputs);
    let (outputs, proof) = case.prove();
    case.verify(&outputs, &proof).unwrap();
    case
}

/// The identity of the last node.
fn exact(case: &Case) -> Exact {
    match case
        .proofs()
        .relations()
        .plan()
        .constraints
        .iter()
        .rev()
        .flatten()
        .next()
    {
        Some(Constraint::Divide { exact, .. } | Constraint::SquareRoot(exact)) => exact.clone(),
        other => panic!("neither a division nor a root: {other:?}"),
    }
}

/// The code for a division that claims another quotient, rest and slack, with carries that fit.
fn divided(case: &Case, lie: impl Fn([i64; 3]) -> [i64; 3]) -> &'static str {
    told(case, lie, |columns, exact| {
        of_division(columns, exact, PLACE, VALUE.into(), DIVISOR)
    })
}

/// The same for a root.
fn rooted(case: &Case, lie: impl Fn([i64; 3]) -> [i64; 3]) -> &'static str {
    told(case, lie, |columns, exact| {
        of_root(columns, exact, PLACE, VALUE.into())
    })
}

fn told(
    case: &Case,
    lie: impl Fn([i64; 3]) -> [i64; 3],
    identity: impl Fn(&claim_reduction::Columns, &Exact) -> Vec<i64>,
) -> &'static str {
    let exact = exact(case);
    rejected(case, |witness| {
        let columns = &mut witness.columns;
        let numbers = [&exact.result, &exact.rest, &slack(&exact)];
        let told = numbers.map(|own| number(columns, own, PLACE));
        let lie = lie(told);
        for (own, value) in numbers.into_iter().zip(lie) {
            store(columns, own, PLACE, value);
        }
        let n = identity(columns, &exact);
        carry(columns, &exact, PLACE, &n);
        witness.outputs[0][PLACE] = i32::try_from(lie[0]).unwrap();
        recount(case.proofs().relations(), witness);
    })
}

#[test]
fn a_quotient_one_off_needs_a_rest_or_a_slack_that_is_negative() {
    for clamped in [false, true] {
        let case = division(clamped);
        assert_eq!(exact(&case).pieces.is_none(), clamped);
        for by in [-1, 1] {
            // The rest is negative for one more, the slack for one less.
            let code = divided(&case, |[y, rest, slack]| {
                let (rest, slack) = (rest - 2 * by * DIVISOR, slack + 2 * by * DIVISOR);
                assert!(rest.min(slack) < 0 && rest + slack + 1 == 2 * DIVISOR);
                [y + by, rest, slack]
            });
            assert_eq!(code, LOOKUPS, "{clamped} {by}");
        }
    }
}

/// It fits the columns of the rest, and is more than the divisor allows.
#[test]
fn a_rest_beyond_its_divisor_is_another_divisor() {
    for clamped in [false, true] {
        let case = division(clamped);
        let code = divided(&case, |[y, rest, slack]| [y - 1, rest + 2 * DIVISOR, slack]);
        assert_eq!(code, RELATION, "{clamped}");
    }
}

#[test]
fn another_quotient_with_the_honest_rest_is_no_quotient() {
    let case = division(false);
    for by in [-1, 1] {
        // The carries of the field are none of the integers; the honest ones fit no relation.
        let code = divided(&case, |[y, rest, slack]| [y + by, rest, slack]);
        assert_eq!(code, LOOKUPS, "{by}");
        let exact = exact(&case);
        let code = rejected(&case, |witness| {
            let y = number(&witness.columns, &exact.result, PLACE) + by;
            store(&mut witness.columns, &exact.result, PLACE, y);
            witness.outputs[0][PLACE] = y as i32;
            recount(case.proofs().relations(), witness);
        });
        assert_eq!(code, RELATION, "{by}");
    }
}

/// With every number in its range, and the identity true modulo p.
#[test]
fn a_quotient_that_is_right_modulo_p_only_has_no_carries() {
    let case = division(true);
    let mut tried = 0;
    for wraps in [-4, -3, -2, -1, 1, 2, 3, 4_i64] {
        let product = 2 * i64::from(FACTOR) * i64::from(VALUE) + DIVISOR + wraps * MODULUS;
        let y = product.div_euclid(2 * DIVISOR);
        let rest = product.rem_euclid(2 * DIVISOR);
        if y.abs() > 590_350 {
            continue;
        }
        let code = divided(&case, |[own, ..]| {
            assert_ne!(own, y);
            [y, rest, 2 * DIVISOR - 1 - rest]
        });
        assert_eq!(code, LOOKUPS, "{wraps}");
        tried += 1;
    }
    assert!(tried > 3, "{tried}");
}

/// Another cut of the same number: one piece 2^13 more, the next one 1 less.
#[test]
fn a_digit_out_of_its_range_is_found_by_the_lookups_alone() {
    let moved = |witness: &mut Witness, of: &Number| {
        let whole = |shift: u32| {
            let own = of.limbs.iter().filter(move |limb| limb.shift == shift);
            own.map(|limb| limb.column).next()
        };
        let (Some(low), Some(next)) = (whole(0), whole(BITS)) else {
            panic!("of one piece");
        };
        let before = coefficients(&witness.columns, of, PLACE);
        witness.columns.committed[low][PLACE] += Base::from_u32(1 << BITS);
        witness.columns.committed[next][PLACE] -= Base::ONE;
        let after = coefficients(&witness.columns, of, PLACE);
        assert_eq!(after[0] - before[0], 1 << BITS);
        assert_eq!(after[1] - before[1], -1);
    };
    let case = division(false);
    let own = exact(&case);
    let pieces = own.pieces.clone().unwrap();
    for (name, number) in [("y", &own.result), ("g", &own.rest), ("a", &pieces)] {
        let code = rejected(&case, |witness| {
            moved(witness, number);
            let n = of_division(&witness.columns, &own, PLACE, VALUE.into(), DIVISOR);
            carry(&mut witness.columns, &own, PLACE, &n);
            recount(case.proofs().relations(), witness);
        });
        assert_eq!(code, LOOKUPS, "{name}");
    }
}

#[test]
fn another_digit_in_its_range_is_another_number() {
    let case = division(false);
    let own = exact(&case);
    let Some(Constraint::Divide { divisor, .. }) =
        case.proofs().relations().plan().constraints.last().unwrap()
    else {
        panic!("not a division");
    };
    let pieces = own.pieces.as_ref().unwrap();
    let numbers = [&own.result, &own.rest, pieces, &divisor.pieces];
    for (at, of) in numbers.into_iter().chain(&own.carries).enumerate() {
        for limb in &of.limbs {
            let code = rejected(&case, |witness| {
                let cell = &mut witness.columns.committed[limb.column][PLACE];
                *cell = if *cell == Base::ZERO {
                    Base::ONE
                } else {
                    *cell - Base::ONE
                };
                recount(case.proofs().relations(), witness);
            });
            assert_eq!(code, RELATION, "number {at}, limb from bit {}", limb.shift);
        }
    }
}

#[test]
fn a_root_one_off_needs_a_rest_or_a_slack_that_is_negative() {
    for clamped in [false, true] {
        let case = root(clamped);
        for by in [-1, 1] {
            let code = rooted(&case, |[y, rest, _]| {
                let rest = rest - 2 * by * y - 1;
                let slack = 2 * (y + by) - rest;
                assert!(rest.min(slack) < 0);
                [y + by, rest, slack]
            });
            assert_eq!(code, LOOKUPS, "{clamped} {by}");
        }
    }
}

/// The rest fits its columns, and so does a slack that is not what is left.
#[test]
fn a_root_one_less_whose_slack_is_not_what_is_left_is_rejected() {
    for clamped in [false, true] {
        let case = root(clamped);
        let code = rooted(&case, |[y, rest, slack]| [y - 1, rest + 2 * y - 1, slack]);
        assert_eq!(code, RELATION, "{clamped}");
    }
}

//! Products of what limbs could store more of than any execution does: their rescalings are held to what
//! quotients give, so that no declared range that a proof does not enforce is relied on.

use crate::common::Case;
use crate::common::cheat::{Choice, P};
use crate::common::graphs::Builder;
use crate::common::keys::Key;
use claim_reduction::{Constraint, Form, Plan, Role, Unsupported, Visibility};
use graph::{Graph, Op};

/// The square of what a layer yields, a layer that declares results up to `most`, and of which a
/// rescaling cuts what is beyond `clamp`.
fn squared(most: i32, clamp: i64) -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[3, 4], -100, 100);
    let y = b.linear(x, 5, false);
    (b.parts.nodes[0].lo, b.parts.nodes[0].hi) = (-most, most);
    let y = b.rescale(y, &[1], 0, 1, -clamp, clamp);
    let limit = (1 << 29) - 1;
    let y = b.node(Op::Mul, &[y, y], &[3, 5], -limit, limit);
    b.finish(&[y])
}

fn refusal(most: i32, clamp: i64) -> Option<Unsupported> {
    Plan::new(&squared(most, clamp), Visibility::Public).err()
}

/// Limbs of 16 bits from −20,000 on reach 45,535, whose square is beyond p/2.
#[test]
fn what_limbs_could_store_beyond_a_range_is_not_counted() {
    let plan = Plan::new(&squared(40_000, 20_000), Visibility::Public).unwrap();
    let Role::Limbs { base, limbs, .. } = &plan.roles[1] else {
        panic!("not of limbs: {:?}", plan.roles[1]);
    };
    let bits: u32 = limbs.iter().map(|limb| limb.bits).sum();
    assert_eq!((*base, bits), (-20_000, 16));
    let case = Case::new(squared(40_000, 20_000), 1);
    assert!(case.check(&mut |_, _| ()).is_ok());
}

#[test]
fn a_square_that_reaches_half_of_the_field_is_refused() {
    // 32,639² is below p/2 and 32,640² is not.
    for (most, clamp, taken) in [
        (65_278, 40_000, true),
        (65_279, 40_000, false),
        (200_000, 32_639, true),
        (200_000, 32_640, false),
    ] {
        let refused = refusal(most, clamp).map(|refused| (refused.operator, refused.why));
        let why = "its integers can wrap around in the field".to_owned();
        let expected = (!taken).then_some(("Mul", why));
        assert_eq!(refused, expected, "{most} {clamp}");
    }
}

const LIMIT: i64 = (1 << 29) - 1;

/// The square of an input that goes through a layer, then through what `declares` a range of 20,000, and
/// then through a rescaling that cuts nothing of that range.
fn square_of(declares: fn(&mut Builder, usize) -> usize) -> Key {
    let mut b = Builder::new(1);
    let x = b.input(&[1, 1], -45_000, 45_000);
    let y = declares(&mut b, x);
    let y = b.rescale(y, &[1], 0, 0, -20_000, 20_000);
    let y = b.node(Op::Mul, &[y, y], &[1, 1], -LIMIT, LIMIT);
    Key::read(b, &[y]).unwrap()
}

/// A sum that declares less than its operand has.
fn narrow_sum(b: &mut Builder, x: usize) -> usize {
    let y = b.linear(x, 1, false);
    let node = b.parts.nodes.last_mut().unwrap();
    (node.lo, node.hi) = (-45_000, 45_000);
    let op = Op::Add {
        coefficients: vec![1],
        constant: None,
    };
    b.node(op, &[y], &[1, 1], -20_000, 20_000)
}

/// A layer whose weights put out more than it declares.
fn narrow_layer(b: &mut Builder, x: usize) -> usize {
    let y = b.linear(x, 1, false);
    let node = b.parts.nodes.last_mut().unwrap();
    (node.lo, node.hi) = (-20_000, 20_000);
    y
}

/// Limbs of 16 bits could store 45,000, whose square is another number modulo p: counted by what is declared
/// alone, both keys would prove it.
#[test]
fn a_declared_range_that_no_proof_enforces_proves_no_square_that_wraps_around() {
    let wrapped = 45_000_i64 * 45_000 - P;
    assert!(2 * 45_000_i64 * 45_000 > P && wrapped.abs() < LIMIT);
    for declares in [narrow_sum, narrow_layer] {
        let key = square_of(declares);
        let rescales = key.plan.constraints.iter().flatten();
        let held = rescales.filter(|constraint| match constraint {
            Constraint::Rescale(rescale) => {
                matches!(
                    &rescale.form,
                    Form::Wide { held: Some(_), .. } | Form::Saturated { held: Some(_), .. }
                )
            }
            _ => false,
        });
        assert_eq!(held.count(), 1);
        let choice = || Choice {
            weights: vec![1],
            parameters: Vec::new(),
            beyond: Vec::new(),
            reads: vec![false; key.graph.nodes.len()],
        };
        for (x, square) in [(20_000, Some(400_000_000)), (20_001, None), (45_000, None)] {
            let accepted = key.accepts(&choice(), &[vec![x]]);
            assert_eq!(accepted, square.map(|value| vec![vec![value]]), "{x}");
        }
    }
}

/// No plan holds more than it needs to: without the square nothing is held.
#[test]
fn what_cannot_wrap_around_is_not_held() {
    let mut b = Builder::new(1);
    let x = b.input(&[1, 1], -45_000, 45_000);
    let y = narrow_sum(&mut b, x);
    let y = b.rescale(y, &[1], 0, 0, -20_000, 20_000);
    let key = Key::read(b, &[y]).unwrap();
    let rescale = key.plan.constraints.last().unwrap().as_ref();
    let Some(Constraint::Rescale(rescale)) = rescale else {
        panic!("not a rescaling: {rescale:?}");
    };
    assert!(matches!(rescale.form, Form::Wide { held: None, .. }));
}

//! Products of what limbs could store more of than any execution does.
mod common;

use claim_reduction::{Plan, Role, Unsupported};
use common::Case;
use common::graphs::Builder;
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
    Plan::new(&squared(most, clamp)).err()
}

/// Limbs of 16 bits from −20,000 on reach 45,535, whose square is beyond p/2.
#[test]
fn what_limbs_could_store_beyond_a_range_is_not_counted() {
    let plan = Plan::new(&squared(40_000, 20_000)).unwrap();
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

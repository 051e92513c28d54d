//! Products of two tensors: element by element, and of matrices.

use crate::linear::{Axis, Claim, Claimed, fill};
use crate::mask::Mask;
use crate::protocol_role::{Place, ProtocolRole, Rejected};
use crate::shape::{coordinates, equal, restrict, split};
use commitment::variables;
use p3_field::PrimeCharacteristicRing;
use sumcheck::equality;
use transcript::Extension;

/// A known table, and its polynomial.
type Known<'a> = (
    &'a dyn Fn() -> Vec<Extension>,
    &'a dyn Fn(&[Extension]) -> Extension,
);

/// Reduces Σ `weights` · a · b = `claim.value` over the open coordinates of two points, which are as
/// many. Without weights there are only the two.
fn product<P: ProtocolRole>(
    protocol: &mut P,
    place: Place,
    (a, a_point): (usize, &[Option<Extension>]),
    (b, b_point): (usize, &[Option<Extension>]),
    value: P::Value,
    weights: Option<Known<'_>>,
) -> Result<[Claimed<P::Value>; 2], Rejected> {
    let open = a_point.iter().filter(|x| x.is_none()).count();
    let degree = 2 + usize::from(weights.is_some());
    let ended = protocol.sumcheck(open, degree, value, |witness| {
        let table = |tensor: usize, point: &[Option<Extension>]| {
            let (shape, values) = witness.tensor(tensor);
            restrict(values, shape, point)
        };
        let mut tables = vec![table(a, a_point), table(b, b_point)];
        tables.extend(weights.map(|(table, _)| table()));
        tables
    })?;
    let sent = protocol.values(2, |_| ended.values.iter().take(2).copied().collect())?;
    let [a_value, b_value] = sent.as_slice() else {
        return Err(Rejected::Short);
    };
    protocol.product(place, || {
        let weight = weights.map_or(Extension::ONE, |(_, at)| at(&ended.point));
        [a_value.clone() * weight, b_value.clone(), ended.left]
    })?;
    let claim = |point: &[Option<Extension>], value: &P::Value| Claim {
        point: fill(point, &ended.point),
        value: value.clone(),
    };
    Ok([(a, claim(a_point, a_value)), (b, claim(b_point, b_value))])
}

/// Reduces a claim about a product element by element.
pub fn elementwise<P: ProtocolRole>(
    protocol: &mut P,
    place: Place,
    [a, b]: [usize; 2],
    claim: &Claim<P::Value>,
) -> Result<[Claimed<P::Value>; 2], Rejected> {
    let open = vec![None; claim.point.len()];
    let table = || equality(&claim.point, 1 << claim.point.len());
    let at = |ends: &[Extension]| equal(&claim.point, ends);
    let weights: Known<'_> = (&table, &at);
    product(
        protocol,
        place,
        (a, &open),
        (b, &open),
        claim.value.clone(),
        Some(weights),
    )
}

/// Reduces a claim about a product of matrices, `a`'s being of this shape. It is `masked` where the
/// padding of both along the inner axis may be anything.
pub fn matrices<P: ProtocolRole>(
    protocol: &mut P,
    place: Place,
    [a, b]: [usize; 2],
    (shape, masked): (&[usize], bool),
    claim: &Claim<P::Value>,
) -> Result<[Claimed<P::Value>; 2], Rejected> {
    let Some((batch, &[rows, depth])) = shape.split_last_chunk() else {
        return Err(Rejected::Mismatch(place));
    };
    let (batches, inner) = (coordinates(batch), variables(depth));
    let (outer, of_sides) = claim.point.split_at(batches);
    let (row, column) = of_sides.split_at(variables(rows));
    let open = |count: usize| std::iter::repeat_n(None, count);
    let known = |part: &[Extension]| part.iter().copied().map(Some).collect::<Vec<_>>();
    let a_point: Vec<_> = open(batches).chain(known(row)).chain(open(inner)).collect();
    let b_point: Vec<_> = open(batches + inner).chain(known(column)).collect();
    let mask = Mask::of(depth, masked);
    let table = || {
        let line = mask.map_or_else(|| vec![Extension::ONE; 1 << inner], Mask::table);
        let weights = equality(outer, 1 << batches);
        let lines = weights.iter();
        lines
            .flat_map(|&w| line.iter().map(move |&own| w * own))
            .collect()
    };
    let at = |ends: &[Extension]| {
        let (ends, own) = ends.split_at(batches);
        equal(outer, ends) * Mask::at(mask, own)
    };
    let weights: Option<Known<'_>> = (batches > 0 || mask.is_some()).then_some((&table, &at));
    product(
        protocol,
        place,
        (a, &a_point),
        (b, &b_point),
        claim.value.clone(),
        weights,
    )
}

/// Reduces a claim about a tensor times known multipliers, one for all elements or one for each
/// position of an axis.
pub fn scaled_axis(
    shape: &[usize],
    axis: usize,
    multipliers: &[i32],
    point: &[Extension],
) -> Vec<Axis> {
    let parts = split(shape, point);
    parts
        .iter()
        .enumerate()
        .map(|(number, part)| {
            if number != axis || multipliers.len() < 2 {
                return Axis::At(part.to_vec());
            }
            let weights = equality(part, shape[number]).into_iter().zip(multipliers);
            Axis::Weighted(weights.map(|(w, &m)| w * Extension::from_i32(m)).collect())
        })
        .collect()
}

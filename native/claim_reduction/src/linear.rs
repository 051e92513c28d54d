//! Linear functionals of a tensor, and several claims about one.

use crate::mask::Mask;
use crate::protocol_role::{Place, ProtocolRole, Rejected};
use crate::shape::{bits, coordinates, equal, restrict, split};
use commitment::variables;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, add_scaled, dot, equality, powers};
use transcript::Extension;

/// That a tensor, as a polynomial, has a value at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim<V = Extension> {
    /// Coordinates of all axes.
    pub point: Vec<Extension>,
    /// The value there.
    pub value: V,
}

/// A claim with the id of its tensor.
pub type Claimed<V> = (usize, Claim<V>);

/// A tensor that a reduction is about, and what is wrong where it fails.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Tensor id.
    pub tensor: usize,
    /// What the claim that is reduced is about.
    pub place: Place,
}

/// What one axis of a tensor is multiplied with.
#[derive(Clone, Debug)]
pub enum Axis {
    /// eq of a point: the axis is fixed there.
    At(Vec<Extension>),
    /// Any weights, one for each position.
    Weighted(Vec<Extension>),
}

/// The coordinates of a point with those that are open filled in.
pub fn fill(point: &[Option<Extension>], open: &[Extension]) -> Vec<Extension> {
    let mut open = open.iter().copied();
    let mut next = || open.next().unwrap_or(Extension::ZERO);
    point.iter().map(|x| x.unwrap_or_else(&mut next)).collect()
}

/// Reduces Σ `table`[o] · (the tensor at `point`, o in its open coordinates) = `value`.
///
/// `at` is the polynomial of the table.
pub fn functional<P: ProtocolRole>(
    protocol: &mut P,
    about: About,
    point: &[Option<Extension>],
    value: P::Value,
    table: impl FnOnce() -> Vec<Extension>,
    at: impl FnOnce(&[Extension]) -> Extension,
) -> Result<Claim<P::Value>, Rejected> {
    let open = point.iter().filter(|x| x.is_none()).count();
    let ended = protocol.sumcheck(open, 2, value, |witness| {
        let (shape, values) = witness.tensor(about.tensor);
        vec![restrict(values, shape, point), table()]
    })?;
    let sent = protocol.values(1, |_| vec![first(&ended.values)])?;
    let value = first(&sent);
    protocol.equal(about.place, || {
        let expected = value.clone() * at(&ended.point);
        Ok([ended.left, expected])
    })?;
    let point = fill(point, &ended.point);
    Ok(Claim { point, value })
}

/// The first value of a message that has one.
pub fn first<V: Value>(values: &[V]) -> V {
    values.first().cloned().unwrap_or_default()
}

/// Reduces Σ Π_axes weight · tensor = `value`: the axes that are not at a point are summed over.
pub fn separable<P: ProtocolRole>(
    protocol: &mut P,
    about: About,
    shape: &[usize],
    axes: &[Axis],
    value: P::Value,
) -> Result<Claim<P::Value>, Rejected> {
    let mut point = Vec::with_capacity(coordinates(shape));
    let mut weights = Vec::new();
    for (&size, axis) in shape.iter().zip(axes) {
        match axis {
            Axis::At(part) => point.extend(part.iter().copied().map(Some)),
            Axis::Weighted(values) => {
                point.extend(vec![None; variables(size)]);
                weights.push((variables(size), values.as_slice()));
            }
        }
    }
    if weights.is_empty() {
        let point = point.into_iter().flatten().collect();
        return Ok(Claim { point, value });
    }
    let table = || {
        let mut table = vec![Extension::ONE];
        for &(variables, values) in &weights {
            let mut next = Vec::with_capacity(table.len() << variables);
            for &outer in &table {
                next.extend(values.iter().map(|&inner| outer * inner));
                next.resize(
                    next.len() + (1 << variables) - values.len(),
                    Extension::ZERO,
                );
            }
            table = next;
        }
        table
    };
    let at = |ends: &[Extension]| {
        let mut rest = ends;
        let mut product = Extension::ONE;
        for &(variables, values) in &weights {
            let (part, tail) = rest.split_at(variables);
            rest = tail;
            product *= dot(&equality(part, values.len()), values);
        }
        product
    };
    functional(protocol, about, &point, value, table, at)
}

/// Reduces a claim about the sum over the last axes of a tensor, of which `y` is the shape that is
/// left. Over an axis whose padding is zero, or that has none, a sum is the mean of all its positions,
/// of which there are 2^coordinates; any other axis is weighted with 1 for each of its elements.
pub fn total<P: ProtocolRole>(
    protocol: &mut P,
    about: About,
    (shape, masked): (&[usize], bool),
    y: &[usize],
    claim: &Claim<P::Value>,
) -> Result<Claim<P::Value>, Rejected> {
    let half = Extension::ONE.halve();
    let mut scale = Extension::ONE;
    let mut axes: Vec<Axis> = split(y, &claim.point)
        .into_iter()
        .map(|part| Axis::At(part.to_vec()))
        .collect();
    for &size in shape.iter().skip(y.len()) {
        if Mask::of(size, masked).is_some() {
            axes.push(Axis::Weighted(vec![Extension::ONE; size]));
        } else {
            scale *= half.exp_u64(variables(size) as u64);
            axes.push(Axis::At(vec![half; variables(size)]));
        }
    }
    separable(protocol, about, shape, &axes, claim.value.clone() * scale)
}

/// Reduces several claims about one tensor to one. Only the coordinates in which their points differ
/// take rounds.
pub fn merge<P: ProtocolRole>(
    protocol: &mut P,
    about: About,
    mut claims: Vec<Claim<P::Value>>,
) -> Result<Option<Claim<P::Value>>, Rejected> {
    let mut distinct: Vec<Claim<P::Value>> = Vec::with_capacity(claims.len());
    for claim in claims.drain(..) {
        match distinct.iter().find(|known| known.point == claim.point) {
            Some(known) => {
                protocol.equal(about.place, || Ok([known.value.clone(), claim.value]))?;
            }
            None => distinct.push(claim),
        }
    }
    let Some(first) = distinct.first() else {
        return Ok(None);
    };
    if distinct.len() == 1 {
        return Ok(distinct.pop());
    }
    let point: Vec<Option<Extension>> = first
        .point
        .iter()
        .enumerate()
        .map(|(index, &x)| {
            let same = distinct.iter().all(|claim| claim.point[index] == x);
            same.then_some(x)
        })
        .collect();
    let parts: Vec<Vec<Extension>> = distinct
        .iter()
        .map(|claim| {
            let differing = claim.point.iter().zip(&point);
            differing
                .filter(|(_, common)| common.is_none())
                .map(|(&x, _)| x)
                .collect()
        })
        .collect();
    let powers = powers(protocol.challenge(), distinct.len());
    let table = || {
        let mut sums = Vec::new();
        for (part, &power) in parts.iter().zip(&powers) {
            let weights = equality(part, 1 << part.len());
            sums.resize(weights.len(), Extension::ZERO);
            add_scaled(&mut sums, power, &weights);
        }
        sums
    };
    let at = |ends: &[Extension]| {
        let terms = parts.iter().zip(&powers);
        terms.map(|(part, &power)| power * equal(part, ends)).sum()
    };
    let values = distinct.iter().map(|claim| &claim.value);
    let value = P::Value::combination(powers.iter().copied().zip(values));
    functional(protocol, about, &point, value, table, at).map(Some)
}

/// The point of one index on an axis.
pub fn index_point(index: usize, size: usize) -> Vec<Extension> {
    bits(index, variables(size)).collect()
}

/// The weight of each element, from a point of the tensor's own: real elements only.
pub fn element_weights(shape: &[usize], point: &[Extension]) -> Vec<Extension> {
    let mut weights = vec![Extension::ONE];
    for (&size, part) in shape.iter().zip(split(shape, point)) {
        if size == 1 {
            continue;
        }
        let axis = equality(part, size);
        weights = weights
            .iter()
            .flat_map(|&outer| axis.iter().map(move |&inner| outer * inner))
            .collect();
    }
    weights
}

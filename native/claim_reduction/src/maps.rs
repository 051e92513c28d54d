//! Operations that move elements: View, Pad, Concat, Take.

use crate::linear::{
    About, Axis, Claim, Claimed, element_weights, first, functional, index_point, separable,
};
use crate::protocol_role::{Place, ProtocolRole, Rejected};
use crate::shape::{coordinates, indicator, indicator_of, split};
use commitment::variables;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, dot, equality};
use transcript::Extension;

/// How a coordinate of the operand is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is that coordinate of the result.
    Result(usize),
    /// It is a fixed bit.
    Bit(bool),
}

/// How one axis of the operand is read by a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The first position.
    pub first: usize,
    /// The result's axis that moves along it, and its step, unless one position is read.
    pub along: Option<(usize, i64)>,
}

/// What a view is, as far as it helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// The coordinates are permuted, and some are fixed.
    Bits(Vec<Source>),
    /// Axes of the operand are read by at most one axis of the result each.
    Axes(Vec<Reading>),
    /// Anything else.
    Any,
}

/// Row-major strides of a shape.
pub fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The address that each element of a view reads.
pub fn addresses(offset: i64, strides: &[i64], shape: &[usize]) -> Vec<i64> {
    let mut found = vec![offset];
    for (&stride, &size) in strides.iter().zip(shape) {
        found = found
            .iter()
            .flat_map(|&base| (0..size as i64).map(move |index| base + index * stride))
            .collect();
    }
    found
}

/// The form of a view of an operand of shape `x` by `offset` and `strides` with the shape `y`.
pub fn form(x: &[usize], offset: i64, strides: &[i64], y: &[usize]) -> Form {
    if let Some(sources) = by_bits(x, offset, strides, y) {
        return Form::Bits(sources);
    }
    by_axes(x, offset, strides, y).map_or(Form::Any, Form::Axes)
}

fn by_bits(x: &[usize], offset: i64, strides: &[i64], y: &[usize]) -> Option<Vec<Source>> {
    let offset = usize::try_from(offset).ok()?;
    let steps = row_major(x);
    let starts: Vec<usize> = x
        .iter()
        .scan(0, |next, &size| {
            let start = *next;
            *next += variables(size);
            Some(start)
        })
        .collect();
    let mut sources = Vec::with_capacity(coordinates(x));
    for (axis, &size) in x.iter().enumerate() {
        let index = offset / steps[axis] % size;
        let count = variables(size);
        sources.extend(
            (0..count)
                .rev()
                .map(|bit| Source::Bit(index >> bit & 1 == 1)),
        );
    }
    let mut next = 0;
    let mut reach: Vec<usize> = x
        .iter()
        .zip(&steps)
        .map(|(&size, &step)| offset / step % size)
        .collect();
    for (&stride, &size) in strides.iter().zip(y) {
        let count = variables(size);
        let start = next;
        next += count;
        // A repeated axis is a factor of its own; the caller takes it out.
        if count == 0 || stride == 0 {
            continue;
        }
        let stride = usize::try_from(stride).ok()?;
        let axis = (0..x.len()).find(|&axis| {
            let wide = steps[axis] * x[axis];
            x[axis] > 1
                && stride >= steps[axis]
                && stride < wide
                && stride.is_multiple_of(steps[axis])
        })?;
        let step = stride / steps[axis];
        let shift = step.is_power_of_two().then(|| step.ilog2() as usize)?;
        let own = variables(x[axis]);
        if count + shift > own {
            return None;
        }
        // The padding of the result must lie in the padding of the operand.
        if !size.is_power_of_two() && size * step < x[axis] {
            return None;
        }
        // An address may run over the end of an axis into the next line.
        reach[axis] += (size - 1) * step;
        if reach[axis] >= x[axis] {
            return None;
        }
        for bit in 0..count {
            let place = starts[axis] + own - 1 - (shift + bit);
            if sources[place] != Source::Bit(false) {
                return None;
            }
            sources[place] = Source::Result(start + count - 1 - bit);
        }
    }
    Some(sources)
}

fn by_axes(x: &[usize], offset: i64, strides: &[i64], y: &[usize]) -> Option<Vec<Reading>> {
    let steps = row_major(x);
    let offset = usize::try_from(offset).ok()?;
    let mut readings: Vec<Reading> = (0..x.len())
        .map(|axis| Reading {
            first: offset / steps[axis] % x[axis],
            along: None,
        })
        .collect();
    for (number, (&stride, &size)) in strides.iter().zip(y).enumerate() {
        if size == 1 || stride == 0 {
            continue;
        }
        let reach = stride.unsigned_abs() as usize;
        let axis = (0..x.len()).find(|&axis| {
            x[axis] > 1 && reach.is_multiple_of(steps[axis]) && reach < steps[axis] * x[axis]
        })?;
        let step = (reach / steps[axis]) as i64 * stride.signum();
        let last = readings[axis].first as i64 + step * (size as i64 - 1);
        if readings[axis].along.is_some() || last < 0 || last >= x[axis] as i64 {
            return None;
        }
        readings[axis].along = Some((number, step));
    }
    Some(readings)
}

/// Reduces a claim about a view.
pub fn view<P: ProtocolRole>(
    protocol: &mut P,
    about: About,
    x: &[usize],
    (offset, strides): (i64, &[i64]),
    y: &[usize],
    claim: &Claim<P::Value>,
) -> Result<Claim<P::Value>, Rejected> {
    let parts = split(y, &claim.point);
    let repeated: Extension = strides
        .iter()
        .zip(y)
        .zip(&parts)
        .filter(|((stride, _), _)| **stride == 0)
        .map(|((_, &size), part)| indicator(part, size))
        .product();
    match form(x, offset, strides, y) {
        Form::Bits(sources) => {
            let of = |source: &Source| match *source {
                Source::Result(at) => claim.point[at],
                Source::Bit(bit) => Extension::from_bool(bit),
            };
            let point: Vec<Extension> = sources.iter().map(of).collect();
            scaled(protocol, about, repeated, point, claim.value.clone())
        }
        Form::Axes(readings) => {
            let axes: Vec<Axis> = readings
                .iter()
                .zip(x)
                .map(|(reading, &size)| axis(reading, size, y, &parts))
                .collect();
            if repeated == Extension::ONE {
                return separable(protocol, about, x, &axes, claim.value.clone());
            }
            let mut axes = axes;
            // One of the axes takes the factor; without any there is only the value.
            let Some(first) = axes.first_mut() else {
                return scaled(protocol, about, repeated, Vec::new(), claim.value.clone());
            };
            let weights = match first {
                Axis::At(part) => equality(part, x[0]),
                Axis::Weighted(weights) => std::mem::take(weights),
            };
            *first = Axis::Weighted(weights.into_iter().map(|w| w * repeated).collect());
            separable(protocol, about, x, &axes, claim.value.clone())
        }
        Form::Any => {
            let sources = addresses(offset, strides, y);
            gather(protocol, about, x, y, &sources, claim)
        }
    }
}

fn axis(reading: &Reading, size: usize, y: &[usize], parts: &[&[Extension]]) -> Axis {
    let Some((along, step)) = reading.along else {
        return Axis::At(index_point(reading.first, size));
    };
    if reading.first == 0 && step == 1 && y[along] == size {
        return Axis::At(parts[along].to_vec());
    }
    let mut weights = vec![Extension::ZERO; size];
    for (index, weight) in equality(parts[along], y[along]).into_iter().enumerate() {
        weights[(reading.first as i64 + step * index as i64) as usize] = weight;
    }
    Axis::Weighted(weights)
}

/// Reduces `factor` · x(point) = value.
fn scaled<P: ProtocolRole>(
    protocol: &mut P,
    about: About,
    factor: Extension,
    point: Vec<Extension>,
    value: P::Value,
) -> Result<Claim<P::Value>, Rejected> {
    if factor == Extension::ONE {
        return Ok(Claim { point, value });
    }
    let point: Vec<_> = point.into_iter().map(Some).collect();
    functional(protocol, about, &point, value, || vec![factor], |_| factor)
}

/// Reduces a claim about a tensor each of whose elements is one of the operand, or zero where the
/// address is negative.
pub fn gather<P: ProtocolRole>(
    protocol: &mut P,
    about: About,
    x: &[usize],
    y: &[usize],
    sources: &[i64],
    claim: &Claim<P::Value>,
) -> Result<Claim<P::Value>, Rejected> {
    let weights = element_weights(y, &claim.point);
    let strides = row_major(x);
    let open = vec![None; coordinates(x)];
    let known = || sources.iter().zip(&weights).filter(|(at, _)| **at >= 0);
    let table = || {
        let mut table = vec![Extension::ZERO; 1 << coordinates(x)];
        for (&at, &weight) in known() {
            let place = x.iter().zip(&strides).fold(0, |place, (&size, &stride)| {
                (place << variables(size)) + at as usize / stride % size
            });
            table[place] += weight;
        }
        table
    };
    let at = |ends: &[Extension]| {
        let own = element_weights(x, ends);
        known()
            .map(|(&at, &weight)| weight * own[at as usize])
            .sum()
    };
    functional(protocol, about, &open, claim.value.clone(), table, at)
}

/// Reduces a claim about an operand with `fill` around it.
pub fn pad<P: ProtocolRole>(
    protocol: &mut P,
    about: About,
    x: &[usize],
    (begin, fill): (&[usize], i32),
    y: &[usize],
    claim: &Claim<P::Value>,
) -> Result<Claim<P::Value>, Rejected> {
    let parts = split(y, &claim.point);
    let windows: Vec<Vec<Extension>> = x
        .iter()
        .zip(begin)
        .zip(y.iter().zip(&parts))
        .map(|((&size, &begin), (&whole, part))| {
            equality(part, whole)[begin..begin + size].to_vec()
        })
        .collect();
    let inside: Extension = windows
        .iter()
        .map(|window| window.iter().copied().sum::<Extension>())
        .product();
    let around = indicator_of(y, &claim.point) - inside;
    let axes: Vec<Axis> = windows
        .into_iter()
        .zip(x.iter().zip(y).zip(&parts))
        .map(|(window, ((size, whole), part))| {
            if size == whole {
                Axis::At(part.to_vec())
            } else {
                Axis::Weighted(window)
            }
        })
        .collect();
    let value = claim.value.clone() - around * Extension::from_i32(fill);
    separable(protocol, about, x, &axes, value)
}

/// Reduces a claim about operands one after another along an axis: to a claim about each.
pub fn concat<P: ProtocolRole>(
    protocol: &mut P,
    place: Place,
    operands: &[(usize, &[usize])],
    (along, y): (usize, &[usize]),
    claim: &Claim<P::Value>,
) -> Result<Vec<Claimed<P::Value>>, Rejected> {
    let parts = split(y, &claim.point);
    let weights = equality(parts[along], y[along]);
    let mut offset = 0;
    let axes: Vec<Vec<Axis>> = operands
        .iter()
        .map(|(_, x)| {
            let own = weights[offset..offset + x[along]].to_vec();
            offset += x[along];
            let axis = |number: usize| {
                if number == along {
                    Axis::Weighted(own.clone())
                } else {
                    Axis::At(parts[number].to_vec())
                }
            };
            (0..x.len()).map(axis).collect()
        })
        .collect();
    // What each operand contributes. The last one's is what is left.
    let others = operands.len().saturating_sub(1);
    let mut shares = if others == 0 {
        Vec::new()
    } else {
        protocol.values(others, |witness| {
            let operands = operands.iter().zip(&axes).take(others);
            operands
                .map(|(&(tensor, _), axes)| {
                    let (shape, values) = witness.tensor(tensor);
                    let point: Vec<_> = axes
                        .iter()
                        .zip(shape)
                        .flat_map(|(axis, &size)| match axis {
                            Axis::At(part) => part.iter().copied().map(Some).collect(),
                            Axis::Weighted(_) => vec![None; variables(size)],
                        })
                        .collect();
                    let table = crate::shape::restrict(values, shape, &point);
                    match &axes[along] {
                        Axis::Weighted(weights) => dot(weights, &table),
                        Axis::At(_) => first(&table),
                    }
                })
                .collect()
        })?
    };
    let sum = P::Value::combination(shares.iter().map(|share| (Extension::ONE, share)));
    shares.push(claim.value.clone() - sum);
    let mut claims = Vec::with_capacity(operands.len());
    for ((&(tensor, shape), axes), value) in operands.iter().zip(&axes).zip(shares) {
        let about = About { tensor, place };
        claims.push((tensor, separable(protocol, about, shape, axes, value)?));
    }
    Ok(claims)
}

//! Tensors as multilinear polynomials: every axis is padded with zeros to a power of two, and a
//! point has the coordinates of one axis after another, most significant bit first.

use commitment::variables;
use p3_field::{PackedValue, PrimeCharacteristicRing};
use sumcheck::{Lanes, Wide, equality};
use transcript::{Base, Extension};

/// Coordinates of a point of a tensor of this shape.
pub fn coordinates(shape: &[usize]) -> usize {
    shape.iter().map(|&size| variables(size)).sum()
}

/// The coordinates of each axis.
pub fn split<'a, T>(shape: &[usize], point: &'a [T]) -> Vec<&'a [T]> {
    let mut rest = point;
    let mut part = |count: usize| {
        let (head, tail) = rest.split_at(count.min(rest.len()));
        rest = tail;
        head
    };
    shape.iter().map(|&size| part(variables(size))).collect()
}

/// eq of two points: the polynomial in one that selects the other.
pub fn equal(a: &[Extension], b: &[Extension]) -> Extension {
    let term = |(&x, &y): (&Extension, &Extension)| {
        let both = x * y;
        both.double() - x - y + Extension::ONE
    };
    a.iter().zip(b).map(term).product()
}

/// Σ of eq(`point`, i) over i below `count`: the polynomial of a vector of ones with padding.
pub fn indicator(point: &[Extension], count: usize) -> Extension {
    if count >= 1 << point.len() {
        return Extension::ONE;
    }
    let (mut below, mut along) = (Extension::ZERO, Extension::ONE);
    for (index, &x) in point.iter().enumerate() {
        let low = along * (Extension::ONE - x);
        if count >> (point.len() - 1 - index) & 1 == 1 {
            below += low;
            along *= x;
        } else {
            along = low;
        }
    }
    below
}

/// The same for a tensor of ones.
pub fn indicator_of(shape: &[usize], point: &[Extension]) -> Extension {
    let parts = split(shape, point);
    let axes = shape.iter().zip(parts);
    axes.map(|(&size, part)| indicator(part, size)).product()
}

/// The coordinates of an index.
pub fn bits(index: usize, variables: usize) -> impl Iterator<Item = Extension> {
    (0..variables)
        .rev()
        .map(move |bit| Extension::from_bool(index >> bit & 1 == 1))
}

/// The value of the tensor at a point.
pub fn evaluate(values: &[i32], shape: &[usize], point: &[Extension]) -> Extension {
    let known: Vec<_> = point.iter().copied().map(Some).collect();
    restrict(values, shape, &known)
        .first()
        .copied()
        .unwrap_or(Extension::ZERO)
}

/// The table that is left when the coordinates that are given are fixed: one value for each
/// assignment of the others, in their order.
pub fn restrict(values: &[i32], shape: &[usize], point: &[Option<Extension>]) -> Vec<Extension> {
    let parts = split(shape, point);
    // An axis that is left as it is needs no pass.
    let changes = |&axis: &usize| {
        let kept = parts[axis].iter().all(Option::is_none) && shape[axis].is_power_of_two();
        shape[axis] > 1 && !kept
    };
    let mut order: Vec<usize> = (0..shape.len()).filter(changes).collect();
    // What shrinks the tensor most comes first.
    order.sort_by_key(|&axis| {
        let free = parts[axis].iter().filter(|x| x.is_none()).count();
        (free as i64) - variables(shape[axis]) as i64
    });
    let mut sizes = shape.to_vec();
    let mut data: Option<Vec<Extension>> = None;
    for axis in order {
        let weights = Weights::new(parts[axis], shape[axis]);
        let outer: usize = sizes[..axis].iter().product();
        let inner: usize = sizes[axis + 1..].iter().product();
        let cut = (outer, sizes[axis], inner);
        data = Some(match &data {
            None => {
                let values: Vec<Base> = values.iter().map(|&v| Base::from_i32(v)).collect();
                if weights.free == 0 && inner.is_multiple_of(Wide::WIDTH) {
                    weights.sums(cut, &values)
                } else {
                    weights.contract(cut, &values, |weight, value| weight * value)
                }
            }
            Some(data) => weights.contract(cut, data, |weight, value| weight * value),
        });
        sizes[axis] = 1 << weights.free;
    }
    data.unwrap_or_else(|| values.iter().map(|&v| Base::from_i32(v).into()).collect())
}

/// Along one axis: the weight of each position by the known coordinates, and its place by the rest.
struct Weights {
    places: Vec<(Option<Extension>, usize)>,
    free: usize,
}

impl Weights {
    fn new(part: &[Option<Extension>], size: usize) -> Self {
        let known: Vec<Extension> = part.iter().copied().flatten().collect();
        let free = part.len() - known.len();
        let table = equality(&known, 1 << known.len());
        let places = (0..size)
            .map(|index| {
                let (mut weight, mut place) = (0, 0);
                for (bit, coordinate) in part.iter().enumerate() {
                    let digit = index >> (part.len() - 1 - bit) & 1;
                    if coordinate.is_some() {
                        weight = 2 * weight + digit;
                    } else {
                        place = 2 * place + digit;
                    }
                }
                ((!known.is_empty()).then(|| table[weight]), place)
            })
            .collect();
        Self { places, free }
    }

    /// As `contract`, of whole vectors along an axis that is fixed.
    fn sums(&self, (outer, size, inner): (usize, usize, usize), values: &[Base]) -> Vec<Extension> {
        let one = |place: &(Option<Extension>, usize)| place.0.unwrap_or(Extension::ONE);
        let weights: Vec<Wide> = self.places.iter().map(|p| one(p).into()).collect();
        let mut out = Vec::with_capacity(outer * inner);
        for lines in values.chunks_exact(size * inner) {
            for start in (0..inner).step_by(Wide::WIDTH) {
                let mut sum = Wide::ZERO;
                for (line, &weight) in lines.chunks_exact(inner).zip(&weights) {
                    let lanes = Lanes::from_slice(&line[start..][..Wide::WIDTH]);
                    sum += weight.scaled(*lanes);
                }
                out.extend(sum.lanes());
            }
        }
        out
    }

    fn contract<T: Copy + Into<Extension>>(
        &self,
        (outer, size, inner): (usize, usize, usize),
        values: &[T],
        product: impl Fn(Extension, T) -> Extension,
    ) -> Vec<Extension> {
        let plane = inner << self.free;
        let mut out = vec![Extension::ZERO; outer * plane];
        let lines = values.chunks_exact(size * inner);
        for (target, lines) in out.chunks_exact_mut(plane).zip(lines) {
            for (line, &(weight, place)) in lines.chunks_exact(inner).zip(&self.places) {
                let target = &mut target[place * inner..][..inner];
                for (target, &value) in target.iter_mut().zip(line) {
                    *target += match weight {
                        Some(weight) => product(weight, value),
                        None => value.into(),
                    };
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{bits, coordinates, equal, evaluate, indicator, indicator_of, restrict, split};
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::equality;
    use transcript::{Extension, Transcript};

    #[test]
    fn ones_are_counted() {
        let point = Transcript::new().point(4);
        for count in 0..=16 {
            let expected: Extension = equality(&point, count).into_iter().sum();
            assert_eq!(indicator(&point, count), expected, "{count}");
        }
        assert_eq!(indicator(&[], 1), Extension::ONE);
        assert_eq!(indicator(&[], 0), Extension::ZERO);
    }

    #[test]
    fn coordinates_of_an_index_select_it() {
        let point = Transcript::new().point(5);
        let table = equality(&point, 32);
        for (index, &weight) in table.iter().enumerate() {
            let at: Vec<_> = bits(index, 5).collect();
            assert_eq!(equal(&at, &point), weight);
        }
    }

    #[test]
    fn a_tensor_is_contracted_coordinate_by_coordinate() {
        let shape = [3, 1, 5, 2];
        let values: Vec<i32> = (0..30).map(|i| i * i - 77).collect();
        let point = Transcript::new().point(coordinates(&shape));
        let weights: Vec<_> = split(&shape, &point)
            .into_iter()
            .zip(shape)
            .map(|(part, size)| equality(part, size))
            .collect();
        let mut expected = Extension::ZERO;
        for (index, &value) in values.iter().enumerate() {
            expected += weights[0][index / 10]
                * weights[2][index / 2 % 5]
                * weights[3][index % 2]
                * Extension::from_i32(value);
        }
        assert_eq!(evaluate(&values, &shape, &point), expected);
        assert_eq!(
            indicator_of(&shape, &point),
            evaluate(&[1; 30], &shape, &point)
        );
        // Whatever is left open comes to the same when it is fixed afterwards.
        for mask in 0..1_u32 << point.len() {
            let known: Vec<_> = (0..point.len())
                .map(|i| (mask >> i & 1 == 1).then(|| point[i]))
                .collect();
            let open: Vec<_> = (0..point.len())
                .filter(|i| mask >> i & 1 == 0)
                .map(|i| point[i])
                .collect();
            let table = restrict(&values, &shape, &known);
            assert_eq!(table.len(), 1 << open.len());
            let weights = equality(&open, table.len());
            let found: Extension = weights.iter().zip(&table).map(|(&w, &v)| w * v).sum();
            assert_eq!(found, expected, "{mask:b}");
        }
        // A last axis of whole vectors is taken packed.
        let (shape, values) = ([3, 32], (0..96).map(|i| i * i - 77).collect::<Vec<i32>>());
        let point = Transcript::new().point(coordinates(&shape));
        let parts = split(&shape, &point);
        let [rows, lanes] = [equality(parts[0], 3), equality(parts[1], 32)];
        let weight = |index: usize| rows[index / 32] * lanes[index % 32];
        let terms = values.iter().enumerate();
        let expected: Extension = terms
            .map(|(index, &value)| weight(index) * Extension::from_i32(value))
            .sum();
        assert_eq!(evaluate(&values, &shape, &point), expected);
        let mut open: Vec<_> = point.iter().copied().map(Some).collect();
        open[2..].fill(None);
        let table = restrict(&values, &shape, &open);
        let found: Extension = table.iter().zip(&lanes).map(|(&v, &w)| v * w).sum();
        assert_eq!(found, expected);
        assert_eq!(evaluate(&[7], &[], &[]), Extension::from_u32(7));
        assert_eq!(evaluate(&[7], &[1, 1], &[]), Extension::from_u32(7));
    }
}

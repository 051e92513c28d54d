//! Divisions and square roots: identities of integers, checked as polynomials at a random X.
//!
//! Where the lookup argument ends, every piece of a number has a value, so that the number has one as
//! a polynomial in X. What is left is the product, which a sumcheck takes to a point of its own.

use crate::claims::State;
use crate::constraints::{Node, front, inverse, padding, power};
use crate::linear::Claim;
use crate::plan::{Column, Divisor, Exact, Limb, Number};
use crate::protocol_role::{ProtocolRole, Rejected, Witness};
use crate::range_decomposition::{BASE, BASE_BITS, digits};
use crate::shape::{coordinates, equal, evaluate, indicator_of};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, equality};
use transcript::{Base, Extension};

/// An identity where the lookup argument ended.
struct At<V> {
    /// The point of the columns.
    point: Vec<Extension>,
    /// X.
    x: Extension,
    /// What the product must be.
    product: V,
    /// The rest.
    rest: V,
    /// The slack.
    slack: V,
    /// The result.
    result: V,
}

impl<V: Value> Node<'_, V> {
    /// Adds the claims of a division.
    pub(crate) fn divide<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        exact: &Exact,
        divisor: &Divisor,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let at = self.exact(protocol, exact, state)?;
        // What rest and slack make together is twice the divisor less 1, to which 1 is added in the
        // padding: there the result is 0 for the same reason as elsewhere.
        let (factor, own) = padding(&at.point, coordinates(self.shape));
        let ones = Extension::ONE - factor * indicator_of(self.shape, own);
        let half = Extension::ONE.halve();
        let divisors = (at.rest + at.slack + Extension::ONE) * half - ones;
        let value = divisors * inverse(factor)?;
        let point = own.to_vec();
        state.claim(divisor.tensor, Claim { point, value });
        let whole = self.pieces_of(divisor, state)?;
        state.claim(divisor.origin.tensor, whole);

        let (x, length) = (at.x, 1 << at.point.len());
        let ended = protocol.sumcheck(at.point.len(), 3, at.product, |witness| {
            let limb = divisor.pieces.limbs.first();
            let column = limb.and_then(|limb| witness.columns.get(limb.column));
            let origin = polynomial(witness, &divisor.pieces, x, column.map_or(0, Vec::len));
            let mut divisors = divisor.origin.spread(self.shape, &origin, Extension::ONE);
            divisors.resize(length, Extension::ONE);
            let mut doubled = polynomial(witness, &exact.result, x, length);
            for value in &mut doubled {
                *value = value.double() - Extension::ONE;
            }
            vec![divisors, doubled, equality(&at.point, length)]
        })?;
        let (factor, own) = padding(&ended.point, coordinates(self.shape));
        let (repeated, origin) = divisor.origin.at(own);
        let pieces = self.sent(protocol, &divisor.pieces, &origin, state)?;
        let results = self.sent(protocol, &exact.result, &ended.point, state)?;
        let ones = Extension::ONE - factor * indicator_of(self.shape, own);
        let left = value_at(&divisor.pieces, &pieces, x) * (factor * repeated) + ones;
        let right = value_at(&exact.result, &results, x) * Extension::TWO - Extension::ONE;
        let weight = equal(&at.point, &ended.point);
        protocol.product(self.place, || [left * weight, right, ended.left])
    }

    /// Adds the claims of a square root.
    pub(crate) fn square_root<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        exact: &Exact,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let at = self.exact(protocol, exact, state)?;
        let (sum, result) = (at.rest + at.slack, at.result);
        protocol.equal(self.place, || Ok([sum, result * Extension::TWO]))?;
        let (x, length) = (at.x, 1 << at.point.len());
        let ended = protocol.sumcheck(at.point.len(), 3, at.product, |witness| {
            let root = polynomial(witness, &exact.result, x, length);
            vec![root.clone(), root, equality(&at.point, length)]
        })?;
        let results = self.sent(protocol, &exact.result, &ended.point, state)?;
        let root = value_at(&exact.result, &results, x);
        let weight = equal(&at.point, &ended.point);
        protocol.product(self.place, || [root.clone() * weight, root, ended.left])
    }

    /// The claims at the point of the node's lookups, X, and what the product must be.
    fn exact<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        exact: &Exact,
        state: &mut State<V>,
    ) -> Result<At<V>, Rejected> {
        let first = exact.rest.limbs.first().map_or(usize::MAX, |l| l.lookup);
        let point = self.lookup_claim(first)?.point.clone();
        let (factor, own) = padding(&point, coordinates(self.shape));
        let x = protocol.challenge();
        let base = Extension::from_i64(BASE);
        let mut keys = |limbs: &[Limb]| self.keys(limbs, &point, state);
        let rest = keys(&exact.rest.limbs)?;
        let result = keys(&exact.result.limbs)?;
        let slack = self.number(&exact.slack, &point, state)?;
        let mut carries = V::default();
        for carry in exact.carries.iter().rev() {
            let own = self.number(&carry.limbs, &point, state)?;
            carries = carries * x + own + Extension::from_i64(carry.base);
        }
        let operand = match &exact.pieces {
            None => {
                let value = operand(protocol, exact.operand, own)?;
                let point = own.to_vec();
                let here = value.clone() * factor;
                state.claim(exact.operand, Claim { point, value });
                here
            }
            Some(pieces) => {
                let keys = self.keys(&pieces.limbs, &point, state)?;
                let value = value_at(pieces, &keys, base) * inverse(factor)?;
                let point = own.to_vec();
                state.claim(exact.operand, Claim { point, value });
                value_at(pieces, &keys, x)
            }
        };
        // N(X) = (B − X)·c(X).
        let product = operand * at_digits(&exact.factor, x) - value_at(&exact.rest, &rest, x)
            + carries * (base - x);
        Ok(At {
            x,
            product,
            rest: value_at(&exact.rest, &rest, base),
            slack,
            result: value_at(&exact.result, &result, base),
            point,
        })
    }

    /// The claim on a divisor's origin, by its pieces where their lookups have ended.
    fn pieces_of(&self, divisor: &Divisor, state: &mut State<V>) -> Result<Claim<V>, Rejected> {
        let pieces = &divisor.pieces;
        let first = pieces.limbs.first().map_or(usize::MAX, |l| l.lookup);
        let point = self.lookup_claim(first)?.point.clone();
        let shape = self.graph.tensor(divisor.origin.tensor);
        let (factor, own) = padding(&point, shape.map_or(0, |(shape, ..)| coordinates(shape)));
        let number = self.number(&pieces.limbs, &point, state)?;
        Ok(Claim {
            point: own.to_vec(),
            value: number * inverse(factor)?,
        })
    }

    /// The keys of limbs at the point of their lookups, where columns are claimed.
    fn keys(
        &self,
        limbs: &[Limb],
        point: &[Extension],
        state: &mut State<V>,
    ) -> Result<Vec<V>, Rejected> {
        let one = |limb: &Limb| Limb { shift: 0, ..*limb };
        let limbs = limbs.iter();
        limbs
            .map(|limb| self.number(&[one(limb)], point, state))
            .collect()
    }

    /// The values of a number's limbs at a point of their columns, which may lack coordinates in
    /// front. The prover sends them.
    fn sent<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        number: &Number,
        point: &[Extension],
        state: &mut State<V>,
    ) -> Result<Vec<V>, Rejected> {
        let values = protocol.values(number.limbs.len(), |witness| {
            let weights = equality(point, 1 << point.len());
            let at = |limb: &Limb| {
                let column = witness.columns.get(limb.column).into_iter().flatten();
                weights.iter().zip(column).map(|(&w, &v)| w * v).sum()
            };
            number.limbs.iter().map(at).collect()
        })?;
        for (limb, value) in number.limbs.iter().zip(&values) {
            let column = self.plan.columns.get(limb.column);
            let point = front(point, column.map_or(0, Column::variables));
            state.column(limb.column, point, value.clone());
        }
        Ok(values)
    }
}

/// The value of a tensor at a point, which the prover sends.
fn operand<P: ProtocolRole>(
    protocol: &mut P,
    tensor: usize,
    point: &[Extension],
) -> Result<P::Value, Rejected> {
    let sent = protocol.values(1, |witness| {
        let (shape, values) = witness.tensor(tensor);
        vec![evaluate(values, shape, point)]
    })?;
    sent.into_iter().next().ok_or(Rejected::Short)
}

/// The value at x of the polynomial with these coefficients.
fn at_digits(digits: &[i64], x: Extension) -> Extension {
    let highest_first = digits.iter().rev();
    highest_first.fold(Extension::ZERO, |sum, &digit| {
        sum * x + Extension::from_i64(digit)
    })
}

/// What a limb counts in a polynomial at x.
fn weight(limb: &Limb, x: Extension) -> Extension {
    x.exp_u64((limb.shift / BASE_BITS).into()) * power(limb.shift % BASE_BITS)
}

/// The value at x of the polynomial that a number with these limbs is.
fn value_at<V: Value>(number: &Number, limbs: &[V], x: Extension) -> V {
    let limbs = number.limbs.iter().zip(limbs);
    let pieces = V::combination(limbs.map(|(limb, value)| (weight(limb, x), value)));
    pieces + at_digits(&digits(number.base), x)
}

/// The same for each of the first elements.
fn polynomial(
    witness: &Witness<'_>,
    number: &Number,
    x: Extension,
    length: usize,
) -> Vec<Extension> {
    let mut sums = vec![at_digits(&digits(number.base), x); length];
    for limb in &number.limbs {
        let weight = weight(limb, x);
        let column: &[Base] = witness.columns.get(limb.column).map_or(&[], Vec::as_slice);
        for (sum, &value) in sums.iter_mut().zip(column) {
            *sum += weight * value;
        }
    }
    sums
}

//! What non-linear nodes add to the claims.
//!
//! Each relation is checked at the point at which the lookup argument has left the columns of the
//! node: it was drawn after all columns were committed to. There a linear relation between columns
//! and operand gives the value of the operand, which is the claim that goes on.

use crate::claims::{LookupClaim, State};
use crate::linear::{About, Claim, separable};
use crate::plan::{Column, Constraint, Difference, Form, Limb, Plan, Rescale, Role};
use crate::products::scaled_axis;
use crate::protocol_role::{Place, ProtocolRole, Rejected, Witness};
use crate::shape::{coordinates, equal, indicator, indicator_of};
use commitment::columns::evaluate;
use graph::Graph;
use p3_field::{Field, PrimeCharacteristicRing};
use sumcheck::{Value, equality};
use transcript::{Base, Extension};

/// What all relations of a node are made of.
pub(crate) struct Node<'a, V> {
    pub(crate) graph: &'a Graph,
    pub(crate) plan: &'a Plan,
    pub(crate) lookup_claims: &'a [LookupClaim<V>],
    pub(crate) place: Place,
    /// Shape of the result.
    pub(crate) shape: &'a [usize],
}

impl<V: Value> Node<'_, V> {
    /// Adds the claims of a relation.
    pub(crate) fn relate<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        constraint: &Constraint,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        match constraint {
            Constraint::Rescale(rescale) => self.rescale(protocol, rescale, state),
            Constraint::Divide { exact, divisor } => self.divide(protocol, exact, divisor, state),
            Constraint::SquareRoot(exact) => self.square_root(protocol, exact, state),
            Constraint::Lookup {
                x,
                column,
                lookup,
                outside,
            } => {
                let claimed = self.lookup_claim(*lookup)?;
                state.column(*column, claimed.point.clone(), claimed.value.clone());
                // k = x on elements, x + outside in the padding, outside in front of the tensor.
                let (factor, own) = padding(&claimed.point, coordinates(self.shape));
                let rest = Extension::ONE - factor * indicator_of(self.shape, own);
                let key = claimed.key.clone() - rest * Extension::from_i32(*outside);
                let value = key * inverse(factor)?;
                let point = own.to_vec();
                state.claim(*x, Claim { point, value });
                Ok(())
            }
            Constraint::Max {
                x,
                column,
                zeros,
                difference,
                count,
            } => self.max(protocol, [*x, *column, *zeros], difference, *count, state),
            Constraint::ArgMax(own) => self.arg_max(protocol, own, state),
            Constraint::Pick(own) => self.pick(protocol, own, state),
        }
    }

    pub(crate) fn lookup_claim(&self, lookup: usize) -> Result<&LookupClaim<V>, Rejected> {
        self.lookup_claims.get(lookup).ok_or(Rejected::Short)
    }

    /// The number that limbs make at the point of their lookups, where columns are claimed.
    pub(crate) fn number(
        &self,
        limbs: &[Limb],
        point: &[Extension],
        state: &mut State<V>,
    ) -> Result<V, Rejected> {
        let mut sum = V::default();
        for limb in limbs {
            let claimed = self.lookup_claim(limb.lookup)?;
            if claimed.point != point {
                return Err(Rejected::Mismatch(self.place));
            }
            state.column(limb.column, claimed.point.clone(), claimed.key.clone());
            sum += claimed.key.clone() * power(limb.shift);
        }
        Ok(sum)
    }

    fn rescale<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        rescale: &Rescale,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let first = |limbs: &[Limb], others: &[Limb]| {
            let limb = limbs.first().or(others.first());
            limb.map_or(usize::MAX, |limb| limb.lookup)
        };
        let lookup = match &rescale.form {
            Form::Direct { lookup, .. } => *lookup,
            Form::Clamped { lower, upper, .. } => lower.or(*upper).unwrap_or(usize::MAX),
            Form::Wide { above: limbs, .. } => first(limbs, &[]),
            Form::Saturated { lower, upper, .. } => first(lower, upper),
        };
        let point = self.lookup_claim(lookup)?.point.clone();
        let quotient = match &rescale.form {
            Form::Direct { column, lookup } => {
                let claimed = self.lookup_claim(*lookup)?;
                state.column(*column, point.clone(), claimed.value.clone());
                claimed.key.clone()
            }
            Form::Clamped {
                column,
                lower,
                upper,
                between,
            } => {
                let bounds = [rescale.range.0, rescale.range.1].map(Extension::from_i32);
                let lookups = [*lower, *upper];
                self.clamped(protocol, bounds, lookups, [Some(*column), *between], state)?
            }
            Form::Wide { above, held } => {
                let above = (rescale.range.0, above.as_slice());
                self.of_limbs(protocol, above, held.as_ref(), &point, state)?
            }
            Form::Saturated {
                column,
                lower,
                upper,
                held,
            } => {
                let limbs = [lower, upper].map(Vec::as_slice);
                let (range, held) = (rescale.range, held.as_ref());
                self.saturated(protocol, (*column, limbs), range, held, &point, state)?
            }
        };
        let raised = self.number(&rescale.remainder, &point, state)?;
        let remainder = raised * inverse(power(rescale.raise))?;
        let shape = self.graph.tensor(rescale.x).map_or(&[][..], |(s, ..)| s);
        let (factor, own) = padding(&point, coordinates(shape));
        let half = if rescale.shift == 0 {
            Extension::ZERO
        } else {
            power(rescale.shift - 1) * factor * indicator_of(shape, own)
        };
        let product = (quotient * power(rescale.shift) + remainder - half) * inverse(factor)?;
        let Some(multipliers) = self.graph.constants.get(rescale.multipliers) else {
            return Err(Rejected::Mismatch(self.place));
        };
        let claim = if let [multiplier] = multipliers.values[..] {
            Claim {
                point: own.to_vec(),
                value: product * inverse(Extension::from_i32(multiplier))?,
            }
        } else {
            let about = About {
                tensor: rescale.x,
                place: self.place,
            };
            let axes = scaled_axis(shape, rescale.axis, &multipliers.values, own);
            separable(protocol, about, shape, &axes, product)?
        };
        state.claim(rescale.x, claim);
        Ok(())
    }

    /// The quotient of a clamp by the shared table, where its columns are claimed.
    fn clamped<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        [lo, hi]: [Extension; 2],
        [lower, upper]: [Option<usize>; 2],
        [column, between]: [Option<usize>; 2],
        state: &mut State<V>,
    ) -> Result<V, Rejected> {
        let claim_of =
            |lookup: Option<usize>| lookup.map(|lookup| self.lookup_claim(lookup)).transpose();
        let (below, above) = (claim_of(lower)?, claim_of(upper)?);
        let Some(any) = below.or(above) else {
            return Err(Rejected::Mismatch(self.place));
        };
        let (quotient, result) = match (below, above) {
            (Some(below), Some(above)) => {
                // Both are of one size, so that the argument leaves them at one point; and the second
                // takes what the first has made.
                if below.point != above.point {
                    return Err(Rejected::Mismatch(self.place));
                }
                protocol.equal(self.place, || {
                    let expected = from(hi - lo, &below.value);
                    Ok([above.key.clone(), expected])
                })?;
                (below.key.clone() + lo, from(hi, &above.value))
            }
            (Some(below), None) => (below.key.clone() + lo, below.value.clone() + lo),
            (None, _) => (from(hi, &any.key), from(hi, &any.value)),
        };
        if let (Some(between), Some(below)) = (between, below) {
            state.column(between, any.point.clone(), below.value.clone());
        }
        if let Some(column) = column {
            state.column(column, any.point.clone(), result);
        }
        Ok(quotient)
    }

    /// Checks that one of two numbers is zero everywhere.
    pub(crate) fn exclude<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        numbers: [&[Limb]; 2],
        at: &[Extension],
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let ended = protocol.sumcheck(at.len(), 3, V::default(), |witness| {
            let table = |limbs: &[Limb]| sums(witness, limbs, 1 << at.len());
            let [a, b] =
                numbers.map(|limbs| table(limbs).into_iter().map(Extension::from).collect());
            vec![a, b, equality(at, 1 << at.len())]
        })?;
        let limbs: Vec<Limb> = numbers.concat();
        let values = protocol.values(limbs.len(), |witness| {
            let columns = limbs.iter().map(|limb| &witness.columns[limb.column]);
            columns.map(|c| evaluate(c, &ended.point)).collect()
        })?;
        let mut sums = values.iter().zip(&limbs);
        let sums = numbers.map(|number| {
            let own = sums.by_ref().take(number.len());
            V::combination(own.map(|(value, limb)| (power(limb.shift), value)))
        });
        protocol.product(self.place, || {
            let [a, b] = sums;
            [a * equal(at, &ended.point), b, ended.left]
        })?;
        for (limb, value) in limbs.iter().zip(values) {
            state.column(limb.column, ended.point.clone(), value);
        }
        Ok(())
    }

    fn max<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        [x, column, zeros]: [usize; 3],
        difference: &Difference,
        count: usize,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let shape = self.graph.tensor(x).map_or(&[][..], |(s, ..)| s);
        let lead = coordinates(self.shape);
        let (kept, reduced) = shape.split_at(self.shape.len());
        let (point, excess, _) = self.difference(protocol, zeros, difference, state)?;
        // d = y − x where there is an element, 1 in the padding of the axes that are reduced.
        let (factor, own) = padding(&point, coordinates(shape));
        let (outer, inner) = own.split_at(lead);
        let real = indicator_of(reduced, inner);
        let whole = self.plan.columns.get(column).map_or(0, Column::variables);
        let place = front(outer, whole);
        let sent = protocol.values(1, |witness| {
            let weights = equality(outer, 1 << lead);
            let column = &witness.columns[column];
            vec![weights.iter().zip(column).map(|(&w, &v)| w * v).sum()]
        })?;
        let [y] = sent.as_slice() else {
            return Err(Rejected::Short);
        };
        state.column(column, place, y.clone());
        let value = y.clone() * real + (Extension::ONE - real) - excess * inverse(factor)?;
        let point = own.to_vec();
        state.claim(x, Claim { point, value });

        debug_assert_eq!(kept.len(), self.shape.len());
        self.max_membership(protocol, zeros, count, reduced, state)
    }

    /// The point of looked-up differences, and there what was looked up and the flag. As limbs they are
    /// differences; in one lookup with the flag they are what its table has for keys.
    pub(crate) fn difference<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        flags: usize,
        difference: &Difference,
        state: &mut State<V>,
    ) -> Result<(Vec<Extension>, V, V), Rejected> {
        match difference {
            Difference::Direct(lookup) => {
                let claimed = self.lookup_claim(*lookup)?;
                state.column(flags, claimed.point.clone(), claimed.value.clone());
                let (looked, flag) = (claimed.key.clone(), claimed.value.clone());
                Ok((claimed.point.clone(), looked, flag))
            }
            Difference::Wide { limbs, bit } => {
                let said = [Limb {
                    column: flags,
                    lookup: *bit,
                    shift: 0,
                    bits: 1,
                }];
                let point = self.lookup_claim(*bit)?.point.clone();
                let flag = self.number(&said, &point, state)?;
                let excess = self.number(limbs, &point, state)?;
                self.exclude(protocol, [&said, limbs], &point, state)?;
                Ok((point, excess, flag))
            }
        }
    }

    /// Turns a claim on the result into claims on what it is committed in.
    pub(crate) fn settle<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        role: &Role,
        claim: &Claim<V>,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let padded = |pad: i32| {
            let rest = Extension::ONE - indicator_of(self.shape, &claim.point);
            claim.value.clone() + rest * Extension::from_i32(pad)
        };
        match role {
            Role::Column(column) => {
                let Some(known) = self.plan.columns.get(*column) else {
                    return Err(Rejected::Mismatch(self.place));
                };
                let point = front(&claim.point, known.variables());
                state.column(*column, point, padded(known.pad));
                Ok(())
            }
            Role::Limbs { base, pad, limbs } => {
                let Some((last, others)) = limbs.split_last() else {
                    return Err(Rejected::Mismatch(self.place));
                };
                let mut left = padded(*pad) - Extension::from_i32(*base);
                let variables = self
                    .plan
                    .columns
                    .get(last.column)
                    .map_or(0, Column::variables);
                let point = front(&claim.point, variables);
                if !others.is_empty() {
                    let values = protocol.values(others.len(), |witness| {
                        let weights = equality(&claim.point, 1 << claim.point.len());
                        let at = |limb: &Limb| {
                            let column = &witness.columns[limb.column];
                            weights.iter().zip(column).map(|(&w, &v)| w * v).sum()
                        };
                        others.iter().map(at).collect()
                    })?;
                    for (limb, value) in others.iter().zip(values) {
                        left -= value.clone() * power(limb.shift);
                        state.column(limb.column, point.clone(), value);
                    }
                }
                state.column(last.column, point, left * inverse(power(last.shift))?);
                Ok(())
            }
            Role::Reduced | Role::Absorbed | Role::Known | Role::Parameter(_) => {
                Err(Rejected::Mismatch(self.place))
            }
        }
    }
}

/// A known value less another one.
fn from<V: Value>(known: Extension, value: &V) -> V {
    V::from(known) - value.clone()
}

/// The sum of limbs, element by element.
pub(crate) fn sums(witness: &Witness<'_>, limbs: &[Limb], length: usize) -> Vec<Base> {
    let mut sums = vec![Base::ZERO; length];
    for limb in limbs {
        let weight = Base::from_u64(1 << limb.shift);
        for (sum, &value) in sums.iter_mut().zip(&witness.columns[limb.column]) {
            *sum += weight * value;
        }
    }
    sums
}

/// 2^shift.
pub(crate) fn power(shift: u32) -> Extension {
    Extension::from_u64(1 << shift)
}

pub(crate) fn inverse(value: Extension) -> Result<Extension, Rejected> {
    value.try_inverse().ok_or(Rejected::Challenge)
}

/// A column's point with that of the tensor at its end: the factor that selects the tensor, and it.
pub(crate) fn padding(point: &[Extension], own: usize) -> (Extension, &[Extension]) {
    let (before, own) = point.split_at(point.len().saturating_sub(own));
    (indicator(before, 1), own)
}

/// The point of a column that has so many variables.
pub(crate) fn front(own: &[Extension], variables: usize) -> Vec<Extension> {
    let mut point = vec![Extension::ZERO; variables.saturating_sub(own.len())];
    point.extend_from_slice(own);
    point
}

//! The quotient of a rescaling from limbs.
//!
//! ```text
//! q = y + up − down        up·(hi − y) = 0        down·(y − lo) = 0        2^s·q + r = m·x + half
//! ```
//!
//! Of up and hi − y one is zero, and of down and y − lo, so that one range lookup of their sum shows both
//! of a pair to be at least 0. Where no bound bites, q is y.
//!
//! Quotient and remainder are one pair if no two quotients that can be stored differ by a multiple of
//! p / 2^s. Limbs store more than they must, up to a power of two. Where that is too much, how far
//! the quotient is from both ends of its range is stored too:
//!
//! ```text
//! q = l + t        t + t′ = h − l        0 ≤ t, t′
//! ```
//!
//! The same is done where the result could be stored beyond what quotients from l to h give and the integers
//! that follow from it could then wrap around (`declared`).

use crate::claims::State;
use crate::constraints::{Node, power, sums};
use crate::plan::{Form, Held, Limb, Role};
use crate::planner::Planner;
use crate::protocol_role::{ProtocolRole, Rejected};
use crate::saturation_tables::{Clamp, MODULUS, TOO_LARGE, apart};
use crate::shape::equal;
use crate::witness::ColumnBuilder;
use commitment::columns::evaluate;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, equality};
use transcript::{Base, Extension};

/// Bits of numbers up to this one.
const fn bits(most: i64) -> u32 {
    if most <= 0 {
        return 0;
    }
    64 - most.leading_zeros()
}

impl Clamp {
    /// The bits of what the quotient is made of: the numbers from the lower and from the upper bound
    /// where they bite; where neither does, of the result alone.
    pub(crate) fn bits(&self) -> [u32; 3] {
        let ((low, high), (lo, hi)) = (self.quotients, self.bounds);
        let end = if hi < high { hi } else { high };
        let start = if lo > low { lo } else { low };
        let of = |bites: bool, within: i64, beyond: i64| {
            let most = if within > beyond { within } else { beyond };
            if bites { bits(most) } else { 0 }
        };
        match self.bites() {
            (false, false) => [if high == lo { 1 } else { bits(high - lo) }, 0, 0],
            (below, above) => [
                0,
                of(below, end - lo, lo - low),
                of(above, hi - start, high - hi),
            ],
        }
    }

    /// The greatest numbers that limbs can make.
    fn most(&self) -> [i64; 3] {
        self.bits().map(|bits| (1_i64 << bits) - 1)
    }

    /// The least and the greatest quotient that limbs can make.
    fn reach(&self) -> (i64, i64) {
        let ([own, lower, upper], (lo, hi)) = (self.most(), self.bounds);
        match self.bites() {
            (false, false) => (lo, lo + own),
            (true, false) => (lo - lower, lo + lower),
            (false, true) => (hi - upper, hi + upper),
            (true, true) => (lo - lower, hi + upper),
        }
    }

    /// Whether what limbs can make is apart.
    fn limbs_are_apart(&self) -> bool {
        let (least, greatest) = self.reach();
        apart(least, greatest, self.shift)
    }

    /// Whether limbs can make a result that no quotient of the range gives. Where both bounds bite, it is
    /// between them.
    fn stores_more(&self) -> bool {
        let ((low, high), (lo, hi)) = (self.quotients, self.bounds);
        let (least, greatest) = self.reach();
        match self.bites() {
            (false, false) => lo < low || greatest > high,
            (true, false) => greatest > high.max(lo),
            (false, true) => least < low.min(hi),
            (true, true) => false,
        }
    }

    /// Whether a table of all quotients is to be taken: where it pays, and where limbs are not apart.
    pub(crate) fn takes_table(&self, pays: bool) -> bool {
        let (low, high) = self.quotients;
        let small = high - low < crate::plan::MAX_TABLE;
        apart(low, high, self.shift) && (pays || small && !self.limbs_are_apart())
    }

    /// Whether the quotient, held to its range, is one: both ways to make it differ by less than p, and so
    /// do hi − lo and what the result can be made to be from both bounds together.
    fn can_be_held(&self) -> bool {
        let ((low, high), (least, greatest)) = (self.quotients, self.reach());
        let ([_, lower, upper], (lo, hi)) = (self.most(), self.bounds);
        let far = i128::from(greatest - low).max(i128::from(high - least));
        // t and t′ make less than h − l + p.
        let twice = (2_i128 << bits(high - low)) - 2;
        apart(low, high, self.shift)
            && far < MODULUS
            && twice < MODULUS + i128::from(high - low)
            && i128::from(lower + upper) < MODULUS + i128::from(hi - lo)
    }
}

impl Planner<'_> {
    /// The columns and lookups of a rescaling by limbs.
    pub(crate) fn wide(&mut self, shape: &[usize], clamp: &Clamp) -> Result<(Role, Form), String> {
        let ((low, high), (lo, hi)) = (clamp.quotients, clamp.bounds);
        let number = |end: i64| i32::try_from(end).map_err(|_| "its range is too large".to_owned());
        let (base, pad) = (number(lo)?, 0_i64.clamp(lo, hi));
        let holds = !clamp.limbs_are_apart() || self.exact && clamp.stores_more();
        if holds && !clamp.can_be_held() {
            return Err(TOO_LARGE.to_owned());
        }
        let [own, of_lower, of_upper] = clamp.bits();
        let held = |planner: &mut Self| {
            holds.then(|| Held {
                low,
                high,
                over: planner.limbs(shape, bits(high - low), -low),
                under: planner.limbs(shape, bits(high - low), high),
            })
        };
        if clamp.bites() == (false, false) {
            let above = self.limbs(shape, own, pad - lo);
            let role = Role::Limbs {
                base,
                pad: number(pad)?,
                limbs: above.clone(),
            };
            let held = held(self);
            return Ok((role, Form::Wide { above, held }));
        }
        let column = self.column(shape, number(pad)?);
        let form = Form::Saturated {
            column,
            lower: self.limbs(shape, of_lower, pad - lo + lo.max(0)),
            upper: self.limbs(shape, of_upper, hi - pad + (-hi).max(0)),
            held: held(self),
        };
        Ok((Role::Column(column), form))
    }
}

impl ColumnBuilder<'_> {
    /// The columns of what holds quotients or an input.
    pub(crate) fn held(&mut self, held: &Held, numbers: &[i64]) {
        let of = |part: &dyn Fn(i64) -> i64| -> Vec<i64> {
            numbers.iter().map(|&number| part(number)).collect()
        };
        self.limbs(&held.over, &of(&|number| number - held.low));
        self.limbs(&held.under, &of(&|number| held.high - number));
    }
}

impl<V: Value> Node<'_, V> {
    /// The quotient of a result that no bound clamps, at the point of its lookups, where columns are
    /// claimed.
    pub(crate) fn of_limbs<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        (lo, above): (i32, &[Limb]),
        held: Option<&Held>,
        point: &[Extension],
        state: &mut State<V>,
    ) -> Result<V, Rejected> {
        let quotient = self.number(above, point, state)? + Extension::from_i32(lo);
        self.holds(protocol, &quotient, held, point, state)?;
        Ok(quotient)
    }

    /// The quotient of a clamped result, at the point of the lookups of what bounds it.
    pub(crate) fn saturated<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        (column, [lower, upper]): (usize, [&[Limb]; 2]),
        (lo, hi): (i32, i32),
        held: Option<&Held>,
        point: &[Extension],
        state: &mut State<V>,
    ) -> Result<V, Rejected> {
        let sent = protocol.values(1, |witness| vec![evaluate(&witness.columns[column], point)])?;
        let [y] = sent.as_slice() else {
            return Err(Rejected::Short);
        };
        state.column(column, point.to_vec(), y.clone());
        let bounds = [(lower, lo, false), (upper, hi, true)];
        let [lower, upper] = bounds.map(|(limbs, end, upper)| Bound { limbs, end, upper });
        let mut quotient = y.clone();
        for bound in [&lower, &upper] {
            if !bound.limbs.is_empty() {
                let number = self.number(bound.limbs, point, state)?;
                quotient += (number - bound.within(y)) * bound.sign();
            }
        }
        self.holds(protocol, &quotient, held, point, state)?;
        for bound in [&lower, &upper] {
            if !bound.limbs.is_empty() {
                self.beyond_or_within(protocol, column, bound, point, state)?;
            }
        }
        Ok(quotient)
    }

    /// Checks that a quotient is within the range that it is held to.
    fn holds<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        quotient: &V,
        held: Option<&Held>,
        point: &[Extension],
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let Some(held) = held else {
            return Ok(());
        };
        let mut number = |limbs: &[Limb]| self.number(limbs, point, state);
        let (from_low, to_high) = (number(&held.over)?, number(&held.under)?);
        let low = Extension::from_i64(held.low);
        let width = Extension::from_i64(held.high - held.low);
        let whole = from_low.clone() + to_high;
        protocol.equal(self.place, || Ok([whole, width.into()]))?;
        protocol.equal(self.place, || Ok([quotient.clone(), from_low + low]))
    }

    /// Checks that everywhere the result is at the bound or the quotient not beyond it.
    fn beyond_or_within<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        column: usize,
        bound: &Bound<'_>,
        at: &[Extension],
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let ended = protocol.sumcheck(at.len(), 3, V::default(), |witness| {
            let [offset, sign] = bound.line().map(Base::from_i64);
            let mut beyond = sums(witness, bound.limbs, 1 << at.len());
            let mut within = Vec::with_capacity(beyond.len());
            for (number, &y) in beyond.iter_mut().zip(&witness.columns[column]) {
                let own = offset + sign * y;
                *number -= own;
                within.push(own);
            }
            let [beyond, within] = [beyond, within]
                .map(|table| table.into_iter().map(Extension::from).collect::<Vec<_>>());
            vec![beyond, within, equality(at, 1 << at.len())]
        })?;
        let values = protocol.values(bound.limbs.len() + 1, |witness| {
            let columns = bound.limbs.iter().map(|limb| limb.column).chain([column]);
            columns
                .map(|column| evaluate(&witness.columns[column], &ended.point))
                .collect()
        })?;
        let Some((y, limbs)) = values.split_last() else {
            return Err(Rejected::Short);
        };
        protocol.product(self.place, || {
            let own = limbs.iter().zip(bound.limbs);
            let number = V::combination(own.map(|(value, limb)| (power(limb.shift), value)));
            let within = bound.within(y);
            [
                (number - within.clone()) * equal(at, &ended.point),
                within,
                ended.left,
            ]
        })?;
        let columns = bound.limbs.iter().map(|limb| limb.column).chain([column]);
        for (column, value) in columns.zip(values) {
            state.column(column, ended.point.clone(), value);
        }
        Ok(())
    }
}

/// A bound that bites: the limbs of how far the result is from it plus how far the quotient is beyond it.
struct Bound<'a> {
    limbs: &'a [Limb],
    end: i32,
    upper: bool,
}

impl Bound<'_> {
    /// How far a result is from the bound is the first of these, and the second times the result.
    fn line(&self) -> [i64; 2] {
        let end = i64::from(self.end);
        if self.upper { [end, -1] } else { [-end, 1] }
    }

    /// How far a result is from the bound.
    fn within<V: Value>(&self, y: &V) -> V {
        let [offset, sign] = self.line().map(Extension::from_i64);
        y.clone() * sign + offset
    }

    /// What a quotient counts that is beyond the bound.
    fn sign(&self) -> Extension {
        if self.upper {
            Extension::ONE
        } else {
            -Extension::ONE
        }
    }
}

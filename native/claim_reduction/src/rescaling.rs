//! The quotient of a rescaling from limbs.
//!
//! ```text
//! q = lo + a + up − down        2^s·q + r = m·x + half
//! ```
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
use crate::constraints::Node;
use crate::plan::{Form, Held, Limb, Role};
use crate::planner::Planner;
use crate::protocol_role::{ProtocolRole, Rejected};
use crate::saturation_tables::{Clamp, MODULUS, TOO_LARGE, apart};
use crate::witness::ColumnBuilder;
use p3_field::PrimeCharacteristicRing;
use sumcheck::Value;
use transcript::Extension;

/// Bits of numbers up to this one.
const fn bits(most: i64) -> u32 {
    if most <= 0 {
        return 0;
    }
    64 - most.leading_zeros()
}

impl Clamp {
    /// The bits of what the quotient is made of: a, b, up and down.
    const fn bits(&self) -> [u32; 4] {
        let ((low, high), (lo, hi)) = (self.quotients, self.bounds);
        let (below, above) = self.bites();
        let reach = bits(if above { hi - lo } else { high - lo });
        [
            if reach == 0 { 1 } else { reach },
            if above { bits(hi - lo) } else { 0 },
            if above { bits(high - hi) } else { 0 },
            if below { bits(lo - low) } else { 0 },
        ]
    }

    /// The least and the greatest quotient that limbs can make.
    fn reach(&self) -> (i64, i64) {
        let [above, _, up, down] = self.bits().map(|bits| (1_i64 << bits) - 1);
        (self.bounds.0 - down, self.bounds.0 + above + up)
    }

    /// Whether what limbs can make is apart.
    fn limbs_are_apart(&self) -> bool {
        let (least, greatest) = self.reach();
        apart(least, greatest, self.shift)
    }

    /// Whether limbs can make a result that no quotient of the range gives: below the least one, or above
    /// the greatest one where the upper bound does not bite. Where it does, a + b = hi − lo.
    fn stores_more(&self) -> bool {
        let ((low, high), (lo, hi)) = (self.quotients, self.bounds);
        let [above, ..] = self.bits();
        lo < low.min(hi) || !self.bites().1 && lo + (1_i64 << above) - 1 > high.max(lo)
    }

    /// Whether a table of all quotients is to be taken: where it pays, and where limbs are not apart.
    pub(crate) fn takes_table(&self, pays: bool) -> bool {
        let (low, high) = self.quotients;
        let small = high - low < crate::plan::MAX_TABLE;
        apart(low, high, self.shift) && (pays || small && !self.limbs_are_apart())
    }

    /// Whether the quotient, held to its range, is one: both ways to make it differ by less than p.
    fn can_be_held(&self) -> bool {
        let ((low, high), (least, greatest)) = (self.quotients, self.reach());
        let far = i128::from(greatest - low).max(i128::from(high - least));
        // t and t′ make less than h − l + p.
        let twice = (2_i128 << bits(high - low)) - 2;
        apart(low, high, self.shift) && far < MODULUS && twice < MODULUS + i128::from(high - low)
    }
}

impl Planner<'_> {
    /// The columns and lookups of a rescaling by limbs.
    pub(crate) fn wide(&mut self, shape: &[usize], clamp: &Clamp) -> Result<(Role, Form), String> {
        let ((low, high), (lo, hi)) = (clamp.quotients, clamp.bounds);
        let pad = 0_i64.clamp(lo, hi);
        let holds = !clamp.limbs_are_apart() || self.exact && clamp.stores_more();
        if holds && !clamp.can_be_held() {
            return Err(TOO_LARGE.to_owned());
        }
        let [of_above, of_below, of_up, of_down] = clamp.bits();
        let above = self.limbs(shape, of_above, pad - lo);
        let below = self.limbs(shape, of_below, hi - pad);
        let up = self.limbs(shape, of_up, (-hi).max(0));
        let down = self.limbs(shape, of_down, lo.max(0));
        let held = holds.then(|| Held {
            low,
            high,
            over: self.limbs(shape, bits(high - low), -low),
            under: self.limbs(shape, bits(high - low), high),
        });
        let role = Role::Limbs {
            base: i32::try_from(lo).map_err(|_| "its range is too large".to_owned())?,
            pad: i32::try_from(pad).map_err(|_| "its range is too large".to_owned())?,
            limbs: above.clone(),
        };
        let form = Form::Wide {
            above,
            below,
            up,
            down,
            held,
        };
        Ok((role, form))
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
    /// The quotient that limbs make at the point of their lookups, where columns are claimed.
    pub(crate) fn of_limbs<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        [above, below, up, down]: [&[Limb]; 4],
        held: Option<&Held>,
        (lo, hi): (i32, i32),
        point: &[Extension],
        state: &mut State<V>,
    ) -> Result<V, Rejected> {
        let lo = Extension::from_i32(lo);
        let mut number = |limbs: &[Limb]| self.number(limbs, point, state);
        let a = number(above)?;
        let b = number(below)?;
        let (over, under) = (number(up)?, number(down)?);
        let quotient = a.clone() + lo + over - under;
        if let Some(held) = held {
            let (from_low, to_high) = (number(&held.over)?, number(&held.under)?);
            let low = Extension::from_i64(held.low);
            let width = Extension::from_i64(held.high - held.low);
            let whole = from_low.clone() + to_high;
            protocol.equal(self.place, || Ok([whole, width.into()]))?;
            protocol.equal(self.place, || Ok([quotient.clone(), from_low + low]))?;
        }
        // It bites where something can be above it; where the result is constant, `below` has
        // no limbs and is 0.
        if !up.is_empty() {
            let width = Extension::from_i32(hi) - lo;
            protocol.equal(self.place, || Ok([a + b, width.into()]))?;
            if !below.is_empty() {
                self.exclude(protocol, [up, below], point, state)?;
            }
        }
        if !down.is_empty() {
            self.exclude(protocol, [down, above], point, state)?;
        }
        Ok(quotient)
    }
}

//! Inputs that the verifier does not have.
//!
//! ```text
//! x = lo + t        t + t′ = hi − lo        0 ≤ t, t′ < 2^bits
//! ```
//!
//! An input is a column of a vector of its own, committed to before and apart from a proof: its payer knows
//! the root. Limbs of t and t′ are columns of the proof, which hold the elements to the declared range; where
//! t can make no more than hi − lo, it needs no t′. In the padding of the axes x is t itself: it is what its
//! committer chooses, and no element of a result reads it (`mask`).

use crate::claims::State;
use crate::constraints::{Node, inverse, padding};
use crate::linear::Claim;
use crate::plan::Held;
use crate::planner::Planner;
use crate::protocol_role::{ProtocolRole, Rejected};
use crate::range_decomposition::bits;
use crate::saturation_tables::MODULUS;
use crate::shape::{coordinates, indicator_of};
use graph::{Input, VALUE_LIMIT};
use p3_field::PrimeCharacteristicRing;
use sumcheck::Value;
use transcript::Extension;

/// Bits of the widest range.
const WIDEST: u32 = bits(2 * (VALUE_LIMIT as i64 - 1));
// What t and t′ make together is no other number that is congruent to hi − lo, which takes all bits.
const _: () = assert!((2_i128 << WIDEST) - 2 < MODULUS + (1 << (WIDEST - 1)));

impl Planner<'_> {
    /// What holds an input to its declared range.
    pub(crate) fn held_input(&mut self, input: &Input) -> Held {
        let (low, high) = (i64::from(input.lo), i64::from(input.hi));
        let bits = bits(high - low);
        let over = self.limbs(&input.shape, bits, 0);
        let fits = high - low == (1 << bits) - 1;
        let under = if fits {
            Vec::new()
        } else {
            self.limbs(&input.shape, bits, high - low)
        };
        Held {
            low,
            high,
            over,
            under,
        }
    }
}

impl<V: Value> Node<'_, V> {
    /// The claim on an input where the lookups of its limbs have ended, which are claimed.
    pub(crate) fn held_input<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        held: &Held,
        state: &mut State<V>,
    ) -> Result<Claim<V>, Rejected> {
        let first = held.over.first().map_or(usize::MAX, |limb| limb.lookup);
        let point = self.lookup_claim(first)?.point.clone();
        let over = self.number(&held.over, &point, state)?;
        let under = self.number(&held.under, &point, state)?;
        if !held.under.is_empty() {
            let (whole, width) = (over.clone() + under, held.high - held.low);
            protocol.equal(self.place, || {
                Ok([whole, Extension::from_i64(width).into()])
            })?;
        }
        let (factor, at) = padding(&point, coordinates(self.shape));
        let low = indicator_of(self.shape, at) * Extension::from_i64(held.low);
        Ok(Claim {
            point: at.to_vec(),
            value: over * inverse(factor)? + low,
        })
    }
}

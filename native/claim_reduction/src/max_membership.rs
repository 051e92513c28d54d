//! That a maximum is one of the elements that it is taken of.

use crate::claims::State;
use crate::constraints::{Node, front, inverse, padding, power};
use crate::plan::Column;
use crate::protocol_role::{ProtocolRole, Rejected};
use crate::shape::{coordinates, indicator_of};
use p3_field::PrimeCharacteristicRing;
use sumcheck::Value;
use transcript::Extension;

impl<V: Value> Node<'_, V> {
    /// Claims the sum of the zeros of each line, padding of the result included, which is at least
    /// one by its lookup. What stands in the padding of the axes that are reduced does not count: it
    /// is that of weights, which whoever commits to them chooses.
    pub(crate) fn max_membership<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        zeros: usize,
        count: usize,
        reduced: &[usize],
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let lead = coordinates(self.shape);
        let claimed = self.lookup_claim(count)?;
        let (factor, own) = padding(&claimed.point, lead);
        let number = claimed.key.clone() * inverse(factor)? + Extension::ONE;
        let inner = coordinates(reduced);
        let whole = self.plan.columns.get(zeros).map_or(0, Column::variables);
        let line = front(own, whole.saturating_sub(inner));
        if reduced.iter().all(|size| size.is_power_of_two()) {
            let halves = vec![Extension::ONE.halve(); inner];
            let mean = number * inverse(power(inner as u32))?;
            state.column(zeros, [line, halves].concat(), mean);
            return Ok(());
        }
        let weights = (
            || real_positions(reduced),
            |ends: &[Extension]| indicator_of(reduced, ends),
        );
        self.along_lines(protocol, zeros, own, inner, number, weights, state)
    }
}

/// 1 for each element of a tensor, 0 in its padding.
fn real_positions(shape: &[usize]) -> Vec<Extension> {
    let mut table = vec![Extension::ONE];
    for &size in shape {
        let padded = size.next_power_of_two();
        table = table
            .iter()
            .flat_map(|&outer| {
                (0..padded).map(move |at| if at < size { outer } else { Extension::ZERO })
            })
            .collect();
    }
    table
}

//! Sums over the lines of a committed column.
//!
//! ```text
//! Σ_i G[i] · c~(line, i) = value      ⇒      c~(line, r) = v   with   G~(r) · v = what is left
//! ```
//!
//! A column of a tensor's shape holds lines one after another, each of 2^inner elements. Where the
//! lines are known to be at a random point, a known weighting of their elements is a sumcheck of
//! degree 2 over the coordinates within a line.

use crate::claims::State;
use crate::constraints::{Node, front};
use crate::linear::first;
use crate::plan::Column;
use crate::protocol_role::{ProtocolRole, Rejected, Witness};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, equality};
use transcript::Extension;

impl<V: Value> Node<'_, V> {
    /// Reduces that the lines of a column, weighted with eq of the point `line`, have the sum `value`
    /// when their elements are weighted with a table. `weights` makes the table and its polynomial.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn along_lines<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        column: usize,
        line: &[Extension],
        inner: usize,
        value: V,
        (table, at): (
            impl FnOnce() -> Vec<Extension>,
            impl FnOnce(&[Extension]) -> Extension,
        ),
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let ended = protocol.sumcheck(inner, 2, value, |witness| {
            vec![combined(witness, column, line, inner), table()]
        })?;
        let sent = protocol.values(1, |_| vec![first(&ended.values)])?;
        let value = first(&sent);
        protocol.equal(self.place, || {
            let expected = value.clone() * at(&ended.point);
            Ok([ended.left, expected])
        })?;
        let whole = self.plan.columns.get(column).map_or(0, Column::variables);
        let line = front(line, whole.saturating_sub(inner));
        state.column(column, [line, ended.point].concat(), value);
        Ok(())
    }
}

/// The lines of a column, summed up with the weights eq of a point.
pub(crate) fn combined(
    witness: &Witness<'_>,
    column: usize,
    line: &[Extension],
    inner: usize,
) -> Vec<Extension> {
    let lines = equality(line, 1 << line.len());
    let column = witness.columns.get(column).map_or(&[][..], Vec::as_slice);
    let mut sums = vec![Extension::ZERO; 1 << inner];
    for (&weight, cells) in lines.iter().zip(column.chunks_exact(1 << inner)) {
        for (sum, &cell) in sums.iter_mut().zip(cells) {
            *sum += weight * cell;
        }
    }
    sums
}

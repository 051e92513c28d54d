//! Rows that an index names.
//!
//! ```text
//! f[i, n] ∈ {0, 1}     Σ_n f[i, n] = 1     Σ_n n·f[i, n] = index_i     y[i, …] = Σ_n f[i, n] · x[n, …]
//! ```
//!
//! The flags of an element of the index are 1 at the row that it names. The last is a product of
//! matrices, without a row beyond the last: flags are 0 there, since behind weights the padding is what
//! their committer chooses. In the padding of the index all flags are 0, and so is the result.

use crate::claims::State;
use crate::constraints::{Node, front, padding};
use crate::linear::{Claim, fill};
use crate::lines::combined;
use crate::plan::{Column, Constraint, Pick, Role};
use crate::planner::{Planned, Planner};
use crate::protocol_role::{ProtocolRole, Rejected};
use crate::shape::{coordinates, evaluate, indicator, indicator_of, restrict};
use crate::witness::{ColumnBuilder, Source};
use commitment::variables;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, dot, equality};
use transcript::Extension;

impl Planner<'_> {
    /// Rows that an index names.
    pub(crate) fn pick(&mut self, node: &graph::Node) -> Planned {
        let refuse = || "it has no operand".to_owned();
        let &[x, index] = node.operands.as_slice() else {
            return Err(refuse());
        };
        let (rows, ..) = self.graph.tensor(x).ok_or_else(refuse)?;
        let (shape, ..) = self.graph.tensor(index).ok_or_else(refuse)?;
        let rows = rows.first().copied().ok_or_else(refuse)?;
        let shape = [shape, &[rows]].concat();
        let flags = self.column(&shape, 0);
        let bit = self.bit(&shape);
        let constraint = Constraint::Pick(Pick {
            x,
            index,
            flags,
            bit,
        });
        Ok((Role::Reduced, constraint))
    }
}

impl ColumnBuilder<'_> {
    /// The flags of an index.
    pub(crate) fn pick(&mut self, own: &Pick) {
        let rows = self.graph.tensor(own.x).and_then(|(x, ..)| x.first());
        let rows = i64::try_from(rows.copied().unwrap_or(0)).unwrap_or(0);
        let index = self.tensors.get(own.index);
        let flags = index
            .iter()
            .flat_map(|&named| (0..rows).map(move |row| i64::from(row == i64::from(named))));
        self.column(own.flags, flags);
        self.look(own.bit, Source::Committed(own.flags), Source::None);
    }
}

impl<V: Value> Node<'_, V> {
    /// Reduces a claim on the result to one on the rows and one on the flags.
    pub(crate) fn rows<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        own: &Pick,
        claim: Option<&Claim<V>>,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let Some(claim) = claim else {
            return Ok(());
        };
        let (rows, index) = (self.shape_of(own.x), self.shape_of(own.index));
        let inner = variables(rows.first().copied().unwrap_or(1));
        let (line, rest) = claim.point.split_at(coordinates(index));
        let open = std::iter::repeat_n(None, inner);
        let open: Vec<_> = open.chain(rest.iter().copied().map(Some)).collect();
        let ended = protocol.sumcheck(inner, 2, claim.value.clone(), |witness| {
            let (shape, values) = witness.tensor(own.x);
            let flags = combined(witness, own.flags, line, inner);
            vec![flags, restrict(values, shape, &open)]
        })?;
        let sent = protocol.values(2, |_| ended.values.clone())?;
        let [flag, row] = sent.as_slice() else {
            return Err(Rejected::Short);
        };
        protocol.product(self.place, || [flag.clone(), row.clone(), ended.left])?;
        let point = [line, &ended.point].concat();
        let whole = self.plan.columns.get(own.flags);
        let point = front(&point, whole.map_or(0, Column::variables));
        state.column(own.flags, point, flag.clone());
        let point = fill(&open, &ended.point);
        let value = row.clone();
        state.claim(own.x, Claim { point, value });
        Ok(())
    }

    /// Adds the claims of the flags: they are those of the index.
    pub(crate) fn pick<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        own: &Pick,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let (rows, index) = (self.shape_of(own.x), self.shape_of(own.index));
        let size = rows.first().copied().unwrap_or(1);
        let inner = variables(size);
        let claimed = self.lookup_claim(own.bit)?;
        state.column(own.flags, claimed.point.clone(), claimed.key.clone());
        let (_, at) = padding(&claimed.point, coordinates(index) + inner);
        let (line, _) = at.split_at(coordinates(index));
        let sent = protocol.values(1, |witness| {
            let (shape, values) = witness.tensor(own.index);
            vec![evaluate(values, shape, line)]
        })?;
        let [named] = sent.as_slice() else {
            return Err(Rejected::Short);
        };
        let point = line.to_vec();
        let value = named.clone();
        state.claim(own.index, Claim { point, value });

        // One flag for each element of the index, its row, and none beyond the last row.
        let batch = protocol.challenge();
        let weights = || {
            let rows = (0..size).map(Extension::from_usize);
            rows.map(|row| Extension::ONE + batch * row)
                .collect::<Vec<_>>()
        };
        let table = || {
            let mut table = weights();
            table.resize(1 << inner, batch.square());
            table
        };
        let at = |ends: &[Extension]| {
            let beyond = Extension::ONE - indicator(ends, size);
            dot(&equality(ends, size), &weights()) + batch.square() * beyond
        };
        let value = named.clone() * batch + indicator_of(index, line);
        self.along_lines(protocol, own.flags, line, inner, value, (table, at), state)
    }

    fn shape_of(&self, tensor: usize) -> &[usize] {
        self.graph.tensor(tensor).map_or(&[], |(shape, ..)| shape)
    }
}

//! Places of maxima.
//!
//! ```text
//! z_j ∈ {0, 1}     Σ_j z_j = 1     y = Σ_j j·z_j
//! m − x_j − Σ_{i > j} z_i  is in  0 … w  for every j, and 0 where z_j is 1
//! ```
//!
//! One element of each line is chosen, the one at y. No element exceeds it, and those before it are
//! less: the sum over i > j is 1 for them and 0 for all others. Where of equals the last is chosen,
//! the sum is over i < j. With 2w + 1 < p there is one y for any residues x: were y < y′ both, of
//! maxima m and m′, then m − m′ and m′ − m − 1 would be in 0 … w, and so −1 in 0 … 2w.
//!
//! In one lookup with the flag the key is k_j = m − x_j − Σ_{i ≥ j} z_i, which is −1 where z_j is 1 and
//! in 0 … w elsewhere: the table's value is the flag. In the padding of the axis k_j is −x_j, and what
//! is chosen there counts nowhere.

use crate::claims::State;
use crate::constraints::{Node, front, inverse, padding};
use crate::linear::Claim;
use crate::lines::combined;
use crate::looked_up::differ;
use crate::plan::{ArgMax, Column, Constraint, Difference, Role};
use crate::planner::{Planned, Planner};
use crate::protocol_role::{ProtocolRole, Rejected};
use crate::shape::{coordinates, indicator};
use crate::tables::Recipe;
use crate::witness::{ColumnBuilder, spread};
use commitment::variables;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, dot, equality};
use transcript::{Base, Extension};

impl Planner<'_> {
    /// The place of a maximum on the last axis.
    pub(crate) fn arg_max(&mut self, node: &graph::Node, last: bool) -> Planned {
        let refuse = || "it has no operand".to_owned();
        let x = *node.operands.first().ok_or_else(refuse)?;
        let (shape, lo, hi) = self.graph.tensor(x).ok_or_else(refuse)?;
        let most = differ(lo, hi)?;
        let size = *shape.last().ok_or_else(refuse)?;
        // In the padding all elements are equal.
        let pad = if last { size.saturating_sub(1) } else { 0 };
        let pad = i32::try_from(pad).map_err(|_| "its axis is too long".to_owned())?;
        let column = self.column(&node.shape, pad);
        let greatest = self.column(&node.shape, 0);
        let chosen = self.column(shape, 0);
        let difference = self.difference(shape, most, Recipe::Chosen { most })?;
        let constraint = Constraint::ArgMax(ArgMax {
            x,
            column,
            most: greatest,
            chosen,
            difference,
            last,
        });
        Ok((Role::Column(column), constraint))
    }
}

impl ColumnBuilder<'_> {
    /// The columns of places of maxima.
    pub(crate) fn arg_max(&mut self, own: &ArgMax, result: &[i32]) {
        let Some((shape, ..)) = self.graph.tensor(own.x) else {
            return;
        };
        let (lines, size) = shape.split_at(shape.len().saturating_sub(1));
        let size = size.first().copied().unwrap_or(1);
        let operand = self.tensors.get(own.x);
        let chosen = || result.iter().map(|&place| place as usize);
        let greatest = operand.chunks_exact(size).zip(chosen());
        let greatest: Vec<i64> = greatest
            .map(|(line, place)| line.get(place).copied().unwrap_or(0).into())
            .collect();
        // Whether an element is chosen, or one behind it; for the last of equals, before it.
        let counted = |place: usize, at: usize| {
            if own.last { at >= place } else { at <= place }
        };
        let lined = || operand.chunks_exact(size).zip(chosen()).zip(&greatest);
        let keys = lined().flat_map(|((line, place), &most)| {
            let elements = line.iter().enumerate();
            elements.map(move |(at, &x)| most - i64::from(x) - i64::from(counted(place, at)))
        });
        let mut keys = self.spread(own.chosen, 0, keys);
        let flags = chosen().flat_map(|place| (0..size).map(move |at| i64::from(at == place)));
        let mut flags = self.spread(own.chosen, 0, flags);
        // A line of the padding holds zeros, of which one is chosen.
        let padded = coordinates(lines);
        let real = spread(lines, padded, 0, std::iter::repeat_n(1, result.len()));
        let inner = 1_usize << variables(size);
        let place = if own.last { size - 1 } else { 0 };
        for (line, &real) in real.iter().enumerate() {
            if real == Base::ZERO {
                flags[line * inner + place] = Base::ONE;
                keys[line * inner + place] = -Base::ONE;
            }
        }
        self.column(own.column, result.iter().copied().map(i64::from));
        self.column(own.most, greatest.into_iter());
        self.made.committed[own.chosen] = flags;
        self.difference(&own.difference, own.chosen, keys, 1);
    }
}

impl<V: Value> Node<'_, V> {
    /// Adds the claims of places of maxima.
    pub(crate) fn arg_max<P: ProtocolRole<Value = V>>(
        &self,
        protocol: &mut P,
        own: &ArgMax,
        state: &mut State<V>,
    ) -> Result<(), Rejected> {
        let shape = self.graph.tensor(own.x).map_or(&[][..], |(s, ..)| s);
        let size = shape.last().copied().unwrap_or(1);
        let (point, looked, flag) =
            self.difference(protocol, own.chosen, &own.difference, state)?;
        let key = match own.difference {
            Difference::Direct(_) => looked,
            Difference::Wide { .. } => looked - flag,
        };
        let (factor, at) = padding(&point, coordinates(shape));
        let (line, within) = at.split_at(coordinates(self.shape));
        let inner = within.len();
        // Of the maximum, of the place, and the part of the keys that what is chosen makes.
        let sent = protocol.values(3, |witness| {
            let outer = equality(line, 1 << line.len());
            let of = |column: usize| {
                let cells = witness.columns.get(column).map_or(&[][..], Vec::as_slice);
                outer.iter().zip(cells).map(|(&w, &v)| w * v).sum()
            };
            let chosen = combined(witness, own.chosen, line, inner);
            let counts = counting(within, size, own.last);
            vec![of(own.most), of(own.column), dot(&counts, &chosen)]
        })?;
        let [most, place, counted] = sent.as_slice() else {
            return Err(Rejected::Short);
        };
        for (column, value) in [(own.most, most), (own.column, place)] {
            let whole = self.plan.columns.get(column).map_or(0, Column::variables);
            state.column(column, front(line, whole), value.clone());
        }
        let real = most.clone() * indicator(within, size);
        let value = real - counted.clone() - key * inverse(factor)?;
        let point = at.to_vec();
        state.claim(own.x, Claim { point, value });

        // One element is chosen, its place is the result, and the keys count it.
        let batch = protocol.challenge();
        let weights = || {
            let counts = counting(within, size, own.last);
            let weigh = |(place, count): (usize, Extension)| {
                Extension::ONE + batch * (Extension::from_usize(place) + batch * count)
            };
            counts
                .into_iter()
                .enumerate()
                .map(weigh)
                .collect::<Vec<_>>()
        };
        let table = || {
            let mut table = weights();
            table.resize(1 << inner, Extension::ZERO);
            table
        };
        let value = (place.clone() + counted.clone() * batch) * batch + Extension::ONE;
        let at = |ends: &[Extension]| dot(&equality(ends, size), &weights());
        self.along_lines(protocol, own.chosen, line, inner, value, (table, at), state)
    }
}

/// How much the flag of each element counts in the keys at a point of the axis: the sum of eq over the
/// elements up to it, or from it on.
fn counting(within: &[Extension], size: usize, last: bool) -> Vec<Extension> {
    let mut sums = equality(within, size);
    let mut sum = Extension::ZERO;
    let mut add = |weight: &mut Extension| {
        sum += *weight;
        *weight = sum;
    };
    if last {
        sums.iter_mut().rev().for_each(&mut add);
    } else {
        sums.iter_mut().for_each(&mut add);
    }
    sums
}

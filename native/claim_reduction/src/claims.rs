//! Claims on their way: those of lookups and columns, those still to be reduced, and those to be opened.

use crate::contraction::MatrixClaim;
use crate::linear::Claim;
use std::collections::BTreeMap;
use transcript::Extension;

/// What the lookup argument leaves of one lookup.
#[derive(Clone, Debug, Default)]
pub struct LookupClaim<V = Extension> {
    /// The point.
    pub point: Vec<Extension>,
    /// The value of the keys there.
    pub key: V,
    /// The value of the values there; zero where the table has none.
    pub value: V,
}

/// That a column has a value at a point.
#[derive(Clone, Debug)]
pub struct ColumnClaim<V = Extension> {
    /// The column.
    pub column: usize,
    /// The point.
    pub point: Vec<Extension>,
    /// The value.
    pub value: V,
}

/// That a parameter has a value at a point.
#[derive(Clone, Debug)]
pub struct ParameterClaim<V = Extension> {
    /// The parameter, in the order of their nodes.
    pub parameter: usize,
    /// The point.
    pub point: Vec<Extension>,
    /// The value.
    pub value: V,
}

/// That an input that the verifier does not have has a value at a point.
#[derive(Clone, Debug)]
pub struct InputClaim<V = Extension> {
    /// The input.
    pub input: usize,
    /// The point.
    pub point: Vec<Extension>,
    /// The value.
    pub value: V,
}

/// What everything was reduced to, to be opened.
#[derive(Clone, Debug, Default)]
pub struct Opened<V = Extension> {
    /// On the committed columns.
    pub columns: Vec<ColumnClaim<V>>,
    /// On the weight matrices, in their order.
    pub matrices: Vec<MatrixClaim<V>>,
    /// On the parameters, in their order. Where there are any, they MUST be opened with the matrices.
    pub parameters: Vec<ParameterClaim<V>>,
    /// On the inputs, in their order, where the verifier does not have them: one on each. They MUST be opened
    /// against a commitment that is fixed before the lookups.
    pub inputs: Vec<InputClaim<V>>,
}

/// Claims that are still to be reduced, and those that are to be opened.
#[derive(Debug, Default)]
pub(crate) struct State<V> {
    pub(crate) claims: BTreeMap<usize, Vec<Claim<V>>>,
    pub(crate) opened: Opened<V>,
}

impl<V> State<V> {
    pub(crate) fn claim(&mut self, tensor: usize, claim: Claim<V>) {
        self.claims.entry(tensor).or_default().push(claim);
    }

    /// Leaves the one claim on a parameter, where there is any, to be opened.
    pub(crate) fn parameter(&mut self, parameter: usize, claim: Option<Claim<V>>) {
        let claim = claim.map(|Claim { point, value }| ParameterClaim {
            parameter,
            point,
            value,
        });
        self.opened.parameters.extend(claim);
    }

    pub(crate) fn column(&mut self, column: usize, point: Vec<Extension>, value: V) {
        self.opened.columns.push(ColumnClaim {
            column,
            point,
            value,
        });
    }
}

//! Claims on their way: those of lookups and columns, those still to be reduced, and those to be opened.

use crate::contraction::MatrixClaim;
use crate::linear::Claim;
use std::collections::BTreeMap;
use transcript::Extension;

/// What the lookup argument leaves of one lookup.
#[derive(Clone, Debug, Default)]
pub struct LookupClaim {
    /// The point.
    pub point: Vec<Extension>,
    /// The value of the keys there.
    pub key: Extension,
    /// The value of the values there; zero where the table has none.
    pub value: Extension,
}

/// That a column has a value at a point.
#[derive(Clone, Debug)]
pub struct ColumnClaim {
    /// The column.
    pub column: usize,
    /// The point.
    pub point: Vec<Extension>,
    /// The value.
    pub value: Extension,
}

/// What everything was reduced to, to be opened.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// On the committed columns.
    pub columns: Vec<ColumnClaim>,
    /// On the weight matrices, in their order.
    pub matrices: Vec<MatrixClaim>,
}

/// Claims that are still to be reduced, and those that are to be opened.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) claims: BTreeMap<usize, Vec<Claim>>,
    pub(crate) opened: Opened,
}

impl State {
    pub(crate) fn claim(&mut self, tensor: usize, claim: Claim) {
        self.claims.entry(tensor).or_default().push(claim);
    }

    pub(crate) fn column(&mut self, column: usize, point: Vec<Extension>, value: Extension) {
        self.opened.columns.push(ColumnClaim {
            column,
            point,
            value,
        });
    }
}

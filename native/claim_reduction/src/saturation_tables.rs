//! Which rescalings of a graph are clamped by one shared table, and which table that is.
//!
//! The table has max(k, 0) for every k of its domain. A clamp from below is one lookup in it, a clamp
//! from both sides two; what a table of a rescaling's own takes, or columns that do without one, is
//! weighed against that for the whole graph.

use crate::plan::{MAX_TABLE, MIN_VARIABLES};
use crate::shape::coordinates;
use graph::Graph;

/// The field's modulus: integers of a relation must stay apart modulo it.
pub(crate) const MODULUS: i128 = (1 << 31) - (1 << 24) + 1;
/// Shifts up to this one have room beside the largest domain.
const MAX_SHIFT: u32 = 15;
/// The largest domain: 2^15 times as many integers are fewer than the modulus.
const WIDEST: i64 = 65_024;
const _: () = assert!((WIDEST as i128) << MAX_SHIFT < MODULUS);
/// Least log of a domain.
const LEAST: u32 = 7;

/// A rescaling whose result is clamped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clamp {
    /// Least and greatest quotient, 0 among them.
    pub(crate) quotients: (i64, i64),
    /// The bounds.
    pub(crate) bounds: (i64, i64),
    /// The shift.
    pub(crate) shift: u32,
}

impl Clamp {
    /// Whether lower and upper bound bite.
    pub(crate) const fn bites(&self) -> (bool, bool) {
        (
            self.quotients.0 < self.bounds.0,
            self.quotients.1 > self.bounds.1,
        )
    }

    /// Whether both bounds bite: then clamps by the shared table hold results to both.
    pub(crate) const fn bites_twice(&self) -> bool {
        matches!(self.bites(), (true, true))
    }

    /// Least and greatest key that is looked up in the shared table; nothing where no bound bites.
    fn keys(&self) -> Option<(i64, i64)> {
        let ((low, high), (lo, hi)) = (self.quotients, self.bounds);
        match self.bites() {
            (true, false) => Some((low - lo, high - lo)),
            (false, true) => Some((hi - high, hi - low)),
            (true, true) => Some(((low - lo).min(hi - high), (high - lo).max(hi - lo))),
            (false, false) => None,
        }
    }
}

/// The shared table of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shared {
    /// Its domain is −`below` … `above`.
    pub(crate) below: i64,
    /// See there.
    pub(crate) above: i64,
    /// The shift to which those of the rescalings that use it are raised.
    pub(crate) shift: u32,
}

impl Shared {
    /// The domain of 2^log integers, or of the most that leave room for the shifts.
    const fn of(log: u32) -> Self {
        let half = if 1 << log < WIDEST {
            1 << (log - 1)
        } else {
            WIDEST / 2
        };
        Self {
            below: half,
            above: half - 1,
            shift: 0,
        }
    }

    /// Whether a rescaling can use the table.
    pub(crate) fn takes(&self, clamp: &Clamp) -> bool {
        clamp.shift <= MAX_SHIFT
            && clamp
                .keys()
                .is_some_and(|(low, high)| low >= -self.below && high <= self.above)
    }

    /// The table that takes least for clamps with the variables of their columns, if any helps.
    pub(crate) fn choose(clamps: &[(Clamp, usize)]) -> Option<Self> {
        let without: i64 = clamps.iter().map(|(clamp, n)| alone(clamp, *n)).sum();
        (LEAST..=MAX_TABLE.ilog2())
            .map(|log| {
                let table = Self::of(log);
                let cost: i64 = clamps
                    .iter()
                    .map(|(clamp, n)| {
                        let own = alone(clamp, *n);
                        if table.takes(clamp) {
                            own.min(together(clamp, *n))
                        } else {
                            own
                        }
                    })
                    .sum();
                (cost + ENTRY * (1 << log), table)
            })
            .filter(|&(cost, _)| cost < without)
            .min_by_key(|&(cost, _)| cost)
            .map(|(_, mut table)| {
                let users = clamps.iter().filter(|(clamp, n)| table.pays(clamp, *n));
                table.shift = users.map(|(clamp, _)| clamp.shift).max().unwrap_or(0);
                table
            })
    }

    /// Whether a rescaling uses the table.
    pub(crate) fn pays(&self, clamp: &Clamp, variables: usize) -> bool {
        self.takes(clamp) && together(clamp, variables) <= alone(clamp, variables)
    }
}

/// What an entry of a table takes, when a row that is looked up takes 2.
const ENTRY: i64 = 3;
/// See there.
const ROW: i64 = 2;
/// What a cell takes that is committed to and not looked up.
const CELL: i64 = 1;
/// What a product that must vanish takes beside a row for each element: it is some hundred bytes.
const PRODUCT: i64 = 3 << 12;

/// What the lookups of a clamp take in the shared table, the remainder apart.
fn together(clamp: &Clamp, variables: usize) -> i64 {
    let (lower, upper) = clamp.bites();
    (i64::from(lower) + i64::from(upper)) * (ROW << variables)
}

/// What a clamp takes without the shared table: with a table of its own, or with columns.
fn alone(clamp: &Clamp, variables: usize) -> i64 {
    let (low, high) = clamp.quotients;
    let limbs = |bits: u32| i64::from(bits.div_ceil(16));
    let (lower, upper) = clamp.bites();
    let products = i64::from(lower) + i64::from(upper);
    let rows: i64 = clamp.bits().map(limbs).into_iter().sum();
    // The result is looked up nowhere where a bound bites.
    let cells = if products > 0 { CELL << variables } else { 0 };
    let columns = rows * (ROW << variables) + cells + products * PRODUCT;
    if high - low < MAX_TABLE {
        let table = ((high - low + 1) as u64).next_power_of_two() as i64;
        columns.min((ROW << variables) + ENTRY * table)
    } else {
        columns
    }
}

/// Whether `rows` limbs of so many bits take more with their range than cut into two.
pub(crate) const fn halving_pays(bits: u32, rows: i64) -> bool {
    const LEAST: u32 = 11;
    bits >= LEAST && ROW * rows + (ENTRY << bits.div_ceil(2)) < ENTRY << bits
}

/// Whether a table of a rescaling's own takes less than columns that do without one.
pub(crate) fn table_pays(clamp: &Clamp, variables: usize) -> bool {
    let (low, high) = clamp.quotients;
    let table = ((high - low + 1) as u64).next_power_of_two() as i64;
    high - low < MAX_TABLE && (ROW << variables) + ENTRY * table <= alone(clamp, variables)
}

/// Variables of a column of this shape.
pub(crate) fn column_variables(shape: &[usize]) -> usize {
    coordinates(shape).max(MIN_VARIABLES)
}

/// Why a rescaling is refused whose integers are not apart.
pub(crate) const TOO_LARGE: &str = "its products are too large to be apart in the field";

/// The integers of a relation, `low` to `high`, are apart when they count 2^shift.
pub(crate) fn apart(low: i64, high: i64, shift: u32) -> bool {
    (i128::from(high) - i128::from(low) + 1) << shift < MODULUS
}

/// The clamps of the graph's rescalings that no lookup is taken together with.
pub(crate) fn shared(graph: &Graph, clamp: impl Fn(usize) -> Option<Clamp>) -> Option<Shared> {
    let clamps: Vec<(Clamp, usize)> = graph
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(number, node)| Some((clamp(number)?, column_variables(&node.shape))))
        .collect();
    Shared::choose(&clamps)
}

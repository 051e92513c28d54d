//! What is done with each node of a graph: which columns are committed, which of
//! them are looked up in which table.

use crate::origin::Origin;
use crate::shape::coordinates;
use executor::{Fault, Tensors};
use graph::Graph;

/// Least variables of a column.
pub const MIN_VARIABLES: usize = 8;
/// Entries of a table.
pub const MAX_TABLE: i64 = 1 << 16;

/// Whether a verifier has the inputs of an execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// It has them, and computes what depends on nothing else.
    #[default]
    Public,
    /// They are committed to, each in a column of a vector of their own.
    Private,
}

/// A graph whose results cannot all be committed to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {node} ({operator}) of the integer graph cannot be hidden: {why}")]
pub struct Unsupported {
    /// Number of the node.
    pub node: usize,
    /// Its operation.
    pub operator: &'static str,
    /// Why.
    pub why: String,
    /// The limit of all graphs that it is about, if it is about one.
    pub limit: Option<Limit>,
}

/// A limit that planning stops at, before it makes what is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Of what a verifier can be asked to do.
    Work,
    /// Of the lookups that can be argued about.
    Lookups {
        /// Lookups so far.
        lookups: usize,
        /// Tables so far.
        tables: usize,
    },
}

/// A table of the lookup argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// 0 to 2^bits − 1, without values.
    Range(u32),
    /// `first` + j has the value `values[j]`.
    Function {
        /// The first key.
        first: i32,
        /// The values.
        values: Vec<i32>,
    },
}

/// A pair of columns, keys and values, that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Where.
    pub table: usize,
    /// The columns have 2^variables elements.
    pub variables: usize,
}

/// A committed column: a tensor, axes padded, and then padded to [`MIN_VARIABLES`] in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Shape of the tensor.
    pub shape: Vec<usize>,
    /// What stands in the padding.
    pub pad: i32,
}

impl Column {
    /// Variables of the column.
    pub fn variables(&self) -> usize {
        coordinates(&self.shape).max(MIN_VARIABLES)
    }
}

/// A part of a number: a committed column that is looked up as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limb {
    /// The column.
    pub column: usize,
    /// Its lookup.
    pub lookup: usize,
    /// It counts 2^shift.
    pub shift: u32,
    /// Its bits.
    pub bits: u32,
}

/// How the result of a rescaling follows from its quotient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// The result is a column, looked up at the quotient.
    Direct {
        /// The result.
        column: usize,
        /// The lookup, whose keys are not committed.
        lookup: usize,
    },
    /// The result is a column y, made by lookups of k with max(k, 0), whose keys are not committed.
    Clamped {
        /// The result.
        column: usize,
        /// Where the lower bound bites: quotient − lo with f, the result above `lo` as far as no
        /// upper bound bites.
        lower: Option<usize>,
        /// Where the upper bound bites: hi − quotient, or hi − lo − f where the lower one bites too,
        /// with hi − y.
        upper: Option<usize>,
        /// The column of f, where both bite.
        between: Option<usize>,
    },
    /// No bound bites: the quotient is the result, `lo` and what the limbs make.
    Wide {
        /// What it exceeds `lo` by.
        above: Vec<Limb>,
        /// What holds the quotient to its range, where the limbs above can make numbers that are not
        /// apart.
        held: Option<Held>,
    },
    /// The result is a column y, and the quotient y + up − down, where up · (hi − y) = 0 and
    /// down · (y − lo) = 0.
    Saturated {
        /// The result.
        column: usize,
        /// y − lo + down; empty where the lower bound does not bite.
        lower: Vec<Limb>,
        /// hi − y + up; empty where the upper bound does not bite.
        upper: Vec<Limb>,
        /// As above.
        held: Option<Held>,
    },
}

/// A quotient or an input that is held to `low` … `high` by how far it is from both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The least number.
    pub low: i64,
    /// The greatest.
    pub high: i64,
    /// What it exceeds `low` by.
    pub over: Vec<Limb>,
    /// What is left to `high`; of an input nothing where `over` makes no more than it may.
    pub under: Vec<Limb>,
}

/// A rescaling, with the lookup that follows it where they are taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescale {
    /// The operand.
    pub x: usize,
    /// Constant of the multipliers.
    pub multipliers: usize,
    /// Their axis.
    pub axis: usize,
    /// The shift.
    pub shift: u32,
    /// The remainder counts 2^-raise, so that remainders of several shifts share a table.
    pub raise: u32,
    /// Range of the rescaled value.
    pub range: (i32, i32),
    /// The remainder.
    pub remainder: Vec<Limb>,
    /// Quotient and result.
    pub form: Form,
}

/// How the differences of a maximum are looked up, each with a flag that is 1 where it is zero only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// With the flag, in one lookup; they are not committed.
    Direct(usize),
    /// As limbs. Where the flag is 1, the difference is zero by a product that vanishes.
    Wide {
        /// The limbs.
        limbs: Vec<Limb>,
        /// The lookup that makes the flag 0 or 1.
        bit: usize,
    },
}

/// A number that is stored as what it exceeds a base by, in limbs none of which lies in two pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// The base.
    pub base: i64,
    /// The limbs.
    pub limbs: Vec<Limb>,
}

/// An identity of integers that may not fit the field: `product` + rest = factor · operand, as
/// polynomials in the base of the pieces, up to a multiple of the base less X.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    /// Digits of what the operand is multiplied by.
    pub factor: Vec<i64>,
    /// The operand.
    pub operand: usize,
    /// Its pieces, where it is not one coefficient.
    pub pieces: Option<Number>,
    /// The result.
    pub result: Number,
    /// What is left of the operand, at least 0.
    pub rest: Number,
    /// What is left to the least rest that is too much, less 1.
    pub slack: Vec<Limb>,
    /// The carries.
    pub carries: Vec<Number>,
}

/// A divisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divisor {
    /// Its tensor.
    pub tensor: usize,
    /// The tensor that views have made it of.
    pub origin: Origin,
    /// The pieces of that one.
    pub pieces: Number,
}

/// The place of a maximum on the last axis: the place whose flag is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgMax {
    /// The operand.
    pub x: usize,
    /// The column of the result.
    pub column: usize,
    /// The column of the maxima.
    pub most: usize,
    /// The column of flags, of the operand's shape: 1 for the chosen element of each line, else 0.
    pub chosen: usize,
    /// How what the maximum exceeds each element by is looked up.
    pub difference: Difference,
    /// Of equals the last is chosen instead of the first.
    pub last: bool,
}

/// Rows that an index names, by the flags of the index: one for each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The tensor of rows.
    pub x: usize,
    /// The index.
    pub index: usize,
    /// The column of flags: the axes of the index, and then one for the rows.
    pub flags: usize,
    /// The lookup that makes the flags 0 or 1.
    pub bit: usize,
}

/// What a node adds to the claims, whoever uses its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// A rescaling.
    Rescale(Rescale),
    /// A division to the nearest: divisor · (2·result − 1) + rest = 2k · operand, and slack =
    /// 2·divisor − 1 − rest.
    Divide {
        /// The identity.
        exact: Exact,
        /// The divisor.
        divisor: Divisor,
    },
    /// A square root: result² + rest = k · operand, and slack = 2·result − rest.
    SquareRoot(Exact),
    /// The result is a column, looked up at the operand.
    Lookup {
        /// The operand.
        x: usize,
        /// The result.
        column: usize,
        /// The lookup, whose keys are not committed.
        lookup: usize,
        /// What is looked up where there is no element: 0, or the table's first key where it lacks 0.
        outside: i32,
    },
    /// The result is a column y; differences y − x are looked up with whether they are zero, and the
    /// number of zeros is looked up too.
    Max {
        /// The operand.
        x: usize,
        /// The result.
        column: usize,
        /// Where the difference is zero.
        zeros: usize,
        /// The lookup of differences.
        difference: Difference,
        /// The lookup of the number of zeros less one, which is not committed.
        count: usize,
    },
    /// The place of a maximum.
    ArgMax(ArgMax),
    /// Rows that an index names.
    Pick(Pick),
}

/// What is done about the claims on a node's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// They are reduced to claims on the operands.
    Reduced,
    /// They are claims on a column.
    Column(usize),
    /// They are claims on limbs: the result is `base` plus them, with `pad` in the padding.
    Limbs {
        /// What is added.
        base: i32,
        /// What stands in the padding.
        pad: i32,
        /// The limbs.
        limbs: Vec<Limb>,
    },
    /// There are none: the next node takes this one with it.
    Absorbed,
    /// The verifier computes the result itself.
    Known,
    /// They are claims on the parameter of this number.
    Parameter(usize),
}

/// The plan of a graph.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// For each node.
    pub roles: Vec<Role>,
    /// For each node.
    pub constraints: Vec<Option<Constraint>>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The lookups.
    pub lookups: Vec<Lookup>,
    /// The committed columns.
    pub columns: Vec<Column>,
    /// Whether inputs are known.
    pub visibility: Visibility,
    /// What holds each input to its declared range, where inputs are not known.
    pub inputs: Vec<Held>,
    /// Where no node looks anything up, a column of zeros that is: the argument is about one lookup at
    /// least.
    pub idle: Option<Limb>,
}

impl Plan {
    /// The tensors that the verifier computes itself; the others are empty. `inputs` are not read where they
    /// are not known.
    pub fn known(&self, graph: &Graph, inputs: &[&[i32]]) -> Result<Tensors, Fault> {
        let mut tensors = Tensors::default();
        let known: Vec<bool> = self.roles.iter().map(|role| *role == Role::Known).collect();
        let inputs = (self.visibility == Visibility::Public).then_some(inputs);
        executor::execute_some(graph, &known, inputs, &mut tensors)?;
        Ok(tensors)
    }
}

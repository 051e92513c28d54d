//! Why a proof is not accepted.

/// Why a proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// More or fewer of something than the shape says.
    #[error("the lookup proof has not the shape of the argument")]
    Shape,
    /// A fraction without value.
    #[error("a tree of the lookup argument has the denominator zero at its root")]
    ZeroDenominator,
    /// The roots differ.
    #[error("the looked-up rows are not those that the multiplicities count")]
    Sum,
    /// A layer that does not follow from the one above.
    #[error("layer {0} of the lookup trees does not follow from the one above")]
    Layer(usize),
    /// The leaves are not those of the claimed columns.
    #[error("the claimed columns are not the leaves of the looked-up rows")]
    Columns,
    /// The leaves are not those of the tables with the claimed multiplicities.
    #[error("tables and claimed multiplicities are not the leaves of the table side")]
    Tables,
}

//! The first folds of a witness opening, column by column.

use crate::first::{Claim, first_rounds, folded_weights, product};
use crate::place::Place;
use p3_challenger::{FieldChallenger, GrindingChallenger};
use p3_field::{BasedVectorSpace, Field, PackedValue, PrimeCharacteristicRing};
use p3_multilinear_util::point::Point;
use p3_sumcheck::layout::{Layout, LayoutStrategy, PrefixProver, StackedClaims, Table, Witness};
use p3_sumcheck::strategy::SumcheckProver;
use p3_sumcheck::{OpeningEvals, OpeningRequest, SumcheckData, TableShape};
use std::ops::Range;
use std::sync::Arc;
use sumcheck::equality;
use transcript::{Base, DEGREE, Extension};

type Library = PrefixProver<Base, Extension>;
type Lanes = <Base as Field>::Packing;

/// The committed columns, shared by all openings.
#[derive(Default)]
pub struct Stack {
    places: Vec<Place>,
    columns: Vec<Vec<Base>>,
    variables: usize,
    folding: usize,
}

/// The prover's side of the stack during one opening.
#[derive(Clone)]
pub struct ColumnsHead {
    stack: Arc<Stack>,
    /// The columns that the claims to come are about.
    expected: Vec<usize>,
    claims: Vec<(usize, Claim)>,
    virtuals: Vec<Claim>,
    /// Weights of the last point, which columns of one size often share.
    last: (Vec<Extension>, Vec<Extension>),
}

impl Stack {
    pub(super) const fn new(
        places: Vec<Place>,
        columns: Vec<Vec<Base>>,
        variables: usize,
        folding: usize,
    ) -> Self {
        Self {
            places,
            columns,
            variables,
            folding,
        }
    }
}

/// Rows of a tile that is transposed at once.
const TILE: usize = 64;

impl Stack {
    /// Elements of a row of the message and of the code.
    pub(super) const fn width(&self) -> usize {
        1 << self.folding
    }

    /// Rows of the message.
    pub(super) const fn height(&self) -> usize {
        1 << (self.variables - self.folding)
    }

    /// Writes the message, row i multiplied by `shift`^i, into `height` · `width` elements.
    pub(super) fn write_message(&self, shift: Base, message: &mut Vec<Base>) {
        let (width, height) = (self.width(), self.height());
        let scales = shift.powers().collect_n(height);
        message.clear();
        message.resize(width * height, Base::ZERO);
        let mut tile = vec![Base::ZERO; TILE * width];
        for (place, column) in self.places.iter().zip(&self.columns) {
            let stride = 1 << (self.variables - place.variables);
            let length = column.len() / width;
            for first in (0..length).step_by(TILE) {
                let deep = TILE.min(length - first);
                for (index, values) in column.chunks_exact(length).enumerate() {
                    let cells = tile[index..].iter_mut().step_by(width);
                    for (cell, &value) in cells.zip(&values[first..first + deep]) {
                        *cell = value;
                    }
                }
                for (index, cells) in tile.chunks_exact(width).take(deep).enumerate() {
                    let row = (first + index) * stride + place.slot;
                    let scale = Lanes::from(scales[row]);
                    let out = Lanes::pack_slice_mut(&mut message[row * width..][..width]);
                    for (out, &cells) in out.iter_mut().zip(Lanes::pack_slice(cells)) {
                        *out = cells * scale;
                    }
                }
            }
        }
    }
}

impl ColumnsHead {
    /// The head of an opening of a stack, where each claim to come is about the column that `expected`
    /// says.
    pub(super) fn new(stack: Arc<Stack>, expected: Vec<usize>) -> Self {
        Self {
            stack,
            expected,
            claims: Vec::new(),
            virtuals: Vec::new(),
            last: Default::default(),
        }
    }

    /// What a column is at a point.
    fn claim(&mut self, column: usize, point: &[Extension]) -> Claim {
        let folding = self.stack.folding;
        let own = self.stack.places[column].variables;
        let low = &point[folding..own];
        if self.last.0 != low {
            self.last = (low.to_vec(), equality(low, 1 << low.len()));
        }
        Claim::new(
            point,
            combine_columns(&self.last.1, &self.stack.columns[column]),
        )
    }
}

impl Layout<Base, Extension> for ColumnsHead {
    fn from_witness(witness: Witness<Base>) -> Self {
        // Only the library's own commitment asks for this, which is not used here.
        drop(witness);
        Self::new(Arc::default(), Vec::new())
    }

    fn new_witness(tables: Vec<Table<Base>>, folding: usize) -> Witness<Base> {
        Library::new_witness(tables, folding)
    }

    fn write_message(witness: &Witness<Base>, folding: usize, message: &mut [Base]) {
        Library::write_message(witness, folding, message);
    }

    fn claims(&self) -> &StackedClaims<Base, Extension> {
        // The library reads this only in the methods that are overridden below.
        unimplemented!("a head over columns keeps its own claims")
    }

    fn num_claims(&self) -> usize {
        self.claims.len()
    }

    fn num_virtual_claims(&self) -> usize {
        self.virtuals.len()
    }

    fn strategy() -> LayoutStrategy {
        Library::strategy()
    }

    fn folding(&self) -> usize {
        self.stack.folding
    }

    fn num_variables(&self) -> usize {
        self.stack.variables
    }

    fn num_variables_table(&self, _id: usize) -> usize {
        self.stack.variables
    }

    fn table_shapes(&self) -> Vec<TableShape> {
        vec![TableShape::new(self.stack.variables, 1)]
    }

    fn table(&self, _id: usize) -> &Table<Base> {
        // The library hands this out to callers, of which this crate has none.
        unimplemented!("a head over columns keeps no table")
    }

    fn record_opening(
        &mut self,
        _table: usize,
        _batch: &OpeningRequest,
        point: &Point<Extension>,
    ) -> OpeningEvals<Extension> {
        let column = self.expected[self.claims.len()];
        let claim = self.claim(column, point.as_slice());
        let value = claim.value;
        self.claims.push((column, claim));
        OpeningEvals::new(vec![value], Vec::new())
    }

    fn record_opening_known(
        &mut self,
        table: usize,
        batch: &OpeningRequest,
        point: &Point<Extension>,
        _evals: &OpeningEvals<Extension>,
    ) {
        // The sums are needed either way, and the value comes with them.
        self.record_opening(table, batch, point);
    }

    fn record_virtual(&mut self, point: &Point<Extension>) -> Extension {
        let stack = &self.stack;
        let places = stack.places.iter().copied().enumerate();
        let claim = Claim::of_stack(point.as_slice(), stack.folding, places, |index, weights| {
            combine_columns(weights, &stack.columns[index])
        });
        let value = claim.value;
        self.virtuals.push(claim);
        value
    }

    fn into_sumcheck<Ch>(
        self,
        sumcheck_data: &mut SumcheckData<Base, Extension>,
        pow_bits: usize,
        challenger: &mut Ch,
    ) -> (SumcheckProver<Base, Extension>, Point<Extension>)
    where
        Ch: FieldChallenger<Base> + GrindingChallenger<Witness = Base>,
    {
        let folding = self.stack.folding;
        let batching = self.batching_challenge(challenger);
        let of_columns = self.claims.iter().map(|(_, claim)| claim);
        let all: Vec<&Claim> = of_columns.chain(&self.virtuals).collect();
        let (sum, point, scales) =
            first_rounds(&all, folding, batching, sumcheck_data, pow_bits, challenger);

        let stack = &self.stack;
        let rows = equality(&point, 1 << folding);
        let mut values = vec![Extension::ZERO; 1 << (stack.variables - folding)];
        for (place, column) in stack.places.iter().zip(&stack.columns) {
            let folded = combine_rows(&rows, column);
            place.scatter(stack.variables, Extension::ONE, &folded, &mut values);
        }
        let of_columns = self.claims.iter();
        let of_columns = of_columns.map(|(column, claim)| (Some(stack.places[*column]), claim));
        let claims = of_columns.chain(self.virtuals.iter().map(|claim| (None, claim)));
        let claims = claims
            .zip(&scales)
            .map(|((place, claim), &scale)| (place, claim, scale));
        let weights = folded_weights(stack.variables, folding, claims);
        let product = product(values, weights);
        (SumcheckProver::new(product, sum), Point::new(point))
    }
}

/// The coefficients of elements, each kind for itself.
fn planes(elements: &[Extension]) -> [Vec<Base>; DEGREE] {
    std::array::from_fn(|limb| {
        let limb = |element: &Extension| {
            let slice: &[Base] = element.as_basis_coefficients_slice();
            slice[limb]
        };
        elements.iter().map(limb).collect()
    })
}

/// Products that are reduced together.
const TOGETHER: usize = 4;
/// Elements of the base field that are summed up with weights in a nanosecond, by which work is split.
pub const SUMMED: usize = 2;

/// Σ a[i] · b[i] over the base field.
fn base_dot(a: &[Base], b: &[Base]) -> Base {
    let step = TOGETHER * Lanes::WIDTH;
    let whole = a.len().min(b.len()) / step * step;
    let mut sum = Lanes::ZERO;
    for (a, b) in a[..whole].chunks_exact(step).zip(b.chunks_exact(step)) {
        let (a, b) = (Lanes::pack_slice(a), Lanes::pack_slice(b));
        let pick = |values: &[Lanes]| std::array::from_fn::<_, TOGETHER, _>(|index| values[index]);
        sum += Lanes::dot_product(&pick(a), &pick(b));
    }
    let tail = a[whole..].iter().zip(&b[whole..]);
    sum.as_slice().iter().copied().sum::<Base>() + tail.map(|(&a, &b)| a * b).sum::<Base>()
}

/// Σ over columns of weights[column] · matrix[row][column], for each row.
fn combine_columns(weights: &[Extension], matrix: &[Base]) -> Vec<Extension> {
    combine_slices(weights, matrix.chunks_exact(weights.len().max(1)))
}

/// The sum of a slice, each element with its weight, for each slice.
pub fn combine_slices<'a>(
    weights: &[Extension],
    slices: impl Iterator<Item = &'a [Base]>,
) -> Vec<Extension> {
    let planes = planes(weights);
    let slices: Vec<&[Base]> = slices.collect();
    parallel::map(slices.len(), weights.len() / SUMMED, |index| {
        let sums = planes
            .each_ref()
            .map(|plane| base_dot(plane, slices[index]));
        Extension::from_basis_coefficients_fn(|limb| sums[limb])
    })
}

/// A column at a point, the first coordinate being the highest bit.
pub fn evaluate(column: &[Base], point: &[Extension]) -> Extension {
    let low = &point[point.len() / 2..];
    Claim::new(
        point,
        combine_columns(&equality(low, 1 << low.len()), column),
    )
    .value
}

/// Σ over rows of weights[row] · matrix[row][column], for each column. There MUST be a multiple of four
/// rows.
pub fn combine_rows(weights: &[Extension], matrix: &[Base]) -> Vec<Extension> {
    let columns = matrix.len() / weights.len().max(1);
    let planes = planes(weights);
    let lanes = Lanes::WIDTH;
    let vectors = columns / lanes;
    let of_vectors = |vectors: Range<usize>| {
        let mut combined = Vec::with_capacity(vectors.len() * lanes);
        for start in vectors.map(|vector| vector * lanes) {
            let mut sums = [Lanes::ZERO; DEGREE];
            for row in (0..weights.len()).step_by(TOGETHER) {
                let values: [Lanes; TOGETHER] = std::array::from_fn(|index| {
                    let at = (row + index) * columns + start;
                    *Lanes::from_slice(&matrix[at..at + lanes])
                });
                for (sum, plane) in sums.iter_mut().zip(&planes) {
                    let of_rows: [Lanes; TOGETHER] =
                        std::array::from_fn(|index| Lanes::from(plane[row + index]));
                    *sum += Lanes::dot_product(&of_rows, &values);
                }
            }
            combined.extend((0..lanes).map(|lane| {
                Extension::from_basis_coefficients_fn(|limb| sums[limb].as_slice()[lane])
            }));
        }
        combined
    };
    let cost = weights.len() * lanes / SUMMED;
    let mut combined = parallel::joined(vectors, cost, of_vectors);
    for column in vectors * lanes..columns {
        let rows = weights.iter().enumerate();
        combined.push(
            rows.map(|(row, &weight)| weight * matrix[row * columns + column])
                .sum(),
        );
    }
    combined
}

#[cfg(test)]
mod tests {
    use super::{combine_columns, combine_rows, evaluate};
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::equality;
    use transcript::{Base, Extension, Transcript};

    #[test]
    fn columns_evaluate_as_their_elements_do() {
        for variables in [0, 1, 5, 9, 12] {
            let column: Vec<Base> = (0..1_usize << variables)
                .map(|index| Base::from_usize(index * index * 31 + 5))
                .collect();
            let point = Transcript::new().point(variables);
            let weights = equality(&point, column.len());
            let expected: Extension = weights.iter().zip(&column).map(|(&w, &v)| w * v).sum();
            assert_eq!(evaluate(&column, &point), expected);
        }
    }

    #[test]
    fn packed_sums_are_those_of_one_element_at_a_time() {
        let mut transcript = Transcript::new();
        for (rows, columns) in [(128, 1), (128, 2), (256, 5), (4, 64), (8, 128), (128, 100)] {
            let matrix: Vec<Base> = (0..rows * columns)
                .map(|index| Base::from_usize(index * index * 7919 + 3))
                .collect();
            let of_rows = transcript.point(rows);
            let found = combine_rows(&of_rows, &matrix);
            assert_eq!(found.len(), columns);
            for (column, found) in found.into_iter().enumerate() {
                let values = matrix.iter().skip(column).step_by(columns);
                let expected: Extension = of_rows.iter().zip(values).map(|(&w, &v)| w * v).sum();
                assert_eq!(found, expected);
            }
            let of_columns = transcript.point(columns);
            let found = combine_columns(&of_columns, &matrix);
            assert_eq!(found.len(), rows);
            for (row, found) in matrix.chunks(columns).zip(found) {
                let expected: Extension = of_columns.iter().zip(row).map(|(&w, &v)| w * v).sum();
                assert_eq!(found, expected);
            }
        }
    }
}

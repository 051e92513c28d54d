//! Where weights and parameters lie among the columns.

use crate::blocks::blocks;
use crate::error::KeyError;
use crate::pads::{LEAST, cut};
use claim_reduction::padded;
use commitment::{Block, MAX_VARIABLES, MatrixPoint, Place, Profile, Size, variables};
use graph::{Values, elements};
use hiding::{MAX_SELDOM_ROWS, Shape, ShapeError, Vector, first_fold};
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension};

/// Rows of a vector that links open, at least 2^7: with fewer, fresh vectors get no smaller.
const LEAST_ROWS: usize = 7;
/// Bits of the number of its columns at least.
const LEAST_COLUMNS: usize = 2;

/// The vector of weights, in the shape of an opening; the fresh one is number 0.
pub const WEIGHTS: usize = 1;
/// Cells of the one column that the fresh vector of a link has.
pub const LINK_CELLS: usize = 1 << LEAST;

/// Sizes of what is committed to beside a fresh vector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes {
    matrices: Vec<Size>,
    /// Shapes of the parameters.
    parameters: Vec<graph::Shape>,
    /// How the matrices are cut.
    blocks: Vec<Block>,
}

impl Sizes {
    pub(crate) fn new(matrices: Vec<Size>, parameters: Vec<graph::Shape>) -> Self {
        Self {
            blocks: blocks(&matrices),
            matrices,
            parameters,
        }
    }

    /// Variables of the columns of blocks and parameters, the half apart.
    fn columns(&self) -> impl Iterator<Item = usize> {
        let blocks = self.blocks.iter().map(Block::variables);
        let shapes = self.parameters.iter();
        blocks.chain(shapes.map(|shape| own_variables(shape).max(LEAST)))
    }

    /// Variables of the largest of them.
    pub(crate) fn largest(&self) -> usize {
        self.columns().max().unwrap_or(0)
    }
}

/// Coordinates of a point of a tensor.
pub(crate) fn own_variables(shape: &[usize]) -> usize {
    shape.iter().map(|&size| variables(size)).sum()
}

/// The vector of weights. Each block of a matrix is one column, and then each parameter, padded with zeros;
/// half of each column's cells are uniform, which are those with a 1 in the coordinate that follows the bits of
/// the vector's columns. Columns of neither fill the vector, so that the half is whole.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Its blocks are the first columns; parameters follow.
    sizes: Sizes,
    columns: Vec<usize>,
    /// Coordinates before that of the half.
    before: usize,
}

impl Weights {
    /// Places matrices and parameters where links open them, so many times at least: in as few rows as that takes,
    /// beside a fresh vector of one column with one element; and the shape of both.
    pub(crate) fn for_links(
        sizes: &Sizes,
        openings: u32,
        profile: Profile,
    ) -> Result<(Self, Shape), KeyError> {
        let given: Vec<usize> = sizes.columns().map(|own| 1 + own).collect();
        let taken: usize = given.iter().map(|&own| 1_usize << own).sum();
        let least = Place::whole(taken, 0);
        // Leaves are not to be larger than those that proofs open.
        let first = least.saturating_sub(first_fold(least)).max(LEAST_ROWS);
        for rows in first..=MAX_SELDOM_ROWS {
            let whole = least.max(rows + LEAST_COLUMNS);
            if whole > MAX_VARIABLES {
                break;
            }
            let mut columns = given.clone();
            columns.extend(cut((1 << whole) - taken));
            let shape = Shape::of_rows(&[LEAST], &[beside(&columns)], rows, profile)?;
            if shape.served(WEIGHTS).unwrap_or(0) < openings as usize {
                continue;
            }
            let weights = Self {
                sizes: sizes.clone(),
                columns,
                before: whole - rows,
            };
            return Ok((weights, shape));
        }
        Err(KeyError::Openings(openings))
    }

    /// Places matrices and parameters where proofs open them, so many times at least, beside a fresh vector and that
    /// of private inputs, where there is one; and the shape of all.
    pub(crate) fn for_proofs(
        sizes: &Sizes,
        openings: u32,
        (fresh, inputs): (&[usize], Option<&Vector>),
        profile: Profile,
    ) -> Result<(Self, Shape), KeyError> {
        Self::placed(sizes, openings, |columns| {
            let mut others = vec![beside(columns)];
            others.extend(inputs.cloned());
            Shape::new(fresh, &others, profile)
        })
    }

    /// The same where one proof opens them that is made once: it has as many rows, and is small.
    pub(crate) fn for_one_proof(
        sizes: &Sizes,
        fresh: &[usize],
        profile: Profile,
    ) -> Result<(Self, Shape), KeyError> {
        Self::placed(sizes, 1, |columns| {
            let others = [beside(columns)];
            let usual = Shape::new(fresh, &others, profile)?;
            let of_column = usual.column_variables(WEIGHTS).unwrap_or_default();
            let rows = usual.variables(WEIGHTS).unwrap_or_default() - of_column;
            Shape::of_rows(fresh, &others, rows, profile)
        })
    }

    /// Places them in the smallest vector whose shape serves so many openings; `shape` gives that for variables of
    /// its columns.
    fn placed(
        sizes: &Sizes,
        openings: u32,
        shape: impl Fn(&[usize]) -> Result<Shape, ShapeError>,
    ) -> Result<(Self, Shape), KeyError> {
        let given: Vec<usize> = sizes.columns().map(|own| 1 + own).collect();
        let taken: usize = given.iter().map(|&own| 1_usize << own).sum();
        let mut whole = shape(&given)?.variables(1).unwrap_or_default();
        loop {
            let mut columns = given.clone();
            columns.extend(cut((1 << whole) - taken));
            let shape = shape(&columns).map_err(|error| match error {
                // What is too large is what the openings have made of it.
                ShapeError::TooLarge(_) => KeyError::Openings(openings),
                other => KeyError::Hiding(other),
            })?;
            let filled = shape.variables(1).unwrap_or_default();
            if filled > whole {
                whole = filled;
                continue;
            }
            if shape.served(1).unwrap_or(0) < openings as usize {
                whole += 1;
                continue;
            }
            let before = shape.column_variables(1).unwrap_or_default();
            if columns.iter().any(|&own| own <= before) {
                return Err(KeyError::Openings(openings));
            }
            let weights = Self {
                sizes: sizes.clone(),
                columns,
                before,
            };
            return Ok((weights, shape));
        }
    }

    /// Variables of each column.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The columns of a matrix's blocks, each with the point at which it is asked for and its weight, whose
    /// sum is the matrix at `point`; nothing where that is not a point of it.
    pub fn terms(&self, matrix: usize, point: &MatrixPoint) -> Option<Vec<Term>> {
        let size = self.sizes.matrices.get(matrix)?;
        let fits = point.row.len() == variables(size.rows)
            && point.column.len() == variables(size.columns);
        let own = self.sizes.blocks.iter().enumerate();
        let own = own.filter(|(_, block)| block.matrix == matrix);
        fits.then(|| {
            own.map(|(column, block)| {
                let (at, weight) = block.at(&point.row, &point.column);
                self.term(column, at, weight)
            })
            .collect()
        })
    }

    /// The same of a matrix or, behind all of these, a parameter as a tensor, a matrix having one axis of rows and then
    /// one of columns.
    pub(crate) fn tensor(&self, number: usize, point: &[Extension]) -> Option<Vec<Term>> {
        let matrices = &self.sizes.matrices;
        let Some(size) = matrices.get(number) else {
            let parameter = self.parameter(number - matrices.len(), point)?;
            return Some(vec![parameter]);
        };
        let (row, column) = point.split_at_checked(variables(size.rows))?;
        let (row, column) = (row.to_vec(), column.to_vec());
        self.terms(number, &MatrixPoint { row, column })
    }

    /// The column of a parameter with the point at which it is the parameter at `point`; nothing where that is
    /// not a point of it.
    fn parameter(&self, parameter: usize, point: &[Extension]) -> Option<Term> {
        let shape = self.sizes.parameters.get(parameter)?;
        let own = own_variables(shape);
        (point.len() == own).then(|| {
            let mut at = vec![Extension::ZERO; own.max(LEAST) - own];
            at.extend_from_slice(point);
            self.term(self.sizes.blocks.len() + parameter, at, Extension::ONE)
        })
    }

    /// All columns of blocks and parameters, each at as many last coordinates of a point as it has.
    pub(crate) fn all_at(&self, point: &[Extension]) -> impl Iterator<Item = Term> {
        let own = self.sizes.columns().enumerate();
        own.map(|(column, own)| {
            let at = point.iter().skip(point.len().saturating_sub(own));
            self.term(column, at.copied().collect(), Extension::ONE)
        })
    }

    /// Columns of blocks and parameters.
    pub(crate) fn owned(&self) -> usize {
        self.sizes.blocks.len() + self.sizes.parameters.len()
    }

    /// Coordinates before that of the half.
    pub(crate) const fn before(&self) -> usize {
        self.before
    }

    /// A column at a point of what it holds, outside of its half.
    fn term(&self, column: usize, mut point: Vec<Extension>, weight: Extension) -> Term {
        point.insert(self.before.min(point.len()), Extension::ZERO);
        Term {
            column,
            point,
            weight,
        }
    }

    /// Where a column has a cell of what it holds, the half left out: at its index with a 0 inserted.
    pub fn place(&self, column: usize, index: usize) -> usize {
        let whole = self.columns.get(column).map_or(0, |&own| own);
        with_zero(index, whole.saturating_sub(1 + self.before))
    }

    /// The columns of blocks and parameters, whose uniform half `uniform` gives cell by cell.
    pub fn cells(&self, values: &Values<'_>, mut uniform: impl FnMut() -> Base) -> Vec<Vec<Base>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        let ends = self.sizes.matrices.iter().scan(0, |end, size| {
            let first = *end;
            *end += size.rows * size.columns;
            Some((size, first))
        });
        let matrices: Vec<(&Size, &[i8])> = ends
            .map(|(size, first)| (size, values.weights.get(first..).unwrap_or_default()))
            .collect();
        let mut parameters = values.parameters;
        for (column, &whole) in self.columns.iter().enumerate() {
            let own = whole - 1;
            let low = own - self.before;
            let mut cells = vec![Base::ZERO; 1 << whole];
            let place = |index| with_zero(index, low);
            for index in 0..1_usize << own {
                if let Some(cell) = cells.get_mut(place(index) | 1 << low) {
                    *cell = uniform();
                }
            }
            let block = self.sizes.blocks.get(column);
            if let Some((block, (size, matrix))) =
                block.and_then(|block| Some((block, matrices.get(block.matrix)?)))
            {
                let own = matrix.chunks(size.columns.max(1)).take(size.rows);
                let rows = own.skip(block.rows.offset).take(1 << block.rows.log);
                for (row, values) in rows.enumerate() {
                    let values = values.iter().skip(block.columns.offset);
                    for (at, &value) in values.take(1 << block.columns.log).enumerate() {
                        if let Some(cell) = cells.get_mut(place(row << block.columns.log | at)) {
                            *cell = Base::from_i8(value);
                        }
                    }
                }
            }
            let shape = column.checked_sub(self.sizes.blocks.len());
            if let Some(shape) = shape.and_then(|number| self.sizes.parameters.get(number)) {
                let count = parameters.len().min(elements(shape));
                let (given, left) = parameters.split_at(count);
                parameters = left;
                for (index, value) in padded(shape, own, given).into_iter().enumerate() {
                    if let Some(cell) = cells.get_mut(place(index)) {
                        *cell = value;
                    }
                }
            }
            columns.push(cells);
        }
        columns
    }
}

/// An index with a 0 inserted before its last `low` bits.
const fn with_zero(index: usize, low: usize) -> usize {
    index >> low << (low + 1) | index & ((1 << low) - 1)
}

/// The vector with these columns. It is not sampled: each opening claims what tells candidates apart.
fn beside(columns: &[usize]) -> Vector {
    Vector {
        columns: columns.to_vec(),
        openings: 0,
        sampled: false,
    }
}

/// A column at a point with its weight.
#[derive(Clone, Debug)]
pub struct Term {
    /// Its number in the vector.
    pub column: usize,
    /// A coordinate for each of its variables.
    pub point: Vec<Extension>,
    /// What its value there is multiplied by.
    pub weight: Extension,
}

#[cfg(test)]
mod tests {
    use super::{Sizes, WEIGHTS, Weights};
    use commitment::columns::evaluate;
    use commitment::{MatrixPoint, Place, Profile, Size};
    use graph::Values;
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::{dot, equality};
    use transcript::{Base, Extension, Transcript};

    fn sizes() -> Vec<Size> {
        let size = |rows, columns| Size { rows, columns };
        vec![size(3, 5), size(130, 100), size(1, 700)]
    }

    fn elements() -> usize {
        sizes().iter().map(|size| size.rows * size.columns).sum()
    }

    /// Of two parameters, one of them with padding in both axes.
    fn shapes() -> Vec<graph::Shape> {
        vec![vec![3, 120], vec![4]]
    }

    fn all() -> Sizes {
        Sizes::new(sizes(), shapes())
    }

    fn placed(openings: u32) -> (Weights, hiding::Shape) {
        let fresh = (&[10, 9, 8][..], None);
        Weights::for_proofs(&all(), openings, fresh, Profile::Default).unwrap()
    }

    fn for_links(openings: u32) -> (Weights, hiding::Shape) {
        Weights::for_links(&all(), openings, Profile::Default).unwrap()
    }

    #[test]
    fn the_half_of_all_rows_is_uniform_and_nothing_else_is() {
        let of_proofs = [1, 2, 9].map(placed);
        for (weights, shape) in of_proofs.into_iter().chain([1, 2, 100].map(for_links)) {
            let whole = shape.variables(WEIGHTS).unwrap();
            let rows = whole - shape.column_variables(WEIGHTS).unwrap();
            let (places, taken) = Place::stacked(weights.columns(), whole);
            assert_eq!(taken, 1 << whole, "no cell is outside of all columns");
            let nothing = Values {
                weights: &vec![0; elements()],
                parameters: &vec![0; 360 + 4],
            };
            let columns = weights.cells(&nothing, || Base::ONE);
            for (column, place) in columns.iter().zip(places) {
                for (element, &cell) in column.iter().enumerate() {
                    let index = (element << (whole - place.variables)) | place.slot;
                    let upper = index >> (rows - 1) & 1 == 1;
                    assert_eq!(cell == Base::ONE, upper);
                }
            }
        }
    }

    #[test]
    fn a_matrix_is_claimed_where_its_half_is_not() {
        let (weights, _) = placed(2);
        let values: Vec<i8> = (0..elements())
            .map(|at| (at * 37 % 251) as u8 as i8)
            .collect();
        let mut state = 1;
        let given = Values {
            weights: &values,
            parameters: &[],
        };
        let columns = weights.cells(&given, || {
            state = state * 5 % 2_130_706_429;
            Base::from_u64(state)
        });
        let mut transcript = Transcript::new();
        let mut first = 0;
        for (number, size) in sizes().into_iter().enumerate() {
            let point = MatrixPoint {
                row: transcript.point(commitment::variables(size.rows)),
                column: transcript.point(commitment::variables(size.columns)),
            };
            let matrix = &values[first..first + size.rows * size.columns];
            first += matrix.len();
            let rows = equality(&point.row, size.rows);
            let combined = commitment::combine_rows(&rows, matrix, size.columns);
            let expected = dot(&combined, &equality(&point.column, size.columns));
            let terms = weights.terms(number, &point).unwrap().into_iter();
            let terms =
                terms.map(|term| term.weight * evaluate(&columns[term.column], &term.point));
            assert_eq!(terms.sum::<Extension>(), expected);
        }
        // As a tensor it is the same.
        let point = MatrixPoint {
            row: transcript.point(8),
            column: transcript.point(7),
        };
        let whole = [&point.row[..], &point.column].concat();
        let (own, same) = (weights.terms(1, &point), weights.tensor(1, &whole));
        let told = |terms: Option<Vec<super::Term>>| -> Vec<_> {
            let terms = terms.unwrap().into_iter();
            terms
                .map(|term| (term.column, term.point, term.weight))
                .collect()
        };
        assert_eq!(told(own), told(same));
        assert!(weights.tensor(1, &whole[1..]).is_none());
        assert!(weights.tensor(1, &whole[..7]).is_none());
        // A point of a larger matrix, and a matrix that there is not.
        let point = MatrixPoint {
            row: transcript.point(30),
            column: transcript.point(2),
        };
        assert!(weights.terms(0, &point).is_none());
        assert!(weights.terms(1 << 14, &point).is_none());
    }

    #[test]
    fn a_parameter_is_claimed_as_the_tensor_that_it_is() {
        let (weights, _) = placed(2);
        let values: Vec<i32> = (0..364).map(|at| at * 9973 % 1009 - 500).collect();
        let given = Values {
            weights: &vec![0; elements()],
            parameters: &values,
        };
        let mut state = 1;
        let columns = weights.cells(&given, || {
            state = state * 5 % 2_130_706_429;
            Base::from_u64(state)
        });
        let mut transcript = Transcript::new();
        let point = transcript.point(2 + 7);
        let (rows, lines) = (equality(&point[..2], 3), equality(&point[2..], 120));
        let products = rows
            .iter()
            .flat_map(|&row| lines.iter().map(move |&own| row * own));
        let weigh = |(weight, &value): (Extension, &i32)| weight * Extension::from_i32(value);
        let expected: Extension = products.zip(&values).map(weigh).sum();
        let own = weights.tensor(3, &point).unwrap().remove(0);
        assert_eq!(own.column, weights.sizes.blocks.len());
        assert_eq!(own.weight, Extension::ONE);
        assert_eq!(evaluate(&columns[own.column], &own.point), expected);
        let point = transcript.point(2);
        let own = weights.tensor(4, &point).unwrap().remove(0);
        let expected = equality(&point, 4)
            .into_iter()
            .zip(&values[360..])
            .map(weigh);
        assert_eq!(
            evaluate(&columns[own.column], &own.point),
            expected.sum::<Extension>()
        );
        // A point of a larger tensor, and a parameter that there is not.
        assert!(weights.tensor(4, &transcript.point(30)).is_none());
        assert!(weights.tensor(1 << 14, &point).is_none());
    }

    #[test]
    fn more_openings_take_a_larger_vector() {
        let (_, first) = placed(1);
        let mut last = first.variables(WEIGHTS).unwrap();
        for openings in [8, 32, 128, 512] {
            let (_, shape) = placed(openings);
            assert!(shape.served(WEIGHTS).unwrap() >= openings as usize);
            let variables = shape.variables(WEIGHTS).unwrap();
            assert!(variables > last);
            last = variables;
        }
        let many = Weights::for_proofs(&all(), 1 << 30, (&[10], None), Profile::Default);
        assert!(many.is_err());
    }

    #[test]
    fn one_proof_that_is_made_once_has_as_many_rows_and_fewer_queries() {
        let fresh = &[16, 10, 9, 8][..];
        for profile in [Profile::Default, Profile::Conservative] {
            let (_, usual) = Weights::for_proofs(&all(), 1, (fresh, None), profile).unwrap();
            let (_, once) = Weights::for_one_proof(&all(), fresh, profile).unwrap();
            let rows = |shape: &hiding::Shape| {
                shape.variables(0).unwrap() - shape.column_variables(0).unwrap()
            };
            assert_eq!(rows(&once), rows(&usual));
            assert!(once.queries() < usual.queries());
            assert!(once.served(WEIGHTS).unwrap() >= 1);
        }
    }

    #[test]
    fn links_open_as_few_rows_as_serve_their_openings() {
        let rows = |openings| {
            let (_, shape) = for_links(openings);
            assert!(shape.served(WEIGHTS).unwrap() >= openings as usize);
            shape.variables(WEIGHTS).unwrap() - shape.column_variables(WEIGHTS).unwrap()
        };
        let found = [1, 2, 20, 200, 1025].map(rows);
        assert!(found.is_sorted());
        assert_eq!(found[4], 17);
        // Half as many rows serve fewer.
        assert!(rows(500) < 17);
        assert!(Weights::for_links(&all(), 1 << 30, Profile::Default).is_err());
    }

    #[test]
    fn columns_are_the_same_at_one_point_in_every_vector() {
        let values: Vec<i8> = (0..elements())
            .map(|at| (at * 91 % 251) as u8 as i8)
            .collect();
        let parameters: Vec<i32> = (0..364).map(|at| at * 9973 % 1009 - 500).collect();
        let given = Values {
            weights: &values,
            parameters: &parameters,
        };
        let mut transcript = Transcript::new();
        let point = transcript.point(all().largest());
        let at = |(weights, _): (Weights, hiding::Shape)| -> Vec<Extension> {
            let columns = weights.cells(&given, || Base::ONE);
            let terms = weights.all_at(&point);
            terms
                .map(|term| evaluate(&columns[term.column], &term.point))
                .collect()
        };
        let found = at(placed(2));
        assert_eq!(found.len(), placed(2).0.owned());
        assert_eq!(at(for_links(2)), found);
        assert_eq!(at(for_links(200)), found);
    }
}

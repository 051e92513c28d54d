//! Where weights and parameters lie among the columns of the private mode.

use crate::error::KeyError;
use crate::pads::{LEAST, cut};
use claim_reduction::padded;
use commitment::{MatrixPoint, Profile, Size, variables};
use graph::{Values, elements};
use hiding::{Shape, Vector};
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension};

/// Sizes of what is committed to beside a fresh vector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) matrices: Vec<Size>,
    /// Shapes of the parameters.
    pub(crate) parameters: Vec<graph::Shape>,
}

impl Sizes {
    /// Variables of each column, its half apart: those of matrices, then those of parameters.
    fn variables(&self) -> impl Iterator<Item = usize> {
        let matrices = self.matrices.iter();
        let matrices = matrices.map(|size| variables(size.rows) + variables(size.columns));
        let parameters = self.parameters.iter();
        let parameters = parameters.map(|shape| shape.iter().map(|&size| variables(size)).sum());
        matrices.chain(parameters).map(|own: usize| own.max(LEAST))
    }
}

/// The vector of weights. Each matrix is one column, and then each parameter, padded with zeros; half of
/// each column's cells are uniform, which are those with a 1 in the coordinate that follows the bits of the
/// vector's columns. Columns of neither fill the vector, so that the half is whole.
#[derive(Clone, Debug)]
pub struct Weights {
    sizes: Sizes,
    columns: Vec<usize>,
    /// Coordinates before that of the half.
    before: usize,
}

impl Weights {
    /// Places matrices and parameters, for at least so many openings, beside a fresh vector; and the shape of
    /// both.
    pub(crate) fn new(
        sizes: Sizes,
        openings: u32,
        fresh: &[usize],
        profile: Profile,
    ) -> Result<(Self, Shape), KeyError> {
        let given: Vec<usize> = sizes.variables().map(|own| 1 + own).collect();
        let shape = |columns: &[usize]| {
            let columns = columns.to_vec();
            // Not sampled: its pin tells candidates apart.
            let vector = Vector {
                columns,
                openings: 0,
                sampled: false,
            };
            Shape::new(fresh, &[vector], profile)
        };
        let taken: usize = given.iter().map(|&own| 1_usize << own).sum();
        let mut whole = shape(&given)?.variables(1).unwrap_or_default();
        loop {
            let mut columns = given.clone();
            columns.extend(cut((1 << whole) - taken));
            let shape = shape(&columns).map_err(|error| match error {
                // What is too large is what the openings have made of it.
                hiding::ShapeError::TooLarge(_) => KeyError::Openings(openings),
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
                sizes,
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

    /// The point of a matrix's column at which it is the matrix at `point`.
    pub fn point(&self, matrix: usize, point: &MatrixPoint) -> Option<(usize, Vec<Extension>)> {
        self.at(matrix, &[&point.row[..], &point.column].concat())
    }

    /// The point of a parameter's column at which it is the parameter at `point`.
    pub fn parameter_point(
        &self,
        parameter: usize,
        point: &[Extension],
    ) -> Option<(usize, Vec<Extension>)> {
        self.at(self.sizes.matrices.len() + parameter, point)
    }

    /// The point of a column at which what it holds is taken at `point`.
    fn at(&self, column: usize, point: &[Extension]) -> Option<(usize, Vec<Extension>)> {
        let own = self.columns.get(column)?.checked_sub(1)?;
        let padding = own.checked_sub(point.len())?;
        let mut at = vec![Extension::ZERO; padding];
        at.extend_from_slice(point);
        at.insert(self.before.min(own), Extension::ZERO);
        Some((column, at))
    }

    /// The columns of matrices and parameters, whose uniform half `uniform` gives cell by cell.
    pub fn cells(&self, values: &Values<'_>, mut uniform: impl FnMut() -> Base) -> Vec<Vec<Base>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        let (mut rest, mut parameters) = (values.weights, values.parameters);
        let matrices = self.sizes.matrices.len();
        for (column, &whole) in self.columns.iter().enumerate() {
            let own = whole - 1;
            let low = own - self.before;
            let mut cells = vec![Base::ZERO; 1 << whole];
            // The index of a cell of the matrix, with a 0 inserted.
            let place = |index: usize| index >> low << (low + 1) | index & ((1 << low) - 1);
            for index in 0..1_usize << own {
                if let Some(cell) = cells.get_mut(place(index) | 1 << low) {
                    *cell = uniform();
                }
            }
            if let Some(size) = self.sizes.matrices.get(column) {
                let (matrix, left) = rest.split_at(rest.len().min(size.rows * size.columns));
                rest = left;
                let width = variables(size.columns);
                for (row, values) in matrix.chunks(size.columns.max(1)).enumerate() {
                    for (at, &value) in values.iter().enumerate() {
                        if let Some(cell) = cells.get_mut(place(row << width | at)) {
                            *cell = Base::from_i8(value);
                        }
                    }
                }
            }
            let shape = column.checked_sub(matrices);
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

#[cfg(test)]
mod tests {
    use super::{Sizes, Weights};
    use crate::private::WEIGHTS;
    use commitment::columns::evaluate;
    use commitment::{MatrixPoint, Place, Profile, Size};
    use graph::Values;
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::{dot, equality};
    use transcript::{Base, Extension, Transcript};

    fn sizes() -> Vec<Size> {
        let size = |rows, columns| Size { rows, columns };
        vec![size(3, 5), size(20, 24), size(1, 700)]
    }

    /// Of two parameters, one of them with padding in both axes.
    fn shapes() -> Vec<graph::Shape> {
        vec![vec![3, 120], vec![4]]
    }

    fn all() -> Sizes {
        Sizes {
            matrices: sizes(),
            parameters: shapes(),
        }
    }

    fn placed(openings: u32) -> (Weights, hiding::Shape) {
        Weights::new(all(), openings, &[10, 9, 8], Profile::Default).unwrap()
    }

    #[test]
    fn the_half_of_all_rows_is_uniform_and_nothing_else_is() {
        for openings in [1, 2, 9] {
            let (weights, shape) = placed(openings);
            let whole = shape.variables(WEIGHTS).unwrap();
            let rows = whole - shape.column_variables(WEIGHTS).unwrap();
            let (places, taken) = Place::stacked(weights.columns(), whole);
            assert_eq!(taken, 1 << whole, "no cell is outside of all columns");
            let nothing = Values {
                weights: &vec![0; 3 * 5 + 20 * 24 + 700],
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
        let values: Vec<i8> = (0..3 * 5 + 20 * 24 + 700)
            .map(|at: i32| (at * 37 % 251) as i8)
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
            let (column, at) = weights.point(number, &point).unwrap();
            assert_eq!(evaluate(&columns[column], &at), expected);
        }
        // A point of a larger matrix, and a matrix that there is not.
        let point = MatrixPoint {
            row: transcript.point(30),
            column: transcript.point(2),
        };
        assert!(weights.point(0, &point).is_none());
        assert!(weights.point(1 << 14, &point).is_none());
    }

    #[test]
    fn a_parameter_is_claimed_as_the_tensor_that_it_is() {
        let (weights, _) = placed(2);
        let values: Vec<i32> = (0..364).map(|at| at * 9973 % 1009 - 500).collect();
        let given = Values {
            weights: &[0; 3 * 5 + 20 * 24 + 700],
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
        let (column, at) = weights.parameter_point(0, &point).unwrap();
        assert_eq!(column, 3);
        assert_eq!(evaluate(&columns[column], &at), expected);
        let own = transcript.point(2);
        let (column, at) = weights.parameter_point(1, &own).unwrap();
        let expected = equality(&own, 4).into_iter().zip(&values[360..]).map(weigh);
        assert_eq!(evaluate(&columns[column], &at), expected.sum());
        // A point of a larger tensor, and a parameter that there is not.
        assert!(weights.parameter_point(1, &transcript.point(30)).is_none());
        assert!(weights.parameter_point(1 << 14, &own).is_none());
    }

    #[test]
    fn more_openings_take_a_larger_vector() {
        let mut last = 0;
        for openings in [1, 4, 16, 64, 256] {
            let (_, shape) = placed(openings);
            assert!(shape.served(WEIGHTS).unwrap() >= openings as usize);
            let variables = shape.variables(WEIGHTS).unwrap();
            assert!(variables > last);
            last = variables;
        }
        let many = Weights::new(all(), 1 << 30, &[10], Profile::Default);
        assert!(many.is_err());
    }
}

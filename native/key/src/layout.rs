//! Where pads and weights lie among the columns of the private mode.

use crate::blocks::blocks;
use crate::error::KeyError;
use commitment::{Block, MatrixPoint, Profile, Size, variables};
use hiding::{Shape, Vector};
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, DEGREE, Extension};

/// Variables of a column at least.
const LEAST: usize = claim_reduction::MIN_VARIABLES;

/// Cells cut into columns of powers of two, the largest first and none below [`LEAST`].
pub(crate) fn cut(mut cells: usize) -> Vec<usize> {
    let mut columns = Vec::new();
    while cells > 0 {
        let own = (cells.ilog2() as usize).max(LEAST);
        columns.push(own);
        cells = cells.saturating_sub(1 << own);
    }
    columns
}

/// The pads: element i has its coefficients in the cells 5·i and following of what the columns of pads are
/// together.
#[derive(Clone, Debug)]
pub struct Pads {
    /// The number of their first column.
    first: usize,
    columns: Vec<usize>,
    count: usize,
}

impl Pads {
    pub(crate) fn new(first: usize, count: usize) -> Self {
        Self {
            first,
            columns: cut(DEGREE * count),
            count,
        }
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Variables of their columns.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The columns of these pads.
    pub fn cells(&self, pads: &[Extension]) -> Vec<Vec<Base>> {
        let coefficients = pads.iter().flat_map(|pad| {
            let own: &[Base] = pad.as_basis_coefficients_slice();
            own.to_vec()
        });
        let mut cells: Vec<Base> = coefficients.collect();
        self.split(&mut cells)
    }

    /// The sum of pads, each times its coefficient, as weights of cells: columns, each with those from its
    /// first cell on.
    pub fn weights(&self, coefficients: &[Extension]) -> Vec<(usize, Vec<Extension>)> {
        let basis = |l: usize| {
            Extension::from_basis_coefficients_fn(
                |limb| if limb == l { Base::ONE } else { Base::ZERO },
            )
        };
        let bases: [Extension; DEGREE] = std::array::from_fn(basis);
        let weights = coefficients
            .iter()
            .flat_map(|&own| bases.map(|basis| own * basis));
        let columns = self.split(&mut weights.collect());
        (self.first..).zip(columns).collect()
    }

    fn split<T: Clone + Default>(&self, all: &mut Vec<T>) -> Vec<Vec<T>> {
        let cells = self.columns.iter().map(|&own| 1 << own).sum();
        all.resize(cells, T::default());
        let mut rest = &all[..];
        let columns = self.columns.iter().map(|&own| {
            let (column, left) = rest.split_at(1 << own);
            rest = left;
            column.to_vec()
        });
        columns.collect()
    }
}

/// The vector of weights. Each block of a matrix is one column, padded with zeros; half of each column's
/// cells are uniform, which are those with a 1 in the coordinate that follows the bits of the vector's columns.
/// Columns without a block fill the vector, so that the half is whole.
#[derive(Clone, Debug)]
pub struct Weights {
    sizes: Vec<Size>,
    /// Those of the first columns.
    blocks: Vec<Block>,
    columns: Vec<usize>,
    /// Coordinates before that of the half.
    before: usize,
}

impl Weights {
    /// Places matrices, for at least so many openings, beside a fresh vector; and the shape of both.
    pub(crate) fn new(
        sizes: Vec<Size>,
        openings: u32,
        fresh: &[usize],
        profile: Profile,
    ) -> Result<(Self, Shape), KeyError> {
        let blocks = blocks(&sizes);
        let matrices: Vec<usize> = blocks.iter().map(|block| 1 + block.variables()).collect();
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
        let taken: usize = matrices.iter().map(|&own| 1_usize << own).sum();
        let mut whole = shape(&matrices)?.variables(1).unwrap_or_default();
        loop {
            let mut columns = matrices.clone();
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
                blocks,
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
        let size = self.sizes.get(matrix)?;
        let fits = point.row.len() == variables(size.rows)
            && point.column.len() == variables(size.columns);
        let own = self.blocks.iter().enumerate();
        let own = own.filter(|(_, block)| block.matrix == matrix);
        fits.then(|| {
            own.map(|(column, block)| {
                let (mut at, weight) = block.at(&point.row, &point.column);
                at.insert(self.before.min(at.len()), Extension::ZERO);
                Term {
                    column,
                    point: at,
                    weight,
                }
            })
            .collect()
        })
    }

    /// The columns of matrices, one after another and row by row, whose uniform half `uniform` gives cell
    /// by cell.
    pub fn cells(&self, weights: &[i8], mut uniform: impl FnMut() -> Base) -> Vec<Vec<Base>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        let ends = self.sizes.iter().scan(0, |end, size| {
            let first = *end;
            *end += size.rows * size.columns;
            Some((size, first))
        });
        let matrices: Vec<(&Size, &[i8])> = ends
            .map(|(size, first)| (size, weights.get(first..).unwrap_or_default()))
            .collect();
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
            let block = self.blocks.get(column);
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
            columns.push(cells);
        }
        columns
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
    use super::{LEAST, Pads, Weights, cut};
    use crate::private::WEIGHTS;
    use commitment::columns::evaluate;
    use commitment::{MatrixPoint, Place, Profile, Size};
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

    fn placed(openings: u32) -> (Weights, hiding::Shape) {
        Weights::new(sizes(), openings, &[10, 9, 8], Profile::Default).unwrap()
    }

    #[test]
    fn cells_are_cut_into_columns_that_hold_them_and_waste_less_than_one() {
        for cells in [1, 255, 256, 257, 1000, 4096, 5000] {
            let columns = cut(cells);
            let held: usize = columns.iter().map(|&own| 1_usize << own).sum();
            assert!((cells..cells + (1 << LEAST)).contains(&held));
            assert!(columns.iter().all(|&own| own >= LEAST));
        }
        assert!(cut(0).is_empty());
    }

    #[test]
    fn a_functional_of_pads_is_that_of_their_cells() {
        let mut transcript = Transcript::new();
        let pads = Pads::new(7, 61);
        let (values, coefficients) = (transcript.point(61), transcript.point(61));
        let cells = pads.cells(&values);
        let weights = pads.weights(&coefficients);
        assert_eq!(weights.len(), cells.len());
        let mut sum = Extension::ZERO;
        for (number, ((column, weights), cells)) in weights.iter().zip(&cells).enumerate() {
            assert_eq!(*column, 7 + number);
            assert_eq!(cells.len(), 1 << pads.columns()[number]);
            let products = weights.iter().zip(cells);
            sum += products
                .map(|(&weight, &cell)| weight * cell)
                .sum::<Extension>();
        }
        assert_eq!(sum, dot(&coefficients, &values));
    }

    #[test]
    fn the_half_of_all_rows_is_uniform_and_nothing_else_is() {
        for openings in [1, 2, 9] {
            let (weights, shape) = placed(openings);
            let whole = shape.variables(WEIGHTS).unwrap();
            let rows = whole - shape.column_variables(WEIGHTS).unwrap();
            let (places, taken) = Place::stacked(weights.columns(), whole);
            assert_eq!(taken, 1 << whole, "no cell is outside of all columns");
            let nothing = vec![0; elements()];
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
        let columns = weights.cells(&values, || {
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
        // A point of a larger matrix, and a matrix that there is not.
        let point = MatrixPoint {
            row: transcript.point(30),
            column: transcript.point(2),
        };
        assert!(weights.terms(0, &point).is_none());
        assert!(weights.terms(1 << 14, &point).is_none());
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
        let many = Weights::new(sizes(), 1 << 30, &[10], Profile::Default);
        assert!(many.is_err());
    }
}

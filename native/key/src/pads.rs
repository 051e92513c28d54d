//! Where pads lie among the columns.

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, DEGREE, Extension};

/// Variables of a column at least.
pub(crate) const LEAST: usize = claim_reduction::MIN_VARIABLES;

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

#[cfg(test)]
mod tests {
    use super::{LEAST, Pads, cut};
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::dot;
    use transcript::{Extension, Transcript};

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
}

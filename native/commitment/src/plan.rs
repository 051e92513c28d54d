//! How matrices of any size are cut into blocks whose sides are powers of two.
//!
//! Padding a matrix of 784 columns to 1024 would commit to a third more than there is, and beside a
//! full power of two even a tiny matrix doubles the whole. So each side is cut into some parts, each a power of two,
//! largest first, and each pair of parts is one block.

use transcript::Extension;

/// Blocks of one commitment.
pub const MAX_BLOCKS: usize = 2048;
/// A block has at least 2^`MIN_BLOCK_VARIABLES` elements; a smaller one is padded with zero rows.
pub const MIN_BLOCK_VARIABLES: usize = 9;
/// All blocks together are stacked into a polynomial of at least this many variables.
pub const MIN_VARIABLES: usize = 13;
/// And of at most this many.
pub const MAX_VARIABLES: usize = 28;
/// The size of one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// A part of a side: the indices `offset .. offset + 2^log`, where `offset` is a multiple of 2^log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first index.
    pub offset: usize,
    /// Logarithm of the length.
    pub log: usize,
}

/// Cuts `length` indices into at most `most` parts; the last one may reach beyond.
pub fn parts(length: usize, most: u32) -> Vec<Part> {
    let mut covered = length.max(1);
    while covered.count_ones() > most.max(1) {
        covered += 1 << covered.trailing_zeros();
    }
    let mut parts = Vec::new();
    let mut offset = 0;
    while offset < covered {
        let log = (covered - offset).ilog2() as usize;
        parts.push(Part { offset, log });
        offset += 1 << log;
    }
    parts
}

/// Variables that address `length` indices.
pub const fn variables(length: usize) -> usize {
    length.next_power_of_two().trailing_zeros() as usize
}

/// The point of one matrix: coordinates of rows and of columns, most significant bit first.
#[derive(Clone, Debug)]
pub struct MatrixPoint {
    /// One coordinate for each of [`variables`] of the rows.
    pub row: Vec<Extension>,
    /// One coordinate for each of [`variables`] of the columns.
    pub column: Vec<Extension>,
}

/// One block of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The matrix it belongs to.
    pub matrix: usize,
    /// Its rows.
    pub rows: Part,
    /// Its columns.
    pub columns: Part,
}

impl Block {
    /// Variables of the committed polynomial, padding included.
    pub fn variables(&self) -> usize {
        (self.rows.log + self.columns.log).max(MIN_BLOCK_VARIABLES)
    }

    /// The point at which the block is opened, and the block's weight in its matrix.
    ///
    /// The matrix, as a multilinear polynomial padded with zeros, takes at (`row`, `column`) the
    /// value Σ weight · block(point) over its blocks.
    pub fn at(&self, row: &[Extension], column: &[Extension]) -> (Vec<Extension>, Extension) {
        let (row_weight, row_point) = restrict(row, self.rows);
        let (column_weight, column_point) = restrict(column, self.columns);
        let padding = self.variables() - self.rows.log - self.columns.log;
        let mut point = vec![Extension::default(); padding];
        point.extend_from_slice(row_point);
        point.extend_from_slice(column_point);
        (point, row_weight * column_weight)
    }
}

/// Splits a point of a whole side at a part: the weight of the part, and the point within it.
fn restrict(point: &[Extension], part: Part) -> (Extension, &[Extension]) {
    use p3_field::PrimeCharacteristicRing;
    let (high, low) = point.split_at(point.len() - part.log);
    let index = part.offset >> part.log;
    let weight = high
        .iter()
        .rev()
        .enumerate()
        .map(|(bit, &x)| {
            if (index >> bit) & 1 == 1 {
                x
            } else {
                Extension::ONE - x
            }
        })
        .product();
    (weight, low)
}

#[cfg(test)]
mod tests {
    use super::{Part, parts, variables};

    /// Parts of a side at most.
    const MOST: u32 = 4;

    #[test]
    fn parts_cover_every_length_once_and_are_aligned() {
        for length in 1..5000 {
            for most in 1..=MOST {
                let parts = parts(length, most);
                assert!(parts.len() <= most as usize);
                let end: usize = parts.iter().map(|part| 1 << part.log).sum();
                assert!(end >= length && end <= length.next_power_of_two());
                let mut next = 0;
                for part in &parts {
                    assert_eq!(part.offset, next);
                    assert_eq!(part.offset % (1 << part.log), 0);
                    next += 1 << part.log;
                }
                assert_eq!(next, end);
            }
            let end: usize = parts(length, 3).iter().map(|part| 1 << part.log).sum();
            assert!(end - length <= length / 4, "{length}");
        }
    }

    #[test]
    fn a_length_of_three_bits_is_cut_without_padding() {
        assert_eq!(
            parts(784, 3),
            [(0, 9), (512, 8), (768, 4)].map(|(offset, log)| Part { offset, log })
        );
        assert_eq!(variables(784), 10);
        assert_eq!(variables(1), 0);
    }
}

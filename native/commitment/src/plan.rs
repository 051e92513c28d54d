//! How matrices of any size are cut into blocks whose sides are powers of two.
//!
//! Padding a matrix of 784 columns to 1024 would commit to a third more than there is, and beside a
//! full power of two even a tiny matrix doubles the whole. So each side is cut into at most
//! [`MAX_PARTS`] parts, each a power of two, largest first, and each pair of parts is one block.

use crate::Error;
use transcript::Extension;

/// Parts of one side; fewer where that would make more than [`MANY_BLOCKS`].
pub const MAX_PARTS: u32 = 3;
/// Blocks beyond which sides are cut into fewer parts. The transcript of the opening names all
/// blocks anew for each block: time and memory grow with the square of their number.
pub const MANY_BLOCKS: usize = 512;
/// Blocks of one commitment.
pub const MAX_BLOCKS: usize = 2048;
/// A block has at least 2^`MIN_BLOCK_VARIABLES` elements; a smaller one is padded with zero rows.
pub const MIN_BLOCK_VARIABLES: usize = 9;
/// All blocks together are stacked into a polynomial of at least this many variables.
pub const MIN_VARIABLES: usize = 13;
/// And of at most this many.
pub const MAX_VARIABLES: usize = 28;
/// Matrices under one commitment.
pub const MAX_MATRICES: usize = 4096;
/// Rows or columns of one matrix.
pub const MAX_SIDE: usize = 1 << 24;

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

/// Blocks of all matrices, their sides being cut into at most `most` parts.
fn count(sizes: &[Size], most: u32) -> usize {
    sizes
        .iter()
        .map(|size| parts(size.rows, most).len() * parts(size.columns, most).len())
        .sum()
}

/// Variables that address `length` indices.
pub const fn variables(length: usize) -> usize {
    length.next_power_of_two().trailing_zeros() as usize
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

/// Where everything lies in one commitment.
#[derive(Clone, Debug)]
pub struct Plan {
    sizes: Vec<Size>,
    blocks: Vec<Block>,
    variables: usize,
}

impl Plan {
    /// Plans the blocks of `sizes`, matrix by matrix, by rows and then by columns.
    pub fn new(sizes: &[Size]) -> Result<Self, Error> {
        if sizes.is_empty() || sizes.len() > MAX_MATRICES {
            return Err(Error::Count(sizes.len()));
        }
        let sides = 1..=MAX_SIDE;
        for (matrix, size) in sizes.iter().enumerate() {
            if !sides.contains(&size.rows) || !sides.contains(&size.columns) {
                return Err(Error::Side(matrix));
            }
        }
        let most = (1..=MAX_PARTS)
            .rev()
            .find(|&most| count(sizes, most) <= MANY_BLOCKS)
            .unwrap_or(1);
        if count(sizes, most) > MAX_BLOCKS {
            return Err(Error::Blocks(count(sizes, most)));
        }
        let mut blocks = Vec::new();
        let mut cells = 0_usize;
        for (matrix, size) in sizes.iter().enumerate() {
            for rows in parts(size.rows, most) {
                for columns in parts(size.columns, most) {
                    let block = Block {
                        matrix,
                        rows,
                        columns,
                    };
                    cells = cells.saturating_add(1 << block.variables());
                    blocks.push(block);
                }
            }
        }
        if cells > 1 << MAX_VARIABLES {
            return Err(Error::TooLarge(cells));
        }
        let variables = variables(cells).max(MIN_VARIABLES);
        Ok(Self {
            sizes: sizes.to_vec(),
            blocks,
            variables,
        })
    }

    /// The matrices.
    pub fn sizes(&self) -> &[Size] {
        &self.sizes
    }

    /// The blocks, in the order of the proof.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Variables of the stacked polynomial.
    pub const fn variables(&self) -> usize {
        self.variables
    }

    /// Elements of all matrices together, without padding.
    pub fn elements(&self) -> usize {
        self.sizes.iter().map(|size| size.rows * size.columns).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{MANY_BLOCKS, MAX_BLOCKS, MAX_PARTS, Part, Plan, Size, parts, variables};
    use crate::Error;

    #[test]
    fn parts_cover_every_length_once_and_are_aligned() {
        for length in 1..5000 {
            for most in 1..=MAX_PARTS {
                let parts = parts(length, most);
                assert!(parts.len() <= most as usize);
                let end: usize = parts.iter().map(|part| 1 << part.log).sum();
                assert!(end >= length && end <= length.next_power_of_two());
            }
            let parts = parts(length, MAX_PARTS);
            let mut next = 0;
            for part in &parts {
                assert_eq!(part.offset, next);
                assert_eq!(part.offset % (1 << part.log), 0);
                next += 1 << part.log;
            }
            assert!(next >= length && next <= length.next_power_of_two());
            assert!(next - length <= length / 4, "{length}");
        }
    }

    #[test]
    fn a_length_of_three_bits_is_cut_without_padding() {
        assert_eq!(
            parts(784, MAX_PARTS),
            [(0, 9), (512, 8), (768, 4)].map(|(offset, log)| Part { offset, log })
        );
        assert_eq!(variables(784), 10);
        assert_eq!(variables(1), 0);
    }

    #[test]
    fn many_matrices_are_cut_into_fewer_blocks() {
        let plan = |count: usize| {
            let size = Size {
                rows: 7,
                columns: 7,
            };
            Plan::new(&vec![size; count])
        };
        assert_eq!(plan(56).unwrap().blocks().len(), 56 * 9);
        // Of two parts, 7 is covered by one of 8.
        assert_eq!(plan(57).unwrap().blocks().len(), 57);
        assert_eq!(MANY_BLOCKS / 9, 56);
        assert!(plan(MAX_BLOCKS).is_ok());
        assert_eq!(
            plan(MAX_BLOCKS + 1).unwrap_err(),
            Error::Blocks(MAX_BLOCKS + 1)
        );
    }
}

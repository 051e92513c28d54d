//! How matrices are cut into blocks whose sides are powers of two.
//!
//! The vector of weights has a power of two of cells, and half of it is uniform: one cell too many doubles all.
//! A matrix that is padded to powers of two is up to four times as large as it is. So both sides of matrices are
//! cut into parts, at most as many as make the vector smaller, and each pair of parts is a block.

use commitment::{Block, MAX_BLOCKS, Size, parts};

/// Parts of one side at most.
const MAX_PARTS: u32 = 4;

/// The blocks of matrices, one matrix after another, by rows and then by columns: of at most as many parts a
/// side as the fewest variables for all of them take.
pub(crate) fn blocks(sizes: &[Size]) -> Vec<Block> {
    let fits = |blocks: &Vec<Block>| blocks.len() <= MAX_BLOCKS;
    let mut best = cut(sizes, 1);
    for finer in (2..=MAX_PARTS).map(|most| cut(sizes, most)).filter(fits) {
        if variables(&finer) < variables(&best) {
            best = finer;
        }
    }
    best
}

/// Variables of a vector with all cells of blocks.
fn variables(blocks: &[Block]) -> usize {
    commitment::variables(cells(blocks))
}

fn cells(blocks: &[Block]) -> usize {
    blocks
        .iter()
        .map(|block| 1_usize << block.variables())
        .sum()
}

/// All matrices, each cut so that it has the fewest cells, and of these the fewest blocks.
fn cut(sizes: &[Size], most: u32) -> Vec<Block> {
    let all = sizes.iter().enumerate();
    all.flat_map(|(matrix, &size)| {
        let choices = (1..=most).flat_map(|rows| (1..=most).map(move |columns| (rows, columns)));
        choices
            .map(|(rows, columns)| of_matrix(matrix, size, rows, columns))
            .min_by_key(|blocks| (cells(blocks), blocks.len()))
            .unwrap_or_default()
    })
    .collect()
}

fn of_matrix(matrix: usize, size: Size, rows: u32, columns: u32) -> Vec<Block> {
    let columns = parts(size.columns, columns);
    let rows = parts(size.rows, rows).into_iter();
    rows.flat_map(|rows| {
        columns.iter().map(move |&columns| Block {
            matrix,
            rows,
            columns,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{blocks, cells, cut, variables};
    use commitment::{MAX_BLOCKS, Size};

    fn size(rows: usize, columns: usize) -> Size {
        Size { rows, columns }
    }

    #[test]
    fn each_cell_of_a_matrix_is_in_one_block() {
        for own in [size(7, 100), size(1, 1), size(33, 65), size(120, 400)] {
            for most in 1..=4 {
                let blocks = cut(&[own], most);
                for row in 0..own.rows {
                    for column in 0..own.columns {
                        let holds = |offset: usize, log: usize, index: usize| {
                            (offset..offset + (1 << log)).contains(&index)
                        };
                        let holders = blocks.iter().filter(|block| {
                            holds(block.rows.offset, block.rows.log, row)
                                && holds(block.columns.offset, block.columns.log, column)
                        });
                        assert_eq!(holders.count(), 1);
                    }
                }
            }
        }
    }

    #[test]
    fn matrices_are_cut_where_that_makes_the_vector_smaller_and_no_finer() {
        // 784-128-10 with 16-bit weights: two matrices a layer.
        let mlp = [size(128, 784), size(128, 784), size(10, 128), size(10, 128)];
        assert_eq!(variables(&cut(&mlp, 1)), 19);
        let own = blocks(&mlp);
        assert_eq!((own.len(), variables(&own)), (2 * 3 + 2 * 2, 18));
        assert_eq!(cells(&own), 2 * (128 * 784 + (8 * 128 + 512)));
        // LeNet-5 needs four parts of its 120 units.
        let layers = [
            size(6, 25),
            size(16, 150),
            size(120, 400),
            size(84, 120),
            size(10, 84),
        ];
        let lenet: Vec<Size> = layers.into_iter().flat_map(|size| [size; 2]).collect();
        assert_eq!(
            [1, 2, 3, 4].map(|most| variables(&cut(&lenet, most))),
            [18, 18, 18, 17]
        );
        // Powers of two stay whole, and what is padded without a larger vector does too.
        assert_eq!(blocks(&[size(64, 64)]).len(), 1);
        assert_eq!(blocks(&[size(128, 784)]).len(), 1);
    }

    #[test]
    fn as_many_matrices_as_there_may_be_blocks_stay_whole() {
        let many = vec![size(48, 48); MAX_BLOCKS];
        assert!(cut(&many, 2).len() > MAX_BLOCKS);
        assert_eq!(blocks(&many).len(), MAX_BLOCKS);
    }
}

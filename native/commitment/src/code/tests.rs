use super::{Code, cosets_to_keep};
use crate::stack::Stack;
use crate::tree::{Rows, Tree};
use crate::{LeafHash, MatrixPoint, Reader, Scheme, Size, Transform, Writer, plan::variables};
use crate::{Opening, Profile};
use p3_blake3::Blake3;
use p3_commit::{BatchOpeningRef, Mmcs};
use p3_field::PrimeCharacteristicRing;
use p3_matrix::dense::{DenseMatrix, RowMajorMatrix};
use p3_matrix::{Dimensions, Matrix};
use p3_sumcheck::commit::commit_base;
use p3_sumcheck::layout::{Layout, PrefixProver, Table, Witness};
use std::sync::Arc;
use transcript::{Base, Extension, Site, Transcript};

type Library = PrefixProver<Base, Extension>;

fn bytes(count: usize, seed: usize) -> Vec<i8> {
    let value = |index: usize| (index * index * 31 % 251 + index * seed) as u8 as i8;
    (0..count).map(value).collect()
}

fn tables(variables: &[usize]) -> Vec<Vec<i8>> {
    let tables = variables.iter().enumerate();
    let tables = tables.map(|(seed, &variables)| bytes(1 << variables, seed + 1));
    tables.collect()
}

/// The code of the same tables as the library makes it.
fn of_library(tables: &[Vec<i8>], folding: usize, rate: usize) -> RowMajorMatrix<Base> {
    let tables = tables.iter().map(|values| {
        let values: Vec<Base> = values.iter().map(|&value| Base::from_i8(value)).collect();
        let height = values.len();
        Table::new(RowMajorMatrix::new(values, height))
    });
    let witness: Witness<Base> = Library::new_witness(tables.collect(), folding);
    let (_, rows) = commit_base(
        &Transform::default(),
        &Tree::new(),
        witness.num_variables(),
        folding,
        rate,
        |message| Library::write_message(&witness, folding, message),
    );
    let matrices = Tree::new().get_matrices(&rows);
    matrices[0].clone()
}

fn code(tables: &[Vec<i8>], folding: usize, rate: usize, kept: usize) -> Code {
    let stack = Arc::new(Stack::new(tables.to_vec(), folding));
    let hash = LeafHash::new(Blake3);
    Code::new(stack, rate, kept, &Transform::default(), &hash)
}

/// Sizes of tables, variables of the first fold, and rate.
const SHAPES: [(&[usize], usize, usize); 5] = [
    (&[9, 12, 9, 10, 9], 7, 3),
    (&[11, 13, 9, 9, 14], 8, 2),
    (&[9, 9], 9, 1),
    (&[9], 9, 0),
    (&[10], 7, 4),
];

#[test]
fn rows_are_those_of_the_library_whatever_is_kept() {
    for (variables, folding, rate) in SHAPES {
        let tables = tables(variables);
        let expected = of_library(&tables, folding, rate);
        let expected: Vec<Vec<Base>> = expected.rows().map(Iterator::collect).collect();
        for kept in 0..=1 << rate {
            let code = code(&tables, folding, rate, kept);
            let all: Vec<usize> = (0..expected.len()).collect();
            assert_eq!(code.rows(&all), expected, "{variables:?}, {kept} cosets");
            let held = all.iter().filter(|&&index| code.kept(index).is_some());
            assert_eq!(held.count(), (kept * expected.len()) >> rate);
        }
    }
}

#[test]
fn openings_are_those_of_the_library_whatever_is_kept() {
    let tree = Tree::new();
    for (variables, folding, rate) in SHAPES {
        let tables = tables(variables);
        let rows = of_library(&tables, folding, rate);
        let (width, height) = (rows.width(), rows.height());
        let (root, known) = tree.commit_matrix(rows);
        for kept in 0..=1 << rate {
            let code = code(&tables, folding, rate, kept);
            assert_eq!(root.roots(), [code.root()]);
            let own: Rows<DenseMatrix<Base>> = Rows::Code(Arc::new(code));
            // None, one, repeated and disordered ones, neighbours, all.
            for indices in [
                vec![],
                vec![height - 1],
                [7, 3, 7, 0, 11, 6, 5, 5]
                    .map(|index| index % height)
                    .to_vec(),
                (0..height).rev().collect(),
            ] {
                let (expected, theirs) = tree.open_multi_batch(&indices, &known);
                let (values, paths) = tree.open_multi_batch(&indices, &own);
                assert_eq!(values, expected);
                assert_eq!(paths.sibling_hashes, theirs.sibling_hashes);
            }
            let dimensions = [Dimensions { width, height }];
            let (values, path) = tree.open_batch(height / 2, &own).unpack();
            let check = |index: usize| {
                let opening = BatchOpeningRef::new(&values, &path);
                tree.verify_batch(&root, &dimensions, index, opening)
            };
            assert!(check(height / 2).is_ok());
            assert!(height == 1 || check(height / 2 - 1).is_err());
        }
    }
}

fn sizes() -> Vec<Size> {
    [(300, 500), (10, 300), (129, 3), (1, 1)]
        .map(|(rows, columns)| Size { rows, columns })
        .to_vec()
}

fn opening(scheme: &Scheme, weights: &[i8]) -> Vec<u8> {
    let binding_evaluation = |root: &[u8; 32]| {
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Commitment, root);
        transcript.point(scheme.binding_variables())
    };
    let committed = scheme.commit(weights, binding_evaluation).unwrap();
    let begin = || {
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Key, &committed.root());
        let points: Vec<MatrixPoint> = sizes()
            .into_iter()
            .map(|size| MatrixPoint {
                row: transcript.point(variables(size.rows)),
                column: transcript.point(variables(size.columns)),
            })
            .collect();
        (transcript, points)
    };
    let (mut transcript, points) = begin();
    let opening = scheme.open(&committed, &points, &mut transcript).unwrap();
    let mut out = Writer::default();
    opening.encode(scheme, &mut out);

    let decoded = Opening::decode(
        scheme,
        committed.binding_evaluation(),
        &mut Reader::new(&out.bytes),
    )
    .unwrap();
    let (mut transcript, points) = begin();
    scheme
        .verify(
            &committed.root(),
            committed.binding_evaluation(),
            &decoded,
            &points,
            &mut transcript,
        )
        .unwrap();
    out.bytes
}

#[test]
fn an_opening_has_the_same_bytes_whatever_is_kept() {
    for profile in Profile::ALL {
        let mut scheme = Scheme::new(&sizes(), profile).unwrap();
        let weights = bytes(scheme.plan().elements(), 1);
        assert_eq!(scheme.kept, 1 << scheme.config().starting_log_inv_rate);
        let expected = opening(&scheme, &weights);
        for kept in [0, 1, 2, 4, 7] {
            scheme.kept = kept;
            assert_eq!(opening(&scheme, &weights), expected, "{kept} cosets");
        }
        assert_ne!(opening(&scheme, &bytes(weights.len(), 2)), expected);
    }
}

#[test]
fn as_many_cosets_are_kept_as_fit() {
    // A stack that its weights fill is kept whole at the rates of the fast schedule.
    assert_eq!(cosets_to_keep(1 << 13, 13, 3, 7), 8);
    assert_eq!(cosets_to_keep(1 << 20, 20, 3, 8), 8);
    assert_eq!(cosets_to_keep(1 << 22, 22, 2, 8), 4);
    // Shorter rows have more digests.
    assert_eq!(cosets_to_keep(1 << 22, 22, 2, 6), 2);
    // One that they half fill is kept in part: of a code of 34 million bytes, and of 537.
    assert_eq!(cosets_to_keep(540_000, 20, 3, 8), 4);
    assert_eq!(cosets_to_keep(22_400_000, 25, 2, 9), 2);
    // At lower rates there is more to leave out.
    assert_eq!(cosets_to_keep(540_000, 20, 5, 8), 4);
    assert_eq!(cosets_to_keep((1 << 27) + 1, 28, 2, 9), 1);
    assert_eq!(cosets_to_keep(1, 28, 2, 9), 0);
    for variables in 13..=28 {
        for rate in 0..=6 {
            let weights = 1 << (variables - 1);
            let kept = cosets_to_keep(weights, variables, rate, 7);
            assert!(kept <= 1 << rate);
            let code = (kept * size_of::<Base>()) << variables;
            assert!(code <= 12 * weights + 24_000_000, "{variables} {rate}");
        }
    }
}

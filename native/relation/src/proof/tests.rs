//! Whether the messages of the proof are uniform: ranks, for frozen challenges.

use super::{DUMMY, Proof, Shape, dummy, run};
use crate::equations::{About, Equations};
use crate::form::Form;
use crate::masks::COEFFICIENTS;
use crate::rows::Rows;
use p3_field::{Field, PrimeCharacteristicRing};
use transcript::{Extension, Site, Transcript};

/// Hidden values of which every third is the product of the two before.
struct Case {
    equations: Equations,
    pads: Vec<Extension>,
    spare: u32,
    shape: Shape,
}

fn case(products: usize) -> Case {
    let mut transcript = Transcript::new();
    let shape = Shape::new(products);
    let spare = 3 * products;
    let pads = transcript.point(spare + shape.spares());
    let mut equations = Equations::default();
    for number in 0..products {
        let (a, b) = (transcript.challenge(), transcript.challenge());
        let [a, b, c] = [(0, a), (1, b), (2, a * b)].map(|(at, value)| {
            let index = 3 * number + at;
            Form::hidden(value + pads[index], index as u32)
        });
        let about = About("product", number);
        equations.products(about, vec![(a, b)], c).unwrap();
    }
    assert_eq!(equations.violated(&pads), []);
    Case {
        equations,
        pads,
        spare: spare as u32,
        shape,
    }
}

impl Case {
    /// All messages for frozen challenges.
    fn messages(&self, pads: &[Extension], with_dummy: bool) -> Vec<Extension> {
        let mut challenges = Transcript::new();
        challenges.absorb(Site::Statement, b"frozen");
        let dummy = if with_dummy {
            dummy(self.spare)
        } else {
            [const { 0 }; 2].map(|_| Form::default())
        };
        let rows = Rows::new(&self.equations, &dummy, self.shape.variables);
        let masks = &pads[self.spare as usize + DUMMY..];
        let tau = challenges.point(self.shape.variables);
        let Proof {
            masks,
            rounds,
            factors,
        } = run(
            rows.weights(&tau),
            rows.tables(pads).unwrap(),
            masks.as_chunks::<COEFFICIENTS>().0,
            |_, _| challenges.challenge(),
        )
        .proof;
        let rounds = rounds.iter().flatten().copied();
        let masks = std::iter::once(masks);
        masks.chain(rounds).chain(factors).collect()
    }

    /// What each message changes by where one of some pads does, which is where it is affine in them.
    fn columns(&self, cells: &[usize], with_dummy: bool) -> Vec<Vec<Extension>> {
        let before = self.messages(&self.pads, with_dummy);
        let column = |&cell: &usize| {
            let mut pads = self.pads.clone();
            pads[self.spare as usize + cell] += Extension::ONE;
            let after = self.messages(&pads, with_dummy);
            after.iter().zip(&before).map(|(&a, &b)| a - b).collect()
        };
        cells.iter().map(column).collect()
    }
}

/// The rank of a matrix that is given by its columns.
fn rank(mut columns: Vec<Vec<Extension>>) -> usize {
    let rows = columns.first().map_or(0, Vec::len);
    let mut rank = 0;
    for row in 0..rows {
        let Some(at) = (rank..columns.len()).find(|&at| columns[at][row] != Extension::ZERO) else {
            continue;
        };
        columns.swap(rank, at);
        let pivot = columns[rank].clone();
        let inverse = pivot[row].inverse();
        for column in &mut columns[rank + 1..] {
            let factor = column[row] * inverse;
            for (own, &of_pivot) in column.iter_mut().zip(&pivot) {
                *own -= factor * of_pivot;
            }
        }
        rank += 1;
    }
    rank
}

#[test]
fn sum_and_rounds_are_uniform_by_the_masks() {
    for products in [1, 2, 3, 5, 12] {
        let case = case(products);
        let variables = case.shape.variables;
        let cells: Vec<usize> = (DUMMY..case.shape.spares()).collect();
        assert_eq!(cells.len(), 4 * variables);
        let columns = case.columns(&cells, true);
        assert_eq!(rank(columns.clone()), 3 * variables + 1);
        // The masks do not touch the factors.
        let ends = 3 * variables + 1;
        assert!(columns.iter().all(|c| c[ends..] == [Extension::ZERO; 2]));
        // Negative controls: any mask left out, or any two of the coefficients of one.
        for left_out in 0..variables {
            let mut rest = columns.clone();
            rest.drain(COEFFICIENTS * left_out..COEFFICIENTS * (left_out + 1));
            assert!(rank(rest) < 3 * variables + 1);
            let mut rest = columns.clone();
            rest.drain(COEFFICIENTS * left_out..COEFFICIENTS * left_out + 2);
            assert!(rank(rest) < 3 * variables + 1);
        }
        assert_eq!(rank(Vec::new()), 0);
    }
}

#[test]
fn factors_are_uniform_by_the_dummy() {
    for products in [0, 1, 2, 3, 5, 12] {
        let case = case(products);
        let ends = 3 * case.shape.variables + 1;
        let of_factors = |with_dummy: bool| {
            let columns = case.columns(&[0, 1], with_dummy);
            rank(columns.iter().map(|c| c[ends..].to_vec()).collect())
        };
        assert_eq!(of_factors(true), 2);
        assert_eq!(of_factors(false), 0);
    }
}

//! The rounds of the first fold, column by column, are those of whole tables.

use super::{Frozen, stream};
use crate::commit::Committed;
use crate::form::LinearForm;
use crate::head;
use crate::later::Folding;
use crate::shape::{Shape, Vector};
use crate::statement::table;
use commitment::Profile;
use p3_field::PrimeCharacteristicRing;
use sumcheck::dot;
use transcript::{Base, Extension};

#[test]
fn columns_are_folded_as_whole_tables_are() {
    let other = |columns: &[usize], openings| Vector {
        columns: columns.to_vec(),
        openings,
        sampled: openings > 0,
    };
    for (fresh, others) in [
        (vec![12, 9, 8], vec![]),
        (vec![9, 11], vec![other(&[13], 0)]),
        (vec![13, 8], vec![other(&[9, 10], 1)]),
        (
            vec![10, 9],
            vec![other(&[14, 12], 0), other(&[12], 2), other(&[9], 0)],
        ),
    ] {
        let shape = Shape::new(&fresh, &others, Profile::Default).unwrap();
        let mut coins = stream(21);
        let vectors: Vec<Committed> = (0..shape.vectors.len())
            .map(|index| {
                let own = shape.vectors[index].columns.iter();
                let own = own.take(shape.vectors[index].own());
                let columns: Vec<Vec<Base>> =
                    own.map(|place| coins.bases(1 << place.variables)).collect();
                let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
                shape.commit(index, &columns, &mut coins).unwrap()
            })
            .collect();
        let mut forms = Vec::new();
        for vector in &shape.vectors {
            let mut form = LinearForm::new();
            let shared = coins.extensions(vector.variables);
            for (column, place) in vector.columns.iter().enumerate() {
                let random = coins.extensions(place.variables);
                let scale = coins.extensions(1)[0];
                form.add_point(column, random, scale);
                let same = shared[..place.variables].to_vec();
                form.add_point(column, same, scale + Extension::ONE);
            }
            form.add_whole(shared, coins.extensions(1)[0]);
            form.add_cells(0, 3, coins.extensions(1));
            form.add_cells(0, 201, coins.extensions(300));
            forms.push(form);
        }
        let mut values = vec![Extension::ZERO; 1 << shape.joint()];
        for (shape_of, vector) in shape.vectors.iter().zip(&vectors) {
            for (place, column) in shape_of.columns.iter().zip(&vector.columns) {
                for (element, &value) in column.iter().enumerate() {
                    let cell = shape_of.cell(*place, element);
                    values[shape.joint_cell(shape_of, cell)] = value.into();
                }
            }
        }
        let weights = table(&shape, &forms);
        let vectors: Vec<&Committed> = vectors.iter().collect();
        let all = forms.iter().zip(&shape.vectors).zip(&vectors);
        let value: Extension = all
            .map(|((form, shape), vector)| head::value(shape, vector, form))
            .sum();
        assert_eq!(value, dot(&weights, &values));
        let mut whole = Folding::new(values, weights);
        whole.fold(shape.fold, &mut Frozen::new(2));
        let folded = head::fold(&shape, &vectors, &forms, &mut Frozen::new(2));
        assert_eq!(folded.rounds, whole.rounds);
        assert_eq!(folded.point, whole.point);
        assert_eq!((folded.values, folded.weights), whole.tables());
    }
}

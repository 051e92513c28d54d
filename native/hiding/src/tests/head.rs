//! The rounds of the first fold, column by column, are those of whole tables.

use super::{Frozen, stream};
use crate::commit::Committed;
use crate::form::{LinearForm, Unfit};
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
        let mut vectors: Vec<Committed> = (0..shape.vectors.len())
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
        for (vector, committed) in shape.vectors.iter().zip(&mut vectors) {
            let mut form = LinearForm::new();
            let shared = coins.extensions(vector.variables);
            for (column, place) in vector.columns.iter().enumerate() {
                let random = coins.extensions(place.variables);
                let scale = coins.extensions(1)[0];
                form.add_point(column, random, scale);
                let same = shared[..place.variables].to_vec();
                form.add_point(column, same, scale + Extension::ONE);
            }
            // A half of all rows, of one column or of the whole, and a point that is asked for again.
            let mut half = shared.clone();
            for bit in [Extension::ZERO, Extension::ONE] {
                half[vector.fold] = bit;
                for (column, place) in vector.columns.iter().enumerate() {
                    if place.variables > vector.fold {
                        let own = half[..place.variables].to_vec();
                        form.add_point(column, own, coins.extensions(1)[0]);
                    }
                }
                form.add_whole(half.clone(), coins.extensions(1)[0]);
            }
            // What is kept with the vector, of the whole and of a column.
            let again = coins.extensions(vector.variables);
            let mut unfit = LinearForm::new();
            unfit.add_whole(again[1..].to_vec(), Extension::ONE);
            assert_eq!(committed.keep(&unfit), Err(Unfit(0)));
            let mut kept = LinearForm::new();
            let own = again[..vector.columns[0].variables].to_vec();
            kept.add_point(0, own, coins.extensions(1)[0]);
            kept.add_whole(again, coins.extensions(1)[0]);
            kept.add_cells(0, 5, coins.extensions(1));
            let value = committed.keep(&kept).unwrap();
            assert_eq!(committed.known.len(), 2);
            let points = committed.known.split_off(0);
            assert_eq!(committed.value(&kept), Ok(value));
            committed.known = points;
            form.add(&kept, Extension::TWO);
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
        let mut known = vec![Vec::new(); vectors.len()];
        let value: Extension = all
            .zip(&mut known)
            .map(|(((form, shape), vector), known)| head::value(shape, vector, form, known))
            .sum();
        assert_eq!(value, dot(&weights, &values));
        let mut whole = Folding::new(values, weights);
        whole.fold(shape.fold, &mut Frozen::new(2));
        let (rounds, point) = (whole.rounds.clone(), whole.point.clone());
        let tables = whole.tables();
        // With and without what is known from the value.
        for known in [Vec::new(), known] {
            let folded = head::fold(&shape, &vectors, &forms, known, &mut Frozen::new(2));
            assert_eq!(folded.rounds, rounds);
            assert_eq!(folded.point, point);
            assert_eq!((&folded.values, &folded.weights), (&tables.0, &tables.1));
        }
    }
}

use super::{Extension, Head, Layout, Library, byte};
use p3_field::PrimeCharacteristicRing;
use p3_matrix::dense::RowMajorMatrix;
use p3_multilinear_util::point::Point;
use p3_sumcheck::layout::Table;
use p3_sumcheck::{OpeningBatch, SumcheckData};
use transcript::{Base, Site, Transcript};

/// All that a layout sends and hands over.
fn run<L: Layout<Base, Extension>>(
    sizes: &[usize],
    folding: usize,
    bind: impl Fn(&mut L, &[Point<Extension>]),
) -> Vec<Extension> {
    let tables = sizes
        .iter()
        .map(|&variables| {
            let values = (0..1_usize << variables)
                .map(|index| Base::from_i8((index * index * 31 % 256) as u8 as i8))
                .collect();
            Table::new(RowMajorMatrix::new(values, 1 << variables))
        })
        .collect();
    let mut layout = L::from_witness(L::new_witness(tables, folding));
    let mut transcript = Transcript::new();
    transcript.absorb(Site::Key, b"head");
    let bound: Vec<Point<Extension>> = sizes
        .iter()
        .take(sizes.len() - 1)
        .map(|&variables| Point::new(transcript.point(variables)))
        .collect();
    bind(&mut layout, &bound);
    let mut sent = vec![layout.add_virtual_eval(transcript.sponge().unwrap())];
    // The last table is not opened.
    for (table, &variables) in sizes.iter().enumerate().take(sizes.len() - 1) {
        let point = Point::new(transcript.point(variables));
        let batch = OpeningBatch::new(vec![0], vec![]);
        for point in [&point, &bound[table]] {
            let values = layout.eval_at(table, &batch, point, transcript.sponge().unwrap());
            sent.extend(values.current());
        }
    }
    let mut data = SumcheckData::default();
    let (mut prover, point) = layout.into_sumcheck(&mut data, 0, transcript.sponge().unwrap());
    sent.extend(data.polynomial_evaluations.iter().flatten());
    sent.extend(point.iter());
    sent.push(prover.claimed_sum());
    sent.extend(prover.evals().as_slice());
    sent.extend(prover.weights().as_slice());
    sent.push(transcript.challenge());
    sent
}

#[test]
fn the_head_sends_and_leaves_what_the_library_does() {
    for (sizes, folding) in [
        (&[9, 12, 9, 10, 9][..], 7),
        (&[11, 13, 9, 9][..], 8),
        (&[9, 9][..], 9),
    ] {
        let expected = run::<Library>(sizes, folding, |_, _| ());
        assert_eq!(run::<Head>(sizes, folding, |_, _| ()), expected);
        let bind = |head: &mut Head, points: &[Point<Extension>]| {
            head.bind(points);
        };
        assert_eq!(run::<Head>(sizes, folding, bind), expected);
    }
}

#[test]
fn bytes_come_back_from_field_elements() {
    for value in i8::MIN..=i8::MAX {
        assert_eq!(byte(Base::from_i8(value)), value);
    }
}

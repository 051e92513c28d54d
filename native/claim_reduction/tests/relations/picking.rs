//! Rows that an index names: what is executed is accepted, and no other row.

use crate::common::Case;
use crate::common::graphs::{Builder, picking};
use claim_reduction::{Constraint, Pick, Place, Rejected};
use graph::Graph;
use p3_field::PrimeCharacteristicRing;
use transcript::Base;

#[test]
fn random_graphs_with_rows_that_are_picked_are_reduced() {
    let mut found = 0;
    for seed in 0..60 {
        let make = if seed % 3 == 0 {
            Case::known
        } else {
            Case::new
        };
        let case = make(picking(seed), seed + 5);
        let constraints = case.plan.constraints.iter().flatten();
        found += constraints
            .filter(|own| matches!(own, Constraint::Pick(_)))
            .count();
        let result = case.check(&mut |_, _| ());
        assert!(result.is_ok(), "{seed}: {result:?} {:#?}", case.graph.nodes);
    }
    assert!(found > 120, "{found}");
}

#[test]
fn every_value_that_is_sent_matters() {
    for seed in [1, 2, 3, 5, 8] {
        Case::new(picking(seed), seed).each_message_matters(seed);
    }
}

/// Rows of two numbers, of which none is another; 5 of them, so that three are beyond.
fn graph(rows: usize, index: &[usize]) -> Graph {
    let mut b = Builder::new(2);
    let x = b.input(&[rows, 2], -100, 100);
    let index = b.input(index, 0, 15);
    let y = b.pick(x, index);
    b.finish(&[y])
}

fn case() -> Case {
    let x = vec![10, 11, 20, 21, 30, 31, 40, 41, 50, 51];
    let case = Case::of(graph(5, &[3]), vec![x, vec![3, 0, 3]]);
    assert_eq!(case.outputs()[0], [40, 41, 10, 11, 40, 41]);
    assert!(case.check(&mut |_, _| ()).is_ok());
    case
}

fn own(case: &Case) -> Pick {
    match &case.plan.constraints[0] {
        Some(Constraint::Pick(own)) => own.clone(),
        other => panic!("no rows: {other:?}"),
    }
}

/// Sets the flags of the second element of the index, and says what the result is then.
fn told(flags: &[usize], result: [i32; 2]) -> Result<usize, String> {
    let mut case = case();
    let column = own(&case).flags;
    for row in 0..8 {
        case.columns.committed[column][8 + row] = Base::from_bool(flags.contains(&row));
    }
    let mut outputs = case.outputs();
    outputs[0][2..4].copy_from_slice(&result);
    case.claimed = Some(outputs);
    case.check(&mut |_, _| ())
}

#[test]
fn only_the_row_that_is_named_is_accepted() {
    assert!(told(&[0], [10, 11]).is_ok());
    for row in 1..5 {
        let own = [10 * row as i32 + 10, 10 * row as i32 + 11];
        assert!(told(&[row], own).is_err(), "{row}");
        assert!(told(&[0, row], own.map(|x| x + 10)).is_err(), "{row}");
    }
    assert!(told(&[], [0, 0]).is_err());
    assert!(told(&[0], [20, 21]).is_err());
    // A row beyond the last, beside the right one and alone.
    for beyond in 5..8 {
        assert!(told(&[0, beyond], [10, 11]).is_err(), "{beyond}");
        assert!(told(&[beyond], [0, 0]).is_err(), "{beyond}");
    }
}

/// Flags of 2 and −1 make the right sum and the right row: they are in no table.
#[test]
fn flags_that_are_no_bits_are_found_by_their_lookup_alone() {
    let mut case = case();
    let own = own(&case);
    // Rows 1, 2 and 3 of the second element, which names row 0: 0 = 1·2 + 2·(−1) with 1 = 2 − 1.
    for (row, flag) in [(0, 0), (1, 2), (2, -1)] {
        case.columns.committed[own.flags][8 + row] = Base::from_i64(flag);
    }
    let mut outputs = case.outputs();
    outputs[0][2..4].copy_from_slice(&[2 * 20 - 30, 2 * 21 - 31]);
    case.claimed = Some(outputs);
    assert_eq!(case.check_relations(), Ok(()));
    assert_eq!(case.looked_up(), Err(own.bit));
}

#[test]
fn every_cell_that_is_read_matters() {
    let honest = case();
    let own = own(&honest);
    for cell in 0..32 {
        for by in [Base::ONE, -Base::ONE] {
            let mut case = case();
            case.columns.committed[own.flags][cell] += by;
            assert!(case.check(&mut |_, _| ()).is_err(), "cell {cell}");
        }
    }
}

/// An index beyond the rows has no flags, also where the padding holds as many.
#[test]
fn an_index_beyond_the_rows_has_no_proof() {
    let key = case();
    // The graph that has 8 rows, of which the key's graph has 5.
    let mut x = key.inputs[0].clone();
    x.extend([60, 61, 0, 0, 0, 0]);
    let cheat = Case::of(graph(8, &[3]), vec![x, vec![3, 6, 3]]);
    assert!(cheat.check(&mut |_, _| ()).is_ok());
    let inputs = [key.inputs[0].as_slice(), cheat.inputs[1].as_slice()];
    let outputs = cheat.outputs();
    let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
    let lookup_claims = cheat.lookup_claims();
    let mut transcript = transcript::Transcript::new();
    let views: Vec<&[i32]> = cheat.inputs.iter().map(Vec::as_slice).collect();
    let mut prover = claim_reduction::Prover::new(cheat.witness(), &mut transcript);
    let told = cheat.problem(&views, &outputs, &lookup_claims);
    claim_reduction::reduce(&mut prover, &told).unwrap();
    let sent = prover.finish();
    assert!(Case::verify(&told, &sent).is_ok());
    let asked = key.problem(&inputs, &outputs, &lookup_claims);
    let rejected = Case::verify(&asked, &sent).err();
    assert_eq!(rejected, Some(Rejected::Mismatch(Place::Node(0))));
}

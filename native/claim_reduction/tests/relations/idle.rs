//! Graphs of which nothing is looked up: one column of zeros is.

use crate::common::Case;
use crate::common::graphs::Builder;
use graph::Graph;
use p3_field::PrimeCharacteristicRing;
use transcript::Base;

/// A layer and nothing behind it, or a clamp.
fn graph(clamped: bool) -> Graph {
    let mut b = Builder::new(2);
    let x = b.input(&[3, 4], -100, 90);
    let y = b.linear(x, 5, true);
    let y = if clamped {
        b.rescale(y, &[1], 0, 5, 0, 100)
    } else {
        y
    };
    b.finish(&[y])
}

#[test]
fn a_graph_without_lookups_looks_up_zeros() {
    let case = Case::known(graph(false), 1);
    let idle = case.plan.idle.unwrap();
    assert_eq!((case.plan.lookups.len(), case.plan.columns.len()), (1, 1));
    assert_eq!(case.columns.committed[idle.column], [Base::ZERO; 256]);
    assert!(case.check(&mut |_, _| ()).is_ok());
    assert_eq!(Case::known(graph(true), 1).plan.idle, None);
}

#[test]
fn what_is_looked_up_is_what_is_committed() {
    let mut case = Case::known(graph(false), 1);
    // Any bits may be looked up; they are claimed where the lookup has ended.
    case.columns.committed[0][7] = Base::ONE;
    assert!(case.check(&mut |_, _| ()).is_ok());
    case.columns.committed[0][7] = Base::TWO;
    assert_eq!(case.looked_up(), Err(0));
    let honest = Case::known(graph(false), 1);
    let claims = honest.lookup_claims();
    let inputs: Vec<&[i32]> = honest.inputs.iter().map(Vec::as_slice).collect();
    let outputs = honest.outputs();
    let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
    let problem = honest.problem(&inputs, &outputs, &claims);
    let mut transcript = transcript::Transcript::new();
    let mut prover = claim_reduction::Prover::new(honest.witness(), &mut transcript);
    claim_reduction::reduce(&mut prover, &problem).unwrap();
    let opened = Case::verify(&problem, &prover.finish()).unwrap();
    assert!(honest.open(&opened).is_ok());
    assert_eq!(case.open(&opened).unwrap_err(), "column 0");
}

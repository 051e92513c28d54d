//! Provers that lie are rejected, whatever they lie about.

use crate::common::graphs::{Builder, random_graph};
use crate::common::{Case, execute};
use claim_reduction::{Constraint, Form, Plan, Rejected, Role, Visibility, columns};
use executor::Tensors;
use graph::{Graph, Op, Parts};
use p3_field::{Field, PrimeCharacteristicRing, PrimeField64};
use std::collections::BTreeSet;
use transcript::{Base, Extension, Site, Transcript};

fn honest(_: usize, _: &mut [Extension]) {}

#[test]
fn every_value_that_is_sent_matters() {
    for seed in [2, 3, 5, 11, 17, 23] {
        Case::new(random_graph(seed), seed).each_message_matters(seed);
    }
}

#[test]
fn a_proof_of_another_length_is_rejected() {
    let case = Case::new(random_graph(3), 1);
    let inputs: Vec<&[i32]> = case.inputs.iter().map(Vec::as_slice).collect();
    let outputs = case.outputs();
    let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
    let lookup_claims = case.lookup_claims();
    let problem = case.problem(&inputs, &outputs, &lookup_claims);
    let mut transcript = Transcript::new();
    let mut prover = claim_reduction::Prover::new(case.witness(), &mut transcript);
    claim_reduction::reduce(&mut prover, &problem).unwrap();
    let mut sent = prover.finish();
    assert!(Case::verify(&problem, &sent).is_ok());
    sent.push(Extension::ONE);
    assert_eq!(Case::verify(&problem, &sent).err(), Some(Rejected::Long));
    sent.truncate(sent.len() - 2);
    assert_eq!(Case::verify(&problem, &sent).err(), Some(Rejected::Short));
    assert_eq!(Case::verify(&problem, &[]).err(), Some(Rejected::Short));
}

#[test]
fn other_inputs_or_outputs_are_rejected() {
    for seed in 0..20 {
        let case = Case::new(random_graph(seed), seed);
        let honest_inputs = case.inputs.clone();
        let outputs = case.outputs();
        let views = |tensors: &[Vec<i32>]| -> Vec<Vec<i32>> { tensors.to_vec() };
        for number in 0..outputs.len() {
            let mut wrong = views(&outputs);
            *wrong[number].last_mut().unwrap() += 1;
            let result = case.check_public(&slices(&honest_inputs), &slices(&wrong), &mut honest);
            assert!(result.is_err(), "{seed}: output {number}");
        }
        let mut wrong = views(&honest_inputs);
        wrong[0][0] += 1;
        // An input that nothing reads may be any.
        let mut tensors = Tensors::default();
        execute(&case.graph, &case.weights, &slices(&wrong), &mut tensors).unwrap();
        if tensors.get(case.graph.inputs.len()) != case.tensors.get(case.graph.inputs.len()) {
            let result = case.check_public(&slices(&wrong), &slices(&outputs), &mut honest);
            assert!(result.is_err(), "{seed}: input");
        }
    }
}

fn slices(tensors: &[Vec<i32>]) -> Vec<&[i32]> {
    tensors.iter().map(Vec::as_slice).collect()
}

/// The same graph but for one node, which computes something else of the same shape.
fn twisted(graph: &Graph, number: usize) -> Option<Graph> {
    let mut parts: Parts = (**graph).clone();
    let bump = |parts: &mut Parts, id: usize| {
        let mut constant = parts.constants[id].clone();
        let last = constant.values.last_mut()?;
        *last += 1;
        parts.constants.push(constant);
        Some(parts.constants.len() - 1)
    };
    let mut op = parts.nodes[number].op.clone();
    match &mut op {
        Op::Linear { bias, .. } => *bias = Some(bump(&mut parts, (*bias)?)?),
        Op::Conv(conv) => conv.bias = Some(bump(&mut parts, conv.bias?)?),
        Op::MatMul => {
            let operands = &mut parts.nodes[number].operands;
            operands.swap(0, 1);
        }
        Op::Add { coefficients, .. } => *coefficients.first_mut()? += 1,
        Op::Mul => {
            let operands = &mut parts.nodes[number].operands;
            operands[1] = operands[0];
        }
        Op::Rescale { multipliers, .. } => *multipliers = bump(&mut parts, *multipliers)?,
        Op::Lookup { table, .. } => {
            let mut constant = parts.constants[*table].clone();
            for value in &mut constant.values {
                *value = (*value - 1).max(-500);
            }
            parts.constants.push(constant);
            *table = parts.constants.len() - 1;
        }
        Op::View { offset, strides } => {
            let sizes = parts.nodes[number].shape.clone();
            let (at, stride) = strides.iter_mut().zip(&sizes).next_back()?;
            *offset += *at * (*stride as i64 - 1);
            *at = -*at;
        }
        Op::Pad { fill, .. } => *fill -= 1,
        Op::Take { map } => {
            let mut constant = parts.constants[*map].clone();
            constant.values.rotate_left(1);
            parts.constants.push(constant);
            *map = parts.constants.len() - 1;
        }
        Op::Sum { .. } => {
            op = Op::Max {
                axes: match op {
                    Op::Sum { axes } => axes,
                    _ => return None,
                },
            };
        }
        Op::Max { axes } => {
            let (shape, ..) = parts.tensor(parts.nodes[number].operands[0])?;
            // The first element of each line instead of the greatest.
            let size: usize = shape[shape.len() - *axes..].iter().product();
            let mut strides = vec![1; shape.len() - *axes];
            for axis in (1..strides.len()).rev() {
                strides[axis - 1] = strides[axis] * shape[axis] as i64;
            }
            for stride in &mut strides {
                *stride *= size as i64;
            }
            op = Op::View { offset: 0, strides };
        }
        _ => return None,
    }
    parts.nodes[number].op = op;
    for node in &mut parts.nodes {
        // Whatever comes of it may be stored.
        if !matches!(node.op, Op::Rescale { .. }) {
            (node.lo, node.hi) = (1 - (1 << 29), (1 << 29) - 1);
        }
    }
    Graph::new(parts).ok()
}

#[test]
fn a_node_that_computes_something_else_is_found() {
    let mut found = BTreeSet::new();
    for seed in 0..60 {
        let mut case = Case::new(random_graph(seed), seed);
        let outputs = case.outputs();
        for number in 0..case.graph.nodes.len() {
            let Some(other) = twisted(&case.graph, number) else {
                continue;
            };
            let mut tensors = Tensors::default();
            if execute(&other, &case.weights, &slices(&case.inputs), &mut tensors).is_err() {
                continue;
            }
            let id = case.graph.inputs.len() + number;
            if tensors.get(id) == case.tensors.get(id) {
                continue;
            }
            let kept = std::mem::replace(&mut case.tensors, tensors);
            case.columns = columns(&case.graph, &case.plan, &case.tensors);
            let result = case.check(&mut honest);
            let name = case.graph.nodes[number].op.name();
            assert!(result.is_err(), "{seed}: node {number} {name}");
            found.insert(name);
            case.tensors = kept;
        }
        case.columns = columns(&case.graph, &case.plan, &case.tensors);
        assert_eq!(case.outputs(), outputs);
    }
    assert!(found.len() >= 10, "{found:?}");
}

#[test]
fn other_weights_are_found() {
    let mut case = Case::new(random_graph(1), 1);
    let number = (0..99)
        .find(|&seed| {
            case = Case::new(random_graph(seed), seed);
            case.contractions.len() >= 2
        })
        .unwrap();
    let committed = case.weights.clone();
    for weight in [0, committed.len() - 1] {
        let mut cheat = Case::new(random_graph(number), number);
        cheat.weights[weight] = cheat.weights[weight].wrapping_add(1);
        let mut tensors = Tensors::default();
        execute(
            &cheat.graph,
            &cheat.weights,
            &slices(&cheat.inputs),
            &mut tensors,
        )
        .unwrap();
        cheat.tensors = tensors;
        cheat.columns = columns(&cheat.graph, &cheat.plan, &cheat.tensors);
        // Another model, proven honestly, is right for its own weights only.
        cheat.check(&mut honest).unwrap();
        let inputs = slices(&cheat.inputs);
        let outputs = cheat.outputs();
        let outputs = slices(&outputs);
        let lookup_claims = cheat.lookup_claims();
        let problem = cheat.problem(&inputs, &outputs, &lookup_claims);
        let mut transcript = Transcript::new();
        let mut prover = claim_reduction::Prover::new(cheat.witness(), &mut transcript);
        claim_reduction::reduce(&mut prover, &problem).unwrap();
        let sent = prover.finish();
        let opened = Case::verify(&problem, &sent).unwrap();
        cheat.weights.clone_from(&committed);
        assert!(cheat.open(&opened).unwrap_err().starts_with("matrix"));
    }
}

#[test]
fn graphs_that_are_not_covered_are_refused_by_name() {
    let mut b = Builder::new(1);
    let x = b.input(&[4, 3], -(1 << 28), 1 << 28);
    let y = b.arg_max(x, false);
    let graph = b.finish(&[y]);
    // Where the verifier computes it, it is covered.
    assert_eq!(
        Plan::new(&graph, Visibility::Public).unwrap().roles,
        [Role::Known]
    );
    let refused = Plan::of_all(&graph).unwrap_err();
    assert_eq!((refused.node, refused.operator), (0, "ArgMax"));
    assert_eq!(
        refused.to_string(),
        "node 0 (ArgMax) of the integer graph cannot be hidden: its operands differ by 2^29 or more"
    );

    let mut b = Builder::new(1);
    let x = b.input(&[4, 3], -(1 << 28), 1 << 28);
    let y = b.max(x, 1);
    assert!(
        Plan::of_all(&b.finish(&[y]))
            .unwrap_err()
            .why
            .contains("2^29")
    );

    let mut b = Builder::new(1);
    let x = b.input(&[4, 3], -(1 << 28), 1 << 28);
    let y = b.rescale(x, &[15], 0, 3, -5, 5);
    assert!(
        Plan::of_all(&b.finish(&[y]))
            .unwrap_err()
            .why
            .contains("apart")
    );

    let mut b = Builder::new(1);
    let x = b.input(&[4, 3], -5, 5);
    let y = b.rescale(x, &[0], 0, 0, -5, 5);
    assert!(
        Plan::of_all(&b.finish(&[y]))
            .unwrap_err()
            .why
            .contains("zero")
    );

    let mut b = Builder::new(1);
    let x = b.input(&[4, 3], -5, 5);
    let unused = b.mul(x, x);
    let y = b.sum(x, 1);
    let mut graph: Parts = (*b.finish(&[y])).clone();
    graph.outputs.retain(|&id| id != unused);
    let refused = Plan::of_all(&Graph::new(graph).unwrap()).unwrap_err();
    assert!(refused.why.contains("not used"));
}

/// Whoever commits to weights chooses what stands beyond their last row. A maximum over 15 rows is
/// not attained there: the proof that shows it for 16 rows is none.
#[test]
fn a_maximum_is_not_attained_in_the_padding() {
    let graph = |rows| {
        let mut b = Builder::new(1);
        let x = b.input(&[1, 2], -100, 100);
        let y = b.linear(x, rows, false);
        let y = b.max(y, 1);
        b.finish(&[y])
    };
    let key = Case::new(graph(15), 1);
    let mut cheat = Case::new(graph(16), 1);
    // All rows yield -5 but the one beyond, which yields 1.
    cheat.inputs = vec![vec![1, 9]];
    cheat.weights = [-5, 0].repeat(15);
    cheat.weights.extend([1, 0]);
    let views = slices(&cheat.inputs);
    execute(&cheat.graph, &cheat.weights, &views, &mut cheat.tensors).unwrap();
    assert_eq!(cheat.outputs(), [[1]]);
    cheat.columns = columns(&cheat.graph, &cheat.plan, &cheat.tensors);
    assert_eq!(cheat.plan.columns.len(), key.plan.columns.len());
    assert_eq!(cheat.plan.tables, key.plan.tables);
    cheat.check(&mut honest).unwrap();

    let outputs = cheat.outputs();
    let outputs = slices(&outputs);
    let lookup_claims = cheat.lookup_claims();
    let asked = key.problem(&views, &outputs, &lookup_claims);
    // The columns of the weights are those of the cheat, padding included.
    let mut told = asked;
    told.contractions = &cheat.contractions;
    let mut transcript = Transcript::new();
    let mut prover = claim_reduction::Prover::new(cheat.witness(), &mut transcript);
    claim_reduction::reduce(&mut prover, &told).unwrap();
    let rejected = Case::verify(&asked, &prover.finish()).err();
    assert_eq!(
        rejected,
        Some(Rejected::Mismatch(claim_reduction::Place::Node(1)))
    );
}

/// Where both bounds are one number there is no distance between them to be cut into limbs: a result
/// one above it is found all the same.
#[test]
fn a_result_that_can_only_be_one_number_is_that_number() {
    let graph = |hi| {
        let mut b = Builder::new(1);
        let x = b.input(&[3, 4], -100, 90);
        let y = b.linear(x, 5, false);
        let y = b.rescale(y, &[1], 0, 0, 0, hi);
        let z = b.linear(y, 2, false);
        b.finish(&[z])
    };
    let mut case = Case::new(graph(0), 1);
    case.check(&mut honest).unwrap();
    let Some(Constraint::Rescale(rescale)) = &case.plan.constraints[1] else {
        panic!("not a rescaling");
    };
    let Form::Saturated { column, upper, .. } = &rescale.form else {
        panic!("not saturated");
    };
    // The tensors of the graph that allows 1. What is above that is one less, and so is the distance from 0.
    let views = slices(&case.inputs);
    execute(&graph(1), &case.weights, &views, &mut case.tensors).unwrap();
    let committed = &mut case.columns.committed;
    let mut lied = 0;
    for cell in 0..committed[*column].len() {
        let number = upper.iter().fold(0, |sum, limb| {
            sum + (committed[limb.column][cell].as_canonical_u64() << limb.shift)
        });
        if number > 1 {
            committed[*column][cell] = Base::ONE;
            for limb in upper {
                let part = (number - 2) >> limb.shift & ((1 << limb.bits) - 1);
                committed[limb.column][cell] = Base::from_u64(part);
            }
            lied += 1;
        }
    }
    assert!(lied > 0);
    assert!(case.check(&mut honest).unwrap_err().contains("node 1"));
}

/// Reduces on a transcript that leaves a site out, with messages altered, and says whether both
/// verifiers accept: the one that leaves it out too, and the one that does not.
fn frozen_and_live(
    case: &Case,
    outputs: &[Vec<i32>],
    site: Site,
    alter: &mut dyn FnMut(usize, &mut [Extension]),
) -> [bool; 2] {
    let (inputs, outputs, lookup_claims) =
        (slices(&case.inputs), slices(outputs), case.lookup_claims());
    let problem = case.problem(&inputs, &outputs, &lookup_claims);
    let without = || Transcript::without(site);
    let mut transcript = without();
    let mut prover = claim_reduction::Prover::new(case.witness(), &mut transcript).altered(alter);
    claim_reduction::reduce(&mut prover, &problem).unwrap();
    let sent = prover.finish();
    [without(), Transcript::new()].map(|mut transcript| {
        let mut verifier = claim_reduction::Verifier::new(&sent, &mut transcript);
        let opened = claim_reduction::reduce(&mut verifier, &problem);
        let opened = opened.and_then(|opened| verifier.finish().map(|()| opened));
        opened.is_ok_and(|opened| case.open(&opened).is_ok())
    })
}

/// Were messages not absorbed, two false claims could make up for each other when they are merged:
/// here they show another output.
#[test]
fn claims_forged_for_a_frozen_merge_pass_frozen_and_fail_live() {
    let mut b = Builder::new(1);
    let x = b.input(&[4, 6], -100, 100);
    let y = b.linear(x, 4, true);
    let turned = b.view(y, 0, &[1, 4], &[4, 4]);
    let back = b.view(y, 0, &[4, 1], &[4, 4]);
    let sum = b.add(&[turned, back], &[1, 1], None);
    let case = Case::new(b.finish(&[sum]), 1);
    let mut outputs = case.outputs();
    outputs[0][5] += 1;
    let mut known = Transcript::without(Site::Claims);
    let (point, merge) = (known.point(4), known.challenge());
    // The claims on y are those of `back`, and then merge times those of `turned`, which is sent.
    let lie = sumcheck::equality(&point, 16)[5];
    let first = lie * (Extension::ONE - merge).inverse();
    let result = frozen_and_live(&case, &outputs, Site::Claims, &mut |message, values| {
        if message == 0 {
            values[0] += first;
        }
    });
    assert_eq!(result, [true, false]);
    let unaltered = frozen_and_live(&case, &outputs, Site::Claims, &mut honest);
    assert_eq!(unaltered, [false, false]);
}

/// Were rounds not absorbed, one could lead a false claim to the end of a true one.
#[test]
fn rounds_forged_for_a_frozen_point_pass_frozen_and_fail_live() {
    let mut b = Builder::new(1);
    let x = b.input(&[4, 6], -100, 100);
    let y = b.linear(x, 4, true);
    let case = Case::new(b.finish(&[y]), 1);
    let mut outputs = case.outputs();
    outputs[0][5] += 1;
    let mut known = Transcript::without(Site::Round);
    let (point, x) = (known.point(4), known.challenge());
    let lie = sumcheck::equality(&point, 16)[5];
    // h(x) = h(0)·(1 − 2x) + x·claim + …
    let change = -x * lie * (Extension::ONE - x.double()).inverse();
    let result = frozen_and_live(&case, &outputs, Site::Round, &mut |message, values| {
        if message == 0 {
            values[0] += change;
        }
    });
    assert_eq!(result, [true, false]);
    let unaltered = frozen_and_live(&case, &outputs, Site::Round, &mut honest);
    assert_eq!(unaltered, [false, false]);
}

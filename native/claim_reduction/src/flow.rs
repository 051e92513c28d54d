//! Claims from the outputs of a graph to its inputs, its constants, its weights and parameters, and what
//! else is committed.

use crate::claims::{InputClaim, LookupClaim, Opened, State};
use crate::constraints::Node;
use crate::contraction::{Shaped, constant, known};
use crate::linear::{About, Claim, merge, total};
use crate::maps::{concat, gather, pad, view};
use crate::plan::{Constraint, Plan, Role, Visibility};
use crate::products::{elementwise, matrices};
use crate::protocol_role::{Place, ProtocolRole, Rejected};
use crate::shape::{coordinates, evaluate};
use executor::Tensors;
use graph::{Graph, Op};
use layers::Contraction;
use p3_field::{Field, PrimeCharacteristicRing};
use std::cell::OnceCell;
use transcript::Extension;

/// All that is to be reduced.
#[derive(Clone, Copy)]
pub struct Problem<'a, V = Extension> {
    /// The graph.
    pub graph: &'a Graph,
    /// Its plan.
    pub plan: &'a Plan,
    /// Its contractions, in the order of their matrices.
    pub contractions: &'a [Contraction],
    /// The inputs; none where the verifier does not have them.
    pub inputs: &'a [&'a [i32]],
    /// The outputs.
    pub outputs: &'a [&'a [i32]],
    /// What the lookup argument has left, for each lookup.
    pub lookup_claims: &'a [LookupClaim<V>],
}

/// Reduces the claim that the graph maps inputs to outputs.
pub fn reduce<P: ProtocolRole>(
    protocol: &mut P,
    problem: &Problem<'_, P::Value>,
) -> Result<Opened<P::Value>, Rejected> {
    let graph = problem.graph;
    let mut state = State::default();
    for (number, &id) in graph.outputs.iter().enumerate() {
        let (Some((shape, ..)), values) = (graph.tensor(id), problem.outputs.get(number)) else {
            return Err(Rejected::Mismatch(Place::Output(number)));
        };
        let point = protocol.point(coordinates(shape));
        let value = evaluate(values.copied().unwrap_or(&[]), shape, &point);
        let value = P::Value::from(value);
        state.claim(id, Claim { point, value });
    }
    let inputs = graph.inputs.len();
    let known_tensors = OnceCell::new();
    for (number, node) in graph.nodes.iter().enumerate().rev() {
        let claims = state.claims.remove(&(inputs + number)).unwrap_or_default();
        let role = problem.plan.roles.get(number).unwrap_or(&Role::Absorbed);
        if *role == Role::Known {
            let place = Place::Node(number);
            for claim in &claims {
                protocol.equal(place, || {
                    let known = || problem.plan.known(graph, problem.inputs).ok();
                    let tensors: &Option<Tensors> = known_tensors.get_or_init(known);
                    let tensors = tensors.as_ref().ok_or(Rejected::Mismatch(place))?;
                    let values = tensors.get(inputs + number);
                    let known = evaluate(values, &node.shape, &claim.point);
                    Ok([known.into(), claim.value.clone()])
                })?;
            }
            continue;
        }
        if let Role::Parameter(parameter) = *role {
            let (tensor, place) = (inputs + number, Place::Node(number));
            let merged = merge(protocol, About { tensor, place }, claims)?;
            state.parameter(parameter, merged);
            continue;
        }
        let due = Node {
            graph,
            plan: problem.plan,
            lookup_claims: problem.lookup_claims,
            place: Place::Node(number),
            shape: &node.shape,
        };
        if let Some(Some(constraint)) = problem.plan.constraints.get(number) {
            if let Constraint::Pick(own) = constraint {
                let (tensor, place) = (inputs + number, Place::Node(number));
                let merged = merge(protocol, About { tensor, place }, claims)?;
                due.rows(protocol, own, merged.as_ref(), &mut state)?;
            } else {
                for claim in &claims {
                    due.settle(protocol, role, claim, &mut state)?;
                }
            }
            due.relate(protocol, constraint, &mut state)?;
        } else {
            linear_node(protocol, problem, number, claims, &mut state)?;
        }
    }
    if let Some(limb) = problem.plan.idle {
        let claimed = problem.lookup_claims.get(limb.lookup);
        let claimed = claimed.ok_or(Rejected::Short)?;
        state.column(limb.column, claimed.point.clone(), claimed.key.clone());
    }
    for number in 0..inputs {
        input(protocol, problem, number, &mut state)?;
    }
    state.opened.matrices.sort_by_key(|claim| claim.matrix);
    state.opened.parameters.sort_by_key(|claim| claim.parameter);
    Ok(state.opened)
}

/// Checks the claims on an input, or leaves one to be opened where the verifier does not have it.
fn input<P: ProtocolRole>(
    protocol: &mut P,
    problem: &Problem<'_, P::Value>,
    number: usize,
    state: &mut State<P::Value>,
) -> Result<(), Rejected> {
    let place = Place::Input(number);
    let Some(own) = problem.graph.inputs.get(number) else {
        return Err(Rejected::Mismatch(place));
    };
    let mut claims = state.claims.remove(&number).unwrap_or_default();
    let Some(held) = problem.plan.inputs.get(number) else {
        let values = problem.inputs.get(number).copied().unwrap_or(&[]);
        let mut claims = claims.iter();
        return claims.try_for_each(|claim| known(protocol, place, &own.shape, values, claim));
    };
    let due = Node {
        graph: problem.graph,
        plan: problem.plan,
        lookup_claims: problem.lookup_claims,
        place,
        shape: &own.shape,
    };
    claims.push(due.held_input(protocol, held, state)?);
    let tensor = number;
    let merged = merge(protocol, About { tensor, place }, claims)?;
    let merged = merged.map(|Claim { point, value }| InputClaim {
        input: number,
        point,
        value,
    });
    state.opened.inputs.extend(merged);
    Ok(())
}

/// Reduces the claims on the result of a node without columns.
fn linear_node<P: ProtocolRole>(
    protocol: &mut P,
    problem: &Problem<'_, P::Value>,
    number: usize,
    claims: Vec<Claim<P::Value>>,
    state: &mut State<P::Value>,
) -> Result<(), Rejected> {
    let graph = problem.graph;
    let place = Place::Node(number);
    let Some(node) = graph.nodes.get(number) else {
        return Err(Rejected::Mismatch(place));
    };
    let about = About {
        tensor: graph.inputs.len() + number,
        place,
    };
    let Some(claim) = merge(protocol, about, claims)? else {
        return Ok(());
    };
    let x = node.operands.first().copied().unwrap_or(usize::MAX);
    let shape = graph.tensor(x).map_or(&[][..], |(shape, ..)| shape);
    let about = About { tensor: x, place };
    let free = |tensor: usize| padding_is_free(graph, problem.plan, tensor);
    match &node.op {
        Op::Linear { weight, .. } | Op::Conv(graph::Conv { weight, .. }) => {
            let Some(contraction) = problem.contractions.get(*weight) else {
                return Err(Rejected::Mismatch(place));
            };
            let bias = node.op.bias().and_then(|id| graph.constants.get(id));
            let shaped = Shaped {
                contraction,
                matrix: *weight,
                x: shape,
                y: &node.shape,
                bias: bias.map(|constant| constant.values.as_slice()),
                masked: free(x),
                place,
            };
            let (matrix, operand) = shaped.reduce(protocol, &claim)?;
            state.opened.matrices.push(matrix);
            state.claim(x, operand);
        }
        Op::MatMul => {
            let operands = pair(node, place)?;
            // Where one of both is zero beyond the inner axis, so are the products.
            let masked = operands.into_iter().all(free);
            for (tensor, claim) in matrices(protocol, place, operands, (shape, masked), &claim)? {
                state.claim(tensor, claim);
            }
        }
        Op::Mul => {
            for (tensor, claim) in elementwise(protocol, place, pair(node, place)?, &claim)? {
                state.claim(tensor, claim);
            }
        }
        Op::Add {
            coefficients,
            constant: id,
        } => {
            let known = id.and_then(|id| graph.constants.get(id));
            let mut left = claim.value.clone();
            if let Some(known) = known {
                let known = constant(&known.values, &node.shape, &claim.point);
                left = left - known;
            }
            add(protocol, place, node, coefficients, &claim, left, state)?;
        }
        Op::View { offset, strides } => {
            let claim = view(
                protocol,
                about,
                shape,
                (*offset, strides),
                &node.shape,
                &claim,
            )?;
            state.claim(x, claim);
        }
        Op::Pad { begin, fill, .. } => {
            let claim = pad(protocol, about, shape, (begin, *fill), &node.shape, &claim)?;
            state.claim(x, claim);
        }
        Op::Take { map } => {
            let map = graph.constants.get(*map).map_or(&[][..], |c| &c.values);
            let sources: Vec<i64> = map.iter().copied().map(i64::from).collect();
            let claim = gather(protocol, about, shape, &node.shape, &sources, &claim)?;
            state.claim(x, claim);
        }
        Op::Concat { axis } => {
            let operands: Vec<(usize, &[usize])> = node
                .operands
                .iter()
                .map(|&id| (id, graph.tensor(id).map_or(&[][..], |(shape, ..)| shape)))
                .collect();
            let along = (*axis, node.shape.as_slice());
            for (tensor, claim) in concat(protocol, place, &operands, along, &claim)? {
                state.claim(tensor, claim);
            }
        }
        Op::Sum { .. } => {
            let claim = total(protocol, about, (shape, free(x)), &node.shape, &claim)?;
            state.claim(x, claim);
        }
        _ => return Err(Rejected::Mismatch(place)),
    }
    Ok(())
}

/// Whether the padding of a tensor may be anything: it is zero where the verifier evaluates the tensor
/// itself, as it does inputs that it has and what it computes.
fn padding_is_free(graph: &Graph, plan: &Plan, tensor: usize) -> bool {
    match tensor.checked_sub(graph.inputs.len()) {
        Some(number) => plan.roles.get(number) != Some(&Role::Known),
        None => plan.visibility == Visibility::Private,
    }
}

fn pair(node: &graph::Node, place: Place) -> Result<[usize; 2], Rejected> {
    let pair = node.operands.as_slice().try_into();
    pair.map_err(|_| Rejected::Mismatch(place))
}

/// Reduces a weighted sum: the prover says what all operands but the last are.
fn add<P: ProtocolRole>(
    protocol: &mut P,
    place: Place,
    node: &graph::Node,
    coefficients: &[i32],
    claim: &Claim<P::Value>,
    mut left: P::Value,
    state: &mut State<P::Value>,
) -> Result<(), Rejected> {
    // No coefficient of a well-formed graph is a multiple of the modulus.
    let weigh = |(&tensor, &c): (&usize, &i32)| (tensor, Extension::from_i32(c));
    let terms = node.operands.iter().zip(coefficients).map(weigh);
    let terms: Vec<(usize, Extension)> = terms.collect();
    let Some((&(last, coefficient), others)) = terms.split_last() else {
        return Err(Rejected::Mismatch(place));
    };
    if !others.is_empty() {
        let values = protocol.values(others.len(), |witness| {
            let at = |&(tensor, _): &(usize, Extension)| {
                let (shape, values) = witness.tensor(tensor);
                evaluate(values, shape, &claim.point)
            };
            others.iter().map(at).collect()
        })?;
        for (&(tensor, coefficient), value) in others.iter().zip(values) {
            left -= value.clone() * coefficient;
            let point = claim.point.clone();
            state.claim(tensor, Claim { point, value });
        }
    }
    let inverse = coefficient.try_inverse().ok_or(Rejected::Challenge)?;
    let claim = Claim {
        point: claim.point.clone(),
        value: left * inverse,
    };
    state.claim(last, claim);
    Ok(())
}

//! What makes a graph well formed: sizes, operands, shapes, addresses, ranges.
//!
//! A well-formed graph can be run in 64-bit integers: no intermediate value overflows, whatever
//! weights and inputs are put in.

use crate::{
    Constant, Conv, Fault, MAX_CONSTANTS, MAX_ELEMENTS, MAX_INPUTS, MAX_NODES, MAX_OPERANDS,
    MAX_OUTPUTS, MAX_RANK, MAX_SHIFT, MAX_TOTAL_ELEMENTS, MAX_WEIGHT_BYTES, MAX_WEIGHTS, MAX_WORK,
    Node, Op, Parts, Shape, VALUE_LIMIT, Weight, Which, elements,
};

/// Exact sums of products stay below this.
const SUM_LIMIT: i128 = 1 << 62;

pub(crate) fn check(parts: &Parts) -> Result<(), Fault> {
    check_counts(parts)?;
    for (number, input) in parts.inputs.iter().enumerate() {
        check_tensor(Which::Input(number), &input.shape, input.lo, input.hi)?;
    }
    for (number, weight) in parts.weights.iter().enumerate() {
        check_shape(Which::Weight(number), &[weight.rows, weight.cols])?;
    }
    for (number, constant) in parts.constants.iter().enumerate() {
        check_shape(Which::Constant(number), &constant.shape)?;
        if constant.values.len() != elements(&constant.shape) {
            return Err(Fault::Tensor {
                which: Which::Constant(number),
                why: "it does not hold as many numbers as its shape says".to_owned(),
            });
        }
    }
    check_sum(
        "bytes of weights",
        parts.weights.iter().map(|weight| weight.size() as u64),
        MAX_WEIGHT_BYTES as u64,
    )?;
    for (number, node) in parts.nodes.iter().enumerate() {
        check_tensor(Which::Node(number), &node.shape, node.lo, node.hi)?;
    }
    // Before nodes are looked at: what looks at a node's constants takes what its elements count.
    let shapes = parts.inputs.iter().map(|input| &input.shape);
    let shapes = shapes.chain(parts.nodes.iter().map(|node| &node.shape));
    check_sum(
        "elements",
        shapes.map(|shape| elements(shape) as u64),
        MAX_TOTAL_ELEMENTS as u64,
    )?;
    check_sum(
        "steps of work",
        parts.nodes.iter().map(|node| parts.work(node)),
        MAX_WORK,
    )?;
    check_nodes(parts)?;
    for &tensor in &parts.outputs {
        if tensor >= parts.tensors() {
            return Err(Fault::Output(tensor));
        }
    }
    Ok(())
}

fn check_nodes(parts: &Parts) -> Result<(), Fault> {
    let mut used = 0;
    for (number, node) in parts.nodes.iter().enumerate() {
        check_node(parts, node, parts.inputs.len() + number).map_err(|why| Fault::Node {
            node: number,
            operator: node.op.name(),
            why,
        })?;
        if let Some(weight) = node.op.weight() {
            if weight != used {
                return Err(Fault::Weight {
                    got: Some(weight),
                    expected: used,
                });
            }
            used += 1;
        }
    }
    if used == parts.weights.len() {
        Ok(())
    } else {
        Err(Fault::Weight {
            got: None,
            expected: used,
        })
    }
}

fn check_counts(parts: &Parts) -> Result<(), Fault> {
    for (what, got, least, most) in [
        ("inputs", parts.inputs.len(), 1, MAX_INPUTS),
        ("weight matrices", parts.weights.len(), 0, MAX_WEIGHTS),
        ("constants", parts.constants.len(), 0, MAX_CONSTANTS),
        ("nodes", parts.nodes.len(), 0, MAX_NODES),
        ("outputs", parts.outputs.len(), 1, MAX_OUTPUTS),
    ] {
        if !(least..=most).contains(&got) {
            return Err(Fault::Count {
                what,
                got: got as u64,
                least: least as u64,
                most: most as u64,
            });
        }
    }
    Ok(())
}

fn check_sum(
    what: &'static str,
    counts: impl Iterator<Item = u64>,
    most: u64,
) -> Result<(), Fault> {
    let got = counts.fold(0, u64::saturating_add);
    if got <= most {
        return Ok(());
    }
    Err(Fault::Count {
        what,
        got,
        least: 0,
        most,
    })
}

fn check_shape(which: Which, shape: &[usize]) -> Result<(), Fault> {
    let why = if shape.len() > MAX_RANK {
        format!("it has {} dimensions, the limit is {MAX_RANK}", shape.len())
    } else if shape.contains(&0) {
        "a dimension is 0".to_owned()
    } else if elements(shape) > MAX_ELEMENTS {
        format!("it has more than {MAX_ELEMENTS} elements")
    } else {
        return Ok(());
    };
    Err(Fault::Tensor { which, why })
}

fn check_tensor(which: Which, shape: &[usize], lo: i32, hi: i32) -> Result<(), Fault> {
    check_shape(which, shape)?;
    if -VALUE_LIMIT < lo && lo <= hi && hi < VALUE_LIMIT {
        return Ok(());
    }
    let why = format!("its range {lo} to {hi} is empty or reaches 2^29");
    Err(Fault::Tensor { which, why })
}

/// An operand: its shape and the largest absolute value it holds.
struct Operand<'a> {
    shape: &'a [usize],
    bound: i128,
}

type Check<T> = Result<T, String>;

fn demand(fact: bool, why: &str) -> Check<()> {
    if fact { Ok(()) } else { Err(why.to_owned()) }
}

fn check_node(parts: &Parts, node: &Node, tensor: usize) -> Check<()> {
    let count = node.operands.len();
    match &node.op {
        Op::Add { .. } | Op::Concat { .. } => demand(
            (1..=MAX_OPERANDS).contains(&count),
            "it has no operand, or too many",
        )?,
        op => {
            let wanted = match op {
                Op::MatMul | Op::Mul | Op::Pick | Op::Divide { .. } => 2,
                Op::Const { .. } | Op::Parameter => 0,
                _ => 1,
            };
            demand(
                count == wanted,
                &format!("it takes {wanted} operands, not {count}"),
            )?;
        }
    }
    let mut operands = Vec::with_capacity(count);
    for &id in &node.operands {
        let found = parts.tensor(id).filter(|_| id < tensor);
        let (shape, lo, hi) =
            found.ok_or_else(|| format!("tensor {id} is not computed before it"))?;
        let bound = i128::from(lo.unsigned_abs().max(hi.unsigned_abs()));
        operands.push(Operand { shape, bound });
    }
    let shape = match (&node.op, operands.as_slice()) {
        (
            Op::Add {
                coefficients,
                constant,
            },
            operands,
        ) => add(parts, coefficients, *constant, operands)?,
        (Op::Concat { axis }, operands) => concat(*axis, operands)?,
        (Op::Const { constant }, _) => constant_of(parts, *constant)?.shape.clone(),
        (Op::Parameter, _) => node.shape.clone(),
        (op, [x]) => unary(parts, op, x, node)?,
        (op, [a, b]) => binary(op, a, b)?,
        // The number of operands was checked above.
        _ => return Err("it has no operand, or too many".to_owned()),
    };
    demand(
        shape == node.shape,
        &format!("it gives the shape {shape:?}, not {:?}", node.shape),
    )
}

fn constant_of(parts: &Parts, id: usize) -> Check<&Constant> {
    parts
        .constants
        .get(id)
        .ok_or_else(|| format!("there is no constant {id}"))
}

fn weight_of(parts: &Parts, id: usize) -> Check<Weight> {
    let found = parts.weights.get(id).copied();
    found.ok_or_else(|| format!("there is no weight matrix {id}"))
}

fn check_bias(parts: &Parts, bias: Option<usize>, rows: usize) -> Check<()> {
    let Some(id) = bias else { return Ok(()) };
    demand(
        constant_of(parts, id)?.shape == [rows],
        "the bias does not have one number per row",
    )
}

fn binary(op: &Op, a: &Operand, b: &Operand) -> Check<Shape> {
    match op {
        Op::MatMul => {
            let (Some((batch, &[m, k])), Some((other, &[inner, n]))) =
                (a.shape.split_last_chunk(), b.shape.split_last_chunk())
            else {
                return Err("the operands' shapes do not fit".to_owned());
            };
            demand(
                batch == other && k == inner,
                "the operands' shapes do not fit",
            )?;
            demand(
                k as i128 * a.bound * b.bound < SUM_LIMIT,
                "its sums can reach 2^62",
            )?;
            Ok([batch, &[m, n][..]].concat())
        }
        Op::Pick => {
            let (_, rest) = a
                .shape
                .split_first()
                .ok_or("the operand is a single number")?;
            Ok([b.shape, rest].concat())
        }
        op => {
            if let Op::Divide { k } = op {
                demand(*k >= 1, "k is not positive")?;
            }
            demand(a.shape == b.shape, "the operands' shapes differ")?;
            Ok(a.shape.to_vec())
        }
    }
}

fn unary(parts: &Parts, op: &Op, x: &Operand, node: &Node) -> Check<Shape> {
    let shape = x.shape;
    let same = || shape.to_vec();
    match op {
        Op::Linear { weight, bias } => {
            let weight = weight_of(parts, *weight)?;
            let lead = match shape.split_last() {
                Some((&last, lead)) if last == weight.cols => lead,
                _ => return Err("the last dimension is not the matrix's columns".to_owned()),
            };
            check_bias(parts, *bias, weight.rows)?;
            Ok([lead, &[weight.rows][..]].concat())
        }
        Op::Conv(conv) => conv_shape(parts, conv, shape),
        Op::Rescale {
            multipliers,
            axis,
            shift,
        } => {
            demand(
                *shift <= MAX_SHIFT,
                &format!("the shift is more than {MAX_SHIFT}"),
            )?;
            let count = constant_of(parts, *multipliers)?.values.len();
            if count == 1 {
                demand(*axis == 0, "a single multiplier takes axis 0")?;
            } else {
                demand(
                    shape.get(*axis) == Some(&count),
                    "there is not one multiplier per slice",
                )?;
            }
            Ok(same())
        }
        Op::Lookup { table, .. } => {
            demand(
                constant_of(parts, *table)?.shape.len() == 1,
                "the table is not of one dimension",
            )?;
            Ok(same())
        }
        Op::View { offset, strides } => {
            check_view(*offset, strides, &node.shape, elements(shape))?;
            Ok(node.shape.clone())
        }
        Op::Pad { begin, end, .. } => {
            demand(
                begin.len() == shape.len() && end.len() == shape.len(),
                "there is not one pad per dimension",
            )?;
            demand(
                begin.iter().chain(end).all(|&pad| pad <= MAX_ELEMENTS),
                "a pad is too large",
            )?;
            let pads = begin.iter().zip(end).zip(shape);
            Ok(pads
                .map(|((before, after), size)| before + size + after)
                .collect())
        }
        Op::Take { map } => {
            let map = constant_of(parts, *map)?;
            let reach = elements(shape) as i64;
            demand(
                map.values
                    .iter()
                    .all(|&at| at >= -1 && i64::from(at) < reach),
                "an address is outside of the operand",
            )?;
            Ok(map.shape.clone())
        }
        Op::Sum { axes } | Op::Max { axes } => {
            let kept = shape.len().checked_sub(*axes).filter(|_| *axes >= 1);
            let kept = kept.and_then(|kept| shape.get(..kept));
            Ok(kept.ok_or("there are not so many axes")?.to_vec())
        }
        Op::ArgMax { .. } => {
            let (_, lead) = shape.split_last().ok_or("the operand is a single number")?;
            Ok(lead.to_vec())
        }
        Op::SquareRoot { k } => {
            demand(*k >= 1, "k is not positive")?;
            Ok(same())
        }
        // The other operations do not take one operand.
        _ => Err("it has no operand, or too many".to_owned()),
    }
}

fn conv_shape(parts: &Parts, conv: &Conv, x: &[usize]) -> Check<Shape> {
    let weight = weight_of(parts, conv.weight)?;
    let (Some(&[batch, channels]), spatial @ (1 | 2)) = (x.first_chunk(), x.len().wrapping_sub(2))
    else {
        return Err("the operand is not of 3 or 4 dimensions".to_owned());
    };
    let sizes = [&conv.kernel, &conv.stride, &conv.dilation];
    let pads = [&conv.pad_begin, &conv.pad_end];
    demand(
        sizes.iter().chain(&pads).all(|list| list.len() == spatial),
        "an attribute is not one per dimension",
    )?;
    demand(
        sizes
            .iter()
            .all(|list| list.iter().all(|n| (1..=MAX_ELEMENTS).contains(n))),
        "kernel, stride or dilation is 0 or too large",
    )?;
    demand(
        pads.iter()
            .all(|list| list.iter().all(|&n| n <= MAX_ELEMENTS)),
        "a pad is too large",
    )?;
    let groups = conv.groups;
    demand(
        groups >= 1 && channels.is_multiple_of(groups) && weight.rows.is_multiple_of(groups),
        "the groups do not divide the channels",
    )?;
    demand(
        weight.cols == (channels / groups).saturating_mul(elements(&conv.kernel)),
        "the matrix's columns are not channels in a group times kernel",
    )?;
    check_bias(parts, conv.bias, weight.rows)?;
    let mut shape = vec![batch, weight.rows];
    for (axis, size) in x.iter().skip(2).enumerate() {
        let of = |list: &Shape| list.get(axis).copied().unwrap_or(0) as u64;
        let reach = of(&conv.dilation) * (of(&conv.kernel) - 1) + 1;
        let padded = *size as u64 + of(&conv.pad_begin) + of(&conv.pad_end);
        let room = padded.checked_sub(reach);
        let room = room.ok_or("the kernel is larger than the padded operand")?;
        shape.push((room / of(&conv.stride) + 1) as usize);
    }
    Ok(shape)
}

fn check_view(offset: i64, strides: &[i64], shape: &[usize], reach: usize) -> Check<()> {
    let most = MAX_ELEMENTS as u64;
    demand(
        offset.unsigned_abs() <= most && strides.iter().all(|n| n.unsigned_abs() <= most),
        "an offset or stride is too large",
    )?;
    demand(
        strides.len() == shape.len(),
        "there is not one stride per dimension",
    )?;
    let (mut first, mut last) = (offset, offset);
    for (&stride, &size) in strides.iter().zip(shape) {
        let step = (size as i64 - 1) * stride;
        first += step.min(0);
        last += step.max(0);
    }
    demand(
        first >= 0 && last < reach as i64,
        "an address is outside of the operand",
    )
}

fn add(
    parts: &Parts,
    coefficients: &[i32],
    constant: Option<usize>,
    operands: &[Operand],
) -> Check<Shape> {
    demand(
        coefficients.len() == operands.len(),
        "there is not one coefficient per operand",
    )?;
    let first = operands.first().map_or(&[] as &[usize], |x| x.shape);
    demand(
        operands.iter().all(|x| x.shape == first),
        "the operands' shapes differ",
    )?;
    let terms = coefficients.iter().zip(operands);
    let most: i128 = terms
        .map(|(c, x)| i128::from(c.unsigned_abs()) * x.bound)
        .sum();
    demand(most < SUM_LIMIT, "its sums can reach 2^62")?;
    // In a field of 31 bits a greater one can stand for a smaller one, or for none.
    demand(
        coefficients
            .iter()
            .all(|c| (1..VALUE_LIMIT.unsigned_abs()).contains(&c.unsigned_abs())),
        "a coefficient is 0 or reaches 2^29",
    )?;
    if let Some(id) = constant {
        let constant = constant_of(parts, id)?;
        demand(
            constant.values.len() == 1 || constant.shape == first,
            "the constant has neither one element nor the operands' shape",
        )?;
    }
    Ok(first.to_vec())
}

fn concat(axis: usize, operands: &[Operand]) -> Check<Shape> {
    let mut shape = operands.first().map_or_else(Vec::new, |x| x.shape.to_vec());
    demand(axis < shape.len(), "there is no such axis")?;
    let mut total = 0;
    for x in operands {
        let mut other = x.shape.to_vec();
        let (Some(size), Some(along)) = (other.get_mut(axis), shape.get_mut(axis)) else {
            return Err("the operands' shapes differ beside the axis".to_owned());
        };
        total += *size;
        *along = *size;
        demand(
            other == shape,
            "the operands' shapes differ beside the axis",
        )?;
    }
    if let Some(along) = shape.get_mut(axis) {
        *along = total;
    }
    Ok(shape)
}

//! Ranges that the relations hold tensors to, whatever a prover commits to.
//!
//! What looks up a result in a range or a table bounds it, as a residue; sums and products of what is
//! bounded are bounded, as long as they stay apart in the field. That is said of elements, not of the
//! padding, which no element reads (`mask`). Contractions with weights are not bounded: nothing shows a
//! committed weight to have eight bits. Nor are parameters: nothing shows them to be in their declared
//! ranges.

use crate::facts::Facts;
use crate::plan::{Constraint, Form, Limb, Plan, Role};
use crate::range_decomposition::{Range, times};
use crate::saturation_tables::MODULUS;
use crate::tables::Tables;
use graph::{Graph, Node, Op, elements};

/// The range that a node's result is held to, zero included.
pub(crate) fn result_range(
    facts: &Facts<'_>,
    (plan, tables): (&Plan, &Tables),
    known: &[Option<Range>],
    node: &Node,
    (role, constraint): (&Role, Option<&Constraint>),
) -> Option<Range> {
    let values = |lookup: usize| tables.extent(plan.lookups.get(lookup)?.table);
    let found = match (role, constraint) {
        (Role::Known, _) => Some((node.lo.into(), node.hi.into())),
        (_, Some(Constraint::Rescale(rescale))) => rescaled(values, &rescale.form, rescale.range),
        (Role::Limbs { base, limbs, .. }, _) => {
            Some((i64::from(*base), i64::from(*base) + most(limbs)))
        }
        (_, Some(Constraint::Lookup { lookup, .. })) => values(*lookup),
        (_, Some(Constraint::Max { x, .. })) => *known.get(*x)?,
        (_, Some(Constraint::Pick(own))) => *known.get(own.x)?,
        (_, Some(Constraint::ArgMax(own))) => {
            let (shape, ..) = facts.graph.tensor(own.x)?;
            Some((0, i64::try_from(*shape.last()?).ok()? - 1))
        }
        (Role::Reduced, None) => reduced(facts, known, node),
        _ => None,
    };
    in_field(found?)
}

/// A range with zero, if its integers are below p/2 in absolute value.
fn in_field((low, high): Range) -> Option<Range> {
    let (low, high) = (low.min(0), high.max(0));
    let within = |end: i64| 2 * i128::from(end).abs() < MODULUS;
    (within(low) && within(high)).then_some((low, high))
}

fn most(limbs: &[Limb]) -> i64 {
    let ends = limbs.iter().map(|l| ((1_i64 << l.bits) - 1) << l.shift);
    ends.sum()
}

fn rescaled(
    values: impl Fn(usize) -> Option<Range>,
    form: &Form,
    (lo, hi): (i32, i32),
) -> Option<Range> {
    let (lo, hi) = (i64::from(lo), i64::from(hi));
    match form {
        Form::Direct { lookup, .. } => values(*lookup),
        Form::Clamped { lower, upper, .. } => match (lower, upper) {
            (Some(_), Some(_)) => Some((lo, hi)),
            (Some(lower), None) => Some((lo, lo + values(*lower)?.1)),
            (None, Some(upper)) => Some((hi - values(*upper)?.1, hi)),
            (None, None) => None,
        },
        Form::Wide { above, held } => {
            let (least, greatest) = held.as_ref().map_or((lo, i64::MAX), |h| (h.low, h.high));
            Some((lo.max(least), (lo + most(above)).min(greatest)))
        }
        Form::Saturated {
            lower, upper, held, ..
        } => {
            // Beyond a bound that bites is no result; without one it is as far as limbs reach.
            let (least, greatest) = match (lower.is_empty(), upper.is_empty()) {
                (false, true) => (lo, lo + most(lower)),
                (true, false) => (hi - most(upper), hi),
                _ => (lo, hi),
            };
            // A quotient from l to h gives a result between theirs.
            let (low, high) = held.as_ref().map_or((least, greatest), |h| (h.low, h.high));
            Some((low.clamp(least, greatest), high.clamp(least, greatest)))
        }
    }
}

/// What an operation that commits to nothing makes of ranges.
fn reduced(facts: &Facts<'_>, known: &[Option<Range>], node: &Node) -> Option<Range> {
    let of = |index: usize| *known.get(*node.operands.get(index)?)?;
    let sized = |id: usize| facts.graph.tensor(id).map(|(shape, ..)| shape);
    let scaled = |(low, high): Range, count: usize| {
        let count = i64::try_from(count).ok()?;
        Some((low.checked_mul(count)?, high.checked_mul(count)?))
    };
    match &node.op {
        Op::View { .. } | Op::Take { .. } => of(0),
        Op::Pad { fill, .. } => of(0).map(|(l, h)| (l.min((*fill).into()), h.max((*fill).into()))),
        Op::Concat { .. } => (0..node.operands.len()).try_fold((0, 0), |(low, high), index| {
            let own = of(index)?;
            Some((low.min(own.0), high.max(own.1)))
        }),
        Op::Sum { axes } => {
            let shape = sized(*node.operands.first()?)?;
            scaled(of(0)?, elements(shape.get(shape.len() - axes..)?))
        }
        Op::Mul => Some(times(of(0)?, of(1)?)),
        Op::MatMul => scaled(
            times(of(0)?, of(1)?),
            elements(sized(*node.operands.first()?)?.last_chunk::<1>()?),
        ),
        Op::Add { .. } => added(facts, known, node),
        _ => None,
    }
}

/// The range of a sum. A number and its product by another that is taken from it count together, as what
/// the number is times 1 less the other: mod p they are that, whatever is committed to.
fn added(facts: &Facts<'_>, known: &[Option<Range>], node: &Node) -> Option<Range> {
    let Op::Add {
        coefficients,
        constant,
    } = &node.op
    else {
        return None;
    };
    let of = |id: usize| *known.get(id)?;
    let fixed = constant.and_then(|id| facts.extent(id));
    let (mut low, mut high): Range = fixed.map_or((0, 0), |(low, high)| {
        (low.min(0).into(), high.max(0).into())
    });
    let less = differences(facts.graph, &node.operands, coefficients);
    let terms = node.operands.iter().zip(coefficients).zip(less);
    for ((&id, &c), part) in terms {
        let own = match part {
            Part::Alone => of(id)?,
            Part::Less { by } => {
                let (least, greatest) = of(by)?;
                times(of(id)?, (1 - greatest, 1 - least))
            }
            // It must be held itself, and counts where it is taken from.
            Part::Taken => {
                of(id)?;
                continue;
            }
        };
        let c = i64::from(c);
        let ends = [own.0.checked_mul(c)?, own.1.checked_mul(c)?];
        low = low.checked_add(ends[0].min(ends[1]))?;
        high = high.checked_add(ends[0].max(ends[1]))?;
    }
    Some((low, high))
}

/// How an operand of a sum counts.
#[derive(Clone, Copy)]
enum Part {
    /// For itself.
    Alone,
    /// Its product by this tensor is taken from it.
    Less { by: usize },
    /// It is such a product.
    Taken,
}

/// How each operand of a sum counts. A result of a Mul is taken from the first operand that is a factor of
/// it, has the opposite coefficient, and of which and from which nothing else is taken.
fn differences(graph: &Graph, operands: &[usize], coefficients: &[i32]) -> Vec<Part> {
    let mut parts = vec![Part::Alone; operands.len()];
    for (index, (&id, &c)) in operands.iter().zip(coefficients).enumerate() {
        let number = id.checked_sub(graph.inputs.len());
        let made = number.and_then(|number| graph.nodes.get(number));
        let Some((a, b)) = made.and_then(factors) else {
            continue;
        };
        let open = |place: usize| matches!(parts.get(place), Some(Part::Alone));
        let of = |factor: usize| {
            let mut places = operands.iter().zip(coefficients).enumerate();
            let found = places.find(|&(place, (&other, &d))| {
                other == factor && i64::from(d) == -i64::from(c) && open(place)
            });
            found.map(|(place, _)| place)
        };
        let found = [(a, b), (b, a)]
            .into_iter()
            .find_map(|(x, by)| Some((of(x)?, by)));
        if let Some((place, by)) = found.filter(|_| open(index)) {
            parts[place] = Part::Less { by };
            parts[index] = Part::Taken;
        }
    }
    parts
}

/// Both factors of a product by elements.
fn factors(node: &Node) -> Option<(usize, usize)> {
    match (&node.op, node.operands.as_slice()) {
        (Op::Mul, &[a, b]) => Some((a, b)),
        _ => None,
    }
}

//! Makes the plan of a graph.

use crate::clamps::{
    Clamp, MODULUS, Shared, apart, column_variables, halving_pays, shared, table_pays,
};
use crate::digits::Range;
use crate::held::held;
use crate::plan::{
    Column, Difference, Form, Limb, Lookup, MAX_TABLE, Plan, Rescale, Role, Table, Unit,
    Unsupported,
};
use graph::{Graph, Node, Op, elements};
use std::collections::{BTreeMap, BTreeSet};

/// Tables of a graph, so that a key of strangers takes no more memory than they do.
const MAX_TABLES: usize = 1 << 10;
/// Bits of one limb of a range.
const LIMB_BITS: u32 = 16;

pub(crate) type Made = Result<(Role, Unit), String>;

/// How often each tensor is an operand or an output.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.tensors()];
    let operands = graph.nodes.iter().flat_map(|node| &node.operands);
    for &id in operands.chain(&graph.outputs) {
        if let Some(count) = uses.get_mut(id) {
            *count += 1;
        }
    }
    uses
}

/// The lookup that a rescaling is taken together with.
fn absorbing<'a>(graph: &'a Graph, uses: &[usize], number: usize) -> Option<&'a Node> {
    let id = graph.inputs.len() + number;
    let node = graph.nodes.get(number)?;
    if !matches!(node.op, Op::Rescale { .. }) || uses.get(id) != Some(&1) {
        return None;
    }
    let (low, high) = quotients(graph, node)?;
    if high - low >= MAX_TABLE {
        return None;
    }
    let next = graph
        .nodes
        .iter()
        .find(|next| next.operands.contains(&id))?;
    matches!(next.op, Op::Lookup { .. }).then_some(next)
}

/// The range of a rescaling's quotients, by the range that its operand declares.
fn quotients(graph: &Graph, node: &Node) -> Option<(i64, i64)> {
    let Op::Rescale {
        multipliers, shift, ..
    } = &node.op
    else {
        return None;
    };
    let (_, lo, hi) = graph.tensor(*node.operands.first()?)?;
    let multipliers = &graph.constants.get(*multipliers)?.values;
    let half = if *shift == 0 { 0 } else { 1_i64 << (shift - 1) };
    let ends = multipliers
        .iter()
        .flat_map(|&m| [lo, hi].map(|end| (i64::from(m) * i64::from(end) + half) >> shift));
    // 0 is what the padding has.
    Some(ends.fold((0, 0), |(low, high), q| (low.min(q), high.max(q))))
}

/// What a rescaling does apart from its remainder.
fn clamp(graph: &Graph, node: &Node) -> Option<Clamp> {
    let Op::Rescale { shift, .. } = node.op else {
        return None;
    };
    Some(Clamp {
        quotients: quotients(graph, node)?,
        bounds: (node.lo.into(), node.hi.into()),
        shift,
    })
}

/// Which nodes the verifier computes itself: all that depends on nothing but inputs and constants.
pub(crate) fn known(graph: &Graph) -> Vec<bool> {
    let mut known: Vec<bool> = vec![true; graph.inputs.len()];
    for node in &graph.nodes {
        let of_known = node.operands.iter().all(|&id| known.get(id) == Some(&true));
        known.push(of_known && node.op.weight().is_none());
    }
    known.split_off(graph.inputs.len())
}

/// Makes a plan node by node.
pub(crate) struct Maker<'a> {
    pub(crate) graph: &'a Graph,
    plan: Plan,
    numbers: BTreeMap<Table, usize>,
    uses: Vec<usize>,
    known: Vec<bool>,
    shared: Option<Shared>,
    /// Rows that are looked up in ranges of so many bits.
    demand: BTreeMap<u32, i64>,
    /// Widths of limbs that are halved.
    halved: BTreeSet<u32>,
    /// What each tensor is held to.
    pub(crate) held: Vec<Option<Range>>,
}

impl<'a> Maker<'a> {
    /// A maker for a graph of which the verifier computes what is known, with limbs of the given
    /// widths halved.
    pub(crate) fn new(graph: &'a Graph, known: Vec<bool>, halved: BTreeSet<u32>) -> Self {
        let uses = uses(graph);
        let clamp = |number: usize| {
            let node = graph.nodes.get(number)?;
            let covered = known[number] || absorbing(graph, &uses, number).is_some();
            clamp(graph, node).filter(|_| !covered)
        };
        Self {
            graph,
            plan: Plan::default(),
            numbers: BTreeMap::new(),
            shared: shared(graph, clamp),
            uses,
            known,
            demand: BTreeMap::new(),
            halved,
            held: graph
                .inputs
                .iter()
                .map(|input| Some((input.lo.min(0).into(), input.hi.max(0).into())))
                .collect(),
        }
    }

    /// The widths of limbs whose range takes more than a second limb for each of their rows.
    pub(crate) fn halved(&self) -> BTreeSet<u32> {
        let demand = self.demand.iter();
        let halved = demand.filter(|&(&bits, &rows)| halving_pays(bits, rows));
        halved.map(|(&bits, _)| bits).collect()
    }

    pub(crate) fn finish(self) -> Plan {
        self.plan
    }

    /// Adds what is done with the next node.
    pub(crate) fn add(&mut self, number: usize) -> Result<(), Unsupported> {
        let graph = self.graph;
        let Some(node) = graph.nodes.get(number) else {
            return Ok(());
        };
        let refuse = |why: String| Unsupported {
            node: number,
            operator: node.op.name(),
            why,
        };
        if self.uses.get(graph.inputs.len() + number) == Some(&0) {
            return Err(refuse("its result is not used".to_owned()));
        }
        let (role, unit) = if self.known.get(number) == Some(&true) {
            (Role::Known, None)
        } else if absorbing(graph, &self.uses, number).is_some() {
            (Role::Absorbed, None)
        } else {
            self.node(node).map_err(refuse)?
        };
        let held = held(graph, &self.plan, &self.held, node, (&role, unit.as_ref()));
        self.held.push(held);
        self.plan.roles.push(role);
        self.plan.units.push(unit);
        if self.plan.tables.len() > MAX_TABLES {
            return Err(refuse("the graph needs more than 2^10 tables".to_owned()));
        }
        Ok(())
    }

    fn node(&mut self, node: &Node) -> Result<(Role, Option<Unit>), String> {
        let with = |(role, unit): (Role, Unit)| (role, Some(unit));
        match &node.op {
            Op::Linear { .. }
            | Op::Conv(_)
            | Op::MatMul
            | Op::Add { .. }
            | Op::Mul
            | Op::View { .. }
            | Op::Pad { .. }
            | Op::Concat { .. }
            | Op::Take { .. }
            | Op::Sum { .. } => Ok((Role::Reduced, None)),
            Op::Rescale { .. } => self.rescale(node, None).map(with),
            Op::Lookup { table, first } => {
                let before = node.operands.first().and_then(|id| {
                    let number = id.checked_sub(self.graph.inputs.len())?;
                    absorbing(self.graph, &self.uses, number).map(|_| &self.graph.nodes[number])
                });
                let table = &self.graph.constants[*table].values;
                if let Some(before) = before {
                    return self.rescale(before, Some((table, *first))).map(with);
                }
                self.lookup(node, table, *first).map(with)
            }
            Op::Max { axes } => self.max(node, *axes).map(with),
            Op::Divide { k } => self.divide(node, *k).map(with),
            Op::SquareRoot { k } => self.square_root(node, *k).map(with),
            Op::Const { .. } | Op::Pick | Op::ArgMax { .. } => {
                Err("this operation is not covered yet".to_owned())
            }
        }
    }

    fn table(&mut self, table: Table) -> usize {
        let next = self.plan.tables.len();
        *self.numbers.entry(table.clone()).or_insert_with(|| {
            self.plan.tables.push(table);
            next
        })
    }

    fn column(&mut self, shape: &[usize], pad: i32) -> usize {
        self.plan.columns.push(Column {
            shape: shape.to_vec(),
            pad,
        });
        self.plan.columns.len() - 1
    }

    fn look(&mut self, table: Table, shape: &[usize]) -> usize {
        let table = self.table(table);
        self.plan.lookups.push(Lookup {
            table,
            variables: column_variables(shape),
        });
        self.plan.lookups.len() - 1
    }

    /// Columns for numbers of so many bits whose value in the padding is `pad`.
    pub(crate) fn limbs(&mut self, shape: &[usize], bits: u32, pad: i64) -> Vec<Limb> {
        let count = bits.div_ceil(LIMB_BITS);
        let mut left = bits;
        let whole = (0..count).map(|index| {
            let whole = left.div_ceil(count - index);
            left -= whole;
            whole
        });
        self.cut(shape, whole.collect(), pad)
    }

    /// Columns for a number of so many bits each, one after another, or halves of them.
    pub(crate) fn cut(&mut self, shape: &[usize], widths: Vec<u32>, pad: i64) -> Vec<Limb> {
        let mut limbs = Vec::new();
        let mut shift = 0;
        for whole in widths {
            let lower = if self.halved.contains(&whole) {
                whole.div_ceil(2)
            } else {
                whole
            };
            *self.demand.entry(whole).or_default() += 1 << column_variables(shape);
            for own in [lower, whole - lower] {
                if own == 0 {
                    continue;
                }
                let column = self.column(shape, (pad >> shift & ((1 << own) - 1)) as i32);
                let lookup = self.look(Table::Range(own), shape);
                limbs.push(Limb {
                    column,
                    lookup,
                    shift,
                    bits: own,
                });
                shift += own;
            }
        }
        limbs
    }

    fn rescale(&mut self, node: &Node, then: Option<(&[i32], i32)>) -> Made {
        let graph = self.graph;
        let Op::Rescale {
            multipliers,
            axis,
            shift,
        } = &node.op
        else {
            return Err("it is not a rescaling".to_owned());
        };
        let (Some(&x), Some(bounds)) = (node.operands.first(), clamp(graph, node)) else {
            return Err("it has no operand".to_owned());
        };
        let (low, high) = bounds.quotients;
        let values = &graph.constants[*multipliers].values;
        if values.len() == 1 && i128::from(values[0]).rem_euclid(MODULUS) == 0 {
            return Err("its multiplier is zero".to_owned());
        }
        let (lo, hi) = bounds.bounds;
        let clamp = |q: i64| q.clamp(lo, hi);
        let shape = node.shape.as_slice();
        let variables = column_variables(shape);
        let shared = self
            .shared
            .filter(|shared| then.is_none() && shared.pays(&bounds, variables));
        let raise = shared.map_or(0, |shared| shared.shift - shift);
        let remainder = self.limbs(shape, shift + raise, 0);
        let unit = |form| {
            Unit::Rescale(Rescale {
                x,
                multipliers: *multipliers,
                axis: *axis,
                shift: *shift,
                raise,
                range: (node.lo, node.hi),
                remainder,
                form,
            })
        };
        if let Some(shared) = shared {
            let form = self.clamped(shape, &bounds, &shared);
            let Form::Clamped { column, .. } = form else {
                return Err("it has no column".to_owned());
            };
            return Ok((Role::Column(column), unit(form)));
        }
        let refuse = || "its products are too large to be apart in the field".to_owned();
        if then.is_some() || (table_pays(&bounds, variables) && apart(low, high, *shift)) {
            if !apart(low, high, *shift) {
                return Err(refuse());
            }
            let entry = |q: i64| match then {
                None => Some(clamp(q) as i32),
                Some((table, first)) => {
                    let at = usize::try_from(clamp(q) - i64::from(first)).ok()?;
                    table.get(at).copied()
                }
            };
            let found: Option<Vec<i32>> = (low..=high).map(entry).collect();
            let values = found.ok_or("its results can be outside of the table that follows")?;
            let pad = values[-low as usize];
            let table = Table::Function {
                first: low as i32,
                values,
            };
            let column = self.column(shape, pad);
            let lookup = self.look(table, shape);
            return Ok((Role::Column(column), unit(Form::Direct { column, lookup })));
        }
        let pad = clamp(0);
        let bits = |most: i64| 64 - most.max(0).leading_zeros();
        let (bites_above, bites_below) = (high > hi, low < lo);
        let above = self.limbs(shape, bits(hi.min(high) - lo).max(1), pad - lo);
        let (mut below, mut up, mut down) = (vec![], vec![], vec![]);
        if bites_above {
            below = self.limbs(shape, bits(hi - lo), hi - pad);
            up = self.limbs(shape, bits(high - hi), (-hi).max(0));
        }
        if bites_below {
            down = self.limbs(shape, bits(lo - low), lo.max(0));
        }
        let most = |limbs: &[Limb]| {
            limbs
                .iter()
                .fold(0_i64, |sum, l| sum + (((1 << l.bits) - 1) << l.shift))
        };
        if !apart(lo - most(&down), lo + most(&above) + most(&up), *shift) {
            return Err(refuse());
        }
        let role = Role::Limbs {
            base: node.lo,
            pad: pad as i32,
            limbs: above.clone(),
        };
        let form = Form::Wide {
            above,
            below,
            up,
            down,
        };
        Ok((role, unit(form)))
    }

    /// The columns and lookups of a clamp by the shared table.
    fn clamped(&mut self, shape: &[usize], clamp: &Clamp, shared: &Shared) -> Form {
        let (lo, hi) = clamp.bounds;
        let (bites_below, bites_above) = clamp.bites();
        let table = || Table::Function {
            first: -shared.below as i32,
            values: (-shared.below..=shared.above)
                .map(|k| k.max(0) as i32)
                .collect(),
        };
        let lower = bites_below.then(|| self.look(table(), shape));
        let upper = bites_above.then(|| self.look(table(), shape));
        let both = bites_below && bites_above;
        let between = both.then(|| self.column(shape, (-lo).max(0) as i32));
        Form::Clamped {
            column: self.column(shape, 0_i64.clamp(lo, hi) as i32),
            lower,
            upper,
            between,
        }
    }

    fn lookup(&mut self, node: &Node, table: &[i32], first: i32) -> Made {
        let Some(&x) = node.operands.first() else {
            return Err("it has no operand".to_owned());
        };
        let end = i64::from(first) + table.len() as i64;
        let (low, high) = (i64::from(first).min(0), end.max(1));
        if high - low > MAX_TABLE {
            return Err("its table has more than 2^16 entries".to_owned());
        }
        // The padding looks 0 up.
        let mut values = vec![0; (i64::from(first) - low) as usize];
        values.extend_from_slice(table);
        values.resize((high - low) as usize, 0);
        let pad = values[-low as usize];
        let table = Table::Function {
            first: low as i32,
            values,
        };
        let column = self.column(&node.shape, pad);
        let lookup = self.look(table, &node.shape);
        Ok((Role::Column(column), Unit::Lookup { x, column, lookup }))
    }

    fn max(&mut self, node: &Node, axes: usize) -> Made {
        let Some(&x) = node.operands.first() else {
            return Err("it has no operand".to_owned());
        };
        let Some((shape, lo, hi)) = self.graph.tensor(x) else {
            return Err("it has no operand".to_owned());
        };
        // 0 and 1 are what the padding has.
        let most = (i64::from(hi) - i64::from(lo)).max(1);
        // Of two elements that each exceed the other by so much in the field, both are equal.
        if most >= 1 << 29 {
            return Err("its operands differ by 2^29 or more".to_owned());
        }
        let size = elements(shape.get(shape.len() - axes..).unwrap_or(&[]));
        let column = self.column(&node.shape, 0);
        let zeros = self.column(shape, 0);
        let difference = if most < MAX_TABLE {
            let mut values = vec![0; most as usize + 1];
            values[0] = 1;
            Difference::Direct(self.look(Table::Function { first: 0, values }, shape))
        } else {
            let limbs = self.limbs(shape, 64 - most.leading_zeros(), 0);
            let bit = self.look(Table::Range(1), shape);
            Difference::Wide { limbs, bit }
        };
        let bits = (usize::BITS - (size - 1).leading_zeros()).max(1);
        let count = self.look(Table::Range(bits), &node.shape);
        let unit = Unit::Max {
            x,
            column,
            zeros,
            difference,
            count,
        };
        Ok((Role::Column(column), unit))
    }
}

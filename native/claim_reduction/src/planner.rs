//! Makes the plan of a graph.

use crate::declared::{Fault, follows};
use crate::facts::{Facts, known};
use crate::plan::{
    Column, Constraint, Form, Limb, Limit, Lookup, Plan, Rescale, Role, Unsupported, Visibility,
};
use crate::range_analysis::result_range;
use crate::range_decomposition::Range;
use crate::saturation_tables::{
    Clamp, MODULUS, Shared, TOO_LARGE, apart, column_variables, halving_pays, shared, table_pays,
};
use crate::tables::{Recipe, Tables};
use graph::{Graph, Node, Op};
use std::collections::{BTreeMap, BTreeSet};

/// Tables of a graph, so that a key of strangers takes no more memory than they do.
const MAX_TABLES: usize = 1 << 10;
/// Lookups of a graph: as many as the argument about them takes.
const MAX_LOOKUPS: usize = 1 << 16;
/// Views that are walked through in search of what divisors are of, all divisors together.
const MAX_VIEWS: usize = 1 << 16;
/// Bits of one limb of a range.
const LIMB_BITS: u32 = 16;

pub(crate) type Planned = Result<(Role, Constraint), String>;

/// Makes a plan node by node.
pub(crate) struct Planner<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) facts: &'a Facts<'a>,
    plan: Plan,
    pub(crate) tables: Tables,
    shared: Option<Shared>,
    /// Views that may still be walked through.
    pub(crate) views: usize,
    /// A limit that the node at hand went beyond.
    pub(crate) beyond: Option<Limit>,
    /// Rows that are looked up in ranges of so many bits.
    demand: BTreeMap<u32, i64>,
    /// Widths of limbs that are halved.
    halved: BTreeSet<u32>,
    /// What each tensor is held to.
    pub(crate) ranges: Vec<Option<Range>>,
    /// Whether rescalings hold their results to what quotients of their ranges give, and not to what limbs
    /// or the shared table could store beyond that.
    pub(crate) exact: bool,
    /// How many parameters there have been.
    parameters: usize,
    /// Whether the integers of a node could wrap around, by what tensors are held to.
    wraps: bool,
}

impl<'a> Planner<'a> {
    /// A planner for a graph, with limbs of the given widths halved.
    pub(crate) fn new(facts: &'a Facts<'a>, halved: BTreeSet<u32>, exact: bool) -> Self {
        let graph = facts.graph;
        let inputs: Vec<Option<Range>> = graph
            .inputs
            .iter()
            .map(|input| Some((input.lo.min(0).into(), input.hi.max(0).into())))
            .collect();
        let clamp = |number: usize| {
            let covered = facts.known[number] || facts.absorbing(number).is_some();
            facts
                .clamp(number)
                .filter(|clamp| !covered && (!exact || clamp.bites_twice()))
        };
        Self {
            graph,
            facts,
            plan: Plan::default(),
            tables: Tables::default(),
            shared: shared(graph, clamp),
            views: MAX_VIEWS,
            beyond: None,
            demand: BTreeMap::new(),
            halved,
            ranges: inputs,
            exact,
            parameters: 0,
            wraps: false,
        }
    }

    /// The widths of limbs whose range takes more than a second limb for each of their rows.
    pub(crate) fn halved(&self) -> BTreeSet<u32> {
        let demand = self.demand.iter();
        let halved = demand.filter(|&(&bits, &rows)| halving_pays(bits, rows));
        halved.map(|(&bits, _)| bits).collect()
    }

    /// Adds what holds each input to its declared range, where the verifier does not have it.
    fn hold_inputs(&mut self) {
        let graph = self.graph;
        self.plan.visibility = Visibility::Private;
        self.plan.inputs = graph
            .inputs
            .iter()
            .map(|own| self.held_input(own))
            .collect();
    }

    pub(crate) fn finish(mut self) -> Plan {
        if self.plan.lookups.is_empty() {
            self.plan.idle = self.limbs(&[], 1, 0).first().copied();
        }
        Plan {
            tables: self.tables.all,
            ..self.plan
        }
    }

    /// Adds what is done with the next node.
    pub(crate) fn add(&mut self, number: usize) -> Result<(), Unsupported> {
        let graph = self.graph;
        let Some(node) = graph.nodes.get(number) else {
            return Ok(());
        };
        let refuse = |why: String, limit: Option<Limit>| Unsupported {
            node: number,
            operator: node.op.name(),
            why,
            limit,
        };
        if self.facts.uses.get(graph.inputs.len() + number) == Some(&0) {
            return Err(refuse("its result is not used".to_owned(), None));
        }
        let (role, constraint) = if self.facts.known.get(number) == Some(&true) {
            (Role::Known, None)
        } else if self.facts.absorbing(number).is_some() {
            (Role::Absorbed, None)
        } else {
            self.node(number, node)
                .map_err(|why| refuse(why, self.beyond))?
        };
        let range = result_range(
            self.facts,
            (&self.plan, &self.tables),
            &self.ranges,
            node,
            (&role, constraint.as_ref()),
        );
        self.ranges.push(range);
        follows(self.facts, &self.ranges, node, &role).map_err(|fault| {
            self.wraps = fault == Fault::Wraps;
            refuse(fault.words().to_owned(), None)
        })?;
        self.plan.roles.push(role);
        self.plan.constraints.push(constraint);
        let (tables, lookups) = (self.tables.all.len(), self.plan.lookups.len());
        if tables > MAX_TABLES {
            let why = "the graph needs more than 2^10 tables".to_owned();
            return Err(refuse(why, None));
        }
        if lookups > MAX_LOOKUPS {
            let why = "the graph needs more than 2^16 lookups".to_owned();
            return Err(refuse(why, Some(Limit::Lookups { lookups, tables })));
        }
        Ok(())
    }

    fn node(&mut self, number: usize, node: &Node) -> Result<(Role, Option<Constraint>), String> {
        let with = |(role, constraint): (Role, Constraint)| (role, Some(constraint));
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
            Op::Rescale { .. } => self.rescale((number, node), None).map(with),
            Op::Lookup { table, first } => {
                let before = node.operands.first().and_then(|id| {
                    let number = id.checked_sub(self.graph.inputs.len())?;
                    self.facts.absorbing(number)?;
                    Some((number, self.graph.nodes.get(number)?))
                });
                if let Some(before) = before {
                    return self.rescale(before, Some((*table, *first))).map(with);
                }
                self.lookup(node, *table, *first).map(with)
            }
            Op::Max { axes } => self.max(node, *axes).map(with),
            Op::ArgMax { last } => self.arg_max(node, *last).map(with),
            Op::Divide { k } => self.divide(node, *k).map(with),
            Op::SquareRoot { k } => self.square_root(node, *k).map(with),
            Op::Pick => self.pick(node).map(with),
            Op::Parameter => {
                self.parameters += 1;
                Ok((Role::Parameter(self.parameters - 1), None))
            }
            // A constant is known.
            Op::Const { .. } => Err("it is no constant of the graph".to_owned()),
        }
    }

    pub(crate) fn function(&mut self, recipe: Recipe) -> Result<usize, String> {
        self.tables.function(self.facts, recipe).map_err(|fault| {
            self.beyond = fault.limit();
            fault.words().to_owned()
        })
    }

    pub(crate) fn column(&mut self, shape: &[usize], pad: i32) -> usize {
        self.plan.columns.push(Column {
            shape: shape.to_vec(),
            pad,
        });
        self.plan.columns.len() - 1
    }

    pub(crate) fn look(&mut self, table: usize, shape: &[usize]) -> usize {
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
                let range = self.tables.range(own);
                let lookup = self.look(range, shape);
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

    /// `then` is the table of a lookup that follows, as a constant, and the table's first key.
    fn rescale(&mut self, (number, node): (usize, &Node), then: Option<(usize, i32)>) -> Planned {
        let graph = self.graph;
        let Op::Rescale {
            multipliers,
            axis,
            shift,
        } = &node.op
        else {
            return Err("it is not a rescaling".to_owned());
        };
        let (Some(&x), Some(bounds)) = (node.operands.first(), self.facts.clamp(number)) else {
            return Err("it has no operand".to_owned());
        };
        let (low, high) = bounds.quotients;
        let values = &graph.constants[*multipliers].values;
        if values.len() == 1 && i128::from(values[0]).rem_euclid(MODULUS) == 0 {
            return Err("its multiplier is zero".to_owned());
        }
        let (lo, hi) = bounds.bounds;
        let shape = node.shape.as_slice();
        let variables = column_variables(shape);
        let shared = self
            .shared
            .filter(|shared| then.is_none() && shared.pays(&bounds, variables))
            .filter(|_| !self.exact || bounds.bites_twice());
        let raise = shared.map_or(0, |shared| shared.shift - shift);
        let remainder = self.limbs(shape, shift + raise, 0);
        let constraint = |form| {
            Constraint::Rescale(Rescale {
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
            let form = self.clamped(shape, &bounds, &shared)?;
            let Form::Clamped { column, .. } = form else {
                return Err("it has no column".to_owned());
            };
            return Ok((Role::Column(column), constraint(form)));
        }
        let pays = table_pays(&bounds, variables);
        if then.is_some() || bounds.takes_table(pays) {
            if !apart(low, high, *shift) {
                return Err(TOO_LARGE.to_owned());
            }
            let recipe = Recipe::clamp(self.facts, (low, high), (lo, hi), then);
            let table = self.function(recipe)?;
            let pad = self.tables.value(table, 0).unwrap_or(0);
            let column = self.column(shape, pad);
            let lookup = self.look(table, shape);
            return Ok((
                Role::Column(column),
                constraint(Form::Direct { column, lookup }),
            ));
        }
        let (role, form) = self.wide(shape, &bounds)?;
        Ok((role, constraint(form)))
    }

    /// The columns and lookups of a clamp by the shared table.
    fn clamped(&mut self, shape: &[usize], clamp: &Clamp, shared: &Shared) -> Result<Form, String> {
        let (lo, hi) = clamp.bounds;
        let (bites_below, bites_above) = clamp.bites();
        let table = self.function(Recipe::Positive {
            below: shared.below,
            above: shared.above,
        })?;
        let lower = bites_below.then(|| self.look(table, shape));
        let upper = bites_above.then(|| self.look(table, shape));
        let both = bites_below && bites_above;
        let between = both.then(|| self.column(shape, (-lo).max(0) as i32));
        Ok(Form::Clamped {
            column: self.column(shape, 0_i64.clamp(lo, hi) as i32),
            lower,
            upper,
            between,
        })
    }
}

impl Plan {
    /// The plan of a graph, if it can be proven.
    pub fn new(graph: &Graph, inputs: Visibility) -> Result<Self, Unsupported> {
        Self::with(graph, known(graph, inputs), inputs)
    }

    /// The plan in which the verifier computes nothing but constants itself, so that tests reduce
    /// every operation.
    #[cfg(feature = "audit")]
    pub fn of_all(graph: &Graph) -> Result<Self, Unsupported> {
        let nodes = graph.nodes.iter();
        let known: Vec<bool> = nodes
            .map(|node| matches!(node.op, graph::Op::Const { .. }))
            .collect();
        Self::with(graph, known, Visibility::Public)
    }

    fn with(graph: &Graph, known: Vec<bool>, inputs: Visibility) -> Result<Self, Unsupported> {
        let facts = Facts::new(graph, known);
        let made = |halved, exact| {
            let mut planner = Planner::new(&facts, halved, exact);
            if inputs == Visibility::Private {
                planner.hold_inputs();
            }
            let done = (0..graph.nodes.len()).try_for_each(|number| planner.add(number));
            (planner, done)
        };
        // What limbs take is known only when all are there. The first plan goes before the second.
        let (mut planner, mut done) = made(BTreeSet::new(), false);
        let exact = planner.wraps;
        if exact {
            (planner, done) = made(BTreeSet::new(), true);
        }
        done?;
        let (planner, done) = made(planner.halved(), exact);
        done?;
        Ok(planner.finish())
    }
}

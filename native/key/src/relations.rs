//! What is committed to, looked up and reduced for a graph, whatever hides or shows it.

use crate::effort::{MAX_EFFORT, effort, entries};
use crate::error::KeyError;
use claim_reduction::{Counter, LookupClaim, MIN_VARIABLES, Plan, Problem, Table, Visibility};
use commitment::{Term, challenge_bits};
use graph::Graph;
use layers::Contraction;
use lookup::Argument;
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// What is committed to and looked up, derived from a graph by both sides alike, for inputs that are public or
/// private.
pub struct Relations {
    plan: Plan,
    argument: Argument,
    variables: Vec<usize>,
    claims: usize,
    degrees: usize,
    sent: usize,
    products: usize,
    checks: usize,
}

impl Relations {
    pub(crate) fn new(
        graph: &Graph,
        contractions: &[Contraction],
        inputs: Visibility,
    ) -> Result<Self, KeyError> {
        let effort = effort(graph, inputs);
        if effort > MAX_EFFORT {
            return Err(KeyError::Work);
        }
        let plan = Plan::new(graph, inputs)?;
        if effort + entries(&plan) > MAX_EFFORT {
            return Err(KeyError::Work);
        }
        let argument = argument(&plan)?;
        let count = count(graph, &plan, contractions)?;
        let mut variables: Vec<usize> = plan
            .columns
            .iter()
            .map(claim_reduction::Column::variables)
            .collect();
        let tables = argument.tables().iter();
        variables.extend(tables.map(|table| table.variables().max(MIN_VARIABLES)));
        Ok(Self {
            claims: count.claims + argument.tables().len(),
            degrees: count.degrees,
            sent: argument.sent() + count.sent,
            products: argument.products() + count.products,
            // Of the lookups: inverses and sum of the roots, the end of each further layer, for which two
            // products or more are counted, and what the leaves of both trees are.
            checks: 8 + argument.products() + count.checks,
            plan,
            argument,
            variables,
        })
    }

    /// What is committed and looked up.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The lookup argument.
    pub const fn argument(&self) -> &Argument {
        &self.argument
    }

    /// Variables of each column: those of the plan, then the multiplicities of its tables.
    pub fn variables(&self) -> &[usize] {
        &self.variables
    }

    /// Claims on columns that are to be opened.
    pub const fn claims(&self) -> usize {
        self.claims
    }

    /// Elements that lookups and reduction send where they are sent under pads.
    pub const fn sent(&self) -> usize {
        self.sent
    }

    /// Products of two hidden values in the equations that these come to.
    pub const fn products(&self) -> usize {
        self.products
    }

    /// Equations that these come to at most.
    pub const fn checks(&self) -> usize {
        self.checks
    }

    /// The error terms of lookups and reduction, for one witness: each counts as many times as the
    /// commitment may have candidates.
    pub(crate) fn security(&self) -> Vec<Term> {
        let flow = challenge_bits() as f64 - (self.degrees.max(1) as f64).log2();
        let mut terms = self.argument.security();
        terms.push(Term::new("reduction: points, sumchecks and batching", flow));
        terms
    }
}

fn argument(plan: &Plan) -> Result<Argument, KeyError> {
    let tables = plan.tables.iter().map(|table| match table {
        Table::Range(bits) => lookup::Table::Range {
            bits: *bits as usize,
        },
        Table::Function { first, values } => lookup::Table::Function {
            first: *first,
            values: values.clone(),
        },
    });
    let lookups = plan.lookups.iter().map(|lookup| lookup::Lookup {
        table: lookup.table,
        variables: lookup.variables,
    });
    Ok(Argument::new(tables.collect(), lookups.collect())?)
}

/// What a reduction comes to.
struct Count {
    /// Claims on columns that it ends in.
    claims: usize,
    /// The degrees that its error is made of.
    degrees: usize,
    /// Elements that it sends.
    sent: usize,
    /// Products that it checks.
    products: usize,
    /// All of its checks.
    checks: usize,
}

/// Counts what a reduction comes to.
fn count(graph: &Graph, plan: &Plan, contractions: &[Contraction]) -> Result<Count, KeyError> {
    let widest = plan.lookups.iter().map(|lookup| lookup.variables).max();
    let point: Vec<Extension> = (0..widest.unwrap_or(0))
        .map(|index| Extension::from_usize((1 << 20) + index))
        .collect();
    let lookup_claims: Vec<LookupClaim> = plan
        .lookups
        .iter()
        .map(|lookup| LookupClaim {
            point: point
                .iter()
                .skip(point.len() - lookup.variables)
                .copied()
                .collect(),
            ..LookupClaim::default()
        })
        .collect();
    let problem = Problem {
        graph,
        plan,
        contractions,
        inputs: &[],
        outputs: &vec![&[][..]; graph.outputs.len()],
        lookup_claims: &lookup_claims,
    };
    let mut counter = Counter::default();
    let opened = claim_reduction::reduce(&mut counter, &problem).unwrap_or_default();
    let parameters = graph.parameters().count();
    if opened.matrices.len() != contractions.len() || opened.parameters.len() != parameters {
        return Err(KeyError::Unread);
    }
    let claims = opened.columns.len();
    Ok(Count {
        claims,
        degrees: counter.errors(graph.tensors(), claims),
        sent: counter.values,
        products: counter.products,
        checks: counter.checks,
    })
}

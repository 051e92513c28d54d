//! Random graphs, and a lookup argument and openings in the clear.
#![allow(dead_code)]

pub mod cheat;
pub mod graphs;
pub mod keys;
pub mod pieces;

use graphs::Random;

use claim_reduction::{
    Columns, Counter, LookupClaim, Opened, Plan, Problem, Prover, Rejected, Table, Verifier,
    Visibility, Witness, columns, padded, reduce,
};
use executor::{Fault, Tensors};
use graph::{Graph, Values, elements};
use layers::{Contraction, contractions};
use p3_field::{PrimeCharacteristicRing, PrimeField64};
use relation::{Form, Recorder};
use std::collections::HashMap;
use transcript::{Base, Extension, Site, Transcript};

/// Runs a graph without parameters.
pub fn execute(
    graph: &Graph,
    weights: &[i8],
    inputs: &[&[i32]],
    tensors: &mut Tensors,
) -> Result<(), Fault> {
    let values = Values {
        weights,
        parameters: &[],
    };
    executor::execute(graph, &values, inputs, tensors)
}

/// An execution to be proven.
pub struct Case {
    pub graph: Graph,
    pub plan: Plan,
    pub contractions: Vec<Contraction>,
    pub weights: Vec<i8>,
    pub inputs: Vec<Vec<i32>>,
    pub tensors: Tensors,
    pub columns: Columns,
    /// Outputs that a test claims instead of those of the execution.
    pub claimed: Option<Vec<Vec<i32>>>,
}

impl Case {
    /// One in which everything is reduced.
    pub fn new(graph: Graph, seed: u64) -> Self {
        let plan = Plan::of_all(&graph).unwrap();
        Self::with(graph, plan, seed)
    }

    /// One in which the verifier computes what it can.
    pub fn known(graph: Graph, seed: u64) -> Self {
        let plan = Plan::new(&graph, Visibility::Public).unwrap();
        Self::with(graph, plan, seed)
    }

    /// One in which the verifier does not have the inputs.
    pub fn private(graph: Graph, seed: u64) -> Self {
        let plan = Plan::new(&graph, Visibility::Private).unwrap();
        Self::with(graph, plan, seed)
    }

    /// One of given inputs, in which everything is reduced.
    pub fn of(graph: Graph, inputs: Vec<Vec<i32>>) -> Self {
        let plan = Plan::of_all(&graph).unwrap();
        let weights = vec![1; graph.weight_bytes()];
        Self::execution(graph, plan, weights, inputs)
    }

    fn with(graph: Graph, plan: Plan, seed: u64) -> Self {
        let mut random = Random(seed | 1);
        let weights = random.numbers(graph.weight_bytes(), -128, 127);
        let weights: Vec<i8> = weights.into_iter().map(|w| w as i8).collect();
        let inputs: Vec<Vec<i32>> = graph
            .inputs
            .iter()
            .map(|input| random.numbers(elements(&input.shape), input.lo.into(), input.hi.into()))
            .collect();
        Self::execution(graph, plan, weights, inputs)
    }

    fn execution(graph: Graph, plan: Plan, weights: Vec<i8>, inputs: Vec<Vec<i32>>) -> Self {
        let mut tensors = Tensors::default();
        let views: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
        execute(&graph, &weights, &views, &mut tensors).unwrap();
        let columns = columns(&graph, &plan, &tensors);
        let contractions = contractions(&graph);
        Self {
            graph,
            plan,
            contractions,
            weights,
            inputs,
            tensors,
            columns,
            claimed: None,
        }
    }

    /// The same with other inputs.
    pub fn given(mut self, inputs: Vec<Vec<i32>>) -> Self {
        let views: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
        execute(&self.graph, &self.weights, &views, &mut self.tensors).unwrap();
        self.columns = columns(&self.graph, &self.plan, &self.tensors);
        self.inputs = inputs;
        self
    }

    /// Proves and verifies without looking at the lookups.
    pub fn check_relations(&self) -> Result<(), String> {
        let inputs = self.shown();
        let outputs = self.outputs();
        let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
        let lookup_claims = self.lookup_claims();
        let problem = self.problem(&inputs, &outputs, &lookup_claims);
        let mut transcript = Transcript::new();
        let mut prover = Prover::new(self.witness(), &mut transcript);
        reduce(&mut prover, &problem).map_err(|error| error.to_string())?;
        let sent = prover.finish();
        let opened = Self::verify(&problem, &sent).map_err(|error| error.to_string())?;
        self.open(&opened)
    }

    /// The inputs, if the verifier has them.
    pub fn shown(&self) -> Vec<&[i32]> {
        let shown = self.plan.visibility == Visibility::Public;
        let inputs = self.inputs.iter().map(Vec::as_slice);
        inputs.filter(|_| shown).collect()
    }

    pub fn outputs(&self) -> Vec<Vec<i32>> {
        if let Some(claimed) = &self.claimed {
            return claimed.clone();
        }
        self.tensors
            .outputs(&self.graph)
            .map(<[i32]>::to_vec)
            .collect()
    }

    /// Whether all lookups are in their tables: what the lookup argument proves.
    pub fn looked_up(&self) -> Result<(), usize> {
        let word = |value: Base| value.as_canonical_u64();
        let tables: Vec<HashMap<u64, u64>> = self
            .plan
            .tables
            .iter()
            .map(|table| match table {
                Table::Range(bits) => (0..1_u64 << bits).map(|key| (key, 0)).collect(),
                Table::Function { first, values } => values
                    .iter()
                    .enumerate()
                    .map(|(at, &value)| {
                        let key = Base::from_i64(i64::from(*first) + at as i64);
                        (word(key), word(Base::from_i32(value)))
                    })
                    .collect(),
            })
            .collect();
        for (number, lookup) in self.plan.lookups.iter().enumerate() {
            let [keys, values] = self.columns.pair(number);
            assert_eq!(keys.len(), 1 << lookup.variables);
            let fits = keys.iter().enumerate().all(|(at, &key)| {
                let value = values.get(at).copied().unwrap_or(Base::ZERO);
                tables[lookup.table].get(&word(key)) == Some(&word(value))
            });
            if !fits {
                return Err(number);
            }
        }
        Ok(())
    }

    /// What a lookup argument leaves: every column at the end of one point.
    pub fn lookup_claims(&self) -> Vec<LookupClaim> {
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Statement, b"lookups");
        let point = transcript.point(24);
        let lookups = self.plan.lookups.iter().enumerate();
        lookups
            .map(|(number, lookup)| {
                let point = point[24 - lookup.variables..].to_vec();
                let [keys, values] = self.columns.pair(number);
                LookupClaim {
                    key: at(keys, &point),
                    value: at(values, &point),
                    point,
                }
            })
            .collect()
    }

    pub fn problem<'a>(
        &'a self,
        inputs: &'a [&'a [i32]],
        outputs: &'a [&'a [i32]],
        lookup_claims: &'a [LookupClaim],
    ) -> Problem<'a> {
        Problem {
            graph: &self.graph,
            plan: &self.plan,
            contractions: &self.contractions,
            inputs,
            outputs,
            lookup_claims,
        }
    }

    pub fn witness(&self) -> Witness<'_> {
        Witness {
            graph: &self.graph,
            tensors: &self.tensors,
            weights: &self.weights,
            columns: &self.columns.committed,
        }
    }

    /// Proves, altering what is sent, and verifies; openings are checked in the clear.
    pub fn check(&self, alter: &mut dyn FnMut(usize, &mut [Extension])) -> Result<usize, String> {
        let inputs = self.shown();
        let outputs = self.outputs();
        let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
        self.check_public(&inputs, &outputs, alter)
    }

    pub fn check_public(
        &self,
        inputs: &[&[i32]],
        outputs: &[&[i32]],
        alter: &mut dyn FnMut(usize, &mut [Extension]),
    ) -> Result<usize, String> {
        self.looked_up()
            .map_err(|number| format!("lookup {number}"))?;
        let lookup_claims = self.lookup_claims();
        let problem = self.problem(inputs, outputs, &lookup_claims);
        let mut transcript = Transcript::new();
        let mut prover = Prover::new(self.witness(), &mut transcript).altered(alter);
        reduce(&mut prover, &problem).map_err(|error| error.to_string())?;
        let sent = prover.finish();
        let mut counter = Counter::default();
        reduce(&mut counter, &problem).map_err(|error| error.to_string())?;
        assert_eq!(counter.values, sent.len());
        let opened = Self::verify(&problem, &sent).map_err(|error| error.to_string())?;
        self.open(&opened)?;
        Ok(sent.len())
    }

    /// Demands that a change of any value that is sent is rejected.
    pub fn each_message_matters(&self, seed: u64) {
        let mut messages = Vec::new();
        self.check(&mut |_, message| messages.push(message.len()))
            .unwrap();
        for (number, &length) in messages.iter().enumerate() {
            for index in 0..length {
                let result = self.check(&mut |message, values| {
                    if message == number {
                        values[index] += Extension::ONE;
                    }
                });
                assert!(result.is_err(), "{seed}: message {number}, value {index}");
            }
        }
    }

    pub fn verify(problem: &Problem<'_>, sent: &[Extension]) -> Result<Opened, Rejected> {
        let mut transcript = Transcript::new();
        let mut verifier = Verifier::new(sent, &mut transcript);
        let verdict = reduce(&mut verifier, problem).and_then(|opened| {
            let checks = verifier.checks();
            verifier.finish().map(|()| (opened, checks))
        });
        agree(problem, sent, &verdict);
        verdict.map(|(opened, _)| opened)
    }

    /// Checks claims as openings would.
    pub fn open(&self, opened: &Opened) -> Result<(), String> {
        for claim in &opened.columns {
            if at(&self.columns.committed[claim.column], &claim.point) != claim.value {
                return Err(format!("column {}", claim.column));
            }
        }
        assert_eq!(opened.matrices.len(), self.contractions.len());
        for (number, claim) in opened.matrices.iter().enumerate() {
            assert_eq!(claim.matrix, number);
            let contraction = &self.contractions[number];
            let rows = sumcheck::equality(&claim.point.row, contraction.size.rows);
            let columns = sumcheck::equality(&claim.point.column, contraction.size.columns);
            let matrix = self.witness().matrix(number);
            let combined = commitment::combine_rows(&rows, matrix, columns.len());
            if sumcheck::dot(&combined, &columns) != claim.value {
                return Err(format!("matrix {number}"));
            }
        }
        assert_eq!(opened.inputs.len(), self.plan.inputs.len());
        for (number, claim) in opened.inputs.iter().enumerate() {
            assert_eq!(claim.input, number);
            let (shape, values) = self.witness().tensor(number);
            let cells = padded(shape, claim.point.len(), values);
            if at(&cells, &claim.point) != claim.value {
                return Err(format!("input {number}"));
            }
        }
        Ok(())
    }
}

/// Demands that a recorder's equations say of what was sent what a verifier says. All pads are zero, so
/// that what is hidden is what was sent, and challenges are the same.
fn agree(problem: &Problem<'_>, sent: &[Extension], verdict: &Result<(Opened, usize), Rejected>) {
    let mut index = sent.len() as u32;
    let mut hidden = |value: Extension| {
        index += 1;
        Form::hidden(value, index - 1)
    };
    let lookup_claims: Vec<LookupClaim<Form>> = problem
        .lookup_claims
        .iter()
        .map(|claim| LookupClaim {
            point: claim.point.clone(),
            key: hidden(claim.key),
            value: hidden(claim.value),
        })
        .collect();
    let pads = vec![Extension::ZERO; index as usize];
    let recorded = Problem {
        graph: problem.graph,
        plan: problem.plan,
        contractions: problem.contractions,
        inputs: problem.inputs,
        outputs: problem.outputs,
        lookup_claims: &lookup_claims,
    };
    let mut transcript = Transcript::new();
    let mut recorder = Recorder::new(sent, &mut transcript);
    let opened = reduce(&mut recorder, &recorded);
    let recorded = opened.and_then(|opened| Ok((opened, recorder.finish()?)));
    match (verdict, recorded) {
        (Ok((opened, checks)), Ok((forms, equations))) => {
            assert_eq!(equations.violated(&pads), []);
            assert!(equations.len() <= *checks);
            let at = |form: &Form| form.at(&pads).unwrap();
            let columns = opened.columns.iter().zip(&forms.columns);
            assert!(
                columns
                    .clone()
                    .all(|(a, b)| a.column == b.column && a.point == b.point)
            );
            assert!(columns.clone().all(|(a, b)| a.value == at(&b.value)));
            let matrices = opened.matrices.iter().zip(&forms.matrices);
            assert!(matrices.clone().all(|(a, b)| a.value == at(&b.value)));
            let inputs = opened.inputs.iter().zip(&forms.inputs);
            assert!(inputs.clone().all(|(a, b)| a.point == b.point));
            assert!(inputs.clone().all(|(a, b)| a.value == at(&b.value)));
            assert_eq!(opened.inputs.len(), forms.inputs.len());
            assert_eq!(opened.columns.len(), forms.columns.len());
            assert_eq!(opened.matrices.len(), forms.matrices.len());
        }
        (Err(Rejected::Mismatch(place)), Ok((_, equations))) => {
            let violated = equations.violated(&pads);
            assert!(violated.contains(&(*place).into()), "{place}: {violated:?}");
        }
        (Err(Rejected::Mismatch(_)), Err(error)) => {
            assert!(matches!(error, Rejected::Mismatch(_)), "{error}");
        }
        (Err(expected), Err(error)) => assert_eq!(expected, &error),
        (verdict, recorded) => panic!("{verdict:?} but {recorded:?}"),
    }
}

/// The value of a column at a point.
pub fn at(column: &[Base], point: &[Extension]) -> Extension {
    let weights = sumcheck::equality(point, 1 << point.len());
    weights.iter().zip(column).map(|(&w, &v)| w * v).sum()
}

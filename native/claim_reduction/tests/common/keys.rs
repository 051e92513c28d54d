//! Keys of cheating owners, and what is accepted under them.

use super::Case;
use super::cheat::{Cheat, Choice, indices, padded, within};
use super::graphs::{Builder, Random};
use claim_reduction::{Constraint, Form, Plan, Visibility};
use executor::{Tensors, execute};
use graph::{Graph, Values};
use layers::contractions;
use p3_field::PrimeCharacteristicRing;
use std::collections::BTreeSet;
use sumcheck::equality;
use transcript::{Base, Extension};

/// A key, as far as its owner gets with it.
pub struct Key {
    pub graph: Graph,
    pub plan: Plan,
}

impl Key {
    pub fn read(builder: Builder, outputs: &[usize]) -> Result<Self, String> {
        Self::with(builder, outputs, Visibility::Public)
    }

    /// One for inputs that are shown or not.
    pub fn with(builder: Builder, outputs: &[usize], inputs: Visibility) -> Result<Self, String> {
        let graph = builder
            .graph(outputs)
            .map_err(|fault| fault.code().to_owned())?;
        Self::of(graph, inputs)
    }

    /// That of a graph.
    pub fn of(graph: Graph, inputs: Visibility) -> Result<Self, String> {
        let plan = Plan::new(&graph, inputs).map_err(|refused| refused.why)?;
        Ok(Self { graph, plan })
    }

    /// What is accepted of a cheat: its outputs.
    pub fn accepts(&self, choice: &Choice, inputs: &[Vec<i32>]) -> Option<Vec<Vec<i32>>> {
        let cheat = Cheat::case(&self.graph, &self.plan, choice, inputs)?;
        let claimed = cheat.outputs();
        let ranges = self.graph.outputs.iter().map(|&id| self.graph.tensor(id));
        let declared = ranges.zip(&claimed).all(|(tensor, values)| {
            tensor.is_some_and(|(_, lo, hi)| values.iter().all(|v| (lo..=hi).contains(v)))
        });
        if !declared || cheat.looked_up().is_err() {
            return None;
        }
        let views = cheat.shown();
        let outputs: Vec<&[i32]> = claimed.iter().map(Vec::as_slice).collect();
        let lookup_claims = cheat.lookup_claims();
        let contractions = contractions(&self.graph);
        let mut problem = cheat.problem(&views, &outputs, &lookup_claims);
        problem.graph = &self.graph;
        let sent = {
            let mut transcript = transcript::Transcript::new();
            let mut prover = claim_reduction::Prover::new(cheat.witness(), &mut transcript);
            claim_reduction::reduce(&mut prover, &problem).ok()?;
            prover.finish()
        };
        problem.contractions = &contractions;
        let opened = Case::verify(&problem, &sent).ok()?;
        cheat.open(&opened).ok()?;
        assert_eq!(opened.parameters.len(), choice.parameters.len());
        let opens = opened.parameters.iter().zip(&choice.parameters);
        let mut opens = opens.map(|(claim, values)| {
            let weights = equality(&claim.point, values.len()).into_iter();
            let terms = weights.zip(values).map(|(w, &v)| w * Base::from_i64(v));
            terms.sum::<Extension>() == claim.value
        });
        opens.all(|holds| holds).then_some(claimed)
    }

    /// The declared part of the weights.
    pub fn declared(&self, choice: &Choice) -> Vec<i8> {
        let mut weights = Vec::new();
        let mut rest = choice.weights.as_slice();
        for weight in &self.graph.weights {
            let wide = weight.cols.next_power_of_two();
            let (own, tail) = rest.split_at(weight.rows.next_power_of_two() * wide);
            rest = tail;
            for line in own.chunks_exact(wide).take(weight.rows) {
                weights.extend_from_slice(&line[..weight.cols]);
            }
        }
        weights
    }

    /// The declared part of the parameters.
    pub fn declared_parameters(&self, choice: &Choice) -> Vec<i32> {
        let nodes = self.graph.parameters().zip(&choice.parameters);
        let elements = nodes.flat_map(|((_, node), values)| {
            let all = indices(&padded(&node.shape)).into_iter().zip(values);
            all.filter(|(index, _)| within(&node.shape, index))
                .map(|(_, &value)| value as i32)
        });
        elements.collect()
    }

    /// What the executor computes with it.
    pub fn executed(&self, choice: &Choice, inputs: &[Vec<i32>]) -> Option<Vec<Vec<i32>>> {
        let weights = self.declared(choice);
        let views: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
        let mut tensors = Tensors::default();
        let values = Values {
            weights: &weights,
            parameters: &self.declared_parameters(choice),
        };
        execute(&self.graph, &values, &views, &mut tensors).ok()?;
        Some(tensors.outputs(&self.graph).map(<[i32]>::to_vec).collect())
    }

    /// Whether a weight beyond the declared matrices is not zero.
    pub fn stands_in_padding(&self, choice: &Choice) -> bool {
        let count = |weights: &[i8]| weights.iter().filter(|&&w| w != 0).count();
        count(&self.declared(choice)) < count(&choice.weights)
    }

    /// Whether the padding of an input is not zero.
    pub fn fills_inputs(&self, choice: &Choice) -> bool {
        let inputs = self.graph.inputs.iter().zip(&choice.beyond);
        let cells = inputs.flat_map(|(input, cells)| {
            let all = indices(&padded(&input.shape)).into_iter().zip(cells);
            all.filter(|(index, _)| !within(&input.shape, index))
        });
        cells.into_iter().any(|(_, &cell)| cell != 0)
    }

    /// The operations, and whether quotients are held.
    pub fn kinds(&self) -> BTreeSet<&'static str> {
        let nodes = self.graph.nodes.iter().zip(&self.plan.constraints);
        nodes
            .map(|(node, constraint)| match constraint {
                Some(Constraint::Rescale(rescale)) => match rescale.form {
                    Form::Wide { held: Some(_), .. } | Form::Saturated { held: Some(_), .. } => {
                        "Held"
                    }
                    Form::Saturated { .. } => "Saturated",
                    Form::Clamped { .. } => "Clamped",
                    _ => "Rescale",
                },
                Some(Constraint::ArgMax(own)) if own.last => "ArgMax of the last",
                _ => node.op.name(),
            })
            .collect()
    }

    /// Random freedoms of a prover.
    pub fn choice(&self, random: &mut Random) -> Choice {
        let mut weights = Vec::new();
        for weight in &self.graph.weights {
            let [rows, columns] = [random.below(3) > 0, random.below(3) > 0];
            for row in 0..weight.rows.next_power_of_two() {
                for column in 0..weight.cols.next_power_of_two() {
                    let chosen = (row < weight.rows || rows) && (column < weight.cols || columns);
                    weights.push(if chosen {
                        random.between(-4, 4) as i8
                    } else {
                        0
                    });
                }
            }
        }
        let mut parameters = Vec::new();
        for (_, node) in self.graph.parameters() {
            let beyond = random.below(3) > 0;
            let cells = indices(&padded(&node.shape)).into_iter().map(|index| {
                if beyond || within(&node.shape, &index) {
                    random.between(node.lo.into(), node.hi.into()).into()
                } else {
                    0
                }
            });
            parameters.push(cells.collect());
        }
        let mut paddings = Vec::new();
        for input in &self.graph.inputs {
            let beyond = random.below(3) > 0;
            let most = i64::from(input.hi) - i64::from(input.lo);
            let cells = 0..indices(&padded(&input.shape)).len();
            let cells = cells.map(|_| i64::from(random.between(0, most)));
            paddings.push(cells.map(|cell| if beyond { cell } else { 0 }).collect());
        }
        let mode = random.below(3);
        let nodes = self.graph.nodes.iter();
        let reads = nodes.map(|_| mode == 0 || mode == 1 && random.below(2) == 0);
        Choice {
            weights,
            parameters,
            beyond: paddings,
            reads: reads.collect(),
        }
    }
}

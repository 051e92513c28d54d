//! What proofs under a key are made of, for inputs that are public or private.

use crate::error::KeyError;
use crate::inputs::InputVector;
use crate::kinds::{Openings, WeightVector};
use crate::layout::{Sizes, Term, WEIGHTS, Weights};
use crate::pads::Pads;
use crate::relations::Relations;
use claim_reduction::Visibility;
use commitment::{Profile, Size};
use graph::Graph;
use hiding::Shape;
use layers::{Contraction, affordable, contractions};
use transcript::Extension;

/// What a graph comes to, whatever its commitments are opened for.
pub(crate) struct Groundwork {
    pub(crate) graph: Graph,
    pub(crate) contractions: Vec<Contraction>,
    pub(crate) sizes: Sizes,
    pub(crate) profile: Profile,
}

impl Groundwork {
    pub(crate) fn new(graph: Graph, profile: Profile) -> Result<Self, KeyError> {
        let contractions = contractions(&graph);
        if contractions.is_empty() {
            return Err(KeyError::NoWeights);
        }
        if !affordable(&contractions) {
            return Err(KeyError::Operands);
        }
        let matrices: Vec<Size> = contractions.iter().map(|each| each.size).collect();
        let parameters = graph.parameters().map(|(_, node)| node.shape.clone());
        let sizes = Sizes::new(matrices, parameters.collect());
        Ok(Self {
            graph,
            contractions,
            sizes,
            profile,
        })
    }

    /// The vector of weights where links open it.
    pub(crate) fn for_links(&self, openings: u32) -> Result<WeightVector, KeyError> {
        let (weights, shape) = Weights::for_links(&self.sizes, openings, self.profile)?;
        Ok(WeightVector {
            weights,
            shape,
            openings,
        })
    }
}

/// What proofs are made of: lookups and reduction, pads, and the vectors that are opened together.
pub struct Proofs {
    relations: Relations,
    pads: Pads,
    weights: WeightVector,
    /// Which of the key's matrices and parameters the first parameter of the graph is.
    first: usize,
    inputs: Option<InputVector>,
}

impl Proofs {
    /// That for inputs of which a verifier has all or none, where epochs serve at least so many proofs.
    pub(crate) fn new(
        ground: &Groundwork,
        inputs: Visibility,
        openings: u32,
    ) -> Result<Self, KeyError> {
        let Groundwork {
            graph,
            contractions,
            ..
        } = ground;
        let relations = Relations::new(graph, contractions, inputs)?;
        let pads = pads(&relations);
        let inputs = (inputs == Visibility::Private).then(|| InputVector::new(graph));
        Ok(Self {
            weights: place(ground, &relations, &pads, inputs.as_ref(), openings)?,
            relations,
            pads,
            first: ground.contractions.len(),
            inputs,
        })
    }

    /// That of a graph that shows the ranges of matrices and parameters from a number on. One proof is made of it.
    pub(crate) fn of_ranges(
        ground: &Groundwork,
        graph: &Graph,
        first: usize,
    ) -> Result<Self, KeyError> {
        let relations = Relations::new(graph, &[], Visibility::Public)?;
        let pads = pads(&relations);
        let fresh = [relations.variables(), pads.columns()].concat();
        let (weights, shape) = Weights::for_one_proof(&ground.sizes, &fresh, ground.profile)?;
        Ok(Self {
            relations,
            pads,
            weights: WeightVector {
                weights,
                shape,
                openings: 1,
            },
            first,
            inputs: None,
        })
    }

    /// The same where epochs serve at least so many proofs.
    pub(crate) fn serving(self, ground: &Groundwork, openings: u32) -> Result<Self, KeyError> {
        let inputs = self.inputs.as_ref();
        Ok(Self {
            weights: place(ground, &self.relations, &self.pads, inputs, openings)?,
            ..self
        })
    }

    /// That for private inputs, of epochs that serve so many proofs at most: as many as there are in a vector for
    /// few.
    pub(crate) fn of_private(ground: &Groundwork, most: u32) -> Result<Self, KeyError> {
        let least = most.min(Openings::LEAST_PROOFS);
        let mut made = Self::new(ground, Visibility::Private, least)?;
        made.weights.openings = made.served().min(most);
        Ok(made)
    }

    /// How many proofs an epoch can serve.
    pub(crate) fn served(&self) -> u32 {
        let served = self.shape().served(WEIGHTS).unwrap_or(0);
        served.min(hiding::MAX_OPENINGS) as u32
    }

    /// What lookups and reduction are made of.
    pub const fn relations(&self) -> &Relations {
        &self.relations
    }

    /// Where the pads lie, in the fresh vector behind the columns of the relations.
    pub const fn pads(&self) -> &Pads {
        &self.pads
    }

    /// The columns of a parameter of the graph, each with its point and weight, whose sum is the parameter at `point`;
    /// nothing where that is not a point of it. It may be a matrix of the key's.
    pub fn parameter(&self, parameter: usize, point: &[Extension]) -> Option<Vec<Term>> {
        let tensor = self.first.saturating_add(parameter);
        self.weights.weights().tensor(tensor, point)
    }

    /// The vector of weights as epochs have it.
    pub const fn weights(&self) -> &WeightVector {
        &self.weights
    }

    /// Where private inputs lie; nothing where inputs are public.
    pub const fn inputs(&self) -> Option<&InputVector> {
        self.inputs.as_ref()
    }

    /// The shape of an opening.
    pub const fn shape(&self) -> &Shape {
        self.weights.shape()
    }
}

/// The pads of what is sent and of the relation proof.
fn pads(relations: &Relations) -> Pads {
    let spares = relation::Shape::new(relations.products()).spares();
    Pads::new(relations.variables().len(), relations.sent() + spares)
}

/// The vector of weights beside what a proof commits to.
fn place(
    ground: &Groundwork,
    relations: &Relations,
    pads: &Pads,
    inputs: Option<&InputVector>,
    openings: u32,
) -> Result<WeightVector, KeyError> {
    let fresh = [relations.variables(), pads.columns()].concat();
    let inputs = inputs.map(InputVector::vector);
    let beside = (&fresh[..], inputs.as_ref());
    let (weights, shape) = Weights::for_proofs(&ground.sizes, openings, beside, ground.profile)?;
    Ok(WeightVector {
        weights,
        shape,
        openings,
    })
}

//! What the proof that a key's weights and parameters are in their ranges is made of.
//!
//! It is a proof of another graph, with the key's own vector of weights: what that graph has for parameters are
//! the key's matrices and then its parameters. The key is opened for it as for a link. Where there are too many
//! for one proof, each of several is of a part of them.

use crate::error::KeyError;
use crate::kinds::MAX_RANGE_PARTS;
use crate::proofs::{Groundwork, Proofs};
use crate::public::Public;
use claim_reduction::{range_graph, range_parts, ranged};
use graph::Graph;

/// A part of the matrices and parameters of a key, and what the proof of their ranges is made of.
pub struct RangePart {
    graph: Graph,
    proofs: Proofs,
}

impl RangePart {
    /// What the proof is about: nothing but the key.
    pub const PUBLIC: Public<'static> = Public {
        inputs: &[&[0]],
        outputs: &[&[0]],
        statement: [0; 32],
    };

    /// The parts of a key, of what it comes to.
    pub(crate) fn all(ground: &Groundwork) -> Result<Vec<Self>, KeyError> {
        let all = ranged(&ground.graph);
        let parts = range_parts(&all);
        if parts.len() > MAX_RANGE_PARTS {
            return Err(KeyError::Ranges {
                parts: parts.len(),
                most: MAX_RANGE_PARTS,
            });
        }
        let parts = parts.into_iter().map(|part| {
            let graph = range_graph(all.get(part.clone()).unwrap_or_default())?;
            let proofs = Proofs::of_ranges(ground, &graph, part.start)?;
            Ok(Self { graph, proofs })
        });
        parts.collect()
    }

    /// The graph.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What its proof is made of.
    pub const fn proofs(&self) -> &Proofs {
        &self.proofs
    }
}

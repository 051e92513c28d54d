//! What a proof carries, and its bytes.

use crate::shape::Argument;
use commitment::{Malformed, Reader, Writer};
use transcript::Extension;

/// A round's polynomial h as the proof carries it: h(1) - h(0) and the coefficient of X².
pub type Round = [Extension; 2];

/// One layer of both trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// As many as the layer has variables.
    pub rounds: Vec<Round>,
    /// Of each tree that has this layer, looked-up rows first: numerator and denominator of the
    /// child 0, then of the child 1. Leaves of rows have denominators only.
    pub children: Vec<Extension>,
}

/// A proof that all lookups are in their tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// From the roots to the leaves.
    pub layers: Vec<Layer>,
    /// Of each lookup: the key, and the value where its table has values, at the lookup's point.
    pub columns: Vec<Extension>,
    /// Of each table: the multiplicities at the table's point.
    pub multiplicities: Vec<Extension>,
}

impl Argument {
    /// Elements that name the children of a layer.
    pub(crate) fn children(&self, layer: usize) -> usize {
        let of_rows = match self.rows.height.cmp(&(layer + 1)) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => 2,
            std::cmp::Ordering::Greater => 4,
        };
        of_rows + if layer < self.entries.height { 4 } else { 0 }
    }

    /// Elements that a prover sends under pads, those included that it does not send otherwise: the inverses
    /// of the denominators of the children of both roots.
    pub fn sent(&self) -> usize {
        let layers = (0..self.layers()).map(|depth| 2 * depth + self.children(depth));
        layers.sum::<usize>() + 4 + self.column_values() + self.tables().len()
    }

    /// Products of two hidden values in the equations of a recorder: of the roots one with each inverse
    /// and the four of their sum; of each further layer of a tree two, but one where leaves of rows are
    /// reached, whose numerators are known.
    pub const fn products(&self) -> usize {
        2 * (self.rows.height + self.entries.height) + 3
    }

    /// Whether the proof has as many of everything as the shape says.
    pub(crate) fn fits(&self, proof: &Proof) -> bool {
        proof.layers.len() == self.layers()
            && proof.columns.len() == self.column_values()
            && proof.multiplicities.len() == self.tables().len()
            && proof.layers.iter().enumerate().all(|(depth, layer)| {
                layer.rounds.len() == depth && layer.children.len() == self.children(depth)
            })
    }
}

impl Proof {
    /// Appends the proof's bytes.
    pub fn encode(&self, out: &mut Writer) {
        for layer in &self.layers {
            out.field("lookups: rounds of a layer");
            out.extensions(layer.rounds.as_flattened());
            out.field("lookups: children of a layer");
            out.extensions(&layer.children);
        }
        out.field("lookups: values of the columns");
        out.extensions(&self.columns);
        out.field("lookups: values of the multiplicities");
        out.extensions(&self.multiplicities);
    }

    /// Reads a proof of `argument`, which says how many of everything there are.
    pub fn decode(argument: &Argument, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut layers = Vec::with_capacity(argument.layers());
        for depth in 0..argument.layers() {
            let rounds = reader.extensions(2 * depth)?;
            let rounds = rounds
                .chunks_exact(2)
                .map(|pair| [pair[0], pair[1]])
                .collect();
            let children = reader.extensions(argument.children(depth))?;
            layers.push(Layer { rounds, children });
        }
        Ok(Self {
            layers,
            columns: reader.extensions(argument.column_values())?,
            multiplicities: reader.extensions(argument.tables().len())?,
        })
    }
}

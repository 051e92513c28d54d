//! What the committed mode derives of a graph.

use crate::error::KeyError;
use crate::relations::Relations;
use claim_reduction::Visibility;
use commitment::columns::Columns;
use commitment::{Profile, Term};
use graph::Graph;
use layers::Contraction;
use std::ops::Deref;

/// The relations of a graph, and the scheme that its columns are committed and opened with.
pub struct Committed {
    relations: Relations,
    columns: Columns,
}

/// What is said of relations is said of them here too.
impl Deref for Committed {
    type Target = Relations;

    fn deref(&self) -> &Relations {
        &self.relations
    }
}

impl Committed {
    pub(crate) fn new(
        graph: &Graph,
        contractions: &[Contraction],
        profile: Profile,
    ) -> Result<Self, KeyError> {
        if !Profile::COMMITTED.contains(&profile) {
            return Err(KeyError::Version);
        }
        let relations = Relations::new(graph, contractions, Visibility::Public)?;
        let columns = Columns::new(relations.variables(), relations.claims(), profile)?;
        Ok(Self { relations, columns })
    }

    /// The scheme of the witness: columns of the plan, then the multiplicities of its tables.
    pub const fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The error terms of a proof but for those of the weights. What lies between the witness commitment
    /// and its opening counts as many times as the commitment may have candidates.
    pub(crate) fn security(&self) -> Vec<Term> {
        let outer = |term: Term| Term::new(term.name, term.bits - self.columns.candidate_bits());
        let mut terms: Vec<Term> = self.relations.security().into_iter().map(outer).collect();
        terms.extend(self.columns.security());
        terms
    }
}

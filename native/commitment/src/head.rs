//! The first folds of an opening, computed from int8 weights.
//!
//! The library's own layout reads base field tables once for each claim and copies them for each
//! opening. Here the weights stay bytes, shared by all openings. Before the first fold, which takes
//! k variables, a claim needs only the 2^k sums of its table over the other variables; the k rounds
//! run on these, and one pass folds the weights afterwards. What is sent is the same, byte for byte,
//! as a test holds against the library's layout.

use crate::first::{Claim, first_rounds, folded_weights, product};
use crate::linear::combine_rows;
use crate::stack::Stack;
use p3_challenger::{FieldChallenger, GrindingChallenger};
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use p3_multilinear_util::point::Point;
use p3_sumcheck::layout::{Layout, LayoutStrategy, PrefixProver, StackedClaims, Table, Witness};
use p3_sumcheck::strategy::SumcheckProver;
use p3_sumcheck::{OpeningEvals, OpeningRequest, SumcheckData, TableShape};
use std::sync::Arc;
use sumcheck::equality;
use transcript::{Base, Extension};

type Library = PrefixProver<Base, Extension>;

/// The prover's side of the stack during one opening.
#[derive(Clone)]
pub struct Head {
    stack: Arc<Stack>,
    /// The claim of each table that every opening makes anew.
    bindings: Arc<[Claim]>,
    claims: Vec<Vec<Claim>>,
    virtuals: Vec<Claim>,
}

impl Layout<Base, Extension> for Head {
    fn from_witness(witness: Witness<Base>) -> Self {
        let library = Library::from_witness(witness);
        let tables = (0..library.table_shapes().len())
            .map(|id| library.table(id).column(0).values().map(byte).collect())
            .collect();
        Self::new(Arc::new(Stack::new(tables, library.folding())))
    }

    fn new_witness(tables: Vec<Table<Base>>, folding: usize) -> Witness<Base> {
        Library::new_witness(tables, folding)
    }

    fn write_message(witness: &Witness<Base>, folding: usize, message: &mut [Base]) {
        Library::write_message(witness, folding, message);
    }

    fn claims(&self) -> &StackedClaims<Base, Extension> {
        // The library reads this only in the methods that are overridden below.
        unimplemented!("a head over bytes keeps its own claims")
    }

    fn num_claims(&self) -> usize {
        self.claims.iter().map(Vec::len).sum()
    }

    fn num_virtual_claims(&self) -> usize {
        self.virtuals.len()
    }

    fn strategy() -> LayoutStrategy {
        Library::strategy()
    }

    fn folding(&self) -> usize {
        self.stack.folding
    }

    fn num_variables(&self) -> usize {
        self.stack.variables
    }

    fn num_variables_table(&self, id: usize) -> usize {
        self.stack.tables[id].place.variables
    }

    fn table_shapes(&self) -> Vec<TableShape> {
        let tables = self.stack.tables.iter();
        tables
            .map(|table| TableShape::new(table.place.variables, 1))
            .collect()
    }

    fn table(&self, _id: usize) -> &Table<Base> {
        // The library hands this out to callers, of which this crate has none.
        unimplemented!("a head over bytes keeps no field elements")
    }

    fn record_opening(
        &mut self,
        table: usize,
        _batch: &OpeningRequest,
        point: &Point<Extension>,
    ) -> OpeningEvals<Extension> {
        let point = point.as_slice();
        let claim = match self.bindings.get(table) {
            Some(binding) if binding.point == point => binding.clone(),
            _ => self.stack.claim(table, point),
        };
        let value = claim.value;
        self.claims[table].push(claim);
        OpeningEvals::new(vec![value], Vec::new())
    }

    fn record_opening_known(
        &mut self,
        table: usize,
        batch: &OpeningRequest,
        point: &Point<Extension>,
        _evals: &OpeningEvals<Extension>,
    ) {
        // The sums are needed either way, and the value comes with them.
        self.record_opening(table, batch, point);
    }

    fn record_virtual(&mut self, point: &Point<Extension>) -> Extension {
        let claim = self.stack.claim_of_all(point.as_slice());
        let value = claim.value;
        self.virtuals.push(claim);
        value
    }

    fn into_sumcheck<Ch>(
        self,
        sumcheck_data: &mut SumcheckData<Base, Extension>,
        pow_bits: usize,
        challenger: &mut Ch,
    ) -> (SumcheckProver<Base, Extension>, Point<Extension>)
    where
        Ch: FieldChallenger<Base> + GrindingChallenger<Witness = Base>,
    {
        let folding = self.stack.folding;
        let batching = self.batching_challenge(challenger);
        let of_tables = self.stack.order.iter().flat_map(|&table| {
            let claims = self.claims[table].iter();
            claims.map(move |claim| (Some(table), claim))
        });
        let claims: Vec<(Option<usize>, &Claim)> = of_tables
            .chain(self.virtuals.iter().map(|claim| (None, claim)))
            .collect();
        let all: Vec<&Claim> = claims.iter().map(|&(_, claim)| claim).collect();
        let (sum, point, scales) =
            first_rounds(&all, folding, batching, sumcheck_data, pow_bits, challenger);

        let stack = &self.stack;
        let rows = equality(&point, 1 << folding);
        let mut values = vec![Extension::ZERO; 1 << (stack.variables - folding)];
        for table in &stack.tables {
            let width = 1 << (table.place.variables - folding);
            let folded = combine_rows(&rows, &table.values, width);
            let place = table.place;
            place.scatter(stack.variables, Extension::ONE, &folded, &mut values);
        }
        let claims = claims
            .into_iter()
            .zip(scales)
            .map(|((table, claim), scale)| {
                let place = table.map(|table| stack.tables[table].place);
                (place, claim, scale)
            });
        let weights = folded_weights(stack.variables, folding, claims);
        let product = product(values, weights);
        (SumcheckProver::new(product, sum), Point::new(point))
    }
}

impl Head {
    /// The head of an opening of a stack.
    pub fn new(stack: Arc<Stack>) -> Self {
        Self {
            claims: vec![Vec::new(); stack.tables.len()],
            virtuals: Vec::new(),
            bindings: Arc::default(),
            stack,
        }
    }

    /// Computes the first tables at points that every opening will ask for, and keeps the sums:
    /// an opening then reads no weight for them.
    pub fn bind(&mut self, points: &[Point<Extension>]) -> Vec<Extension> {
        let points = points.iter().enumerate();
        self.bindings = points
            .map(|(table, point)| self.stack.claim(table, point.as_slice()))
            .collect();
        self.bindings.iter().map(|binding| binding.value).collect()
    }
}

/// An int8 weight out of the field element that it was made.
fn byte(element: Base) -> i8 {
    let value = element.as_canonical_u32();
    if value > Base::ORDER_U32 / 2 {
        (Base::ORDER_U32 - value).wrapping_neg() as i8
    } else {
        value as i8
    }
}

#[cfg(test)]
mod tests;

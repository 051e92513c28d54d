//! The side of a reduction that counts what a proof will hold.

use crate::protocol_role::{Ended, Place, ProtocolRole, Rejected, Witness};
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// The side that counts.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    /// Values that a prover sends.
    pub values: usize,
    /// The error of all sumchecks, in units of one over the number of challenges.
    pub degrees: usize,
    /// Checks of a product.
    pub products: usize,
    /// All checks, those of products among them.
    pub checks: usize,
    drawn: u64,
}

impl Counter {
    /// What the error of a reduction is at most, in units of one over the number of challenges: the
    /// degrees of all sumchecks; for each tensor the coordinates of a point that was drawn and the
    /// powers of the challenge that merges claims, of which no tensor has more than there are
    /// claims in all.
    pub const fn errors(&self, tensors: usize, claims: usize) -> usize {
        self.degrees
            .saturating_add(tensors.saturating_mul(64))
            .saturating_add(tensors.saturating_mul(claims.saturating_add(tensors)))
    }
}

impl ProtocolRole for Counter {
    type Value = Extension;

    fn values(
        &mut self,
        count: usize,
        _make: impl FnOnce(&Witness<'_>) -> Vec<Extension>,
    ) -> Result<Vec<Extension>, Rejected> {
        self.values += count;
        Ok(vec![Extension::ZERO; count])
    }

    fn sumcheck(
        &mut self,
        variables: usize,
        degree: usize,
        _claim: Extension,
        _tables: impl FnOnce(&Witness<'_>) -> Vec<Vec<Extension>>,
    ) -> Result<Ended, Rejected> {
        self.values += variables * degree;
        self.degrees += variables * degree;
        let point = (0..variables).map(|_| self.challenge()).collect();
        Ok(Ended {
            point,
            ..Ended::default()
        })
    }

    // All different, and neither 0 nor 1: what depends on points being equal is as in a proof.
    fn challenge(&mut self) -> Extension {
        self.drawn += 1;
        Extension::from_u64(self.drawn + 1)
    }

    fn equal(
        &mut self,
        _place: Place,
        _values: impl FnOnce() -> Result<[Extension; 2], Rejected>,
    ) -> Result<(), Rejected> {
        self.checks += 1;
        Ok(())
    }

    fn product(
        &mut self,
        _place: Place,
        _values: impl FnOnce() -> [Extension; 3],
    ) -> Result<(), Rejected> {
        self.products += 1;
        self.checks += 1;
        Ok(())
    }
}

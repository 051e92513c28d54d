//! The one claim that equations and claims come to.
//!
//! ```text
//! equations      form = 0
//! columns        P(point) − form = 0           multiplicities are columns too
//! matrices       W(point) − form = 0
//! parameters     K(point) − form = 0           matrices of the key, where ranges are shown
//! inputs         X(point) − form = 0           where they are private
//! epoch          ρ + c·v − w = 0               what its link says of it
//! ```
//!
//! Added up with the powers of α, from α⁰ on and in this order, they are one linear form on the fresh
//! vector, in which the pads are cells, one on the vector of weights, one on that of private inputs, and a
//! known value.

use super::commitment::Commitment;
use crate::rejection::Rejection;
use crate::relations::Recorded;
use hiding::{Claim, LinearForm};
use key::PrivateKey;
use p3_field::PrimeCharacteristicRing;
use relation::{Form, Functional, Refused};
use transcript::Extension;

/// The claim for the challenge `alpha`, which MUST be drawn after all that is recorded and after the relation
/// proof. `epoch` is what is opened, `ends` are the forms that the latter leaves.
pub fn claim(
    key: &PrivateKey,
    epoch: &Commitment,
    recorded: &Recorded,
    ends: &[Form],
    alpha: Extension,
) -> Result<Claim, Rejection> {
    let proofs = super::proofs(key, epoch.kind())?;
    let pads = proofs.pads();
    let linear = recorded.equations.linear.iter();
    let equations = linear.map(|equation| &equation.form).chain(ends);
    let mut sum = Sum {
        functional: Functional::new(pads.count()),
        power: Extension::ONE,
        alpha,
    };
    for form in equations {
        sum.equation(form)?;
    }
    let [mut fresh, mut weights] = [LinearForm::new(), LinearForm::new()];
    for column in &recorded.columns {
        let scale = sum.claimed(&column.value)?;
        fresh.add_point(column.column, column.point.clone(), scale);
    }
    for matrix in &recorded.matrices {
        let scale = sum.claimed(&matrix.value)?;
        let terms = proofs
            .weights()
            .weights()
            .terms(matrix.matrix, &matrix.point);
        let terms =
            terms.ok_or_else(|| Rejection::WeightOpening("not a point of a matrix".to_owned()))?;
        for term in terms {
            weights.add_point(term.column, term.point, scale * term.weight);
        }
    }
    for parameter in &recorded.parameters {
        let scale = sum.claimed(&parameter.value)?;
        let terms = proofs.parameter(parameter.parameter, &parameter.point);
        let terms = terms
            .ok_or_else(|| Rejection::WeightOpening("a parameter has no column".to_owned()))?;
        for term in terms {
            weights.add_point(term.column, term.point, scale * term.weight);
        }
    }
    let mut given = LinearForm::new();
    for input in &recorded.inputs {
        let scale = sum.claimed(&input.value)?;
        let vector = proofs.inputs();
        let point = vector.and_then(|vector| vector.point(input.input, &input.point));
        let point =
            point.ok_or_else(|| Rejection::WeightOpening("an input has no column".to_owned()))?;
        given.add_point(input.input, point, scale);
    }
    if let Some((form, value)) = epoch.binding(key) {
        let scale = sum.claimed(&value.into())?;
        weights.add(&form, scale);
    }
    for (column, cells) in pads.weights(&sum.functional.coefficients) {
        fresh.add_cells(column, 0, cells);
    }
    let mut forms = vec![fresh, weights];
    forms.extend(proofs.inputs().map(|_| given));
    Ok(Claim {
        forms,
        value: sum.functional.known,
    })
}

/// A sum of equations in pads, with the powers of a challenge.
struct Sum {
    functional: Functional,
    power: Extension,
    alpha: Extension,
}

impl Sum {
    /// Adds form = 0.
    fn equation(&mut self, form: &Form) -> Result<(), Rejection> {
        self.add(self.power, form)
    }

    /// Adds (what is committed) − form = 0 but for its first part, whose weight is returned.
    fn claimed(&mut self, form: &Form) -> Result<Extension, Rejection> {
        let power = self.power;
        self.add(-power, form)?;
        Ok(power)
    }

    fn add(&mut self, weight: Extension, form: &Form) -> Result<(), Rejection> {
        let added = self.functional.add(weight, form);
        added.map_err(|_| Refused::Pads)?;
        self.power *= self.alpha;
        Ok(())
    }
}

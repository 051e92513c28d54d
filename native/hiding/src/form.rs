//! Linear forms on a committed vector.
//!
//! ```text
//! form(P) = Σ_terms scale · column~(point) + Σ_terms Σ_i weights[i] · column[first + i]
//! ```
//!
//! A verifier needs the form's weights as a multilinear polynomial at one point: closed for an equality
//! weight, one product for each cell of a range. What a prover needs is in `head`.

#[cfg(any(test, feature = "audit"))]
use crate::shape::Shape;
use crate::shape::VectorShape;
use commitment::Place;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{equality, equality_at};
use transcript::Extension;

/// What a term weighs.
#[derive(Clone, Debug)]
pub(crate) enum Weights {
    /// A column at a point.
    Column {
        column: usize,
        point: Vec<Extension>,
        scale: Extension,
    },
    /// Cells of a column that follow on each other.
    Cells {
        column: usize,
        first: usize,
        weights: Vec<Extension>,
    },
    /// The whole vector at a point.
    Whole {
        point: Vec<Extension>,
        scale: Extension,
    },
}

/// A sum of weights on one vector.
#[derive(Clone, Debug, Default)]
pub struct LinearForm {
    pub(crate) terms: Vec<Weights>,
}

/// A form that does not fit its vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("term {0} of a linear form does not fit its vector")]
pub struct Unfit(pub usize);

impl LinearForm {
    /// The form that is zero.
    pub const fn new() -> Self {
        Self { terms: Vec::new() }
    }

    /// Adds `scale` times a column at a point, one coordinate for each of its variables, most
    /// significant first.
    pub fn add_point(&mut self, column: usize, point: Vec<Extension>, scale: Extension) {
        self.terms.push(Weights::Column {
            column,
            point,
            scale,
        });
    }

    /// Adds cells of a column that follow on each other, each with its weight.
    pub fn add_cells(&mut self, column: usize, first: usize, weights: Vec<Extension>) {
        self.terms.push(Weights::Cells {
            column,
            first,
            weights,
        });
    }

    /// Adds `scale` times the whole vector at a point of [`Shape::variables`] coordinates, most significant
    /// first: with all that is in it, its uniform half included.
    pub fn add_whole(&mut self, point: Vec<Extension>, scale: Extension) {
        self.terms.push(Weights::Whole { point, scale });
    }

    /// Adds `scale` times another form.
    pub fn add(&mut self, other: &Self, scale: Extension) {
        let times = |term: &Weights| {
            let mut term = term.clone();
            match &mut term {
                Weights::Column { scale: own, .. } | Weights::Whole { scale: own, .. } => {
                    *own *= scale;
                }
                Weights::Cells { weights, .. } => weights.iter_mut().for_each(|own| *own *= scale),
            }
            term
        };
        self.terms.extend(other.terms.iter().map(times));
    }

    /// Checks that all of it is about the columns of a vector: `columns` of them, those that are the
    /// caller's.
    pub(crate) fn check(&self, vector: &VectorShape, columns: usize) -> Result<(), Unfit> {
        let fits = |term: &Weights| match term {
            Weights::Column { column, point, .. } => {
                *column < columns && vector.columns[*column].variables == point.len()
            }
            Weights::Cells {
                column,
                first,
                weights,
            } => {
                *column < columns
                    && first
                        .checked_add(weights.len())
                        .is_some_and(|end| end <= 1 << vector.columns[*column].variables)
            }
            Weights::Whole { point, .. } => point.len() == vector.variables,
        };
        let unfit = self.terms.iter().position(|term| !fits(term));
        unfit.map_or(Ok(()), |index| Err(Unfit(index)))
    }

    /// The weights' polynomial at a point of the vector.
    pub(crate) fn at(&self, vector: &VectorShape, point: &[Extension]) -> Extension {
        let in_column = |place: Place| {
            let (own, slot) = point.split_at(place.variables);
            (own, equality_at(slot, place.slot))
        };
        self.terms
            .iter()
            .map(|term| match term {
                Weights::Column {
                    column,
                    point: at,
                    scale,
                } => {
                    let (own, slot) = in_column(vector.columns[*column]);
                    *scale * slot * equal(at, own)
                }
                Weights::Cells {
                    column,
                    first,
                    weights,
                } => {
                    let (own, slot) = in_column(vector.columns[*column]);
                    slot * cells_at(own, *first, weights)
                }
                Weights::Whole { point: at, scale } => *scale * equal(at, point),
            })
            .sum()
    }

    /// Adds the weights to the table of the joint vector, one after another: what a prover does in fewer
    /// steps.
    #[cfg(any(test, feature = "audit"))]
    pub(crate) fn add_to(&self, shape: &Shape, vector: &VectorShape, table: &mut [Extension]) {
        let mut add = |place: Place, first: usize, weights: &[Extension], scale: Extension| {
            for (element, &weight) in (first..).zip(weights) {
                let cell = shape.joint_cell(vector, vector.cell(place, element));
                table[cell] += scale * weight;
            }
        };
        for term in &self.terms {
            match term {
                Weights::Column {
                    column,
                    point,
                    scale,
                } => {
                    let weights = equality(point, 1 << point.len());
                    add(vector.columns[*column], 0, &weights, *scale);
                }
                Weights::Cells {
                    column,
                    first,
                    weights,
                } => add(vector.columns[*column], *first, weights, Extension::ONE),
                Weights::Whole { point, scale } => {
                    let place = vector.whole();
                    let weights = equality(point, 1 << point.len());
                    add(place, 0, &weights, *scale);
                }
            }
        }
    }
}

/// eq of two points.
pub(crate) fn equal(a: &[Extension], b: &[Extension]) -> Extension {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| {
            let both = a * b;
            Extension::ONE - a - b + both.double()
        })
        .product()
}

/// Σ weights[i] · eq(point, first + i). The range is cut where its high bits change; within such a piece
/// these weigh as much for all, and the low bits have a table.
fn cells_at(point: &[Extension], first: usize, weights: &[Extension]) -> Extension {
    let low = (weights.len().next_power_of_two().ilog2() as usize).min(point.len());
    let (of_high, of_low) = point.split_at(point.len() - low);
    let table = equality(of_low, 1 << low);
    let (mut sum, mut at, mut left) = (Extension::ZERO, first, weights);
    while !left.is_empty() {
        let start = at & ((1 << low) - 1);
        let (piece, rest) = left.split_at(left.len().min((1 << low) - start));
        let products = piece.iter().zip(&table[start..]);
        let products: Extension = products.map(|(&weight, &eq)| weight * eq).sum();
        sum += equality_at(of_high, at >> low) * products;
        (at, left) = (at + piece.len(), rest);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{LinearForm, Unfit, cells_at};
    use crate::shape::{Shape, Vector};
    use commitment::Profile;
    use sumcheck::{dot, equality};
    use transcript::{Extension, Transcript};

    #[test]
    fn a_range_of_cells_weighs_as_its_cells_do() {
        let mut transcript = Transcript::new();
        for (variables, first, count) in [(5, 0, 32), (5, 31, 1), (6, 13, 40), (4, 3, 0), (0, 0, 1)]
        {
            let point = transcript.point(variables);
            let weights = transcript.point(count);
            let table = equality(&point, 1 << variables);
            let expected = dot(&weights, &table[first..]);
            assert_eq!(cells_at(&point, first, &weights), expected);
        }
    }

    #[test]
    fn at_a_point_a_form_is_what_its_table_is() {
        let others = [Vector {
            columns: vec![11, 9, 12],
            openings: 1,
            sampled: true,
        }];
        let shape = Shape::new(&[9, 12, 10, 9], &others, Profile::Default).unwrap();
        let mut transcript = Transcript::new();
        for (index, vector) in shape.vectors.iter().enumerate() {
            let mut form = LinearForm::new();
            let own = |column: usize| vector.columns[column].variables;
            form.add_point(2, transcript.point(own(2)), transcript.challenge());
            form.add_point(0, transcript.point(own(0)), transcript.challenge());
            form.add_cells(1, 300, transcript.point(77));
            form.add_whole(transcript.point(vector.variables), transcript.challenge());
            form.check(vector, 3).unwrap();
            let mut table = vec![Extension::default(); 1 << shape.joint()];
            form.add_to(&shape, vector, &mut table);
            let point = transcript.point(shape.joint());
            let expected = dot(&equality(&point, table.len()), &table);
            let (own, slot) = shape.part(vector, &point);
            assert_eq!(slot * form.at(vector, &own), expected, "vector {index}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let shape = Shape::new(&[9, 12], &[], Profile::Default).unwrap();
        let mut transcript = Transcript::new();
        let mut refuse = |add: &dyn Fn(&mut LinearForm, &mut Transcript)| {
            let mut form = LinearForm::new();
            add(&mut form, &mut transcript);
            assert_eq!(form.check(&shape.vectors[0], 2), Err(Unfit(0)));
        };
        let one = |transcript: &mut Transcript| transcript.challenge();
        refuse(&|form, t| form.add_point(0, t.point(8), one(t)));
        refuse(&|form, t| form.add_point(2, t.point(9), one(t)));
        refuse(&|form, t| form.add_cells(0, 510, t.point(3)));
        refuse(&|form, t| form.add_cells(0, usize::MAX, t.point(3)));
        refuse(&|form, t| form.add_cells(7, 0, t.point(3)));
    }
}

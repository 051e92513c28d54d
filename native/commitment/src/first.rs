//! The first folds of an opening, whatever the stacked tables are made of.
//!
//! Before the first fold, which takes k variables, a claim needs only the 2^k sums of its table over
//! the other variables; the k rounds run on these, and one pass folds the tables afterwards.

use crate::linear::equality;
use p3_challenger::{FieldChallenger, GrindingChallenger};
use p3_field::{Field, PackedValue, PrimeCharacteristicRing};
use p3_multilinear_util::poly::Poly;
use p3_sumcheck::SumcheckData;
use p3_sumcheck::product_polynomial::ProductPolynomial;
use p3_sumcheck::strategy::{Basis, VariableOrder};
use p3_sumcheck::transcript::{ProverTranscript, SumcheckShape};
use transcript::{Base, Extension};

/// Where a table lies in the stack: its element i is at the index whose first bits are i and whose
/// last bits are the slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) variables: usize,
    pub(crate) slot: usize,
}

impl Place {
    /// Adds `scale` · `values`, which are those of a folded table, where they lie in the folded stack
    /// of a stack of `whole` variables.
    pub(crate) fn scatter(
        self,
        whole: usize,
        scale: Extension,
        values: &[Extension],
        out: &mut [Extension],
    ) {
        let stride = 1 << (whole - self.variables);
        for (out, &value) in out[self.slot..].iter_mut().step_by(stride).zip(values) {
            *out += scale * value;
        }
    }
}

/// A claim about a table, or about the stack.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) point: Vec<Extension>,
    pub(crate) value: Extension,
    /// For each value of the variables of the first fold, the sum over the others.
    pub(crate) sums: Vec<Extension>,
}

impl Claim {
    /// The claim at a point, whose first coordinates belong to the sums.
    pub(crate) fn new(point: &[Extension], sums: Vec<Extension>) -> Self {
        let folding = sums.len().ilog2() as usize;
        Self {
            point: point.to_vec(),
            value: dot(&equality(&point[..folding], sums.len()), &sums),
            sums,
        }
    }

    /// The claim about a whole stack. `combine` sums table `index` with weights over its variables
    /// beyond the first fold; tables of one size that follow on each other share them.
    pub(crate) fn of_stack(
        point: &[Extension],
        folding: usize,
        places: impl Iterator<Item = (usize, Place)>,
        combine: impl Fn(usize, &[Extension]) -> Vec<Extension>,
    ) -> Self {
        let mut sums = vec![Extension::ZERO; 1 << folding];
        let mut weights: Vec<Extension> = Vec::new();
        for (index, place) in places {
            let (local, selector) = point.split_at(place.variables);
            let low = &local[folding..];
            if weights.len() != 1 << low.len() {
                weights = equality(low, 1 << low.len());
            }
            let scale = equality_at(selector, place.slot);
            for (sum, value) in sums.iter_mut().zip(combine(index, &weights)) {
                *sum += scale * value;
            }
        }
        Self::new(point, sums)
    }
}

fn dot(a: &[Extension], b: &[Extension]) -> Extension {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

/// eq of a point and the bits of an index.
fn equality_at(point: &[Extension], index: usize) -> Extension {
    point
        .iter()
        .rev()
        .enumerate()
        .map(|(bit, &x)| {
            if (index >> bit) & 1 == 1 {
                x
            } else {
                Extension::ONE - x
            }
        })
        .product()
}

/// What is left to be summed after the first fold, as the library takes it over.
pub(crate) fn product(
    values: Vec<Extension>,
    weights: Vec<Extension>,
) -> ProductPolynomial<Base, Extension> {
    let packs = values.len() >= <Base as Field>::Packing::WIDTH;
    let (values, weights) = (Poly::new(values), Poly::new(weights));
    if packs {
        let pack = |poly: Poly<Extension>| poly.pack::<Base, Extension>();
        ProductPolynomial::new_packed(VariableOrder::Prefix, pack(values), pack(weights))
    } else {
        ProductPolynomial::new_unpacked(VariableOrder::Prefix, values, weights)
    }
}

/// The rounds of the first fold over all claims with powers of `batching`: the claim that is left,
/// the point, and by how much each claim counts after it.
pub(crate) fn first_rounds<Ch>(
    claims: &[&Claim],
    folding: usize,
    batching: Extension,
    sumcheck_data: &mut SumcheckData<Base, Extension>,
    pow_bits: usize,
    challenger: &mut Ch,
) -> (Extension, Vec<Extension>, Vec<Extension>)
where
    Ch: FieldChallenger<Base> + GrindingChallenger<Witness = Base>,
{
    let powers: Vec<Extension> =
        std::iter::successors(Some(Extension::ONE), |&power| Some(power * batching))
            .take(claims.len())
            .collect();
    let mut sum = Extension::ZERO;
    // Claims with the same first coordinates share their weights.
    let mut firsts: Vec<&[Extension]> = Vec::new();
    let mut products: Vec<(Vec<Extension>, Vec<Extension>)> = Vec::new();
    let mut product_of = Vec::with_capacity(claims.len());
    for (&claim, &power) in claims.iter().zip(&powers) {
        sum += power * claim.value;
        let first = &claim.point[..folding];
        let known = firsts.iter().position(|&other| other == first);
        let index = known.unwrap_or_else(|| {
            firsts.push(first);
            let nothing = vec![Extension::ZERO; 1 << folding];
            products.push((nothing, equality(first, 1 << folding)));
            products.len() - 1
        });
        for (total, &value) in products[index].0.iter_mut().zip(&claim.sums) {
            *total += power * value;
        }
        product_of.push(index);
    }

    let shape = SumcheckShape::new(folding, pow_bits, Basis::Evaluation);
    let mut transcript = ProverTranscript::<Ch, Base, Extension>::new(challenger, shape);
    let mut point = Vec::with_capacity(folding);
    for _ in 0..folding {
        let [constant, leading] = round(&products);
        let x = sumcheck_data.observe_and_sample(&mut transcript, constant, leading);
        sum = constant + x * (sum - constant.double() - leading + x * leading);
        for (sums, weights) in &mut products {
            fold(sums, x);
            fold(weights, x);
        }
        point.push(x);
    }
    transcript.finish();
    let scales = product_of
        .into_iter()
        .zip(powers)
        .map(|(index, power)| products[index].1[0] * power)
        .collect();
    (sum, point, scales)
}

/// The weights of all claims over a stack of `whole` variables after its first fold. A claim
/// without a place is about the whole stack.
pub(crate) fn folded_weights<'a>(
    whole: usize,
    folding: usize,
    claims: impl Iterator<Item = (Option<Place>, &'a Claim, Extension)>,
) -> Vec<Extension> {
    let mut weights = vec![Extension::ZERO; 1 << (whole - folding)];
    for (place, claim, scale) in claims {
        let place = place.unwrap_or(Place {
            variables: whole,
            slot: 0,
        });
        let low = &claim.point[folding..place.variables];
        place.scatter(whole, scale, &equality(low, 1 << low.len()), &mut weights);
    }
    weights
}

fn round(products: &[(Vec<Extension>, Vec<Extension>)]) -> [Extension; 2] {
    let mut round = [Extension::ZERO; 2];
    for (sums, weights) in products {
        let half = sums.len() / 2;
        let (f0, f1) = sums.split_at(half);
        let (t0, t1) = weights.split_at(half);
        for ((&f0, &f1), (&t0, &t1)) in f0.iter().zip(f1).zip(t0.iter().zip(t1)) {
            round[0] += f0 * t0;
            round[1] += (f1 - f0) * (t1 - t0);
        }
    }
    round
}

fn fold(table: &mut Vec<Extension>, x: Extension) {
    let half = table.len() / 2;
    let (low, high) = table.split_at_mut(half);
    for (low, &high) in low.iter_mut().zip(high.iter()) {
        *low += x * (high - *low);
    }
    table.truncate(half);
}

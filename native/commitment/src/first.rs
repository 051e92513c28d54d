//! The first folds of an opening, whatever the stacked tables are made of.
//!
//! Before the first fold, which takes k variables, a claim needs only the 2^k sums of its table over
//! the other variables; the k rounds run on these, and one pass folds the tables afterwards.

use crate::place::Place;
use p3_challenger::{FieldChallenger, GrindingChallenger};
use p3_field::{Field, PackedValue, PrimeCharacteristicRing};
use p3_multilinear_util::poly::Poly;
use p3_sumcheck::SumcheckData;
use p3_sumcheck::product_polynomial::ProductPolynomial;
use p3_sumcheck::strategy::{Basis, VariableOrder};
use p3_sumcheck::transcript::{ProverTranscript, SumcheckShape};
use sumcheck::{Batch, Simd, Statement, dot, equality, equality_at, powers};
use transcript::{Base, Extension};

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
    let powers = powers(batching, claims.len());
    let mut sum = Extension::ZERO;
    // Claims with the same first coordinates share their weights.
    let mut firsts: Vec<&[Extension]> = Vec::new();
    let mut products: Vec<Vec<Vec<Extension>>> = Vec::new();
    let mut product_of = Vec::with_capacity(claims.len());
    for (&claim, &power) in claims.iter().zip(&powers) {
        sum += power * claim.value;
        let first = &claim.point[..folding];
        let known = firsts.iter().position(|&other| other == first);
        let index = known.unwrap_or_else(|| {
            firsts.push(first);
            let nothing = vec![Extension::ZERO; 1 << folding];
            products.push(vec![nothing, equality(first, 1 << folding)]);
            products.len() - 1
        });
        for (total, &value) in products[index][0].iter_mut().zip(&claim.sums) {
            *total += power * value;
        }
        product_of.push(index);
    }

    let shape = SumcheckShape::new(folding, pow_bits, Basis::Evaluation);
    let mut transcript = ProverTranscript::<Ch, Base, Extension>::new(challenger, shape);
    let mut products = Batch::<Simd>::new(products);
    let ended = Statement::sum(folding, sum).prove(&mut products, |round| {
        sumcheck_data.observe_and_sample(&mut transcript, round[0], round[1])
    });
    transcript.finish();
    let values = products.values();
    let scales = product_of
        .into_iter()
        .zip(powers)
        .map(|(index, power)| values[index][1] * power)
        .collect();
    (ended.left, ended.point, scales)
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

//! Results that are clamped by what is within and what is beyond each bound: all that a prover can store of
//! one, tried out.

use crate::common::Case;
use crate::common::graphs::Builder;
use claim_reduction::{
    Constraint, Ended, Form, Limb, Place, ProtocolRole, Prover, Rejected, Verifier, Witness, reduce,
};
use p3_field::PrimeCharacteristicRing;
use std::collections::BTreeSet;
use transcript::{Base, Extension, Transcript};

/// Operands, which are quotients, from well below the bounds to well above.
const MOST: i64 = 5;
/// Of so many quotients there is no table.
const FAR: i64 = 1 << 17;

/// One number, clamped.
fn case(bounds: (i64, i64), x: i64) -> Case {
    let mut b = Builder::new(1);
    let input = b.input(&[1], -FAR as i32, FAR as i32);
    let y = b.rescale(input, &[1], 0, 0, bounds.0, bounds.1);
    Case::of(b.finish(&[y]), vec![vec![x as i32]])
}

/// A verifier that lets a product pass unchecked, by its number.
struct Lenient<'a> {
    own: Verifier<'a>,
    skipped: Option<usize>,
    products: usize,
}

impl ProtocolRole for Lenient<'_> {
    type Value = Extension;

    fn values(
        &mut self,
        count: usize,
        make: impl FnOnce(&Witness<'_>) -> Vec<Extension>,
    ) -> Result<Vec<Extension>, Rejected> {
        self.own.values(count, make)
    }

    fn sumcheck(
        &mut self,
        variables: usize,
        degree: usize,
        claim: Extension,
        tables: impl FnOnce(&Witness<'_>) -> Vec<Vec<Extension>>,
    ) -> Result<Ended, Rejected> {
        self.own.sumcheck(variables, degree, claim, tables)
    }

    fn challenge(&mut self) -> Extension {
        self.own.challenge()
    }

    fn equal(
        &mut self,
        place: Place,
        values: impl FnOnce() -> Result<[Extension; 2], Rejected>,
    ) -> Result<(), Rejected> {
        self.own.equal(place, values)
    }

    fn product(
        &mut self,
        place: Place,
        values: impl FnOnce() -> [Extension; 3],
    ) -> Result<(), Rejected> {
        self.products += 1;
        if self.skipped == Some(self.products - 1) {
            return Ok(());
        }
        self.own.product(place, values)
    }
}

/// What a reduction is that leaves out the product of this number, and which outputs it shows.
fn accepts(case: &Case, skipped: Option<usize>) -> bool {
    let inputs: Vec<&[i32]> = case.inputs.iter().map(Vec::as_slice).collect();
    let outputs = case.outputs();
    let outputs: Vec<&[i32]> = outputs.iter().map(Vec::as_slice).collect();
    let lookup_claims = case.lookup_claims();
    let problem = case.problem(&inputs, &outputs, &lookup_claims);
    let mut transcript = Transcript::new();
    let mut prover = Prover::new(case.witness(), &mut transcript);
    reduce(&mut prover, &problem).unwrap();
    let sent = prover.finish();
    let mut transcript = Transcript::new();
    let mut verifier = Lenient {
        own: Verifier::new(&sent, &mut transcript),
        skipped,
        products: 0,
    };
    reduce(&mut verifier, &problem)
        .is_ok_and(|opened| verifier.own.finish().is_ok() && case.open(&opened).is_ok())
}

/// Writes a number into the limbs of the only element.
fn store(case: &mut Case, limbs: &[Limb], number: i64) {
    for limb in limbs {
        let part = number >> limb.shift & ((1 << limb.bits) - 1);
        case.columns.committed[limb.column][0] = Base::from_i64(part);
    }
}

/// The results that are shown of x, whatever is stored of it in the ranges of its limbs.
fn shown(bounds: (i64, i64), x: i64, skipped: Option<usize>) -> BTreeSet<i64> {
    let mut case = case(bounds, x);
    let Some(Constraint::Rescale(own)) = case.plan.constraints[0].clone() else {
        panic!("not a rescaling");
    };
    let Form::Saturated {
        column,
        lower,
        upper,
        held: None,
    } = own.form
    else {
        panic!("not saturated: {:?}", own.form);
    };
    let numbers = |limbs: &[Limb]| if limbs.is_empty() { 0..1 } else { 0..9 };
    let mut found = BTreeSet::new();
    for y in -MOST - 1..=MOST + 1 {
        case.claimed = Some(vec![vec![y as i32]]);
        case.columns.committed[column][0] = Base::from_i64(y);
        for from_lower in numbers(&lower) {
            store(&mut case, &lower, from_lower);
            for from_upper in numbers(&upper) {
                store(&mut case, &upper, from_upper);
                assert_eq!(case.looked_up(), Ok(()));
                if accepts(&case, skipped) {
                    found.insert(y);
                }
            }
        }
    }
    found
}

#[test]
fn one_result_is_shown_and_without_a_product_others_are() {
    // The product of the lower bound comes first. A number without both is the quotient itself.
    for (bounds, products) in [((-2, 3), 2), ((-2, FAR), 1), ((-FAR, 3), 1), ((2, 2), 2)] {
        let clamped = |x: i64| BTreeSet::from([x.clamp(bounds.0, bounds.1)]);
        let mut more = vec![0; products];
        for x in [-MOST, -3, 0, 4] {
            assert_eq!(shown(bounds, x, None), clamped(x), "{bounds:?} {x}");
            for (number, more) in more.iter_mut().enumerate() {
                let found = shown(bounds, x, Some(number));
                assert!(found.is_superset(&clamped(x)), "{bounds:?} {x}");
                *more += found.len() - 1;
            }
        }
        assert!(
            more.iter().all(|&results| results > 0),
            "{bounds:?} {more:?}"
        );
    }
}

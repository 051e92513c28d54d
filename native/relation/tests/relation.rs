//! Relation proofs of honest pads, and of those that violate something.

use p3_field::PrimeCharacteristicRing;
use relation::{About, Equations, Form, Functional, Proof, Refused, Shape, prove, verify};
use transcript::{Extension, Site, Transcript};

/// The numbers of a proof over equations of all kinds.
const SUMS: [usize; 6] = [1, 3, 2, 1, 1, 4];

struct Case {
    equations: Equations,
    pads: Vec<Extension>,
    spare: u32,
}

/// Sums of so many products each, of values that are linear in what was sent, and linear equations. To
/// the sum of number `wrong` one is added, or to the linear equation behind the sums.
fn case(sums: &[usize], wrong: Option<usize>) -> Case {
    let mut random = Transcript::new();
    let sent = 2 * sums.iter().sum::<usize>() + sums.len();
    let shape = Shape::new(sums.iter().sum());
    let pads = random.point(sent + shape.spares());
    let (mut values, mut products) = (Vec::new(), Vec::new());
    for &count in sums {
        let factors = random.point(2 * count);
        let (pairs, _) = factors.as_chunks::<2>();
        let sum: Extension = pairs.iter().map(|&[a, b]| (a + Extension::ONE) * b).sum();
        let first = values.len() as u32;
        values.extend(factors);
        values.push(sum);
        products.push(first);
    }
    let off = |number: usize| Extension::from_bool(wrong == Some(number));
    let form = |index: u32| {
        let at = index as usize;
        Form::hidden(values[at] + pads[at], index)
    };
    let mut equations = Equations::default();
    for (number, (&first, &count)) in products.iter().zip(sums).enumerate() {
        let pairs = (first..).step_by(2).take(count);
        let pairs = pairs.map(|at| (form(at) + Extension::ONE, form(at + 1)));
        let sum = form(first + 2 * count as u32) + off(number);
        let about = About("sum", number);
        equations.products(about, pairs.collect(), sum).unwrap();
    }
    for (number, &value) in values.iter().enumerate().take(2) {
        let index = number as u32;
        let value = value + off(sums.len() + number);
        let about = About("linear", number);
        equations.equal(about, form(index), value.into()).unwrap();
    }
    Case {
        equations,
        pads,
        spare: sent as u32,
    }
}

/// All equations without products, batched by a challenge that is drawn at the end.
fn functional(case: &Case, forms: &[Form], transcript: &mut Transcript) -> Functional {
    let linear = case.equations.linear.iter().map(|equation| &equation.form);
    let alpha = transcript.challenge();
    Functional::batch(case.pads.len(), alpha, linear.chain(forms)).unwrap()
}

fn proven(case: &Case) -> (Proof, Functional) {
    let mut transcript = Transcript::new();
    let proven = prove(&case.equations, &case.pads, case.spare, &mut transcript);
    let (proof, forms) = proven.unwrap();
    let functional = functional(case, &forms, &mut transcript);
    (proof, functional)
}

/// What a verifier makes of a proof: whether the functional that is left holds.
fn accepted(case: &Case, proof: &Proof) -> Result<(bool, Functional), Refused> {
    let mut transcript = Transcript::new();
    let forms = verify(&case.equations, case.spare, proof, &mut transcript)?;
    let functional = functional(case, &forms, &mut transcript);
    Ok((functional.holds(&case.pads), functional))
}

#[test]
fn honest_pads_are_accepted_and_both_sides_have_one_functional() {
    for sums in [&SUMS[..], &[], &[1], &[2], &[3], &[1, 1, 1], &[20, 1, 30]] {
        if sums.iter().sum::<usize>() == 0 {
            // Without products there is the dummy alone.
            let pads = Transcript::new().point(2);
            let (equations, spare) = (Equations::default(), 0);
            let case = Case {
                equations,
                pads,
                spare,
            };
            let (proof, expected) = proven(&case);
            assert_eq!(accepted(&case, &proof), Ok((true, expected)));
            continue;
        }
        let case = case(sums, None);
        assert_eq!(case.equations.violated(&case.pads), []);
        let (proof, expected) = proven(&case);
        assert_eq!(accepted(&case, &proof), Ok((true, expected)));
    }
}

#[test]
fn a_batch_is_the_sum_of_all_equations_by_rising_powers() {
    let case = case(&SUMS, None);
    assert!(!case.equations.is_empty());
    let linear = case.equations.linear.iter().map(|equation| &equation.form);
    let sums = case.equations.quadratic.iter();
    let forms: Vec<&Form> = linear.chain(sums.map(|equation| &equation.sum)).collect();
    let alpha = Transcript::new().challenge();
    let mut expected = Functional::new(case.pads.len());
    for (form, power) in forms.iter().zip(alpha.powers()) {
        expected.add(power, form).unwrap();
    }
    let batch = Functional::batch(case.pads.len(), alpha, forms).unwrap();
    assert_eq!(batch, expected);
}

#[test]
fn every_violated_equation_is_found() {
    for wrong in 0..SUMS.len() + 2 {
        let mut case = case(&SUMS, Some(wrong));
        assert_eq!(case.equations.violated(&case.pads).len(), 1);
        let (proof, _) = proven(&case);
        assert!(!accepted(&case, &proof).unwrap().0, "equation {wrong}");
        // A liar whose equation is not recorded gets through.
        if let Some(linear) = wrong.checked_sub(SUMS.len()) {
            case.equations.linear.remove(linear);
        } else {
            case.equations.quadratic.remove(wrong);
        }
        let (proof, _) = proven(&case);
        assert!(accepted(&case, &proof).unwrap().0, "equation {wrong}");
    }
}

#[test]
fn every_message_and_every_pad_counts() {
    let case = case(&SUMS, None);
    let (proof, _) = proven(&case);
    let mut altered = Vec::new();
    let mut alter = |change: &dyn Fn(&mut Proof)| {
        let mut proof = proof.clone();
        change(&mut proof);
        altered.push(proof);
    };
    alter(&|proof| proof.masks += Extension::ONE);
    for round in 0..proof.rounds.len() {
        for at in 0..3 {
            alter(&|proof| proof.rounds[round][at] += Extension::ONE);
        }
    }
    for factor in 0..2 {
        alter(&|proof| proof.factors[factor] += Extension::ONE);
    }
    assert_eq!(altered.len(), 3 + 3 * 4);
    for proof in altered {
        assert!(!accepted(&case, &proof).unwrap().0);
    }
    let mut short = proof.clone();
    short.rounds.pop();
    assert_eq!(accepted(&case, &short).unwrap_err(), Refused::Rounds);
    let mut long = proof.clone();
    long.rounds.push([Extension::ZERO; 3]);
    assert_eq!(accepted(&case, &long).unwrap_err(), Refused::Rounds);

    // The proof is of these pads alone: each that anything depends on is in the functional.
    let (_, functional) = accepted(&case, &proof).unwrap();
    for index in 0..case.pads.len() {
        let mut pads = case.pads.clone();
        pads[index] += Extension::ONE;
        assert!(!functional.holds(&pads), "pad {index}");
    }
    let mut transcript = Transcript::new();
    let few = &case.pads[..case.pads.len() - 1];
    let refused = prove(&case.equations, few, case.spare, &mut transcript);
    assert_eq!(refused.unwrap_err(), Refused::Pads);
    // Its messages are sent as they are.
    transcript.pad(&case.pads);
    let refused = prove(&case.equations, &case.pads, case.spare, &mut transcript);
    assert_eq!(refused.unwrap_err(), Refused::Padded);
}

#[test]
fn each_message_is_absorbed_before_what_is_drawn_after_it() {
    let case = case(&SUMS, None);
    let mut transcript = Transcript::new();
    let (proof, _) = prove(&case.equations, &case.pads, case.spare, &mut transcript).unwrap();
    let sites: Vec<Site> = transcript.log().iter().map(|&(site, _)| site).collect();
    let rounds = [Site::RelationRound; 4];
    let expected = [
        &[Site::RelationMasks],
        &rounds[..],
        &[Site::RelationFactors],
    ];
    assert_eq!(sites, expected.concat());
    // What is drawn at the end follows each of them; not so where its site is left out.
    let end = |mut transcript: Transcript, proof: &Proof| {
        verify(&case.equations, case.spare, proof, &mut transcript).unwrap();
        transcript.challenge()
    };
    for site in Site::RELATION {
        let mut altered = proof.clone();
        match site {
            Site::RelationMasks => altered.masks += Extension::ONE,
            Site::RelationRound => altered.rounds[3][2] += Extension::ONE,
            _ => altered.factors[1] += Extension::ONE,
        }
        let [one, other] = [&proof, &altered].map(|proof| end(Transcript::new(), proof));
        assert_ne!(one, other);
        let [one, other] = [&proof, &altered].map(|proof| end(Transcript::without(site), proof));
        assert_eq!(one, other);
    }
}

#[test]
fn spares_and_error_terms_follow_from_the_products() {
    for (products, variables) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (76, 7), (260, 9)] {
        let shape = Shape::new(products);
        assert_eq!(shape.variables, variables);
        assert_eq!(shape.spares(), 2 + 4 * variables);
        let terms = shape.security();
        assert!(terms.iter().all(|term| term.bits > 148.0), "{terms:?}");
    }
}

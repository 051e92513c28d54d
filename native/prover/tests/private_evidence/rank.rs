//! What whole proofs show, as linear algebra.
//!
//! With challenges frozen a proof is affine in its masks, once the two factors at which the relation proof ends
//! are held: for each witness the dummy is what makes them the same, and given the witness it is as uniform as
//! they are. So
//!
//! ```text
//! proof(witness, masks) = proof(witness, 0) + A · masks
//! ```
//!
//! with one matrix A for all witnesses, whatever a proof's messages are as functions of a witness. Proofs of two
//! witnesses have one distribution if and only if their difference without masks is in the image of A. Columns of
//! A are found by making proofs with one mask 1, for each in turn. Other weights with the same outputs give true
//! witnesses, and any change of a cell a false one, whose claim is another: of all false witnesses together the
//! proof shows the five coefficients of the claim, and nothing else.
//!
//! Queries are few, so that matrices are small; everything else is as it is in all proofs.

use crate::positions::words;
use crate::report::report;
use crate::sample::{Layout, Made, Masks, Model, Oracle, drawn, small, stream};
use crate::statistics::Kind;
use commitment::Profile;
use hiding::{Space, with_queries};
use p3_field::{BasedVectorSpace, Field, PrimeCharacteristicRing};
use prover::relations::Witness;
use serde_json::json;
use std::collections::BTreeMap;
use transcript::{Base, DEGREE, Extension};

const PROGRAM: u64 = 5;
/// More leaves than what is left of block and pads could hide.
const QUERIES: usize = 16;
/// Other weights that are tried.
const OTHERS: usize = 12;
/// Every cell of this number is changed.
const STEP: usize = 23;
const THREADS: usize = 2;

type View = Vec<Base>;

/// Whether a mask is looked at. Fewer masks can hide less, and not more.
fn looked_at(name: &str, place: usize) -> bool {
    match name {
        "dummy" => false,
        "half" => place.is_multiple_of(3),
        "block" => place.is_multiple_of(4),
        _ => true,
    }
}

/// A change of a witness.
type Change = Box<dyn Fn(&mut Witness) + Send + Sync>;

fn nothing() -> Change {
    Box::new(|_| ())
}

struct Case {
    model: Model,
    layout: Layout,
    /// The dummy's weight, at the point where the relation proof ends.
    weight: Extension,
    /// The factors that all proofs are to have.
    factors: [Extension; 2],
}

impl Case {
    fn new(profile: Profile) -> Self {
        let (weights, _) = drawn(&small(), 1);
        let (_, inputs) = drawn(&small(), 2);
        let model = Model {
            graph: small(),
            weights,
            inputs,
            profile,
        };
        let layout = with_queries(QUERIES, || Layout::of(&model.bare()));
        let mut case = Self {
            model,
            layout,
            weight: Extension::ZERO,
            factors: [Extension::ZERO; 2],
        };
        let factors = |dummy: [Extension; 2]| {
            let mut masks = case.layout.nothing();
            case.set_dummy(&mut masks, dummy);
            made(&case.model, &masks, &nothing()).proof.relation.factors
        };
        let one = factors([Extension::ONE; 2]);
        case.factors = factors([Extension::ZERO; 2]);
        case.weight = one[0] - case.factors[0];
        assert_eq!(one[1] - case.factors[1], case.weight);
        assert_ne!(case.weight, Extension::ZERO);
        case
    }

    fn set_dummy(&self, masks: &mut Masks, dummy: [Extension; 2]) {
        let places = self.layout.places("dummy");
        let limbs = dummy.iter().flat_map(|element| {
            let limbs: &[Base] = element.as_basis_coefficients_slice();
            limbs.to_vec()
        });
        for (place, limb) in places.zip(limbs) {
            masks.fresh[place] = limb;
        }
    }

    /// All field elements of it. Where the dummy is to be there, it makes the factors what they are to be.
    fn view(&self, model: &Model, masks: &Masks, change: &Change, dummy: bool) -> View {
        let mut masks = masks.clone();
        let mut one = made(model, &masks, change);
        let found = one.proof.relation.factors;
        if dummy && found != self.factors {
            let inverse = self.weight.inverse();
            let own = [0, 1].map(|at| (self.factors[at] - found[at]) * inverse);
            self.set_dummy(&mut masks, own);
            one = made(model, &masks, change);
            assert_eq!(one.proof.relation.factors, self.factors);
        }
        let (positions, words) = words(&one);
        let all = positions.kinds.iter().zip(words);
        let elements = all.filter(|(kind, _)| **kind == Kind::Uniform);
        elements.map(|(_, word)| Base::from_u32(word)).collect()
    }

    fn base(&self) -> View {
        self.view(&self.model, &self.layout.nothing(), &nothing(), true)
    }

    /// The columns of A, with the kind of mask of each.
    fn masks(&self) -> Vec<(&'static str, View)> {
        let mut units: Vec<(&'static str, bool, usize)> = Vec::new();
        for &(name, _) in &self.layout.fresh {
            let places = self.layout.places(name);
            let places = places.filter(|&place| looked_at(name, place));
            units.extend(places.map(|place| (name, true, place)));
        }
        let half = (0..self.layout.half).filter(|&place| looked_at("half", place));
        units.extend(half.map(|place| ("half", false, place)));
        let base = self.base();
        in_threads(&units, |&(name, fresh, place)| {
            let mut masks = self.layout.nothing();
            let cells = if fresh {
                &mut masks.fresh
            } else {
                &mut masks.half
            };
            cells[place] = Base::ONE;
            let view = self.view(&self.model, &masks, &nothing(), true);
            (name, difference(&view, &base))
        })
    }

    /// Other weights with the same outputs, with whatever witness they have.
    fn others(&self) -> Vec<Model> {
        let outputs = self.model.outputs();
        let others = (100..).map(|seed| Model {
            weights: drawn(&small(), seed).0,
            ..self.model.clone()
        });
        let same = others.filter(|other| other.outputs() == outputs);
        same.take(OTHERS).collect()
    }

    /// What true witnesses differ by.
    fn witnesses(&self, dummy: bool) -> Vec<View> {
        let base = self.view(&self.model, &self.layout.nothing(), &nothing(), dummy);
        in_threads(&self.others(), |other| {
            let view = self.view(other, &self.layout.nothing(), &nothing(), dummy);
            difference(&view, &base)
        })
    }

    /// What false ones differ by: cells of columns and of multiplicities, and weights that the witness is not of.
    fn lies(&self) -> Vec<View> {
        let witness = self.model.witness();
        let mut changes: Vec<Change> = Vec::new();
        for (column, cells) in witness.columns.committed.iter().enumerate() {
            for cell in (0..cells.len()).step_by(STEP) {
                changes.push(Box::new(move |witness| {
                    witness.columns.committed[column][cell] += Base::ONE;
                }));
            }
        }
        for (table, counts) in witness.multiplicities.iter().enumerate() {
            for entry in (0..counts.len()).step_by(STEP) {
                changes.push(Box::new(move |witness| {
                    witness.multiplicities[table][entry] += Base::ONE;
                }));
            }
        }
        let base = self.base();
        in_threads(&changes, |change| {
            let view = self.view(&self.model, &self.layout.nothing(), change, true);
            difference(&view, &base)
        })
    }
}

/// A proof of an altered witness.
fn made(model: &Model, masks: &Masks, change: &Change) -> Made {
    let oracle = Oracle::programmed(PROGRAM);
    with_queries(QUERIES, || model.prove_altered(masks, oracle, change))
}

fn difference(a: &[Base], b: &[Base]) -> View {
    a.iter().zip(b).map(|(&a, &b)| a - b).collect()
}

fn in_threads<T: Sync, U: Send>(all: &[T], make: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let size = all.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let make = &make;
        let parts: Vec<_> = all
            .chunks(size)
            .map(|part| scope.spawn(move || part.iter().map(make).collect::<Vec<_>>()))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    })
}

/// The space of what some masks can make of a proof.
fn space(masks: &[(&'static str, View)], kept: impl Fn(&str) -> bool) -> Space {
    let mut space = Space::default();
    for (_, view) in masks.iter().filter(|(name, _)| kept(name)) {
        space.add(view.clone());
    }
    space
}

/// How many equations of the witnesses show beside what masks hide.
fn leak(mut space: Space, witnesses: &[View]) -> usize {
    let before = space.rank();
    for view in witnesses {
        space.add(view.clone());
    }
    space.rank() - before
}

/// A proof is what the file says it is: verified, and affine in its masks.
fn is_affine(case: &Case, masks: &[(&'static str, View)]) {
    let mut uniform = case.layout.uniform(&mut stream(3, 0));
    let mut values = Vec::new();
    for &(name, _) in &case.layout.fresh {
        for place in case.layout.places(name) {
            if looked_at(name, place) {
                values.push(uniform.fresh[place]);
            } else {
                uniform.fresh[place] = Base::ZERO;
            }
        }
    }
    for (place, cell) in uniform.half.iter_mut().enumerate() {
        if looked_at("half", place) {
            values.push(*cell);
        } else {
            *cell = Base::ZERO;
        }
    }
    assert_eq!(values.len(), masks.len());
    let one = made(&case.model, &uniform, &nothing());
    assert_eq!(one.verdict(&mut Oracle::programmed(PROGRAM).proof), "");
    let mut sum = case.base();
    for (value, (_, view)) in values.into_iter().zip(masks) {
        for (sum, &one) in sum.iter_mut().zip(view) {
            *sum += value * one;
        }
    }
    assert_eq!(case.view(&case.model, &uniform, &nothing(), true), sum);
}

fn whole_proofs(profile: Profile) {
    let expected = controls(profile);
    let case = Case::new(profile);
    let masks = case.masks();
    is_affine(&case, &masks);
    let (witnesses, lies) = (case.witnesses(true), case.lies());
    let all = space(&masks, |_| true);
    println!(
        "{profile:?}: {} masks, {} elements of a proof, rank {}",
        masks.len(),
        all_elements(&masks),
        all.rank()
    );
    assert_eq!(
        leak(all.clone(), &witnesses),
        0,
        "of other weights nothing shows"
    );
    assert_eq!(leak(all.clone(), &lies), DEGREE, "of lies the claim shows");
    let mut found = BTreeMap::new();
    found.insert("dummy", leak(all.clone(), &case.witnesses(false)));
    for &(name, _) in expected.iter().filter(|own| own.0 != "dummy") {
        let kept = name.split(" and ").collect::<Vec<_>>();
        let without = space(&masks, |own| !kept.contains(&own));
        let mut more = lies.clone();
        more.extend_from_slice(&witnesses);
        // Of lies the claim shows in any case.
        found.insert(name, leak(without, &more) - DEGREE);
    }
    for (name, leak) in &found {
        println!("{profile:?}: control without {name}: {leak} equations show at least");
    }
    report(
        &format!("ranks of whole proofs, {profile:?}"),
        &json!({
            "masks": masks.len(),
            "elements of a proof": all_elements(&masks),
            "rank": all.rank(),
            "equations that show of true witnesses": 0,
            "equations that show of false ones": DEGREE,
            "equations that show at least without a mask": found,
        }),
    );
    for (name, shows) in expected {
        assert_eq!(found[name] > 0, shows, "{name}");
    }
}

fn all_elements(masks: &[(&'static str, View)]) -> usize {
    masks.first().map_or(0, |(_, view)| view.len())
}

/// Masks that are left out, and whether more shows then. The block, the answer's pad and the half mask for each
/// other: the rounds are sums of what both vectors bring, of which one masked share is enough, and the pad has more
/// cells than an answer takes. The answer, which `default` has, is about the first vector alone, and shows without
/// both. Where there is no half the block is needed for itself, as the ranks of openings find (`hiding`,
/// `tests::rank`); and that it is not there is what statistics see.
const fn controls(profile: Profile) -> [(&'static str, bool); 9] {
    [
        ("pads", true),
        ("dummy", true),
        ("masks of the relation proof", true),
        ("block", false),
        ("pad of the answer", false),
        (
            "block and pad of the answer",
            matches!(profile, Profile::Default),
        ),
        ("tails", true),
        ("R", true),
        ("half", true),
    ]
}

#[test]
#[ignore = "half a minute of processor time: make evidence"]
fn control_whole_proofs_show_the_claim_and_more_without_any_mask_in_default() {
    whole_proofs(Profile::Default);
}

#[test]
#[ignore = "half a minute of processor time: make evidence"]
fn control_whole_proofs_show_the_claim_and_more_without_any_mask_in_conservative() {
    whole_proofs(Profile::Conservative);
}

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
//! Where inputs are private, what is looked at are two attempts together, which open one commitment to weights and
//! one to inputs; other inputs with the same outputs are true witnesses then, too. Where a key's ranges are shown,
//! all weights in range are.
//!
//! Queries are few, so that matrices are small; everything else is as it is in all proofs.

use crate::masks::{Layout, Masks, places, stream};
use crate::positions::words;
use crate::report::report;
use crate::sample::{Made, Model, Oracle, attempts, small};
use crate::statistics::Kind as Field;
use commitment::Profile;
use hiding::{Space, with_queries};
use key::Kind;
use p3_field::{BasedVectorSpace, Field as _, PrimeCharacteristicRing};
use prover::relations::Witness;
use serde_json::json;
use std::collections::BTreeMap;
use transcript::{Base, DEGREE, Extension};

const PROGRAM: u64 = 5;
/// Other weights that are tried.
const OTHERS: usize = 12;
/// Every cell of this number is changed.
const STEP: usize = 23;
const THREADS: usize = 2;

type View = Vec<Base>;

/// Leaves that are opened: more than what is left of block, pads and column of masks could hide, of which few are
/// looked at where leaves are few.
const fn queries(kind: Kind) -> usize {
    match kind {
        Kind::Proofs => 16,
        _ => 6,
    }
}

/// Whether a mask is looked at. Fewer masks can hide less, and not more.
fn looked_at(kind: Kind, name: &str, place: usize) -> bool {
    let step = match (name, kind) {
        // It is what makes the factors what they are to be.
        ("dummy", _) => return false,
        ("half", Kind::Ranges(_)) => 6,
        ("half" | "tails of the inputs", _) => 3,
        ("block", Kind::Proofs) => 4,
        ("block", Kind::Ranges(_)) => 16,
        ("block", _) => 32,
        ("tails", Kind::PrivateInputs) => 7,
        ("column of masks", _) => 8,
        _ => 1,
    };
    place.is_multiple_of(step)
}

/// A change of a witness, or of the columns of private inputs.
type Change = Box<dyn Fn(&mut Witness, &mut [Vec<Base>]) + Send + Sync>;

fn nothing() -> Change {
    Box::new(|_, _| ())
}

/// Which of all masks one is.
#[derive(Clone, Copy)]
enum Place {
    /// Of the vector of this attempt.
    Fresh(usize, usize),
    Half(usize),
    Inputs(usize),
}

impl Place {
    fn of(self, masks: &mut Masks) -> &mut Base {
        match self {
            Self::Fresh(attempt, place) => &mut masks.fresh[attempt][place],
            Self::Half(place) => &mut masks.half[place],
            Self::Inputs(place) => &mut masks.inputs[place],
        }
    }
}

/// A mask with its column of A.
struct Mask {
    name: &'static str,
    place: Place,
    view: View,
}

struct Case {
    model: Model,
    layout: Layout,
    /// Of each attempt the dummy's weight, at the point where the relation proof ends.
    weights: Vec<Extension>,
    /// The factors that all proofs are to have.
    factors: Vec<[Extension; 2]>,
}

impl Case {
    fn new(profile: Profile, kind: Kind) -> Self {
        let model = Model::new(small(), (1, 2), profile, kind);
        let layout = with_queries(queries(kind), || model.layout());
        let mut case = Self {
            model,
            layout,
            weights: Vec::new(),
            factors: Vec::new(),
        };
        let factors = |dummy: Extension| {
            let mut masks = case.layout.nothing();
            for attempt in 0..attempts(kind) {
                case.set_dummy(&mut masks, attempt, [dummy; 2]);
            }
            factors(&made(&case.model, &masks, &nothing()))
        };
        let one = factors(Extension::ONE);
        case.factors = factors(Extension::ZERO);
        for (one, zero) in one.iter().zip(&case.factors) {
            let weight = one[0] - zero[0];
            assert_eq!(one[1] - zero[1], weight);
            assert_ne!(weight, Extension::ZERO);
            case.weights.push(weight);
        }
        case
    }

    fn set_dummy(&self, masks: &mut Masks, attempt: usize, dummy: [Extension; 2]) {
        let limbs = dummy.iter().flat_map(|element| {
            let limbs: &[Base] = element.as_basis_coefficients_slice();
            limbs.to_vec()
        });
        for (place, limb) in places(&self.layout.fresh, "dummy").zip(limbs) {
            masks.fresh[attempt][place] = limb;
        }
    }

    /// All field elements of it. Where the dummy is to be there, it makes the factors what they are to be.
    fn view(&self, model: &Model, masks: &Masks, change: &Change, dummy: bool) -> View {
        let mut masks = masks.clone();
        let mut one = made(model, &masks, change);
        let found = factors(&one);
        if dummy && found != self.factors {
            for (attempt, found) in found.iter().enumerate() {
                let inverse = self.weights[attempt].inverse();
                let own = [0, 1].map(|at| (self.factors[attempt][at] - found[at]) * inverse);
                self.set_dummy(&mut masks, attempt, own);
            }
            one = made(model, &masks, change);
            assert_eq!(factors(&one), self.factors);
        }
        let (positions, words) = words(&one);
        let all = positions.kinds.iter().zip(words);
        let elements = all.filter(|(kind, _)| **kind == Field::Uniform);
        elements.map(|(_, word)| Base::from_u32(word)).collect()
    }

    fn base(&self) -> View {
        self.view(&self.model, &self.layout.nothing(), &nothing(), true)
    }

    /// All masks that are looked at.
    fn places(&self) -> Vec<(&'static str, Place)> {
        let mut found: Vec<(&'static str, Place)> = Vec::new();
        let mut add = |name, range: std::ops::Range<usize>, place: &dyn Fn(usize) -> Place| {
            let first = range.start;
            let own = range.filter(|at| looked_at(self.model.kind, name, at - first));
            found.extend(own.map(|at| (name, place(at))));
        };
        for &(name, _) in &self.layout.fresh {
            for attempt in 0..attempts(self.model.kind) {
                let range = places(&self.layout.fresh, name);
                add(name, range, &|at| Place::Fresh(attempt, at));
            }
        }
        for &(name, _) in &self.layout.inputs {
            add(name, places(&self.layout.inputs, name), &Place::Inputs);
        }
        add("half", 0..self.layout.half, &Place::Half);
        found
    }

    /// The columns of A.
    fn masks(&self) -> Vec<Mask> {
        let base = self.base();
        in_threads(&self.places(), |&(name, place)| {
            let mut masks = self.layout.nothing();
            *place.of(&mut masks) = Base::ONE;
            let view = self.view(&self.model, &masks, &nothing(), true);
            let view = difference(&view, &base);
            Mask { name, place, view }
        })
    }

    /// Other weights with the same outputs, with whatever witness they have; and other inputs, where these are
    /// private, with other weights or with the same.
    fn others(&self) -> Vec<Model> {
        let Model { profile, kind, .. } = self.model;
        let outputs = self.model.outputs();
        let others = (100..).map(|seed| {
            let seeds = match kind {
                Kind::PrivateInputs if seed % 2 == 0 => (1, seed),
                Kind::PrivateInputs => (seed, seed),
                _ => (seed, 2),
            };
            Model::new(small(), seeds, profile, kind)
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

    /// What false ones differ by: cells of columns, of multiplicities and of private inputs.
    fn lies(&self) -> Vec<View> {
        let witness = self.model.witness();
        let mut changes: Vec<Change> = Vec::new();
        for (column, cells) in witness.columns.committed.iter().enumerate() {
            for cell in (0..cells.len()).step_by(STEP) {
                changes.push(Box::new(move |witness, _| {
                    witness.columns.committed[column][cell] += Base::ONE;
                }));
            }
        }
        for (table, counts) in witness.multiplicities.iter().enumerate() {
            for entry in (0..counts.len()).step_by(STEP) {
                changes.push(Box::new(move |witness, _| {
                    witness.multiplicities[table][entry] += Base::ONE;
                }));
            }
        }
        for (column, cells) in self.model.columns().iter().enumerate() {
            for cell in (0..cells.len()).step_by(STEP) {
                changes.push(Box::new(move |_, inputs| inputs[column][cell] += Base::ONE));
            }
        }
        let base = self.base();
        in_threads(&changes, |change| {
            let view = self.view(&self.model, &self.layout.nothing(), change, true);
            difference(&view, &base)
        })
    }
}

/// Proofs of an altered witness.
fn made(model: &Model, masks: &Masks, change: &Change) -> Made {
    let oracle = Oracle::programmed(model.kind, PROGRAM);
    with_queries(queries(model.kind), || {
        model.prove_altered(masks, oracle, change)
    })
}

fn factors(made: &Made) -> Vec<[Extension; 2]> {
    let proofs = made.proofs.iter();
    proofs.map(|proof| proof.relation.factors).collect()
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
fn space(masks: &[Mask], kept: impl Fn(&str) -> bool) -> Space {
    let mut space = Space::default();
    for mask in masks.iter().filter(|mask| kept(mask.name)) {
        space.add(mask.view.clone());
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
fn is_affine(case: &Case, masks: &[Mask]) {
    let mut uniform = case.layout.uniform(&mut stream(3, 0));
    let mut one = case.layout.nothing();
    let mut sum = case.base();
    for mask in masks {
        let value = *mask.place.of(&mut uniform);
        *mask.place.of(&mut one) = value;
        for (sum, &unit) in sum.iter_mut().zip(&mask.view) {
            *sum += value * unit;
        }
    }
    let made = made(&case.model, &one, &nothing());
    let mut oracle = Oracle::programmed(case.model.kind, PROGRAM);
    assert_eq!(made.verdict(&mut oracle.proofs), "");
    assert_eq!(case.view(&case.model, &one, &nothing(), true), sum);
}

fn whole_proofs(profile: Profile, kind: Kind) {
    let expected = controls(profile, kind);
    let case = Case::new(profile, kind);
    let name = match kind {
        Kind::PrivateInputs => format!("private inputs, {profile:?}"),
        Kind::Ranges(_) => format!("ranges of a key, {profile:?}"),
        _ => format!("{profile:?}"),
    };
    let masks = case.masks();
    is_affine(&case, &masks);
    let (witnesses, lies) = (case.witnesses(true), case.lies());
    let all = space(&masks, |_| true);
    println!(
        "{name}: {} masks, {} elements of {} proofs, rank {}",
        masks.len(),
        all_elements(&masks),
        attempts(kind),
        all.rank()
    );
    // The claim of each proof.
    let claims = DEGREE * attempts(kind);
    assert_eq!(
        leak(all.clone(), &witnesses),
        0,
        "of other witnesses nothing shows"
    );
    assert_eq!(leak(all.clone(), &lies), claims, "of lies the claims show");
    let mut more = lies;
    more.extend_from_slice(&witnesses);
    let found: BTreeMap<_, _> = expected
        .iter()
        .map(|&(left_out, _)| {
            // Of lies the claims show in any case.
            let shows = if left_out == "dummy" {
                leak(all.clone(), &case.witnesses(false))
            } else {
                let names = left_out.split(" and ").collect::<Vec<_>>();
                leak(space(&masks, |own| !names.contains(&own)), &more) - claims
            };
            println!("{name}: control without {left_out}: {shows} equations show at least");
            (left_out, shows)
        })
        .collect();
    report(
        &format!("ranks of whole proofs, {name}"),
        &json!({
            "proofs together": attempts(kind),
            "masks": masks.len(),
            "elements of the proofs": all_elements(&masks),
            "rank": all.rank(),
            "equations that show of true witnesses": 0,
            "equations that show of false ones": claims,
            "equations that show at least without a mask": found,
        }),
    );
    for (name, shows) in expected {
        assert_eq!(found[name] > 0, shows, "{name}");
    }
}

fn all_elements(masks: &[Mask]) -> usize {
    masks.first().map_or(0, |mask| mask.view.len())
}

/// Masks that are left out, and whether more shows then. The block, the answer's pad, the half and the inputs' column
/// mask for each other: the rounds are sums of what all vectors bring, of which one masked share is enough, and the
/// pad has more cells than an answer takes. The answer, which `default` has, is about the first vector, in public
/// proofs, and shows without both; elsewhere what is left of other masks does for it. Where there is no half, block
/// and column are needed for themselves, as the ranks of openings find (`hiding`, `tests::rank`), and that each
/// attempt has an R of its own; that block or column are not there is what statistics see.
fn controls(profile: Profile, kind: Kind) -> Vec<(&'static str, bool)> {
    let answers = matches!(profile, Profile::Default) && kind == Kind::Proofs;
    let mut all = vec![
        ("pads", true),
        ("dummy", true),
        ("masks of the relation proof", true),
        ("block", false),
        ("pad of the answer", false),
        ("block and pad of the answer", answers),
        ("tails", true),
        ("R", true),
        ("half", true),
    ];
    if kind == Kind::PrivateInputs {
        all.extend([("column of masks", false), ("tails of the inputs", true)]);
    }
    all
}

#[test]
#[ignore = "half a minute of processor time: make evidence"]
fn control_whole_proofs_show_the_claim_and_more_without_any_mask_in_default() {
    whole_proofs(Profile::Default, Kind::Proofs);
}

#[test]
#[ignore = "half a minute of processor time: make evidence"]
fn control_whole_proofs_show_the_claim_and_more_without_any_mask_in_conservative() {
    whole_proofs(Profile::Conservative, Kind::Proofs);
}

#[test]
#[ignore = "two minutes of processor time: make evidence"]
fn control_private_inputs_show_the_claims_and_more_without_any_mask_in_two_attempts() {
    whole_proofs(Profile::Default, Kind::PrivateInputs);
}

#[test]
#[ignore = "a minute of processor time: make evidence"]
fn control_ranges_of_a_key_show_the_claim_and_more_without_any_mask() {
    whole_proofs(Profile::Default, Kind::Ranges(0));
}

//! All that hides a key and its proofs, element by element, so that a test can set it or leave it out.

use crate::sample::attempts;
use hiding::{Context, Drawing, Randomness};
use key::{INPUTS, Kind, PrivateKey, WEIGHTS};
use p3_field::PrimeCharacteristicRing;
use std::ops::Range;
use transcript::{Base, DEGREE};

/// What hides, in the order in which it is drawn.
#[derive(Clone)]
pub struct Masks {
    /// Of the vector of its own that each proof has.
    pub fresh: Vec<Vec<Base>>,
    /// Of the weights' vector: the uniform half, and what stands beside its columns.
    pub half: Vec<Base>,
    pub beside: Vec<Base>,
    /// Of the vector of private inputs, which all attempts open.
    pub inputs: Vec<Base>,
}

/// Names of masks with their numbers of elements.
pub struct Layout {
    attempts: usize,
    pub fresh: Drawing,
    pub half: usize,
    beside: Drawing,
    pub inputs: Drawing,
}

/// Names of what stands in the vector of inputs, where the vector of a proof has masks of the same name.
fn of_inputs(name: &'static str) -> &'static str {
    match name {
        "tails" => "tails of the inputs",
        "R" => "R of the inputs",
        "salts" => "salts of the inputs",
        other => other,
    }
}

impl Layout {
    /// That of what opens commitments of a kind.
    pub fn of(key: &PrivateKey, kind: Kind) -> Self {
        let proofs = crate::sample::proofs(key, kind);
        let sent = proofs.relations().sent();
        let dummy = 2;
        let others = proofs.pads().count() - sent - dummy;
        let mut fresh: Drawing = vec![
            ("pads", DEGREE * sent),
            ("dummy", DEGREE * dummy),
            ("masks of the relation proof", DEGREE * others),
        ];
        let shape = proofs.shape();
        fresh.extend(shape.drawn(0));
        let inputs = shape.drawn(INPUTS).into_iter();
        Self {
            attempts: attempts(kind),
            fresh,
            // The half of all cells.
            half: 1 << (proofs.weights().variables() - 1),
            beside: shape.drawn(WEIGHTS),
            inputs: inputs
                .map(|(name, count)| (of_inputs(name), count))
                .collect(),
        }
    }

    fn count(drawing: &Drawing) -> usize {
        drawing.iter().map(|&(_, count)| count).sum()
    }

    /// Uniform masks.
    pub fn uniform(&self, randomness: &mut Randomness) -> Masks {
        self.drawn(|count| randomness.bases(count))
    }

    /// No masks.
    pub fn nothing(&self) -> Masks {
        self.drawn(|count| vec![Base::ZERO; count])
    }

    fn drawn(&self, mut bases: impl FnMut(usize) -> Vec<Base>) -> Masks {
        let mut fresh = Vec::new();
        for _ in 0..self.attempts {
            fresh.push(bases(Self::count(&self.fresh)));
        }
        Masks {
            fresh,
            half: bases(self.half),
            beside: bases(Self::count(&self.beside)),
            inputs: bases(Self::count(&self.inputs)),
        }
    }

    /// Leaves out the masks of a name, in all proofs; `half` are those of the weights.
    pub fn leave_out(&self, masks: &mut Masks, name: &str) {
        if name == "half" {
            masks.half.fill(Base::ZERO);
        } else if let Some(places) = find(&self.inputs, name) {
            masks.inputs[places].fill(Base::ZERO);
        } else {
            let places = places(&self.fresh, name);
            for fresh in &mut masks.fresh {
                fresh[places.clone()].fill(Base::ZERO);
            }
        }
    }
}

/// The places of a kind of masks.
pub fn places(drawing: &Drawing, name: &str) -> Range<usize> {
    find(drawing, name).unwrap_or_else(|| panic!("no mask is named {name}"))
}

fn find(drawing: &Drawing, name: &str) -> Option<Range<usize>> {
    let mut first = 0;
    for &(own, count) in drawing {
        if own == name {
            return Some(first..first + count);
        }
        first += count;
    }
    None
}

/// The stream of a number: a class of samples, and a sample of it.
pub fn stream(class: u8, number: u64) -> Randomness {
    let mut seed = [class; 32];
    // Another run of all tests: the bound on failures of a sound build is over these.
    let run = std::env::var("EVIDENCE_RUN").map_or(0, |run| run.parse().unwrap());
    seed[..8].copy_from_slice(&u64::to_le_bytes(run));
    let nothing = [0; 32];
    let context = Context {
        statement: &nothing,
        witness: &nothing,
        key: &nothing,
        slot: number,
    };
    Randomness::of_seed(&seed, &context)
}

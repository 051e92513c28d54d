//! The kinds of commitments to weights, how often each is opened, and the vector as each has it.

use crate::layout::{WEIGHTS, Weights};
use claim_reduction::Visibility;
use hiding::{LinearForm, Shape};
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// Parts of the ranges of one key at most, each with a kind.
pub const MAX_RANGE_PARTS: usize = 8;

/// What a commitment to weights is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A key, which links open.
    Key,
    /// An epoch that links open.
    Links,
    /// An epoch that proofs of public inputs open.
    Proofs,
    /// An epoch that proofs of private inputs open.
    PrivateInputs,
    /// One that the proof of a part of the key's ranges opens, once.
    Ranges(u8),
}

impl Kind {
    /// Those of every key.
    pub const ALL: [Self; 4] = [Self::Key, Self::Links, Self::Proofs, Self::PrivateInputs];

    /// The byte of the first part of the ranges; those of the others follow.
    const FIRST_RANGES: u8 = 5;

    /// Its byte in a link.
    pub const fn code(self) -> u8 {
        match self {
            Self::Key => 1,
            Self::Links => 2,
            Self::Proofs => 3,
            Self::PrivateInputs => 4,
            Self::Ranges(part) => Self::FIRST_RANGES + part,
        }
    }

    /// The kind of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        let ranges = code.checked_sub(Self::FIRST_RANGES);
        let ranges = ranges.filter(|&part| usize::from(part) < MAX_RANGE_PARTS);
        let mut all = Self::ALL.into_iter().chain(ranges.map(Self::Ranges));
        all.find(|kind| kind.code() == code)
    }

    /// Whether a link may lead from one to the other.
    pub const fn leads_to(self, child: Self) -> bool {
        match self {
            Self::Key => true,
            Self::Links => child.inputs().is_some(),
            Self::Proofs | Self::PrivateInputs | Self::Ranges(_) => false,
        }
    }

    /// What proofs open for such inputs.
    pub const fn of_proofs(inputs: Visibility) -> Self {
        match inputs {
            Visibility::Public => Self::Proofs,
            Visibility::Private => Self::PrivateInputs,
        }
    }

    /// The inputs of proofs of the key's graph that open it, if such do.
    pub const fn inputs(self) -> Option<Visibility> {
        match self {
            Self::Key | Self::Links | Self::Ranges(_) => None,
            Self::Proofs => Some(Visibility::Public),
            Self::PrivateInputs => Some(Visibility::Private),
        }
    }
}

/// How often one commitment of each kind may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Openings {
    /// A key, the opening that is left for rotation included.
    pub key: u32,
    /// An epoch for links; 0 where a key has none.
    pub links: u32,
    /// An epoch for proofs of public inputs, and one for private inputs at most.
    pub proofs: u32,
}

impl Openings {
    /// Epochs that a key is opened for: a thousand processes may begin.
    pub const STARTS: u32 = 1024;
    /// Proofs that an epoch serves at least.
    pub const LEAST_PROOFS: u32 = 16;
    /// Proofs that a key serves.
    pub const PROOFS: u32 = 1_000_000;

    /// Those of keys whose epochs for proofs serve so many.
    pub const fn standard(proofs: u32) -> Self {
        let once = Self::STARTS.saturating_mul(proofs);
        Self {
            key: Self::STARTS + 1,
            links: if once >= Self::PROOFS {
                0
            } else {
                Self::PROOFS.div_ceil(once)
            },
            proofs,
        }
    }

    /// Whether a key may have them.
    pub(crate) fn possible(&self) -> bool {
        let most = hiding::MAX_OPENINGS as u32;
        (1..=most).contains(&self.key) && self.links <= most && (1..=most).contains(&self.proofs)
    }
}

/// The vector of weights as commitments of one kind have it, beside a fresh vector of whatever opens them.
#[derive(Clone, Debug)]
pub struct WeightVector {
    pub(crate) weights: Weights,
    pub(crate) shape: Shape,
    pub(crate) openings: u32,
}

impl WeightVector {
    /// Where the weights lie.
    pub const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The shape of an opening.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Openings that a commitment may have.
    pub const fn openings(&self) -> u32 {
        self.openings
    }

    /// Variables of the whole vector.
    pub fn variables(&self) -> usize {
        self.shape.variables(WEIGHTS).unwrap_or(1)
    }

    /// What the uniform half is at a point of one coordinate less than the vector has: with a 1 for that of the
    /// half.
    pub fn half_at(&self, point: &[Extension]) -> LinearForm {
        let mut whole = point.to_vec();
        whole.insert(self.weights.before().min(point.len()), Extension::ONE);
        let mut form = LinearForm::new();
        form.add_whole(whole, Extension::ONE);
        form
    }

    /// Σ αʲ · (column j at the last coordinates of `point`), over all columns of weights and parameters: a
    /// value of these alone, in whichever vector they are.
    pub fn weights_at(&self, point: &[Extension], alpha: Extension) -> LinearForm {
        let mut form = LinearForm::new();
        for (term, power) in self.weights.all_at(point).zip(alpha.powers()) {
            form.add_point(term.column, term.point, power);
        }
        form
    }
}

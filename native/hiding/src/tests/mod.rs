//! Tests that look inside: with challenges frozen, with masks left out, with proofs that are simulated.

mod evm;
mod forgeries;
mod golden;
mod head;
mod rank;
mod salts;
mod simulator;
mod view;

use crate::channel::Channel;
use crate::randomness::{Context, Randomness};
use commitment::merkle::Digest;
use p3_field::{PrimeCharacteristicRing, PrimeField32};
use transcript::{Base, Extension, Site};

const NOTHING: [u8; 32] = [0; 32];

/// A stream that is the same for the same number.
pub(crate) fn stream(seed: u8) -> Randomness {
    let context = Context {
        statement: &NOTHING,
        witness: &NOTHING,
        key: &NOTHING,
        slot: 0,
    };
    Randomness::of_seed(&[seed; 32], &context)
}

/// A transcript whose challenges depend on nothing: a random oracle that was programmed.
pub(crate) struct Frozen {
    stream: Randomness,
    /// All challenges that were drawn.
    pub(crate) drawn: Vec<Extension>,
}

impl Frozen {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            stream: stream(seed),
            drawn: Vec::new(),
        }
    }

    pub(crate) fn bits(&mut self, bits: usize) -> usize {
        self.base().as_canonical_u32() as usize & ((1 << bits) - 1)
    }

    pub(crate) fn base(&mut self) -> Base {
        self.stream.base()
    }
}

impl Channel for Frozen {
    fn absorb(&mut self, _: Site, _: &[Extension]) {}

    fn absorb_roots(&mut self, _: Site, _: &[Digest], _: &[Extension]) {}

    fn challenge(&mut self) -> Extension {
        self.drawn.extend(self.stream.extensions(1));
        self.drawn.last().copied().unwrap_or_default()
    }

    fn index(&mut self, bits: usize) -> usize {
        self.bits(bits)
    }

    fn work(&mut self, _: usize) -> Base {
        Base::ZERO
    }

    fn worked(&mut self, _: usize, witness: Base) -> bool {
        witness == Base::ZERO
    }
}

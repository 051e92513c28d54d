//! What prover and verifier take from a transcript.

use commitment::merkle::Digest;
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension, Site, Transcript};

/// A transcript as an opening needs it. [`Transcript`] is the only one outside of tests: these freeze
/// challenges, to see what messages say about a witness, and to compare with the library.
pub trait Channel {
    /// Absorbs elements of the extension field.
    fn absorb(&mut self, site: Site, elements: &[Extension]);
    /// Absorbs digests and then elements, as one message.
    fn absorb_roots(&mut self, site: Site, roots: &[Digest], elements: &[Extension]);
    /// Draws a challenge.
    fn challenge(&mut self) -> Extension;
    /// Draws an index of so many bits.
    fn index(&mut self, bits: usize) -> usize;
    /// Finds the witness of so many bits of work.
    fn work(&mut self, bits: usize) -> Base;
    /// Checks a witness of so many bits of work.
    fn worked(&mut self, bits: usize, witness: Base) -> bool;
}

impl Channel for Transcript {
    fn absorb(&mut self, site: Site, elements: &[Extension]) {
        self.absorb_elements(site, elements);
    }

    fn absorb_roots(&mut self, site: Site, roots: &[Digest], elements: &[Extension]) {
        let mut bytes = roots.as_flattened().to_vec();
        for &element in elements {
            transcript::write_extension(&mut bytes, element);
        }
        Self::absorb(self, site, &bytes);
    }

    fn challenge(&mut self) -> Extension {
        Self::challenge(self)
    }

    fn index(&mut self, bits: usize) -> usize {
        Self::index(self, bits)
    }

    fn work(&mut self, bits: usize) -> Base {
        Self::work(self, bits)
    }

    fn worked(&mut self, bits: usize, witness: Base) -> bool {
        Self::worked(self, bits, witness)
    }
}

/// A point of so many coordinates.
pub(crate) fn point(channel: &mut impl Channel, variables: usize) -> Vec<Extension> {
    (0..variables).map(|_| channel.challenge()).collect()
}

/// The point (y^(2^(m−1)), …, y², y) of one challenge y.
pub(crate) fn spread_point(channel: &mut impl Channel, variables: usize) -> Vec<Extension> {
    let mut power = channel.challenge();
    let mut point = Vec::with_capacity(variables);
    for _ in 0..variables {
        point.push(power);
        power = power.square();
    }
    point.reverse();
    point
}

/// Indices of opened leaves: all of them, where as many are asked for, else drawn one by one.
pub(crate) fn indices(channel: &mut impl Channel, count: usize, bits: usize) -> Vec<usize> {
    if count >= 1 << bits {
        (0..1 << bits).collect()
    } else {
        (0..count).map(|_| channel.index(bits)).collect()
    }
}

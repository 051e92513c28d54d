//! What lookups and reduction need of a key.

use crate::public::Public;
use commitment::Root;
use graph::Graph;
use layers::Contraction;
use transcript::{Site, Transcript};

/// A key, as those see it who argue about its graph and not about its commitment.
pub trait Subject {
    /// The graph.
    fn graph(&self) -> &Graph;
    /// Its weighted contractions, in the order of its nodes and of its weight matrices.
    fn contractions(&self) -> &[Contraction];
    /// Absorbs what proofs under it begin with.
    fn begin(&self, public: &Public<'_>, transcript: &mut Transcript);
}

/// What a verifier is given of inputs.
#[derive(Clone, Copy)]
pub(crate) enum Given<'a> {
    /// Themselves.
    Inputs,
    /// The root of their vector.
    Root(&'a Root),
}

/// Absorbs what proofs begin with.
pub(crate) fn begin(
    protocol: &[u8],
    digest: &[u8; 32],
    public: &Public<'_>,
    given: Given<'_>,
    transcript: &mut Transcript,
) {
    transcript.absorb(Site::Protocol, protocol);
    transcript.absorb(Site::Key, digest);
    transcript.absorb(Site::Statement, &public.statement);
    match given {
        Given::Inputs => transcript.absorb_integers(Site::Inputs, public.inputs),
        Given::Root(root) => transcript.absorb(Site::InputRoot, root),
    }
    transcript.absorb_integers(Site::Outputs, public.outputs);
}

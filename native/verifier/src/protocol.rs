//! What prover and verifier do alike: absorb the public part, draw the points.

use crate::VerifyingKey;
use layers::Challenge;
use transcript::{Extension, Site, Transcript};

/// Name and version of the protocol, as the transcript begins.
pub const PROTOCOL: &[u8] = b"inferproof sumcheck 1 clear";

/// What a proof is about, apart from the key.
#[derive(Clone, Copy, Debug)]
pub struct Public<'a> {
    /// The graph's inputs.
    pub inputs: &'a [&'a [i32]],
    /// The graph's outputs, all of them.
    pub outputs: &'a [&'a [i32]],
    /// The digest that ties the proof to its purpose.
    pub statement: [u8; 32],
}

/// Absorbs everything that is fixed before the first challenge.
pub fn begin(
    key: &VerifyingKey,
    public: &Public<'_>,
    contraction_outputs: &[i32],
    transcript: &mut Transcript,
) {
    transcript.absorb(Site::Protocol, PROTOCOL);
    transcript.absorb(Site::Key, &key.digest());
    transcript.absorb(Site::Statement, &public.statement);
    transcript.absorb_integers(Site::Inputs, public.inputs);
    transcript.absorb_integers(Site::Outputs, public.outputs);
    transcript.absorb_integers(Site::ContractionOutputs, &[contraction_outputs]);
}

/// Draws the point of every contraction, and the challenge that batches them.
pub fn draw(key: &VerifyingKey, transcript: &mut Transcript) -> (Vec<Challenge>, Extension) {
    let challenges = key
        .contractions()
        .iter()
        .map(|contraction| Challenge::draw(contraction, transcript))
        .collect();
    (challenges, transcript.challenge())
}

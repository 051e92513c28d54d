//! What prover and verifier do alike: absorb the public part, draw the points.

use crate::key::{PROTOCOL, VerifyingKey};
use commitment::Public;
use layers::Challenge;
use transcript::{Extension, Site, Transcript};

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

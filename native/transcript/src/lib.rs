//! The Fiat-Shamir transcript of proof system `sumcheck`, and the fields that it draws from.
//!
//! ```text
//! state ← absorb(state, BLAKE3(le(length of site) ‖ site ‖ le(length) ‖ bytes))   for each message
//! challenge ∈ E = F_p[X] / (X^5 + X^2 − 1),   p = 2^31 − 2^24 + 1
//! ```
//!
//! One transcript runs through a whole proof. Whatever is absorbed goes through
//! [`Transcript::absorb`] under one of the [`Site`]s below, which are the inventory that
//! `specs/transcript.md` lists. Openings continue on it, and so are bound to all that came before.
//!
//! That is the transcript of BLAKE3. One of Keccak-256 stands beside it, for
//! proofs that a contract checks; no user can choose it yet.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `hash` | the hash functions, of transcripts and of trees |
//! | `keccak` | the state of a transcript by Keccak-256 |
//! | `pads` | one-time pads under which a prover sends its elements |
//!
//! # Soundness
//!
//! A challenge binds what was absorbed before it was drawn and nothing else. The caller MUST absorb
//! everything that a challenge must depend on, first: key, public values and statement, every message of
//! the prover, each under the [`Site`] of its kind. Lengths that a verifier absorbs must be its own and not
//! the proof's.
#![forbid(unsafe_code)]

mod hash;
mod keccak;
mod pads;

#[cfg(feature = "audit")]
pub use audit::Drawn;
pub use hash::{Digest, HashFunction};
use keccak::KeccakState;
use p3_blake3::Blake3;
use p3_challenger::{
    CanObserve, CanSampleBits, FieldChallenger, GrindingChallenger, HashChallenger,
    SerializingChallenger32,
};
use p3_field::extension::QuinticTrinomialExtensionField;
use p3_field::{BasedVectorSpace, PrimeField32};
use p3_koala_bear::KoalaBear;
use p3_symmetric::{CryptographicHasher, Hash};
use pads::Pads;

/// The base field: integers modulo 2^31 - 2^24 + 1.
pub type Base = KoalaBear;
/// The field of challenges: the base field modulo X^5 + X^2 - 1, coefficients from X^0 upward.
pub type Extension = QuinticTrinomialExtensionField<KoalaBear>;
/// The sponge.
pub type Sponge = SerializingChallenger32<Base, HashChallenger<u8, Blake3AtOnce, 32>>;

/// BLAKE3 of what a sponge has observed, given to the hash in one piece. The library's [`Blake3`]
/// takes it in pieces of 512 bytes, which leaves all but one lane of the processor idle, and an
/// opening of hundreds of blocks observes tens of kilobytes for each of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blake3AtOnce;

impl CryptographicHasher<u8, [u8; 32]> for Blake3AtOnce {
    const LANES: usize = Blake3::LANES;

    fn hash_iter<I>(&self, input: I) -> [u8; 32]
    where
        I: IntoIterator<Item = u8>,
    {
        let observed: Vec<u8> = input.into_iter().collect();
        Blake3.hash_slice(&observed)
    }

    fn hash_iter_slices<'a, I>(&self, input: I) -> [u8; 32]
    where
        I: IntoIterator<Item = &'a [u8]>,
    {
        Blake3.hash_iter_slices(input)
    }

    fn hash_slice(&self, input: &[u8]) -> [u8; 32] {
        Blake3.hash_slice(input)
    }

    fn hash_many(&self, input: &[u8], out: &mut [[u8; 32]]) {
        Blake3.hash_many(input, out);
    }
}

/// Coefficients of an element of [`Extension`].
pub const DEGREE: usize = 5;
/// Bytes of an element of [`Base`].
pub const BASE_BYTES: usize = 4;
/// Integers that are hashed at a time.
const PIECE: usize = 1 << 15;
/// Bytes of an element of [`Extension`].
pub const EXTENSION_BYTES: usize = DEGREE * BASE_BYTES;

/// Every place of the protocol at which something enters the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Site {
    /// Name and version of the protocol.
    Protocol,
    /// Graph, parameters and weight commitment, from which the point of the pin is drawn. This site
    /// and the one before make the transcript of a key; those of proofs go on with the ones below.
    Commitment,
    /// The verifying key: graph, weight commitment, pin, parameters.
    Key,
    /// The statement that the proof is about.
    Statement,
    /// The graph's inputs.
    Inputs,
    /// The root of the vector of inputs, in their place where they are private.
    InputRoot,
    /// All of the graph's outputs.
    Outputs,
    /// One round polynomial of the sumcheck.
    Round,
    /// The root of the witness.
    Witness,
    /// The children at which a layer of the lookup trees ends.
    LookupChildren,
    /// One round polynomial of a layer of the lookup trees.
    LookupRound,
    /// The claimed values of all looked-up columns and multiplicities.
    LookupColumns,
    /// Claims that others are reduced to.
    Claims,
    /// The sum of the masks of a relation proof.
    RelationMasks,
    /// One round polynomial of a relation proof.
    RelationRound,
    /// The factors at which a relation proof ends.
    RelationFactors,
    /// The digest of the commitment that a link opens.
    LinkParent,
    /// Root, kind and number of openings of the commitment that a link leads to.
    LinkChild,
    /// The root of a link's fresh vector.
    LinkFresh,
    /// The masked value of the weights.
    LinkValue,
    /// Roots and value that a hiding opening is about.
    Opening,
    /// The values of the masking block.
    OpeningMasks,
    /// The padded out-of-domain answer about the committed vectors.
    OpeningSample,
    /// One round polynomial of a fold.
    OpeningRound,
    /// What the claim is for the vector that pads the fold.
    OpeningPad,
    /// The tail of the padded fold.
    OpeningTail,
    /// The root of a later code.
    OpeningRoot,
    /// An out-of-domain answer about a later code.
    OpeningAnswer,
    /// The last polynomial.
    OpeningLast,
}

impl Site {
    /// What every proof begins with and every sumcheck sends, in the order of first use.
    pub const ALL: [Self; 7] = [
        Self::Protocol,
        Self::Commitment,
        Self::Key,
        Self::Statement,
        Self::Inputs,
        Self::Outputs,
        Self::Round,
    ];

    /// What lookups and reduction add to it.
    pub const REDUCTION: [Self; 5] = [
        Self::Witness,
        Self::LookupChildren,
        Self::LookupRound,
        Self::LookupColumns,
        Self::Claims,
    ];

    /// What a relation proof adds to it.
    pub const RELATION: [Self; 3] = [
        Self::RelationMasks,
        Self::RelationRound,
        Self::RelationFactors,
    ];

    /// That of private inputs, in the place of that of inputs.
    pub const PRIVATE_INPUTS: [Self; 1] = [Self::InputRoot];

    /// Those of a link before its opening, behind that of the protocol.
    pub const LINK: [Self; 4] = [
        Self::LinkParent,
        Self::LinkChild,
        Self::LinkFresh,
        Self::LinkValue,
    ];

    /// Those of a hiding opening, in the order of first use.
    pub const OPENING: [Self; 9] = [
        Self::Opening,
        Self::OpeningMasks,
        Self::OpeningSample,
        Self::OpeningRound,
        Self::OpeningPad,
        Self::OpeningTail,
        Self::OpeningRoot,
        Self::OpeningAnswer,
        Self::OpeningLast,
    ];

    /// The label that separates this site from every other one.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Protocol => "inferproof/sumcheck/1/protocol",
            Self::Commitment => "inferproof/sumcheck/1/commitment",
            Self::Key => "inferproof/sumcheck/1/key",
            Self::Statement => "inferproof/sumcheck/1/statement",
            Self::Inputs => "inferproof/sumcheck/1/inputs",
            Self::InputRoot => "inferproof/sumcheck/1/input/root",
            Self::Outputs => "inferproof/sumcheck/1/outputs",
            Self::Round => "inferproof/sumcheck/1/round",
            Self::Witness => "inferproof/sumcheck/1/witness",
            Self::LookupChildren => "inferproof/sumcheck/1/lookup/children",
            Self::LookupRound => "inferproof/sumcheck/1/lookup/round",
            Self::LookupColumns => "inferproof/sumcheck/1/lookup/columns",
            Self::Claims => "inferproof/sumcheck/1/claims",
            Self::RelationMasks => "inferproof/sumcheck/1/relation/masks",
            Self::RelationRound => "inferproof/sumcheck/1/relation/round",
            Self::RelationFactors => "inferproof/sumcheck/1/relation/factors",
            Self::LinkParent => "inferproof/sumcheck/1/link/parent",
            Self::LinkChild => "inferproof/sumcheck/1/link/child",
            Self::LinkFresh => "inferproof/sumcheck/1/link/fresh",
            Self::LinkValue => "inferproof/sumcheck/1/link/value",
            Self::Opening => "inferproof/sumcheck/1/opening",
            Self::OpeningMasks => "inferproof/sumcheck/1/opening/masks",
            Self::OpeningSample => "inferproof/sumcheck/1/opening/sample",
            Self::OpeningRound => "inferproof/sumcheck/1/opening/round",
            Self::OpeningPad => "inferproof/sumcheck/1/opening/pad",
            Self::OpeningTail => "inferproof/sumcheck/1/opening/tail",
            Self::OpeningRoot => "inferproof/sumcheck/1/opening/root",
            Self::OpeningAnswer => "inferproof/sumcheck/1/opening/answer",
            Self::OpeningLast => "inferproof/sumcheck/1/opening/last",
        }
    }
}

/// What challenges are drawn from.
#[derive(Clone, Debug)]
enum State {
    Blake3(Sponge),
    Keccak256(KeccakState),
}

/// The transcript of one proof.
#[derive(Clone, Debug)]
pub struct Transcript {
    state: State,
    pads: Option<Pads>,
    #[cfg(feature = "audit")]
    audit: audit::Audit,
}

impl Default for Transcript {
    fn default() -> Self {
        Self::new()
    }
}

impl Transcript {
    /// An empty transcript by BLAKE3.
    pub fn new() -> Self {
        Self::by(HashFunction::Blake3)
    }

    /// An empty transcript by a hash function.
    pub fn by(function: HashFunction) -> Self {
        let state = match function {
            HashFunction::Blake3 => State::Blake3(Sponge::from_hasher(Vec::new(), Blake3AtOnce)),
            HashFunction::Keccak256 => State::Keccak256(KeccakState::default()),
        };
        Self {
            state,
            pads: None,
            #[cfg(feature = "audit")]
            audit: audit::Audit::default(),
        }
    }

    /// Absorbs `data`. By BLAKE3, the sponge observes the 32 bytes of
    /// BLAKE3(le32(|label|) ‖ label ‖ le64(|data|) ‖ data); by Keccak-256, the state becomes
    /// keccak256(state ‖ keccak256(label) ‖ data).
    pub fn absorb(&mut self, site: Site, data: &[u8]) {
        self.absorb_with(site, data.len(), |take| take(data));
    }

    /// Absorbs integers, four bytes each, one tensor after another.
    pub fn absorb_integers(&mut self, site: Site, tensors: &[&[i32]]) {
        let count: usize = tensors.iter().map(|tensor| tensor.len()).sum();
        self.absorb_with(site, count * size_of::<i32>(), |take| {
            // In pieces that stay near the processor, and are long enough for all of its lanes.
            let mut piece = vec![[0; 4]; count.min(PIECE)];
            for values in tensors.iter().flat_map(|tensor| tensor.chunks(PIECE)) {
                for (word, value) in piece.iter_mut().zip(values) {
                    *word = value.to_le_bytes();
                }
                let words = piece.get(..values.len()).unwrap_or_default();
                take(words.as_flattened());
            }
        });
    }

    /// Absorbs data of this length, which is given in pieces.
    fn absorb_with(&mut self, site: Site, length: usize, data: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        #[cfg(feature = "audit")]
        if !self.audit.admits(site, length) {
            return;
        }
        match &mut self.state {
            State::Blake3(sponge) => {
                let label = site.label().as_bytes();
                let mut hasher = blake3::Hasher::new();
                hasher.update(&(label.len() as u32).to_le_bytes());
                hasher.update(label);
                hasher.update(&(length as u64).to_le_bytes());
                data(&mut |piece| {
                    hasher.update(piece);
                });
                let digest: Digest = hasher.finalize().into();
                sponge.observe(Hash::<Base, u8, 32>::from(digest));
            }
            State::Keccak256(state) => {
                let mut whole = Vec::with_capacity(length);
                data(&mut |piece| whole.extend_from_slice(piece));
                state.absorb(site.label(), &whole);
            }
        }
    }

    /// From here on each element that is absorbed is absorbed under a pad: the sum of both takes its
    /// place, and is what a prover sends. The pads are used in order, each once.
    pub fn pad(&mut self, pads: &[Extension]) {
        self.pads = Some(Pads::new(pads));
    }

    /// Whether elements are absorbed under pads.
    pub const fn is_padded(&self) -> bool {
        self.pads.is_some()
    }

    /// Ends that, and returns what was absorbed; nothing if there were fewer pads than elements.
    pub fn padded(&mut self) -> Option<Vec<Extension>> {
        self.pads.take()?.sent()
    }

    /// Absorbs elements of the extension field, 20 bytes each.
    pub fn absorb_elements(&mut self, site: Site, elements: &[Extension]) {
        let padded = self.pads.as_mut().map(|pads| pads.apply(elements));
        let elements = padded.as_deref().unwrap_or(elements);
        let mut bytes = Vec::with_capacity(elements.len() * EXTENSION_BYTES);
        for &element in elements {
            write_extension(&mut bytes, element);
        }
        self.absorb(site, &bytes);
    }

    /// Draws one challenge.
    pub fn challenge(&mut self) -> Extension {
        let drawn = match &mut self.state {
            State::Blake3(sponge) => sponge.sample_algebra_element(),
            State::Keccak256(state) => state.challenge(),
        };
        #[cfg(feature = "audit")]
        self.audit.drew(Drawn::Challenge(drawn));
        drawn
    }

    /// Draws an index of so many bits.
    pub fn index(&mut self, bits: usize) -> usize {
        let drawn = match &mut self.state {
            State::Blake3(sponge) => sponge.sample_bits(bits),
            State::Keccak256(state) => state.index(bits),
        };
        #[cfg(feature = "audit")]
        self.audit.drew(Drawn::Index(drawn));
        drawn
    }

    /// Finds a witness of so many bits of work. For none, nothing happens, and the witness is 0.
    pub fn work(&mut self, bits: usize) -> Base {
        let witness = match &mut self.state {
            State::Blake3(sponge) => sponge.grind(bits),
            State::Keccak256(_) if bits == 0 => Base::default(),
            State::Keccak256(state) => state.work(bits),
        };
        #[cfg(feature = "audit")]
        self.audit.drew(Drawn::Work(bits, witness));
        witness
    }

    /// Checks a witness of so many bits of work. For none, nothing happens, and any witness will do.
    pub fn worked(&mut self, bits: usize, witness: Base) -> bool {
        #[cfg(feature = "audit")]
        self.audit.drew(Drawn::Work(bits, witness));
        match &mut self.state {
            State::Blake3(sponge) => sponge.check_witness(bits, witness),
            State::Keccak256(_) if bits == 0 => true,
            State::Keccak256(state) => state.worked(bits, witness),
        }
    }

    /// Draws a point of `variables` coordinates.
    pub fn point(&mut self, variables: usize) -> Vec<Extension> {
        (0..variables).map(|_| self.challenge()).collect()
    }

    /// The sponge itself, which tests give to the library's own protocols. A transcript by Keccak-256 has none.
    #[cfg(feature = "audit")]
    pub const fn sponge(&mut self) -> Option<&mut Sponge> {
        match &mut self.state {
            State::Blake3(sponge) => Some(sponge),
            State::Keccak256(_) => None,
        }
    }
}

/// Appends an element's canonical bytes: five little-endian words below the modulus.
pub fn write_extension(out: &mut Vec<u8>, element: Extension) {
    let coefficients: &[Base] = element.as_basis_coefficients_slice();
    for coefficient in coefficients {
        out.extend_from_slice(&coefficient.as_canonical_u32().to_le_bytes());
    }
}

/// What tests use to look into a transcript, to leave one absorb out, and to program what is drawn.
#[cfg(feature = "audit")]
mod audit {
    use super::{Base, Extension, Site, Transcript};

    /// What was drawn from a transcript.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Drawn {
        /// A challenge.
        Challenge(Extension),
        /// An index.
        Index(usize),
        /// So many bits of work were found or checked, with this witness.
        Work(usize, Base),
    }

    #[derive(Clone, Debug, Default)]
    pub(super) struct Audit {
        log: Vec<(Site, usize)>,
        drawn: Vec<Drawn>,
        left_out: Option<Site>,
        deaf: bool,
    }

    impl Audit {
        pub(super) fn admits(&mut self, site: Site, length: usize) -> bool {
            if self.deaf || self.left_out == Some(site) {
                return false;
            }
            self.log.push((site, length));
            true
        }

        pub(super) fn drew(&mut self, drawn: Drawn) {
            self.drawn.push(drawn);
        }
    }

    impl Transcript {
        /// A transcript that absorbs nothing at `site`.
        pub fn without(site: Site) -> Self {
            Self::new().leaving_out(site)
        }

        /// This transcript, absorbing nothing at `site` from here on.
        #[must_use]
        pub fn leaving_out(mut self, site: Site) -> Self {
            self.audit.left_out = Some(site);
            self
        }

        /// A transcript that absorbs nothing: its challenges are frozen, but for what work adds to them.
        pub fn deaf() -> Self {
            let mut transcript = Self::new();
            transcript.audit.deaf = true;
            transcript
        }

        /// A random oracle that was programmed: what is drawn follows from `program`, whatever is absorbed.
        pub fn programmed(program: u64) -> Self {
            let mut transcript = Self::new();
            transcript.absorb(Site::Protocol, &program.to_le_bytes());
            transcript.audit = Audit {
                deaf: true,
                ..Audit::default()
            };
            transcript
        }

        /// What was drawn so far, in order.
        pub fn drawn(&self) -> &[Drawn] {
            &self.audit.drawn
        }

        /// What was absorbed so far: sites and lengths, in order.
        pub fn log(&self) -> &[(Site, usize)] {
            &self.audit.log
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Base, Blake3AtOnce, EXTENSION_BYTES, Extension, HashFunction, Site, Transcript,
        write_extension,
    };
    use p3_blake3::Blake3;
    use p3_symmetric::CryptographicHasher;
    use std::collections::BTreeSet;

    fn sites() -> impl Iterator<Item = Site> {
        let first = Site::ALL.into_iter().chain(Site::REDUCTION);
        let others = Site::RELATION.into_iter().chain(Site::LINK);
        let others = others.chain(Site::PRIVATE_INPUTS);
        first.chain(others).chain(Site::OPENING)
    }

    const FUNCTIONS: [HashFunction; 2] = [HashFunction::Blake3, HashFunction::Keccak256];

    fn after(function: HashFunction, site: Site, data: &[u8]) -> Extension {
        let mut transcript = Transcript::by(function);
        transcript.absorb(site, data);
        transcript.challenge()
    }

    #[test]
    fn labels_are_distinct() {
        let labels: BTreeSet<_> = sites().map(Site::label).collect();
        assert_eq!(labels.len(), sites().count());
    }

    #[test]
    fn every_site_and_every_byte_moves_the_challenge() {
        let mut seen = BTreeSet::new();
        for function in FUNCTIONS {
            let first = after(function, Site::Key, b"abc");
            assert_eq!(first, after(function, Site::Key, b"abc"));
            assert_ne!(first, after(function, Site::Key, b"abd"));
            assert_ne!(first, after(function, Site::Key, b"abc\0"));
            for site in sites() {
                let mut bytes = Vec::new();
                write_extension(&mut bytes, after(function, site, b"abc"));
                assert_eq!(bytes.len(), EXTENSION_BYTES);
                seen.insert(bytes);
            }
        }
        assert_eq!(seen.len(), FUNCTIONS.len() * sites().count());
    }

    #[test]
    fn the_hash_at_once_is_the_hash() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|at| ((at * 31) >> 3) as u8).collect();
        for length in [0, 1, 31, 511, 512, 513, 1024, 1025, 16_384, 16_385, 40_000] {
            let given = &bytes[..length];
            let expected: [u8; 32] = blake3::hash(given).into();
            let iterated = given.iter().copied();
            assert_eq!(Blake3AtOnce.hash_iter(iterated.clone()), expected);
            assert_eq!(Blake3.hash_iter(iterated), expected);
            assert_eq!(Blake3AtOnce.hash_slice(given), expected);
            let halves = given.split_at(length / 3);
            assert_eq!(
                Blake3AtOnce.hash_iter_slices([halves.0, halves.1]),
                expected
            );
        }
        let (mut ours, mut theirs) = ([[0; 32]; 40], [[0; 32]; 40]);
        Blake3AtOnce.hash_many(&bytes, &mut ours);
        Blake3.hash_many(&bytes, &mut theirs);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn integers_are_absorbed_as_their_bytes() {
        let values: Vec<i32> = (0..100_003_i32).map(|at| at.wrapping_mul(40_503)).collect();
        for parts in [
            &[&values[..]][..],
            &[&values[..5], &[], &values[5..40_000]],
            &[],
        ] {
            let bytes: Vec<u8> = parts
                .iter()
                .flat_map(|part| part.iter().flat_map(|value| value.to_le_bytes()))
                .collect();
            for function in FUNCTIONS {
                let mut transcript = Transcript::by(function);
                transcript.absorb_integers(Site::Inputs, parts);
                let expected = after(function, Site::Inputs, &bytes);
                assert_eq!(transcript.challenge(), expected);
            }
        }
    }

    #[test]
    fn padded_elements_are_absorbed_and_never_the_elements() {
        let mut transcript = Transcript::new();
        let elements = transcript.point(5);
        let pads = transcript.point(5);
        let sums: Vec<_> = elements.iter().zip(&pads).map(|(&e, &p)| e + p).collect();
        let absorb = |elements: &[Extension], pads: Option<&[Extension]>| {
            let mut transcript = Transcript::new();
            if let Some(pads) = pads {
                transcript.pad(pads);
            }
            assert_eq!(transcript.is_padded(), pads.is_some());
            transcript.absorb_elements(Site::Claims, &elements[..2]);
            transcript.absorb_elements(Site::Round, &elements[2..]);
            (transcript.challenge(), transcript.padded())
        };
        let (challenge, sent) = absorb(&elements, Some(&pads));
        assert_eq!(sent, Some(sums.clone()));
        assert_eq!(absorb(&sums, None), (challenge, None));
        assert_ne!(absorb(&elements, None).0, challenge);
        // Too few pads: nothing is handed out, and what is absorbed is not the element.
        let (short, sent) = absorb(&elements, Some(&pads[..4]));
        assert_eq!(sent, None);
        assert_ne!(short, challenge);
    }

    #[test]
    fn pads_are_not_printed() {
        let mut transcript = Transcript::new();
        let pads = transcript.point(1);
        transcript.pad(&pads);
        let shown = format!("{transcript:?}");
        assert!(shown.contains("pads: Some(Pads { .. })"), "{shown}");
    }

    #[test]
    fn a_split_of_the_data_is_another_transcript() {
        for function in FUNCTIONS {
            let mut transcript = Transcript::by(function);
            transcript.absorb(Site::Key, b"ab");
            transcript.absorb(Site::Key, b"c");
            assert_ne!(transcript.challenge(), after(function, Site::Key, b"abc"));
        }
    }

    #[test]
    fn work_is_checked_by_whom_it_was_made_for() {
        for function in FUNCTIONS {
            let mut prover = Transcript::by(function);
            prover.absorb(Site::Key, b"abc");
            let mut verifier = prover.clone();
            let mut other = prover.clone();
            other.absorb(Site::Key, b"d");
            let witness = prover.work(12);
            assert!(verifier.worked(12, witness));
            assert!(!other.worked(12, witness));
            assert_eq!(prover.index(30), verifier.index(30));
            // No work: nothing is hashed.
            assert!(verifier.worked(0, witness));
            assert_eq!(prover.work(0), Base::default());
            assert_eq!(prover.challenge(), verifier.challenge());
        }
    }

    #[cfg(feature = "audit")]
    #[test]
    fn only_a_transcript_by_blake3_has_a_sponge() {
        assert!(Transcript::new().sponge().is_some());
        assert!(Transcript::by(HashFunction::Keccak256).sponge().is_none());
    }
}

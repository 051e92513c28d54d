//! Where masks come from.
//!
//! ```text
//! seed = BLAKE3-derive-key(purpose; 32 bytes of the operating system ‖ statement ‖ witness ‖ key ‖ slot)
//! masks = the stream that BLAKE3 keyed with the seed gives, four bytes a word, words of 31 bits, those not
//!         below the modulus left out
//! ```
//!
//! A mask that is used twice hides nothing. So no opening takes a seed: the operating system is asked
//! each time, and what the opening is about goes into the seed beside its answer, so that a source that
//! repeats itself (a restored snapshot, a fork) gives equal masks only to openings that are equal in
//! all of that. A commitment that outlives its process is made again from a [`Secret`], which its owner
//! keeps as he keeps the weights: it gives the same masks to the same vector, and its openings are counted. Fields are uniform because words are: by rejection, not by a remainder.

use p3_field::BasedVectorSpace;
use p3_field::integers::QuotientMap;
use transcript::{BASE_BYTES, Base, DEGREE, Extension};

/// What the seed is derived for, and for nothing else.
const PURPOSE: &str = "inferproof sumcheck 1 masks of a hiding opening";
/// The same, where the seed's entropy is kept.
const PURPOSE_KEPT: &str = "inferproof sumcheck 1 masks of a commitment that is made again";
/// Bytes that are taken off the stream at a time.
const PIECE: usize = 4096;
/// Words of a piece.
const WORDS: usize = PIECE / BASE_BYTES;
/// Pieces that are taken at a time at most.
const PIECES: usize = 1024;
/// Nanoseconds that the elements of a piece take.
const PIECE_COST: usize = 3000;

/// The operating system gave no entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no entropy")]
pub struct NoEntropy;

/// What one opening is about.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The statement's digest.
    pub statement: &'a [u8; 32],
    /// A digest of all that is to be hidden.
    pub witness: &'a [u8; 32],
    /// A digest of the key.
    pub key: &'a [u8; 32],
    /// The number under which the opening is counted.
    pub slot: u64,
}

/// What the masks of a commitment are made again from. It is not printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

/// A stream of uniform field elements. It is neither copied nor printed.
pub struct Randomness {
    stream: blake3::OutputReader,
    piece: Box<[u8; PIECE]>,
    used: usize,
    /// What a test gives in place of all that is uniform.
    #[cfg(any(test, feature = "audit"))]
    given: Option<std::vec::IntoIter<Base>>,
}

impl Randomness {
    /// The masks of one opening: 32 bytes of the operating system, and what it is about.
    pub fn new(context: &Context<'_>) -> Result<Self, NoEntropy> {
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy).map_err(|_| NoEntropy)?;
        Ok(Self::derived(PURPOSE, &entropy, context))
    }

    /// The masks of a commitment that is made once more. What it is about MUST be all that it depends on.
    pub fn again(secret: &Secret, context: &Context<'_>) -> Self {
        Self::derived(PURPOSE_KEPT, &secret.0, context)
    }

    fn derived(purpose: &str, entropy: &[u8; 32], context: &Context<'_>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(entropy);
        for part in [context.statement, context.witness, context.key] {
            hasher.update(part);
        }
        hasher.update(&context.slot.to_le_bytes());
        let seed: [u8; 32] = hasher.finalize().into();
        Self {
            stream: blake3::Hasher::new_keyed(&seed).finalize_xof(),
            piece: Box::new([0; PIECE]),
            used: PIECE,
            #[cfg(any(test, feature = "audit"))]
            given: None,
        }
    }

    /// Masks that follow from `entropy`: for tests, and for vectors that have to be the same each time.
    #[cfg(any(test, feature = "audit"))]
    pub fn of_seed(entropy: &[u8; 32], context: &Context<'_>) -> Self {
        Self::derived(PURPOSE, entropy, context)
    }

    /// 32 bytes of the stream, which ends with them.
    pub fn secret(mut self) -> Secret {
        let mut bytes = [0; 32];
        self.stream.fill(&mut bytes);
        Secret(bytes)
    }

    /// These elements in place of uniform ones, and zeros after them: for tests that set masks one by one, or
    /// leave some out. What is drawn of each kind is said by `Shape::drawn`.
    #[cfg(any(test, feature = "audit"))]
    pub fn given(elements: Vec<Base>) -> Self {
        let nothing = [0; 32];
        let context = Context {
            statement: &nothing,
            witness: &nothing,
            key: &nothing,
            slot: 0,
        };
        let mut randomness = Self::derived(PURPOSE, &nothing, &context);
        randomness.given = Some(elements.into_iter());
        randomness
    }

    fn word(&mut self) -> [u8; BASE_BYTES] {
        if self.used == PIECE {
            self.stream.fill(&mut self.piece[..]);
            self.used = 0;
        }
        let mut word = [0; BASE_BYTES];
        word.copy_from_slice(&self.piece[self.used..self.used + BASE_BYTES]);
        self.used += BASE_BYTES;
        word
    }

    /// One uniform element of the base field.
    pub fn base(&mut self) -> Base {
        #[cfg(any(test, feature = "audit"))]
        if let Some(given) = &mut self.given {
            return given.next().unwrap_or_default();
        }
        loop {
            if let Some(element) = element(self.word()) {
                return element;
            }
        }
    }

    /// Uniform elements of the base field.
    pub fn bases(&mut self, count: usize) -> Vec<Base> {
        let mut elements = Vec::with_capacity(count);
        #[cfg(any(test, feature = "audit"))]
        if self.given.is_some() {
            elements.extend((0..count).map(|_| self.base()));
            return elements;
        }
        while self.used < PIECE && elements.len() < count {
            elements.push(self.base());
        }
        // A piece has at most as many elements as words, so that so many whole pieces are not too many.
        while count - elements.len() >= WORDS {
            let pieces = (count - elements.len()) / WORDS;
            for part in self.pieces(pieces.min(PIECES)) {
                elements.extend_from_slice(&part);
            }
        }
        let left = count - elements.len();
        elements.extend((0..left).map(|_| self.base()));
        elements
    }

    /// The elements of the next pieces of the stream, from the beginning of a piece on.
    fn pieces(&mut self, count: usize) -> Vec<Vec<Base>> {
        let (stream, first) = (&self.stream, self.stream.position());
        let elements = parallel::ranges(count, PIECE_COST, |range| {
            let mut stream = stream.clone();
            stream.set_position(first + (range.start * PIECE) as u64);
            let (mut piece, mut elements) = ([0; PIECE], Vec::with_capacity(range.len() * WORDS));
            for _ in range {
                stream.fill(&mut piece);
                elements.extend(piece.as_chunks().0.iter().copied().filter_map(element));
            }
            elements
        });
        self.stream.set_position(first + (count * PIECE) as u64);
        elements
    }

    /// Uniform elements of the extension field.
    pub fn extensions(&mut self, count: usize) -> Vec<Extension> {
        let coefficients = self.bases(count * DEGREE);
        let coefficients = coefficients.as_chunks::<DEGREE>().0.iter();
        let element = |of: &[Base; DEGREE]| Extension::from_basis_coefficients_fn(|at| of[at]);
        coefficients.map(element).collect()
    }
}

/// The element that a word stands for; more than half of all words stand for one.
fn element(word: [u8; BASE_BYTES]) -> Option<Base> {
    Base::from_canonical_checked(u32::from_le_bytes(word) & (u32::MAX >> 1))
}

#[cfg(test)]
mod tests {
    use super::{Context, Randomness, Secret, WORDS};
    use p3_field::PrimeField32;
    use std::collections::BTreeSet;
    use transcript::Base;

    const NOTHING: [u8; 32] = [0; 32];

    fn context(slot: u64) -> Context<'static> {
        Context {
            statement: &NOTHING,
            witness: &NOTHING,
            key: &NOTHING,
            slot,
        }
    }

    #[test]
    fn the_same_context_twice_gives_unrelated_masks() {
        let mut first = Randomness::new(&context(1)).unwrap();
        let mut second = Randomness::new(&context(1)).unwrap();
        let (first, second) = (first.bases(4096), second.bases(4096));
        let equal = first.iter().zip(&second).filter(|(a, b)| a == b);
        assert!(equal.count() < 3);
    }

    #[test]
    fn a_source_that_repeats_itself_repeats_no_mask_of_another_opening() {
        let other = [1; 32];
        let contexts = [
            context(1),
            context(2),
            Context {
                statement: &other,
                ..context(1)
            },
            Context {
                witness: &other,
                ..context(1)
            },
            Context {
                key: &other,
                ..context(1)
            },
        ];
        let firsts: BTreeSet<u32> = contexts
            .iter()
            .map(|context| Randomness::of_seed(&[7; 32], context).base())
            .map(|element| element.as_canonical_u32())
            .collect();
        assert_eq!(firsts.len(), contexts.len());
        // Its negative neighbour: in all equal, the masks are equal too.
        let again = |_| Randomness::of_seed(&[7; 32], &context(1)).bases(64);
        assert_eq!(again(0), again(1));
    }

    #[test]
    fn many_elements_are_those_that_come_one_by_one() {
        let stream = || Randomness::of_seed(&[7; 32], &context(1));
        let mut one_by_one = stream();
        let expected: Vec<_> = (0..100 * WORDS).map(|_| one_by_one.base()).collect();
        for threads in [1, 2] {
            let pool = parallel::Pool::eager(threads).unwrap();
            let (mut many, mut left) = (stream(), &expected[..]);
            for count in [0, 1, WORDS - 1, WORDS, 3, 60 * WORDS + 5, 7, 2 * WORDS] {
                let (own, rest) = left.split_at(count);
                assert_eq!(pool.run(|| many.bases(count)), own);
                assert_eq!(many.base(), rest[0]);
                left = &rest[1..];
            }
        }
    }

    #[test]
    fn a_commitment_is_made_again_from_its_secret_and_from_no_other() {
        let secret = Randomness::new(&context(3)).unwrap().secret();
        let again = |secret: &Secret, slot| Randomness::again(secret, &context(slot)).bases(64);
        assert_eq!(again(&secret, 0), again(&secret, 0));
        let others = [
            again(&Randomness::new(&context(3)).unwrap().secret(), 0),
            again(&secret, 1),
            Randomness::of_seed(&secret.0, &context(0)).bases(64),
        ];
        assert!(others.iter().all(|other| *other != again(&secret, 0)));
    }

    #[test]
    fn elements_are_uniform_in_both_bytes_at_the_ends() {
        let elements = Randomness::new(&context(0)).unwrap().bases(1 << 18);
        let mut low = [0_u32; 256];
        let mut high = [0_u32; 127];
        for element in elements {
            let value = element.as_canonical_u32();
            low[(value & 255) as usize] += 1;
            // The modulus is 127 · 2^24 + 1: the last value falls to the first byte below it.
            high[(value >> 24).min(126) as usize] += 1;
        }
        assert_eq!(Base::ORDER_U32 >> 24, 127);
        for counts in [&low[..], &high] {
            let expected = f64::from(1 << 18) / counts.len() as f64;
            let statistic: f64 = counts
                .iter()
                .map(|&count| (f64::from(count) - expected).powi(2) / expected)
                .sum();
            let degrees = counts.len() as f64 - 1.0;
            // Eight standard deviations of chi-square: never in a sound build.
            assert!((statistic - degrees).abs() < 8.0 * (2.0 * degrees).sqrt());
        }
    }
}

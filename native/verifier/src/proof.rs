//! A proof and its bytes.

use crate::{Rejection, VerifyingKey};
use commitment::{Opening, Reader, Writer};
use layers::Round;

/// First byte of a proof.
pub const PROOF_VERSION: u8 = 1;

/// A proof: the results of all contractions, the sumcheck's rounds, the opening of the weights.
#[derive(Clone)]
pub struct Proof {
    /// Results with bias, one contraction after another.
    pub accumulators: Vec<i32>,
    /// Round polynomials.
    pub rounds: Vec<Round>,
    /// Opening of every weight matrix.
    pub opening: Opening,
}

/// Bytes that the values of a range `lo..=hi` take, as offsets from `lo`.
fn width(lo: i32, hi: i32) -> usize {
    let span = hi.abs_diff(lo);
    (32 - span.leading_zeros()).div_ceil(8) as usize
}

impl Proof {
    /// The canonical bytes.
    pub fn encode(&self, key: &VerifyingKey) -> Vec<u8> {
        self.write(key).bytes
    }

    /// The canonical bytes, with the fields that they are made of.
    pub fn write(&self, key: &VerifyingKey) -> Writer {
        let mut out = Writer::default();
        out.field("version");
        out.bytes.push(PROOF_VERSION);
        let mut left = self.accumulators.as_slice();
        for contraction in key.contractions() {
            out.field("accumulators");
            let (values, rest) = left
                .split_at_checked(contraction.results())
                .unwrap_or((left, &[]));
            left = rest;
            if let Some((_, lo, hi)) = key.graph().tensor(contraction.result) {
                for value in values {
                    let bytes = value.abs_diff(lo).to_le_bytes();
                    out.bytes.extend(bytes.iter().take(width(lo, hi)));
                }
            }
        }
        for round in &self.rounds {
            out.field("round");
            out.extensions(round);
        }
        self.opening.encode(key.scheme(), &mut out);
        out
    }

    /// The proof of these bytes.
    pub fn decode(key: &VerifyingKey, bytes: &[u8]) -> Result<Self, Rejection> {
        let mut reader = Reader::new(bytes);
        let [version] = reader.array()?;
        if version != PROOF_VERSION {
            return Err(Rejection::Version(version));
        }
        let accumulators = accumulators(key, &mut reader)?;
        let rounds = (0..key.rounds())
            .map(|_| Ok([reader.extension()?, reader.extension()?]))
            .collect::<Result<_, Rejection>>()?;
        let opening = Opening::decode(key.scheme(), key.pin(), &mut reader)?;
        reader.finish()?;
        Ok(Self {
            accumulators,
            rounds,
            opening,
        })
    }
}

fn accumulators(key: &VerifyingKey, reader: &mut Reader<'_>) -> Result<Vec<i32>, Rejection> {
    let mut values = Vec::new();
    for (number, contraction) in key.contractions().iter().enumerate() {
        let Some((_, lo, hi)) = key.graph().tensor(contraction.result) else {
            continue;
        };
        let width = width(lo, hi);
        reader.fits(contraction.results(), width)?;
        values.reserve(contraction.results());
        for index in 0..contraction.results() {
            let mut word = [0; 4];
            for (byte, &given) in word.iter_mut().zip(reader.take(width)?) {
                *byte = given;
            }
            let offset = u32::from_le_bytes(word);
            if offset > hi.abs_diff(lo) {
                return Err(Rejection::AccumulatorRange {
                    contraction: number,
                    index,
                });
            }
            values.push(lo.saturating_add_unsigned(offset));
        }
    }
    Ok(values)
}

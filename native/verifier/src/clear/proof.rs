//! A proof of the clear mode and its bytes.

use super::packed;

use crate::rejection::Rejection;
use commitment::{Opening, Reader, Writer};
use key::VerifyingKey;
use layers::Contraction;
use transcript::Extension;

/// First byte of a proof.
pub const PROOF_VERSION: u8 = 1;

/// A round's polynomial as the proof carries it: h(0) and the coefficient of X².
pub type Round = [Extension; 2];

/// A proof: the results of all contractions, the sumcheck's rounds, the opening of the weights.
#[derive(Clone)]
pub struct Proof {
    /// Results with bias, one contraction after another.
    pub contraction_outputs: Vec<i32>,
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
        let mut left = self.contraction_outputs.as_slice();
        for contraction in key.contractions() {
            let (values, rest) = left
                .split_at_checked(contraction.results())
                .unwrap_or((left, &[]));
            left = rest;
            if key.scheme().profile().packs() {
                out.field("packed accumulators");
                packed::write(values, &mut out.bytes);
                continue;
            }
            out.field("accumulators");
            if let Some((_, lo, hi)) = key.graph().tensor(contraction.result) {
                match width(lo, hi) {
                    0 => (),
                    1 => write_offsets::<1>(lo, values, &mut out.bytes),
                    2 => write_offsets::<2>(lo, values, &mut out.bytes),
                    3 => write_offsets::<3>(lo, values, &mut out.bytes),
                    _ => write_offsets::<4>(lo, values, &mut out.bytes),
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
        let contraction_outputs = contraction_outputs(key, &mut reader)?;
        let own_rounds = key.contractions().iter().map(Contraction::rounds);
        let rounds = (0..own_rounds.max().unwrap_or(0))
            .map(|_| Ok([reader.extension()?, reader.extension()?]))
            .collect::<Result<_, Rejection>>()?;
        let opening = Opening::decode(key.scheme(), key.binding_evaluation(), &mut reader)?;
        reader.finish()?;
        Ok(Self {
            contraction_outputs,
            rounds,
            opening,
        })
    }
}

fn write_offsets<const WIDTH: usize>(lo: i32, values: &[i32], out: &mut Vec<u8>) {
    out.reserve(WIDTH * values.len());
    for value in values {
        let word = value.abs_diff(lo).to_le_bytes();
        if let Some(bytes) = word.first_chunk::<WIDTH>() {
            out.extend_from_slice(bytes);
        }
    }
}

fn contraction_outputs(key: &VerifyingKey, reader: &mut Reader<'_>) -> Result<Vec<i32>, Rejection> {
    let mut values = Vec::new();
    for (number, contraction) in key.contractions().iter().enumerate() {
        let Some((_, lo, hi)) = key.graph().tensor(contraction.result) else {
            continue;
        };
        let count = contraction.results();
        let outside = if key.scheme().profile().packs() {
            packed::read(reader, count, (lo, hi), &mut values)?
        } else {
            let width = width(lo, hi);
            reader.fits(count, width)?;
            let bytes = reader.take(count * width)?;
            if values.is_empty() {
                // Once for all, where the bytes of the first do not lack.
                values.reserve_exact(key.graph().contraction_outputs());
            }
            match width {
                0 => {
                    values.extend(std::iter::repeat_n(lo, count));
                    None
                }
                1 => read_offsets::<1>(lo, hi, bytes, &mut values),
                2 => read_offsets::<2>(lo, hi, bytes, &mut values),
                3 => read_offsets::<3>(lo, hi, bytes, &mut values),
                _ => read_offsets::<4>(lo, hi, bytes, &mut values),
            }
        };
        if let Some(index) = outside {
            return Err(Rejection::ContractionOutputRange {
                contraction: number,
                index,
            });
        }
    }
    Ok(values)
}

/// Appends the values; the first one that is outside of the range, if any is.
fn read_offsets<const WIDTH: usize>(
    lo: i32,
    hi: i32,
    bytes: &[u8],
    values: &mut Vec<i32>,
) -> Option<usize> {
    let offset = |bytes: &[u8; WIDTH]| {
        let mut word = [0; 4];
        if let Some(low) = word.first_chunk_mut::<WIDTH>() {
            *low = *bytes;
        }
        u32::from_le_bytes(word)
    };
    let (offsets, _) = bytes.as_chunks::<WIDTH>();
    let span = hi.abs_diff(lo);
    let mut largest = 0;
    values.extend(offsets.iter().map(|bytes| {
        let offset = offset(bytes);
        largest = largest.max(offset);
        lo.wrapping_add_unsigned(offset)
    }));
    if largest <= span {
        return None;
    }
    offsets.iter().position(|bytes| offset(bytes) > span)
}

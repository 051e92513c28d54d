//! A proof of the committed mode and its bytes.

use crate::rejection::Rejection;
use commitment::columns::ColumnsOpening;
use commitment::{Opening, Reader, Root, Writer};
use key::{Committed, VerifyingKey};
use transcript::{EXTENSION_BYTES, Extension};

/// First byte of a proof.
pub const PROOF_VERSION: u8 = 4;

/// A proof.
#[derive(Clone)]
pub struct Proof {
    /// Root of the committed columns.
    pub witness: Root,
    /// That they are in their tables.
    pub lookups: lookup::Proof,
    /// What the reduction sends.
    pub reduction: Vec<Extension>,
    /// Opening of the columns.
    pub columns: ColumnsOpening,
    /// Opening of the weights.
    pub weights: Opening,
}

impl Proof {
    /// The canonical bytes, with the fields that they are made of.
    pub fn write(&self, key: &VerifyingKey, derived: &Committed) -> Writer {
        let mut out = Writer::default();
        out.field("version");
        out.bytes.push(PROOF_VERSION);
        out.field("witness");
        out.bytes.extend_from_slice(&self.witness);
        out.field("lookups");
        self.lookups.encode(&mut out);
        out.field("reduction length");
        let count = self.reduction.len() as u32;
        out.bytes.extend_from_slice(&count.to_le_bytes());
        out.field("reduction");
        out.extensions(&self.reduction);
        out.field("witness opening");
        self.columns.encode(derived.columns(), &mut out);
        out.field("weight opening");
        self.weights.encode(key.scheme(), &mut out);
        out
    }

    /// The canonical bytes.
    pub fn encode(&self, key: &VerifyingKey, derived: &Committed) -> Vec<u8> {
        self.write(key, derived).bytes
    }

    /// The proof of these bytes.
    pub fn decode(
        key: &VerifyingKey,
        derived: &Committed,
        bytes: &[u8],
    ) -> Result<Self, Rejection> {
        let mut reader = Reader::new(bytes);
        let [version] = reader.array()?;
        if version != PROOF_VERSION {
            return Err(Rejection::Version(version));
        }
        let witness = reader.array()?;
        let lookups = lookup::Proof::decode(derived.argument(), &mut reader)?;
        let count = reader.word()? as usize;
        reader.fits(count, EXTENSION_BYTES)?;
        let reduction = reader.extensions(count)?;
        let columns = ColumnsOpening::decode(derived.columns(), &mut reader)?;
        let weights = Opening::decode(key.scheme(), key.binding_evaluation(), &mut reader)?;
        reader.finish()?;
        Ok(Self {
            witness,
            lookups,
            reduction,
            columns,
            weights,
        })
    }
}

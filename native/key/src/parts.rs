//! A key's bytes taken apart, and put together.

use crate::error::KeyError;
use crate::kinds::Openings;
use commitment::{Profile, Reader, Root};
use transcript::{Extension, write_extension};

/// First bytes of a verifying key.
const MAGIC: &[u8; 8] = b"INFSUMVK";
/// Version of protocol and key.
const VERSION: u32 = 1;

/// The byte that stands behind the version.
const KIND: u8 = 3;
/// Its values in keys of modes that have ended, with their names. They are not used again.
pub const MODES_ENDED: [(u8, &str); 2] = [(1, "clear"), (2, "committed")];

/// The parts of a key; of the values nothing is known but that they are elements.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) profile: Profile,
    /// The weight commitment.
    pub(crate) root: Root,
    /// How often its commitments may be opened.
    pub(crate) openings: Openings,
    /// The value of the pin, where there is one.
    pub(crate) values: Vec<Extension>,
    /// The bytes of the graph.
    pub(crate) graph: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The parts of a key.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(bytes);
        let magic: [u8; 8] = reader.array()?;
        let version = reader.word()?;
        let [kind, profile] = reader.array()?;
        if &magic != MAGIC {
            return Err(KeyError::Malformed);
        }
        if version != VERSION {
            return Err(KeyError::Version);
        }
        if let Some((_, mode)) = MODES_ENDED.into_iter().find(|&(code, _)| code == kind) {
            return Err(KeyError::ModeEnded(mode));
        }
        if kind != KIND {
            return Err(KeyError::Version);
        }
        let profile = Profile::from_code(profile).ok_or(KeyError::Version)?;
        let root = reader.array()?;
        let openings = Openings {
            key: reader.word()?,
            links: reader.word()?,
            proofs: reader.word()?,
        };
        let count = reader.word()? as usize;
        Ok(Self {
            profile,
            root,
            openings,
            values: reader.extensions(count)?,
            graph: reader.take(reader.remaining())?,
        })
    }

    /// The canonical bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut values = (self.values.len() as u32).to_le_bytes().to_vec();
        for &value in &self.values {
            write_extension(&mut values, value);
        }
        self.bytes(&values)
    }

    /// The bytes from which the point of the pin is drawn: all but its value.
    pub(crate) fn without_values(&self) -> Vec<u8> {
        self.bytes(&[])
    }

    fn bytes(&self, values: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + values.len() + self.graph.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(KIND);
        out.push(self.profile.code());
        out.extend_from_slice(&self.root);
        let openings = self.openings;
        for count in [openings.key, openings.links, openings.proofs] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.extend_from_slice(values);
        out.extend_from_slice(self.graph);
        out
    }
}

//! A key's bytes taken apart, and put together.

use crate::error::KeyError;
use crate::kinds::Openings;
use crate::mode::Mode;
use commitment::{Profile, Reader, Root};
use transcript::{Extension, write_extension};

/// First bytes of a verifying key.
const MAGIC: &[u8; 8] = b"INFSUMVK";
/// Version of protocol and key.
const VERSION: u32 = 1;

/// The parts of a key; of the values nothing is known but that they are elements.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) mode: Mode,
    pub(crate) profile: Profile,
    /// The weight commitment.
    pub(crate) root: Root,
    /// How often its commitments may be opened, in a key of the private mode.
    pub(crate) openings: Option<Openings>,
    /// Values of the binding evaluation.
    pub(crate) values: Vec<Extension>,
    /// The bytes of the graph.
    pub(crate) graph: &'a [u8],
}

/// The mode that a key's bytes name, of which nothing else is read.
pub fn mode_of(bytes: &[u8]) -> Option<Mode> {
    let after = bytes.get(MAGIC.len() + size_of::<u32>()..)?;
    Mode::from_code(*after.first()?)
}

impl<'a> Parts<'a> {
    /// The parts of a key of this mode.
    pub(crate) fn decode(bytes: &'a [u8], mode: Mode) -> Result<Self, KeyError> {
        let mut reader = Reader::new(bytes);
        let magic: [u8; 8] = reader.array()?;
        let version = reader.word()?;
        let [code, profile] = reader.array()?;
        if &magic != MAGIC {
            return Err(KeyError::Malformed);
        }
        if version != VERSION {
            return Err(KeyError::Version);
        }
        if code == Mode::ENDED {
            return Err(KeyError::ModeEnded);
        }
        if code != mode.code() {
            return Err(KeyError::Version);
        }
        let profiles: &[Profile] = match mode {
            Mode::Clear => &Profile::ALL,
            Mode::Private => &Profile::PRIVATE,
        };
        let profile = Profile::from_code(profiles, profile).ok_or(KeyError::Version)?;
        let root = reader.array()?;
        let openings = match mode {
            Mode::Clear => None,
            Mode::Private => Some(Openings {
                key: reader.word()?,
                links: reader.word()?,
                proofs: reader.word()?,
            }),
        };
        let count = reader.word()? as usize;
        Ok(Self {
            mode,
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

    /// The bytes from which the point of the binding evaluation is drawn: all but its values.
    pub(crate) fn without_values(&self) -> Vec<u8> {
        self.bytes(&[])
    }

    fn bytes(&self, values: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + values.len() + self.graph.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(self.mode.code());
        out.push(self.profile.code());
        out.extend_from_slice(&self.root);
        if let Some(openings) = self.openings {
            for count in [openings.key, openings.links, openings.proofs] {
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
        out.extend_from_slice(values);
        out.extend_from_slice(self.graph);
        out
    }
}

//! What the verifying keys of all modes have in common: the commitment to the weights, its binding evaluation, and
//! the bytes around a graph.

use crate::{BindingEvaluation, Malformed, Profile, Reader, Root, Scheme};
use p3_field::PrimeCharacteristicRing;
use transcript::{EXTENSION_BYTES, Extension, Site, Transcript, write_extension};

/// First bytes of a verifying key.
const MAGIC: &[u8; 8] = b"INFSUMVK";
/// Version of protocol and key.
const VERSION: u32 = 1;

/// A mode of the proof system.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Its byte in a key.
    pub code: u8,
    /// Name and version of its protocol, as its transcripts begin.
    pub protocol: &'static [u8],
}

/// Bytes that are not those of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// They are no key's.
    Malformed,
    /// They are of another version, mode or profile.
    Version,
}

impl From<Malformed> for KeyFault {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The byte of the mode that a key's bytes name; nothing else of them is looked at but that they are
/// a key's of this version.
pub fn mode_of(bytes: &[u8]) -> Result<u8, KeyFault> {
    Ok(Header::read(&mut Reader::new(bytes))?.mode)
}

/// What all keys of this version begin with.
struct Header {
    mode: u8,
    profile: u8,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, KeyFault> {
        let magic: [u8; 8] = reader.array()?;
        let version = reader.word()?;
        let [mode, profile] = reader.array()?;
        if &magic != MAGIC {
            return Err(KeyFault::Malformed);
        }
        if version != VERSION {
            return Err(KeyFault::Version);
        }
        Ok(Self { mode, profile })
    }
}

/// A key's bytes taken apart; of the values nothing is known but that they are elements.
#[derive(Debug)]
pub struct KeyParts<'a> {
    /// The profile.
    pub profile: Profile,
    /// The weight commitment.
    pub root: Root,
    /// Values of the binding evaluation.
    pub values: Vec<Extension>,
    /// The bytes of the graph.
    pub graph: &'a [u8],
}

impl<'a> KeyParts<'a> {
    /// The parts of a key of this mode.
    pub fn decode(mode: Mode, bytes: &'a [u8]) -> Result<Self, KeyFault> {
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader)?;
        if header.mode != mode.code {
            return Err(KeyFault::Version);
        }
        let profile = Profile::from_code(header.profile).ok_or(KeyFault::Version)?;
        let root = reader.array()?;
        let count = reader.word()? as usize;
        Ok(Self {
            profile,
            root,
            values: reader.extensions(count)?,
            graph: reader.take(reader.remaining())?,
        })
    }
}

/// The part of a verifying key that is about its weights.
pub struct WeightKey {
    mode: Mode,
    scheme: Scheme,
    root: Root,
    binding_evaluation: BindingEvaluation,
    digest: [u8; 32],
}

impl WeightKey {
    /// That of a key with these bytes of a graph, without a commitment: root and binding evaluation are zeros, for
    /// which nobody knows weights.
    pub fn new(mode: Mode, scheme: Scheme, graph: &[u8]) -> Self {
        let values = vec![Extension::ZERO; scheme.binding_evaluations()];
        let mut key = Self {
            mode,
            scheme,
            root: [0; 32],
            binding_evaluation: BindingEvaluation::default(),
            digest: [0; 32],
        };
        key.commit([0; 32], values, graph);
        key
    }

    /// Puts in the root under which the weights are committed to, with the values of its binding evaluation.
    pub fn commit(&mut self, root: Root, values: Vec<Extension>, graph: &[u8]) {
        let point = self.binding_point(&root, graph);
        self.root = root;
        self.binding_evaluation = BindingEvaluation { point, values };
        self.digest = blake3::hash(&self.encode(graph)).into();
    }

    /// The point at which the weights under `root` are bound.
    pub fn binding_point(&self, root: &Root, graph: &[u8]) -> Vec<Extension> {
        let bare: [u8; 32] = blake3::hash(&self.bytes(root, &[], graph)).into();
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Protocol, self.mode.protocol);
        transcript.absorb(Site::Commitment, &bare);
        transcript.point(self.scheme.binding_variables())
    }

    /// The canonical bytes of the key.
    pub fn encode(&self, graph: &[u8]) -> Vec<u8> {
        let mut binding_evaluation =
            Vec::with_capacity(4 + EXTENSION_BYTES * self.binding_evaluation.values.len());
        binding_evaluation
            .extend_from_slice(&(self.binding_evaluation.values.len() as u32).to_le_bytes());
        for &value in &self.binding_evaluation.values {
            write_extension(&mut binding_evaluation, value);
        }
        self.bytes(&self.root, &binding_evaluation, graph)
    }

    fn bytes(&self, root: &Root, binding_evaluation: &[u8], graph: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + binding_evaluation.len() + graph.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(self.mode.code);
        out.push(self.scheme.profile().code());
        out.extend_from_slice(root);
        out.extend_from_slice(binding_evaluation);
        out.extend_from_slice(graph);
        out
    }

    /// The scheme of the weights.
    pub const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The weight commitment.
    pub const fn root(&self) -> Root {
        self.root
    }

    /// The values that bind the weights under the root.
    pub const fn binding_evaluation(&self) -> &BindingEvaluation {
        &self.binding_evaluation
    }

    /// The digest of the key's bytes.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

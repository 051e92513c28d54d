//! A proof and its bytes. Every length follows from the key, but the number of
//! siblings in openings, which is bounded by it.

use super::chain;
use super::link::Link;
use crate::rejection::Rejection;
use claim_reduction::Visibility;
use commitment::{Reader, Root, Writer};
use hiding::Opening;
use key::{Kind, MAX_LINKS, PrivateKey};
use transcript::Extension;

/// First byte of a proof.
pub const PROOF_VERSION: u8 = 4;

/// A proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Links from the key to the epoch that is opened.
    pub links: Vec<Link>,
    /// Root of the fresh vector: columns, multiplicities, pads.
    pub witness: Root,
    /// What lookups and reduction send, under pads.
    pub sent: Vec<Extension>,
    /// That the equations with products hold.
    pub relation: relation::Proof,
    /// That all that is left of equations and claims holds.
    pub opening: Opening,
}

impl Proof {
    /// The canonical bytes, with the fields that they are made of.
    pub fn write(&self, key: &PrivateKey) -> Writer {
        self.written(key, self.links.last().map(|link| link.kind))
    }

    /// The same of a proof without links, as tests make them, that opens a commitment of this kind.
    #[cfg(feature = "audit")]
    pub fn write_alone(&self, key: &PrivateKey, kind: Kind) -> Writer {
        self.written(key, Some(kind))
    }

    fn written(&self, key: &PrivateKey, opened: Option<Kind>) -> Writer {
        let mut out = Writer::default();
        out.field("version");
        out.bytes.push(PROOF_VERSION);
        out.field("count of links");
        out.bytes.push(self.links.len() as u8);
        chain::write(key, &self.links, &mut out);
        out.field("witness");
        out.bytes.extend_from_slice(&self.witness);
        out.field("padded elements");
        out.extensions(&self.sent);
        out.field("relation: sum of the masks");
        out.extensions(&[self.relation.masks]);
        out.field("relation: rounds");
        out.extensions(self.relation.rounds.as_flattened());
        out.field("relation: factors");
        out.extensions(&self.relation.factors);
        if let Some(vector) = opened.and_then(|kind| key.vector(kind)) {
            self.opening.encode(vector.shape(), &mut out);
        }
        out
    }

    /// The canonical bytes.
    pub fn encode(&self, key: &PrivateKey) -> Vec<u8> {
        self.write(key).bytes
    }

    /// The proof of these bytes, about inputs that are public or private: its links lead to an epoch for such.
    pub fn decode(key: &PrivateKey, inputs: Visibility, bytes: &[u8]) -> Result<Self, Rejection> {
        let mut reader = Reader::new(bytes);
        let proof = Self::read(key, Kind::of_proofs(inputs), &mut reader)?;
        reader.finish()?;
        Ok(proof)
    }

    /// The next proof, whose links lead to an epoch of this kind. One about ranges comes with one link.
    pub(super) fn read(
        key: &PrivateKey,
        kind: Kind,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Rejection> {
        let proofs = super::proofs(key, kind)?;
        let relations = proofs.relations();
        let most = if matches!(kind, Kind::Ranges(_)) {
            1
        } else {
            MAX_LINKS
        };
        let [version] = reader.array()?;
        if version != PROOF_VERSION {
            return Err(Rejection::Version(version));
        }
        let [count] = reader.array()?;
        let links = chain::read(key, usize::from(count), most, reader)?;
        if links.last().map(|link| link.kind) != Some(kind) {
            return Err(Rejection::LinkEnd);
        }
        let witness = reader.array()?;
        let sent = reader.extensions(relations.sent())?;
        let mut element = || reader.extension();
        let masks = element()?;
        let variables = relation::Shape::new(relations.products()).variables;
        let rounds = (0..variables)
            .map(|_| Ok([element()?, element()?, element()?]))
            .collect::<Result<_, Rejection>>()?;
        let factors = [element()?, element()?];
        let opening = Opening::decode(proofs.shape(), reader)?;
        Ok(Self {
            links,
            witness,
            sent,
            relation: relation::Proof {
                masks,
                rounds,
                factors,
            },
            opening,
        })
    }
}

//! The modes of the proof system.

/// A mode of the proof system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The results of contractions travel in the clear.
    Clear,
    /// The columns of non-linear operations are committed to, and a proof shows nothing of them or of the
    /// weights. It has keys of its own, [`PrivateKey`].
    ///
    /// [`PrivateKey`]: crate::PrivateKey
    Private,
}

/// Name and version of what ties commitments of the private mode together, as transcripts of links begin.
pub const LINK_PROTOCOL: &[u8] = b"inferproof sumcheck 1 private link";

/// Name and version of what shows the ranges of a key's weights, as transcripts of these proofs begin.
pub const RANGES_PROTOCOL: &[u8] = b"inferproof sumcheck 1 private ranges";

impl Mode {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Clear, Self::Private];

    /// The byte of the mode that has ended, in keys of before.
    pub const ENDED: u8 = 2;

    /// The mode of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// The mode of a key's byte.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.code() == code)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Private => "private",
        }
    }

    /// Its byte in a key.
    pub const fn code(self) -> u8 {
        match self {
            Self::Clear => 1,
            Self::Private => 3,
        }
    }

    /// Name and version of its protocol, as its transcripts begin.
    pub const fn protocol(self) -> &'static [u8] {
        match self {
            Self::Clear => b"inferproof sumcheck 1 clear",
            Self::Private => b"inferproof sumcheck 1 private",
        }
    }
}

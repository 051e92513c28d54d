//! The modes of the proof system.

/// A mode of the proof system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The results of contractions travel in the clear.
    Clear,
    /// The columns of non-linear operations are committed to.
    Committed,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Clear, Self::Committed];

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
            Self::Committed => "committed",
        }
    }

    /// Its byte in a key.
    pub const fn code(self) -> u8 {
        match self {
            Self::Clear => 1,
            Self::Committed => 2,
        }
    }

    /// Name and version of its protocol, as its transcripts begin.
    pub const fn protocol(self) -> &'static [u8] {
        match self {
            Self::Clear => b"inferproof sumcheck 1 clear",
            Self::Committed => b"inferproof sumcheck 1 committed",
        }
    }
}

//! The theorem and the kind of parameters that the proofs of a key rest on.

use transcript::HashFunction;

/// Which theorem the proximity argument rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// List decoding up to the Johnson bound.
    Default,
    /// Unique decoding.
    Conservative,
    /// That of the default, for proofs that a contract checks: transcript and trees by Keccak-256, and the smallest
    /// openings.
    Evm,
}

impl Profile {
    /// Those that a key may have.
    pub const ALL: [Self; 3] = [Self::Default, Self::Conservative, Self::Evm];
    /// Those of them whose proofs no contract checks.
    pub const OFF_CHAIN: [Self; 2] = [Self::Default, Self::Conservative];

    /// The profile's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Conservative => "conservative",
            Self::Evm => "evm",
        }
    }

    /// The profile of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The profile's byte in a verifying key.
    pub const fn code(self) -> u8 {
        match self {
            Self::Default => 1,
            Self::Conservative => 2,
            Self::Evm => 4,
        }
    }

    /// The profile of a byte. Byte 3 stood for one of keys that have ended, and is not used again.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.code() == code)
    }

    /// Whether keys bind the weights: where a root may be close to several codewords.
    pub const fn binds(self) -> bool {
        matches!(self, Self::Default | Self::Evm)
    }

    /// The hash of transcript and trees.
    pub const fn hash(self) -> HashFunction {
        match self {
            Self::Evm => HashFunction::Keccak256,
            Self::Default | Self::Conservative => HashFunction::Blake3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn each_profile_has_a_name_and_a_byte() {
        for profile in Profile::ALL {
            assert_eq!(Profile::from_code(profile.code()), Some(profile));
            assert_eq!(Profile::from_name(profile.name()), Some(profile));
        }
        for other in [0, 3, 5] {
            assert_eq!(Profile::from_code(other), None);
        }
        assert_eq!(Profile::from_name("small"), None);
    }
}

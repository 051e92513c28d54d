//! The theorem and the kind of parameters that the proofs of a key rest on.

use p3_security::SecurityAssumption;
use transcript::HashFunction;

/// Which theorem the proximity argument rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// List decoding up to the Johnson bound.
    Default,
    /// Unique decoding.
    Conservative,
    /// That of the default, with openings that are as small as a bounded effort makes them.
    Small,
    /// That of the default, for proofs of the private mode that a contract checks: transcript and trees by
    /// Keccak-256, and the smallest openings.
    Evm,
}

impl Profile {
    /// Those of the clear mode.
    pub const ALL: [Self; 3] = [Self::Default, Self::Conservative, Self::Small];
    /// Those of the private mode that are not for contracts.
    pub const NAMED_PRIVATE: [Self; 2] = [Self::Default, Self::Conservative];
    /// Those of the private mode.
    pub const PRIVATE: [Self; 3] = [Self::Default, Self::Conservative, Self::Evm];

    /// The profile's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Conservative => "conservative",
            Self::Small => "small",
            Self::Evm => "evm",
        }
    }

    /// The profile of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain(Self::PRIVATE);
        all.find(|profile| profile.name() == name)
    }

    /// The profile's byte in a verifying key.
    pub const fn code(self) -> u8 {
        match self {
            Self::Default => 1,
            Self::Conservative => 2,
            Self::Small => 3,
            Self::Evm => 4,
        }
    }

    /// The profile of a byte, among those of a mode.
    pub fn from_code(profiles: &[Self], code: u8) -> Option<Self> {
        let mut profiles = profiles.iter().copied();
        profiles.find(|profile| profile.code() == code)
    }

    /// Whether keys bind the weights: where a root may be close to several codewords.
    pub const fn binds(self) -> bool {
        matches!(self, Self::Default | Self::Small | Self::Evm)
    }

    /// Whether proofs hold results in as few bits as these need, rather than as soon as may be.
    pub const fn packs(self) -> bool {
        matches!(self, Self::Small)
    }

    /// The hash of transcript and trees.
    pub const fn hash(self) -> HashFunction {
        match self {
            Self::Evm => HashFunction::Keccak256,
            Self::Default | Self::Conservative | Self::Small => HashFunction::Blake3,
        }
    }

    /// The regime in which the errors are computed.
    pub const fn assumption(self) -> SecurityAssumption {
        match self {
            Self::Default | Self::Small | Self::Evm => SecurityAssumption::JohnsonBound,
            Self::Conservative => SecurityAssumption::UniqueDecoding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn names_stand_for_all_profiles_and_bytes_for_those_of_a_mode() {
        for profile in Profile::ALL {
            let code = profile.code();
            assert_eq!(Profile::from_code(&Profile::ALL, code), Some(profile));
        }
        for profile in Profile::ALL.into_iter().chain(Profile::PRIVATE) {
            assert_eq!(Profile::from_name(profile.name()), Some(profile));
        }
        assert_eq!(Profile::from_name("other"), None);
        let evm = Profile::Evm;
        assert_eq!(Profile::from_code(&Profile::ALL, evm.code()), None);
        assert_eq!(Profile::from_code(&Profile::PRIVATE, evm.code()), Some(evm));
    }
}

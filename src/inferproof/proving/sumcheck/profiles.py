"""The security profiles of proof system sumcheck, which a verifying key names."""

from inferproof.errors import ModelRejected, Reason

DEFAULT_PROFILE, CONSERVATIVE, EVM = "default", "conservative", "evm"
PROFILES = (DEFAULT_PROFILE, CONSERVATIVE, EVM)
"""What soundness rests on: list decoding up to the Johnson bound, or unique decoding; and the first
of these once more, with proofs that a contract checks."""


def check_profile(profile: str) -> None:
    """Returns when there is this security profile. Raises: ModelRejected PROFILE_UNKNOWN."""
    if profile not in PROFILES:
        raise ModelRejected(Reason.PROFILE_UNKNOWN, name=profile, known=", ".join(PROFILES))

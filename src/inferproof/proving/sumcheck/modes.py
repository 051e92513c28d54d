"""The modes of proof system sumcheck, which a verifying key names."""

from inferproof.errors import ArtifactRejected, ModelRejected, Reason
from inferproof.protocol.proof_mode import CLEAR, PRIVATE, SYSTEM, mode_in, refuse_ended

__all__ = [
    "CLEAR",
    "DEFAULT",
    "DEFAULT_PROFILE",
    "EVM",
    "MODES",
    "PRIVATE",
    "PROFILES",
    "check_profile",
    "mode_of",
]

PROFILES = {
    CLEAR: ("default", "conservative", "small"),
    PRIVATE: ("default", "conservative", "evm"),
}
"""What soundness rests on: list decoding up to the Johnson bound, or unique decoding; and the first
of these once more, with proofs that are small rather than soon made, or that a contract checks."""
DEFAULT_PROFILE, EVM = "default", "evm"
MODES = tuple(PROFILES)
DEFAULT = PRIVATE
"""What a model is compiled for where nobody says otherwise (ADR 46)."""


def mode_of(verifying_key: bytes) -> str:
    """The mode of a key. Raises: ArtifactRejected MODE_ENDED, ARTIFACT_SETTINGS."""
    refuse_ended(verifying_key)
    mode = mode_in(verifying_key)
    if mode is None:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="the verifying key names no mode")
    return mode


def check_profile(mode: str, profile: str) -> None:
    """Returns when the mode has this security profile. Raises: ModelRejected PROFILE_UNKNOWN where
    no mode has it, PROFILE_UNSUPPORTED where others do."""
    if profile in PROFILES[mode]:
        return
    others = [other for other, profiles in PROFILES.items() if profile in profiles]
    if not others:
        known = ", ".join(PROFILES[mode])
        raise ModelRejected(Reason.PROFILE_UNKNOWN, name=profile, known=known)
    raise ModelRejected(
        Reason.PROFILE_UNSUPPORTED, mode=mode, system=SYSTEM, name=profile, known=", ".join(others)
    )

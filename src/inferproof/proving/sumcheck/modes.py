"""The modes of proof system sumcheck, which a verifying key names."""

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.proof_mode import CLEAR, COMMITTED, PRIVATE, mode_in

__all__ = ["CLEAR", "COMMITTED", "MODES", "PRIVATE", "PROFILES", "mode_of"]

PROFILES = {
    CLEAR: ("default", "conservative", "small"),
    COMMITTED: ("default", "conservative"),
    PRIVATE: ("default", "conservative"),
}
"""What soundness rests on: list decoding up to the Johnson bound, or unique decoding; and the first
of these once more, with proofs that are small rather than soon made."""
MODES = tuple(PROFILES)


def mode_of(verifying_key: bytes) -> str:
    """The mode of a key. Raises: ArtifactRejected ARTIFACT_SETTINGS."""
    mode = mode_in(verifying_key)
    if mode is None:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="the verifying key names no mode")
    return mode

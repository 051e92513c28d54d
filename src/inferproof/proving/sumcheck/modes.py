"""The modes of proof system sumcheck, which a verifying key names."""

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.proof_mode import CLEAR, PRIVATE, is_ended, mode_in

__all__ = ["CLEAR", "MODES", "PRIVATE", "PROFILES", "mode_of", "refuse_ended"]

PROFILES = {
    CLEAR: ("default", "conservative", "small"),
    PRIVATE: ("default", "conservative"),
}
"""What soundness rests on: list decoding up to the Johnson bound, or unique decoding; and the first
of these once more, with proofs that are small rather than soon made."""
MODES = tuple(PROFILES)


def mode_of(verifying_key: bytes) -> str:
    """The mode of a key. Raises: ArtifactRejected MODE_ENDED, ARTIFACT_SETTINGS."""
    refuse_ended(verifying_key)
    mode = mode_in(verifying_key)
    if mode is None:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="the verifying key names no mode")
    return mode


def refuse_ended(verifying_key: bytes) -> None:
    """Returns where the key is not of the mode that has ended.

    Raises: ArtifactRejected MODE_ENDED.
    """
    if is_ended(verifying_key):
        raise ArtifactRejected(Reason.MODE_ENDED)

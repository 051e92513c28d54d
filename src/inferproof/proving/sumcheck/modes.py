"""The modes of proof system sumcheck, which a verifying key names."""

from inferproof.errors import ArtifactRejected, Reason

CLEAR = "clear"
"""The results of layers with weights are in the proof, and the verifier runs all other layers."""
COMMITTED = "committed"
"""The proof commits to what is computed between input and output and shows none of it."""
PROFILES = {
    CLEAR: ("default", "conservative", "small"),
    COMMITTED: ("default", "conservative"),
}
"""What soundness rests on: list decoding up to the Johnson bound, or unique decoding; and the first
of these once more, with proofs that are small rather than soon made."""
MODES = tuple(PROFILES)
_CODES = {1: CLEAR, 2: COMMITTED}
_PLACE = 12
"""Where a key's byte stands that names the mode, after 8 of a name and 4 of the version."""


def mode_of(verifying_key: bytes) -> str:
    """The mode of a key. Raises: ArtifactRejected ARTIFACT_SETTINGS."""
    mode = _CODES.get(verifying_key[_PLACE]) if len(verifying_key) > _PLACE else None
    if mode is None:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="the verifying key names no mode")
    return mode

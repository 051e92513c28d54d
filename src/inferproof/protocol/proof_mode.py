"""The mode that a verifying key of `sumcheck` names, and what is claimed of the private one.

Verifiers read the key and no word of the provider: what a receipt may say follows from it.
Source: specs/private-mode.md.
"""

from collections.abc import Callable

from inferproof.errors import ArtifactRejected, Reason
from inferproof.types.proof import Assurance

CLEAR = "clear"
"""The results of layers with weights are in the proof, and the verifier runs all other layers."""
PRIVATE = "private"
"""What the proof shows is under one-time pads: of the weights and of what is computed, nothing but
the outputs."""

SYSTEM = "sumcheck"
_CODES = {1: CLEAR, 3: PRIVATE}
_ENDED = 2
"""The byte of a mode that has ended: a model's weights followed from a few of its proofs."""
_PLACE = 12
"""Where a key's byte stands that names the mode, after 8 of a name and 4 of the version."""


def mode_in(verifying_key: bytes) -> str | None:
    """The mode of a key of `sumcheck`; None where it names none."""
    return _CODES.get(verifying_key[_PLACE]) if len(verifying_key) > _PLACE else None


def is_ended(verifying_key: bytes) -> bool:
    """Whether a key of `sumcheck` is of the mode that has ended, whose proofs are not verified."""
    return len(verifying_key) > _PLACE and verifying_key[_PLACE] == _ENDED


def refuse_ended(verifying_key: bytes) -> None:
    """Returns where the key is not of the mode that has ended.

    Raises: ArtifactRejected MODE_ENDED.
    """
    if is_ended(verifying_key):
        raise ArtifactRejected(Reason.MODE_ENDED)


def rest_on(evidence: Callable[[bool], bool]) -> None:
    """Lets what is claimed of the private mode rest on `evidence`, asked at each claim: whether
    there is some for proofs about public inputs (False) or about private ones (True).

    The package says so once, when it is imported. Evidence is of the native module's sources
    (docs/adr/0038-evidence-of-privacy.md), of which rules as these know nothing.
    """
    global _evidence
    _evidence = evidence


def evidence_complete(*, private_input: bool = False) -> bool:
    """Whether the tests that proofs of the private mode, about a private input or not, hide what
    they are to hide have been run on these sources. Without them a build claims integrity alone,
    and says what is not shown."""
    return _evidence(private_input)


def assurance_in(mode: str | None, *, private_input: bool = False) -> Assurance:
    """What a verified proof of this mode gives, about a private input or not."""
    hides = mode == PRIVATE and evidence_complete(private_input=private_input)
    return Assurance.ZK_PRIVATE if hides else Assurance.ZK_INTEGRITY


def _none(_: bool) -> bool:
    return False


_evidence: Callable[[bool], bool] = _none

"""Modes of `sumcheck` that have ended, and what is claimed of its proofs.

Verifiers read the key and no word of the provider: what a receipt may say follows from it.
Source: specs/sumcheck-proof.md.
"""

from collections.abc import Callable

from inferproof.errors import ArtifactRejected, Reason
from inferproof.types.proof import Assurance

SYSTEM = "sumcheck"
_HIDING = 3
"""The byte of keys whose proofs show nothing of weights and of what is computed but the outputs."""
_ENDED = {1: ("clear", "2026-11-26"), 2: ("committed", "2026-11-25")}
"""The bytes of modes that have ended, each with its name and the day of the first build without
it: a model's weights followed from its proofs (ADR 45 and 50)."""
_PLACE = 12
"""Where a key's byte stands, after 8 of a name and 4 of the version."""


def is_hiding(verifying_key: bytes) -> bool:
    """Whether a key of `sumcheck` is one whose proofs hide weights."""
    return _byte(verifying_key) == _HIDING


def is_ended(verifying_key: bytes) -> bool:
    """Whether a key of `sumcheck` is of a mode that has ended, whose proofs are not verified."""
    return _byte(verifying_key) in _ENDED


def refuse_ended(verifying_key: bytes) -> None:
    """Returns where the key is not of a mode that has ended.

    Raises: ArtifactRejected MODE_ENDED.
    """
    ended = _ENDED.get(_byte(verifying_key))
    if ended is not None:
        mode, date = ended
        raise ArtifactRejected(Reason.MODE_ENDED, mode=mode, date=date)


def _byte(verifying_key: bytes) -> int:
    """The byte in its place; 0, which no key has, where it is too short."""
    return verifying_key[_PLACE] if len(verifying_key) > _PLACE else 0


def rest_on(evidence: Callable[[bool], bool]) -> None:
    """Lets what is claimed of proofs rest on `evidence`, asked at each claim: whether there is some
    for proofs about public inputs (False) or about private ones (True).

    The package says so once, when it is imported. Evidence is of the native module's sources
    (docs/adr/0038-evidence-of-privacy.md), of which rules as these know nothing.
    """
    global _evidence
    _evidence = evidence


def evidence_complete(*, private_input: bool = False) -> bool:
    """Whether the tests that proofs, about a private input or not, hide what they are to hide have
    been run on these sources. Without them a build claims integrity alone, and says what is not
    shown."""
    return _evidence(private_input)


def assurance_of_hiding(*, private_input: bool = False) -> Assurance:
    """What a verified proof under a hiding key gives, about a private input or not."""
    complete = evidence_complete(private_input=private_input)
    return Assurance.ZK_PRIVATE if complete else Assurance.ZK_INTEGRITY


def _none(_: bool) -> bool:
    return False


_evidence: Callable[[bool], bool] = _none

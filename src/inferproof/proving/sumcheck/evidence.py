"""Whether there is evidence that proofs of this build show nothing but their statement.

`make evidence` runs the tests that look for what a proof gives away: a simulator, statistics of
many proofs, ranks, attacks, and for each kind of mask a control without it. What they found is in
evidence.json, beside the digest of the sources that were examined. A build knows the digest of the
sources that it is made of; where that is another one, nothing is known of it.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from inferproof.errors import MissingPart
from inferproof.proving.sumcheck.library import library

FILE = Path(__file__).with_name("evidence.json")
FORMAT = 1
NEEDED = (
    "simulated proofs, native verifier",
    "simulated proofs, second verifier",
    "distinguisher, own challenges",
    "distinguisher, frozen challenges",
    "controls of the distinguisher",
    "ranks of openings",
    "ranks of the relation proof",
    "ranks of whole proofs",
    "attack by interpolation",
    "frozen challenges, words",
    "simulated proofs of ranges, native verifier",
    "simulated proofs of ranges, second verifier",
    "ranks of whole proofs, ranges of a key",
)
"""Parts of the evidence, none of which may be missing. Those about a key's ranges are among them:
a proof of these comes with each key."""
NEEDED_OF_PRIVATE_INPUTS = (
    "simulated proofs of private inputs, native verifier",
    "simulated proofs of private inputs, second verifier",
    "distinguisher, private inputs, own challenges",
    "distinguisher, private inputs, frozen challenges",
    "controls of the distinguisher, private inputs",
    "ranks of whole proofs, private inputs",
)
"""Further parts, without which nothing but integrity is claimed of proofs about private inputs."""
COUNTED = ("distinguisher, own challenges", "distinguisher, frozen challenges")
COUNTED_OF_PRIVATE_INPUTS = (
    "distinguisher, private inputs, own challenges",
    "distinguisher, private inputs, frozen challenges",
)
PROOFS = 10_000
"""Proofs of each class that these must have seen."""


def evidence_holds(*, private_input: bool = False) -> bool:
    """Whether the native module is made of sources whose proofs, about a private input or not, were
    found to be private."""
    return evidence_gap(private_input=private_input) is None


@cache
def evidence_gap(*, private_input: bool = False) -> str | None:
    """Why there is none for such proofs of this build, as a sentence; None where there is."""
    try:
        sources = library().sources()
    except MissingPart:
        return "the native module is not installed"
    return gap(_read(FILE), sources, private_input=private_input)


def gap(
    evidence: dict[str, Any] | None, sources: str, *, private_input: bool = False
) -> str | None:
    """Why `evidence` is none for such proofs of a build of these sources; None where it is.

    Soundness: whoever changes the file or builds with another digest deceives himself alone; a
    verifier of a proof learns nothing of the prover's build.
    """
    if evidence is None or evidence.get("format") != FORMAT:
        return "evidence.json is missing or of another format"
    passed = evidence.get("passed")
    if not isinstance(passed, dict):
        return "evidence.json does not say what was run"
    needed = NEEDED + (NEEDED_OF_PRIVATE_INPUTS if private_input else ())
    for part in needed:
        if not passed.get(part):
            return f"the evidence lacks a part: {part}"
    for part in COUNTED + (COUNTED_OF_PRIVATE_INPUTS if private_input else ()):
        if not _seen(evidence, part) >= PROOFS:
            return f"the evidence rests on too few proofs: {part}"
    if not sources:
        return "the native module was built in another way than by scripts/native.py"
    if evidence.get("sources") != sources:
        return "prover, verifier or commitment have changed since the evidence was taken"
    return None


def _seen(evidence: dict[str, Any], part: str) -> int:
    """Proofs of each class; 0 where the figures do not say so."""
    figures = evidence.get("figures")
    found = figures.get(part) if isinstance(figures, dict) else None
    count = found.get("proofs of each class") if isinstance(found, dict) else None
    return count if isinstance(count, int) else 0


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None

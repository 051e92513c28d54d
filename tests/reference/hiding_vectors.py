"""The vectors of vectors/hiding: sizes, roots, claim and opening each."""

import json
from collections.abc import Callable
from pathlib import Path

from inferproof.second_verifier.hiding.shape import Other, Shape
from inferproof.second_verifier.hiding.terms import Term, at_point, cells, in_column
from inferproof.second_verifier.hiding.verifier import Verifier
from inferproof.second_verifier.reader import Reader
from inferproof.second_verifier.transcript import Transcript


def check(path: Path, change: Callable[[bytes], bytes] = bytes) -> None:
    """Checks a vector, its opening changed. Raises: Rejected."""
    text = json.loads(path.read_text())
    others = [Other(o["columns"], o["openings"], o["sampled"]) for o in text["others"]]
    shape = Shape(text["fresh"], others, text["profile"])
    roots = [bytes.fromhex(root) for root in text["roots"]]
    transcript = Transcript()
    transcript.absorb("witness", b"".join(roots))
    forms: list[list[Term]] = []
    for vector, terms in zip(shape.vectors, text["forms"], strict=True):
        own: list[Term] = []
        for term in terms:
            if "point" in term:
                point = [tuple(x) for x in term["point"]]
                of = at_point(point, tuple(term["scale"]))
                # Points and scales were drawn after the roots, and are drawn again.
                assert transcript.point(len(point)) == point
                assert transcript.challenge() == tuple(term["scale"])
            else:
                weights = [tuple(x) for x in term["weights"]]
                assert transcript.point(len(weights)) == weights
                of = cells(term["first"], weights)
            own.append(in_column(vector, term["column"], of))
        forms.append(own)
    source = Reader(change(bytes.fromhex(text["opening"])), "PROOF_MALFORMED")
    Verifier(shape, transcript, source).verify(roots, forms, tuple(text["value"]))

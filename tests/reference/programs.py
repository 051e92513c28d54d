"""Programs, and what they are run on, of the vectors of vectors/evm/proofs.

`python -m reference.programs` writes the files anew.
"""

import json
from pathlib import Path
from typing import Any

from inferproof.second_verifier.keccak import keccak256
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.program.calls import call_of, programs_of
from reference.vectors import PLACE, load

FOLDER = PLACE / "evm"
_KIND = 1
_HEAD = 32 + 32 + 20
"""Bytes of a link before its opening, behind its kind: root, root of the fresh vector, w."""


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def files() -> list[Path]:
    """The vectors of proofs."""
    return sorted((FOLDER / "proofs").glob("*.json"))


def rendered(path: Path) -> str:
    """What a contract is given to check a vector's proof and its links."""
    vector, text = load(path), json.loads(path.read_text())
    key, programs = PrivateKey(vector.key), programs_of(vector.key)
    call = call_of(vector.key, vector.inputs, vector.outputs, vector.statement, vector.proof)
    fields = key.fields(vector.proof)
    starts = [where.start for name, where in fields if name == "link: kind"]
    witness = next(where.start for name, where in fields if name == "witness")
    places: list[int] = text.get("places", [])
    by_digest = {keccak256(program): program for program in programs.every}
    found: dict[str, Any] = {"links": len(starts)}
    for number, (start, own) in enumerate(zip(starts, call.links, strict=True)):
        head = start + _KIND
        opening = head + _HEAD
        end, before = opening + len(own.opening), len(own.given) - _HEAD
        found |= {
            f"link{number}Program": _hex(by_digest[own.program]),
            f"link{number}Given": _hex(own.given),
            f"link{number}Commitment": _hex(own.commitment),
            f"link{number}Opening": _hex(own.opening),
            f"link{number}GivenPlaces": [
                at - head + before for at in places if head <= at < opening
            ],
            f"link{number}Places": [at - opening for at in places if opening <= at < end],
        }
    found |= {
        "program": _hex(programs.proof),
        "given": _hex(call.given),
        "proof": _hex(call.proof),
        "places": [at - witness for at in places if at >= witness],
    }
    return json.dumps(found, indent=0) + "\n"


if __name__ == "__main__":
    for source in files():
        target = FOLDER / "programs" / source.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(rendered(source))

"""Programs, and what they are run on, of the vectors of vectors/evm/proofs.

`python -m reference.programs` writes the files anew.
"""

import json
from pathlib import Path
from typing import Any

from inferproof.second_verifier.private import links
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.program.assembly import assemble
from inferproof.second_verifier.program.trace import link, proof
from reference.schedule import FILE
from reference.vectors import Vector, load

FOLDER = FILE.parents[1] / "evm"
_KIND = 1
_HEAD = 32 + 32 + 20
"""Bytes of a link before its opening, behind its kind: root, root of the fresh vector, w."""


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _integers(tensors: list[list[int]]) -> bytes:
    return b"".join(v.to_bytes(4, "little", signed=True) for tensor in tensors for v in tensor)


def files() -> list[Path]:
    """The vectors of proofs."""
    return sorted((FOLDER / "proofs").glob("*.json"))


def rendered(path: Path) -> str:
    """What a contract is given to check a vector's proof and its links."""
    vector, text = load(path), json.loads(path.read_text())
    key = PrivateKey(vector.key)
    fields = key.fields(vector.proof)
    starts = [where.start for name, where in fields if name == "link: kind"]
    witness = next(where.start for name, where in fields if name == "witness")
    places: list[int] = text.get("places", [])
    found: dict[str, Any] = {"links": len(starts)}
    kind, digest, before = links.KEY, b"", b""
    chain = key.read(vector.proof).links
    ends = [*starts[1:], witness]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        own = chain[number]
        head = start + _KIND
        opening = head + _HEAD
        told = vector.proof[head:opening]
        found |= {
            f"link{number}Program": _hex(assemble(link(key, kind, own.kind))),
            f"link{number}Given": _hex(before + told),
            f"link{number}Commitment": _hex(
                links.follow(key, key.commitment, chain[: number + 1]).digest
            ),
            f"link{number}Opening": _hex(vector.proof[opening:end]),
            f"link{number}GivenPlaces": [
                at - head + len(before) for at in places if head <= at < opening
            ],
            f"link{number}Places": [at - opening for at in places if opening <= at < end],
        }
        digest = links.follow(key, key.commitment, chain[:number]).digest
        kind, before = own.kind, digest + told
    found |= {
        "program": _hex(assemble(proof(key))),
        "given": _hex(before + _public(vector)),
        "proof": _hex(vector.proof[witness:]),
        "places": [at - witness for at in places if at >= witness],
    }
    return json.dumps(found, indent=0) + "\n"


def _public(vector: Vector) -> bytes:
    return vector.statement + _integers(vector.inputs) + _integers(vector.outputs)


if __name__ == "__main__":
    for source in files():
        target = FOLDER / "programs" / source.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(rendered(source))

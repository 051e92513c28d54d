"""Changes of vectors, and the codes with which they are rejected.

`python -m reference.verdicts`, started in tests/, writes vectors/verdicts/private.json: for each
vector (byte, bit, code) of flipped bits in its proof and in its key.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from reference.changes import fields, flipped, verdict
from reference.vectors import PLACE, Vector, files, load

_EACH = 1
"""Changes of each field."""


KEPT = PLACE / "verdicts" / "private.json"


def of_proof(vector: Vector) -> Iterator[tuple[str, int, int]]:
    """Field, byte and bit of the changes of a proof."""
    chance = random.Random(vector.name)  # noqa: S311
    for name, own in sorted(fields(vector).items()):
        for place in sorted(chance.sample(own, min(_EACH, len(own)))):
            yield name, place, chance.randrange(8)


def of_key(vector: Vector) -> Iterator[tuple[int, int]]:
    """Byte and bit of the changes of a key: its head, its pin, the graph's head, and graph."""
    chance = random.Random(vector.name)  # noqa: S311
    graph = vector.key.index(b"INFGRAPH")
    for place in (0, 8, 12, 13, 14, 45, 46, graph - 1, graph):
        yield place, chance.randrange(8)
    for place in sorted(chance.sample(range(graph + 12, len(vector.key)), 6)):
        yield place, chance.randrange(8)


def judged(vector: Vector) -> dict[str, Any]:
    """All changes of a vector with their verdicts."""
    proof = [
        [place, bit, verdict(replace(vector, proof=flipped(vector.proof, place, bit)))]
        for _, place, bit in of_proof(vector)
    ]
    key = [
        [place, bit, verdict(replace(vector, key=flipped(vector.key, place, bit)))]
        for place, bit in of_key(vector)
    ]
    return {"proof": proof, "key": key}


def rendered(found: dict[str, Any]) -> str:
    """As JSON, a change on each line."""
    parts = []
    for name, lists in found.items():
        of_kinds = []
        for kind, changes in lists.items():
            lines = ",\n".join(json.dumps(change) for change in changes)
            of_kinds.append(f'"{kind}": [\n{lines}\n]')
        parts.append(f'"{name}": {{\n' + ",\n".join(of_kinds) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    KEPT.write_text(rendered({path.stem: judged(load(path)) for path in files()}))

"""Changes of vectors, and the codes with which the plain verifier rejects them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from inferproof.second_verifier.field import P
from inferproof.second_verifier.private.verifier import PrivateInputKey, PrivateKey
from inferproof.second_verifier.reader import Rejected
from reference.vectors import Vector

Changed = tuple[str, Vector]
"""What was changed, and everything with that change."""
Manifest = dict[str, set[str]]
"""Fields of a proof, and how a change in them may be rejected."""

MALFORMED = "PROOF_MALFORMED"


@cache
def decoded_private(key: bytes) -> PrivateInputKey:
    """A key where inputs are private. Raises: Rejected KEY_…"""
    return PrivateInputKey(key)


@cache
def decoded(key: bytes) -> PrivateKey:
    """A key. Raises: Rejected KEY_…"""
    return PrivateKey(key)


def verdict(vector: Vector) -> str | None:
    """The code with which a vector is rejected, None where it is accepted."""
    try:
        if vector.input_root is not None:
            private = decoded_private(vector.key)
            private.verify_root(vector.input_root, vector.outputs, vector.statement, vector.proof)
            return None
        key = decoded(vector.key)
        key.verify(vector.inputs, vector.outputs, vector.statement, vector.proof)
    except Rejected as rejection:
        return rejection.code
    return None


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def fields(vector: Vector) -> dict[str, list[int]]:
    """The bytes of each field of the proof that has any."""
    places: dict[str, list[int]] = defaultdict(list)
    private = vector.input_root is not None
    key = decoded_private(vector.key) if private else decoded(vector.key)
    for name, bytes_ in key.fields(vector.proof):
        if bytes_:
            places[name].extend(bytes_)
    return places


def changed_publics(vector: Vector) -> Iterator[Changed]:
    """One value changed in each tensor; key and statement with one bit flipped."""
    for name in ("inputs", "outputs"):
        for number, tensor in enumerate(getattr(vector, name)):
            for place in {0, len(tensor) // 2, len(tensor) - 1}:
                tensors = [list(values) for values in getattr(vector, name)]
                tensors[number][place] += -1 if tensors[number][place] > 0 else 1
                yield name, replace(vector, **{name: tensors})
        yield f"no {name}", replace(vector, **{name: getattr(vector, name)[:-1]})
    for place in (0, 31):
        yield "statement", replace(vector, statement=flipped(vector.statement, place, place % 8))
    # Magic, version, kind, profile, root, openings, the pin, the graph's head and end.
    head = 62 + 20 * len(decoded(vector.key).pin)
    for place in (0, 8, 12, 13, 14, 45, 46, 50, head - 1, head, head + 8, len(vector.key) - 1):
        yield "key", replace(vector, key=flipped(vector.key, place, 0))


def beyond_modulus(vector: Vector, name: str) -> Vector:
    """The first element x of a field as x + p."""
    start = fields(vector)[name][0]
    value = int.from_bytes(vector.proof[start : start + 4], "little")
    other = (value + P).to_bytes(4, "little")
    return replace(vector, proof=vector.proof[:start] + other + vector.proof[start + 4 :])

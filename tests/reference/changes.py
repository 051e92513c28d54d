"""Changes of vectors of all modes, and the codes with which the plain verifiers reject them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from inferproof.second_verifier.field import P
from inferproof.second_verifier.private.verifier import PrivateInputKey, PrivateKey
from inferproof.second_verifier.reader import Rejected
from reference.vectors import Vector
from reference.verifier import VerifyingKey

Changed = tuple[str, Vector]
"""What was changed, and everything with that change."""
Manifest = dict[str, set[str]]
"""Fields of a proof, and how a change in them may be rejected."""

MALFORMED = "PROOF_MALFORMED"
_MODE = 12


@cache
def decoded_private(key: bytes) -> PrivateInputKey:
    """A key where inputs are private. Raises: Rejected KEY_…"""
    return PrivateInputKey(key)


@cache
def decoded(key: bytes, mode: int | None = None) -> VerifyingKey | PrivateKey:
    """A key of a mode, its own unless one is given. Raises: Rejected KEY_…"""
    if mode is None:
        mode = int.from_bytes(key[_MODE : _MODE + 1], "little")
    return PrivateKey(key) if mode == PrivateKey.mode else VerifyingKey(key)


def verdict(vector: Vector) -> str | None:
    """The code with which a vector is rejected, None where it is accepted."""
    try:
        if vector.input_root is not None:
            private = decoded_private(vector.key)
            private.verify_root(vector.input_root, vector.outputs, vector.statement, vector.proof)
            return None
        key = decoded(vector.key, vector.mode)
        key.verify(vector.inputs, vector.outputs, vector.statement, vector.proof)
    except Rejected as rejection:
        return rejection.code
    return None


def opening_fields(codes: set[str]) -> Manifest:
    """Those of an opening that is rejected with these codes."""
    whole = (
        *("answers", "first sumcheck", "root of a fold", "answers of a fold", "witness of work"),
        *("rows of the weights", "rows of a fold", "sumcheck of a fold", "last polynomial"),
        "last sumcheck",
    )
    own = codes | {MALFORMED}
    return dict.fromkeys(whole, own) | {"count of siblings": {MALFORMED}, "siblings": codes}


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def fields(vector: Vector) -> dict[str, list[int]]:
    """The bytes of each field of the proof that has any."""
    places: dict[str, list[int]] = defaultdict(list)
    private = vector.input_root is not None
    key = decoded_private(vector.key) if private else decoded(vector.key, vector.mode)
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
    # Magic, version, mode, profile, root, count of the pin, its values, the graph's head and end.
    own = 12 if vector.key[_MODE] == PrivateKey.mode else 0
    head = 50 + own + 20 * len(decoded(vector.key, vector.mode).pin)
    for place in (0, 8, 12, 13, 14, 45, 46, 50, head - 1, head, head + 8, len(vector.key) - 1):
        yield "key", replace(vector, key=flipped(vector.key, place, 0))


def beyond_modulus(vector: Vector, name: str) -> Vector:
    """The first element x of a field as x + p."""
    start = fields(vector)[name][0]
    value = int.from_bytes(vector.proof[start : start + 4], "little")
    other = (value + P).to_bytes(4, "little")
    return replace(vector, proof=vector.proof[:start] + other + vector.proof[start + 4 :])

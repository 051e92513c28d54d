"""One value, one encoding: canonical JSON, tagged digests, tensors as bytes."""

import json
import re
import struct
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import Reason, RequestRejected
from inferproof.types.digest import Digest
from inferproof.types.tensor import FixedTensor

MAX_JSON_DEPTH = 32
"""Brackets open at one place."""
MAX_JSON_NODES = 2**20
"""Commas and opening brackets in a document: what bounds the memory that parsing takes, since
three bytes of text can become a hundred bytes of objects."""
MAX_JSON_QUOTES = 2**22
MIN_JSON_INT = -(2**63)
MAX_JSON_INT = 2**64 - 1
"""Whole numbers are those of int64 and uint64; larger ones travel as strings."""
_JSON_STRINGS = re.compile(rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)[^"\[\]{}]*+)++', re.DOTALL)
"""Strings in a row, with what is between them and no bracket."""
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile("[\ud800-\udfff]")

Json = dict[str, "Json"] | list["Json"] | str | int | bool | None
"""JSON without floats: a number with a fraction travels as a string or as float64 bytes."""


try:
    # Eight times as fast for short data, of which a paid request hashes a dozen.
    from sha3 import keccak_256 as _keccak256
except ImportError:
    from Crypto.Hash import keccak as _keccak

    def _keccak256(data: bytes) -> Any:
        return _keccak.new(digest_bits=256, data=data)


def keccak256(data: bytes) -> bytes:
    """The 32-byte Keccak-256 of the data, as the EVM computes it (not NIST SHA3-256)."""
    digest: bytes = _keccak256(data).digest()
    return digest


def tagged_digest(tag: str, *parts: bytes) -> Digest:
    """The Keccak-256 digest of the parts under a domain tag.

    Encoding: keccak256(tag) ‖ for each part its length as 8 big-endian bytes ‖ the part.
    Lengths make the split between parts unambiguous; the tag keeps uses apart.
    """
    body = [_tag(tag)]
    for part in parts:
        body += (len(part).to_bytes(8, "big"), part)
    return Digest(keccak256(b"".join(body)))


@lru_cache(maxsize=64)
def _tag(tag: str) -> bytes:
    return keccak256(tag.encode())


def canonical_json(value: Json) -> bytes:
    """The one JSON text of a value: keys sorted by code point, no blanks, ASCII only.

    Raises: ValueError for floats, for whole numbers beyond int64 and uint64, for nesting beyond
    MAX_JSON_DEPTH and for anything that is not JSON; that is a bug of ours,
    never of the input.
    """
    _check(value, 0)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def parse_canonical_json(data: bytes, *, max_bytes: int) -> Json:
    """The value whose canonical JSON is exactly `data`.

    Raises: RequestRejected with JSON_TOO_LARGE or JSON_NOT_CANONICAL. A repeated key, a float,
    a blank, another key order or another escape is not canonical; neither is a number beyond
    MIN_JSON_INT and MAX_JSON_INT, nor a text with more than MAX_JSON_NODES
    commas and brackets or MAX_JSON_QUOTES quotation marks.
    """
    if len(data) > max_bytes:
        raise RequestRejected(Reason.JSON_TOO_LARGE, size=len(data), limit=max_bytes)
    if (
        sum(data.count(sign) for sign in (b",", b"[", b"{")) > MAX_JSON_NODES
        or data.count(b'"') > MAX_JSON_QUOTES
    ):
        raise RequestRejected(Reason.JSON_NOT_CANONICAL)
    if not data.isascii() or b"\0" in data or not is_json_shallow(data):
        raise RequestRejected(Reason.JSON_NOT_CANONICAL)
    try:
        value: Json = json.loads(
            data.decode("ascii"), parse_int=_whole, parse_float=_refuse, parse_constant=_refuse
        )
        again = canonical_json(value)
    except (ValueError, RecursionError):
        raise RequestRejected(Reason.JSON_NOT_CANONICAL) from None
    if again != data:
        raise RequestRejected(Reason.JSON_NOT_CANONICAL)
    return value


def is_json_shallow(data: bytes, most: int = MAX_JSON_DEPTH) -> bool:
    """Whether no more than `most` brackets of a JSON text in UTF-8 are open at any place.

    Exact for whole JSON; a text whose brackets do not match may open twice as many.

    To be asked before json.loads: its parser recurses, and a library that raises the recursion
    limit (py_ecc does when eth-account is imported) turns a deep text into a crash of the process.
    """
    if data.count(b"[") + data.count(b"{") <= most:  # in strings too: there are no more than these
        return True
    brackets = _JSON_STRINGS.sub(b"", data).translate(_ONE_BRACKET, _NO_BRACKET)
    # Each round takes away the innermost pairs, in one pass: a loop over the brackets themselves
    # would let a long text of empty lists hold the processor.
    for _ in range(most):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return b"[]" not in brackets and brackets.count(b"[") <= most


def _whole(digits: str) -> int:
    # Before int(): its time grows with the square of the length.
    if len(digits) > 20:
        raise ValueError("a number is within int64 or uint64")
    return int(digits)


def _refuse(_text: str) -> Any:
    raise ValueError("canonical JSON has whole numbers only")


def _check(value: Any, depth: int) -> None:
    if depth >= MAX_JSON_DEPTH and isinstance(value, dict | list):
        raise ValueError("nested too deeply")
    match value:
        case dict():
            for key, item in value.items():
                if type(key) is not str:
                    raise ValueError("a key is a string")
                _check(key, depth)
                _check(item, depth + 1)
        case list():
            for item in value:
                _check(item, depth + 1)
        case str():
            # Told without looking for ASCII, which proofs of many megabytes are in.
            if not value.isascii() and _SURROGATE.search(value):
                raise ValueError("a string holds no lone surrogate")
        case None | bool():
            return
        case int():
            if not MIN_JSON_INT <= value <= MAX_JSON_INT:
                raise ValueError("a number is within int64 or uint64")
        case _:
            raise ValueError(f"not canonical JSON: {type(value).__name__}")


def encode_tensor(name: str, array: npt.NDArray[np.float32]) -> bytes:
    """The bytes of a float32 tensor: name, rank, dimensions, little-endian IEEE 754 data.

    Minus zero is written as zero, so that equal inputs have equal encodings.
    Raises: ValueError for another dtype or a value that is not finite.
    """
    if array.dtype != np.float32:
        raise ValueError(f"a committed input is float32, not {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError("a committed input is finite")
    data = (array + np.float32(0)).astype("<f4").tobytes()
    return _header(name, array.shape) + data


def encode_fixed_tensor(tensor: FixedTensor) -> bytes:
    """The bytes of an output tensor: name, rank, dimensions, scale, little-endian int64 values."""
    data = np.array(tensor.values, dtype="<i8").tobytes()
    return fixed_tensor_head(tensor.name, tensor.shape, tensor.scale) + data


def fixed_tensor_head(name: str, shape: tuple[int, ...], scale: float) -> bytes:
    """What stands before the values of an output tensor: name, rank, dimensions, scale."""
    return _header(name, shape) + struct.pack("<d", scale)


def _header(name: str, shape: tuple[int, ...]) -> bytes:
    text = name.encode()
    return struct.pack(f"<I{len(text)}sI{len(shape)}Q", len(text), text, len(shape), *shape)

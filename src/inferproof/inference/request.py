"""The body of an inference request: `{"input": RAW}`, and the tensors it stands for.

Gateway and verifier read the very same bytes with the very same code, so that a receipt can
show that the proven input is the paid request's.
"""

import json
import re
from functools import lru_cache
from typing import Any

from inferproof.errors import InputRejected, Reason
from inferproof.inference.preprocess import Preprocessing, check_raw, preprocess
from inferproof.protocol.encoding import Json, canonical_json
from inferproof.protocol.json_text import read_json
from inferproof.types.tensor import Tensors

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def raw_input(body: bytes) -> Any:
    """The raw input in a request body: UTF-8 JSON with the one key `input`.

    Raises: InputRejected INPUT_BODY_MALFORMED for anything else, a repeated key, NaN, Infinity
    or a lone surrogate among it.
    """
    try:
        value = read_json(body)
        if _SURROGATE_ESCAPE.search(body):
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # fails for a lone surrogate
    except ValueError:
        raise InputRejected(Reason.INPUT_BODY_MALFORMED) from None
    if not isinstance(value, dict) or set(value) != {"input"}:
        raise InputRejected(Reason.INPUT_BODY_MALFORMED)
    return value["input"]


def request_tensors(canonical: dict[str, Json], body: bytes) -> Tensors:
    """The graph's inputs that pre-processing in its canonical form makes of a request body.

    `canonical` must not be changed afterwards: what was made of it is kept.
    Raises: InputRejected INPUT_*; ModelRejected CARD_* where the pre-processing itself is bad.
    """
    return preprocess(_preprocessing(canonical), raw_input(body))


def check_request(canonical: dict[str, Json], body: bytes) -> None:
    """Returns when `request_tensors` takes the request body. Raises: as `request_tensors`."""
    check_raw(_preprocessing(canonical), raw_input(body))


def _preprocessing(canonical: dict[str, Json]) -> Preprocessing:
    # By the object and not by what it holds: to encode a vocabulary costs more than all the rest
    # of a request. Each is held, so that no other can get its number.
    kept = _kept.get(id(canonical))
    if kept is None:
        if len(_kept) >= KEPT:
            _kept.clear()
        kept = _kept[id(canonical)] = (canonical, _read(canonical_json(canonical)))
    return kept[1]


KEPT = 64
_kept: dict[int, tuple[dict[str, Json], Preprocessing]] = {}


@lru_cache(maxsize=64)
def _read(canonical: bytes) -> Preprocessing:
    return Preprocessing.from_canonical(json.loads(canonical))

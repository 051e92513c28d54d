"""JSON that strangers wrote, decoded once and strictly.

RFC 8259 leaves to the reader what two equal keys mean, and which encodings it guesses. Two readers
that decide differently see two documents in one text. Here a key stands once in an object, the
text is UTF-8 without a byte order mark, numbers are finite, and nesting is bounded before the
parser, which recurses, sees the text.
"""

import json
from typing import Any

from inferproof.protocol.encoding import MAX_JSON_DEPTH, is_json_shallow


class NotStrict(ValueError):
    """JSON that a lenient reader would take, or bytes that are no UTF-8; says what is wrong."""


def read_json(data: bytes, *, depth: int = MAX_JSON_DEPTH) -> Any:
    """The value of a JSON text of at most `depth` levels.

    Raises: NotStrict, or another ValueError where it is no JSON at all (also for integers beyond
    what Python converts).
    """
    # The depth is counted in bytes, which is sound for UTF-8 alone: so it is decoded here, and
    # not by json.loads, which would guess UTF-16 and UTF-32 too.
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrict("it is not UTF-8") from None
    if not is_json_shallow(data, depth):
        raise NotStrict("it is nested too deeply")
    return _decode(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotStrict("a key stands twice in one object")
    return value


def _no_constant(_name: str) -> Any:
    raise NotStrict("NaN and infinity are not JSON")


_decode = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant).decode
"""Built once: json.loads would build it anew for each text."""

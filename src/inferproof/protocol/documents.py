"""Files that carry a checksum and have exactly one byte form: proof files, verifier bundles.

    {"body": {...}, "checksum": sha256 of the body's canonical JSON, "format": "inferproof/.../1"}

The checksum finds damage, not malice: every field of a body is checked for its meaning too.
"""

import hashlib
from collections.abc import Callable
from typing import TypeVar

from inferproof.errors import InferproofError, Reason, Rejection
from inferproof.protocol.encoding import Json, canonical_json, parse_canonical_json
from inferproof.protocol.fields import Fields

T = TypeVar("T")


def encode_document(format_name: str, body: Json) -> bytes:
    """The bytes of a document with this body."""
    checksum = hashlib.sha256(canonical_json(body)).hexdigest()
    return canonical_json({"body": body, "checksum": checksum, "format": format_name})


def document_end(format_name: str) -> bytes:
    """How every document of this format ends: keys are sorted, and this is the last."""
    return f'"format":"{format_name}"}}'.encode()


def decode_document(
    data: bytes,
    format_name: str,
    read: Callable[[Fields], T],
    *,
    max_bytes: int,
    kind: type[Rejection],
) -> T:
    """What `read` makes of the body of the document.

    Raises: `kind` with JSON_TOO_LARGE, JSON_NOT_CANONICAL, DOCUMENT_FORMAT,
    DOCUMENT_CHECKSUM or FIELD_MALFORMED.
    """
    try:
        fields = Fields(parse_canonical_json(data, max_bytes=max_bytes), format_name)
        got = fields.text("format", most=64)
        if got != format_name:
            raise kind(Reason.DOCUMENT_FORMAT, got=got or "nameless", expected=format_name)
        checksum = fields.text("checksum", most=64)
        body = fields.take("body", dict)
        fields.end()
        if hashlib.sha256(canonical_json(body)).hexdigest() != checksum:
            raise kind(Reason.DOCUMENT_CHECKSUM, format=format_name)
        return read(Fields(body, format_name))
    except InferproofError as error:
        if isinstance(error, kind):
            raise
        raise kind(error.reason, **error.facts) from None

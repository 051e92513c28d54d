"""JSON responses and strict JSON bodies."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.json_text import read_json

JSON = "application/json"


def json_response(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response. Floats must be finite: NaN is not JSON."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(
        body.encode("utf-8", "replace"), status, headers=dict(headers or {}), media_type=JSON
    )


def parse_json(body: bytes) -> Any:
    """The value of a JSON body, as protocol.json_text reads it.

    Raises: RequestRejected BODY_NOT_JSON.
    """
    try:
        return read_json(body)
    except ValueError as error:  # also integers beyond what Python converts
        raise RequestRejected(Reason.BODY_NOT_JSON, problem=str(error)[:200]) from None

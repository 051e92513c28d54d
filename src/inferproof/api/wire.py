"""JSON responses and strict JSON bodies."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.encoding import is_json_shallow

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
    """The value of a JSON body, as RFC 8259 has it: no NaN, no infinity, each key once.

    Raises: RequestRejected BODY_NOT_JSON.
    """
    if not is_json_shallow(body):
        raise RequestRejected(Reason.BODY_NOT_JSON, problem="it is nested too deeply")
    try:
        return json.loads(body, parse_constant=_no_constant, object_pairs_hook=_once)
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except ValueError as error:  # also integers beyond what Python converts
        problem = str(error)[:200]
    raise RequestRejected(Reason.BODY_NOT_JSON, problem=problem)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value

"""What the OpenAPI description says of every route."""

from collections.abc import Callable
from inspect import getdoc
from typing import Any

from msgspec import Struct
from msgspec.json import schema_components

from inferproof.api.schemas import ErrorEnvelope
from inferproof.api.wire import JSON

_TEXT = {
    401: "The admin token, or the API key that was sent, is missing or wrong.",
    402: "Payment is needed, or failed for good; PAYMENT-REQUIRED carries the offers.",
    404: "There is no such thing here.",
    408: "The request body comes too slowly.",
    409: "A replay, or a conflict with what is recorded.",
    413: "The request body is too large.",
    415: "The request body has another type than the route takes.",
    422: "The request, its input, proof or document is refused.",
    429: "This caller asks too often or has too much waiting; Retry-After says when to try again.",
    500: "A failure of the gateway's own; it is logged.",
    503: "Not now; Retry-After says when to try again.",
}

_ANY = (401, 408, 422, 429, 500, 503)

_REF = "#/components/schemas/{name}"

Responses = dict[int | str, dict[str, Any]]


def errors(*statuses: int) -> Responses:
    """The envelope under each status, and under those that any route can answer with."""
    return {
        status: {"model": ErrorEnvelope, "description": _TEXT[status]}
        for status in sorted({*statuses, *_ANY})
    }


def header(description: str) -> dict[str, Any]:
    """A response header that holds text."""
    return {"description": description, "schema": {"type": "string"}}


def encoded(kind: type[Struct]) -> dict[str, Any]:
    """The schema of a header that holds Base64 of JSON, as `kind` reads it."""
    return {
        "type": "string",
        "contentEncoding": "base64",
        "contentMediaType": JSON,
        "contentSchema": ref(kind),
    }


def operation(
    endpoint: Callable[..., object], responses: Responses, **more: object
) -> dict[str, Any]:
    """The operation of a plain Starlette route, as FastAPI makes those of its own routes: its text
    is the docstring, and a response's `model` is a component that another route has too."""
    described = {str(status): _response(**each) for status, each in responses.items()}
    return {"description": getdoc(endpoint), "responses": described, **more}


def _response(model: type | None = None, **more: object) -> dict[str, object]:
    if model is None:
        return more
    schema = {"$ref": _REF.format(name=model.__name__)}
    return {**more, "content": {JSON: {"schema": schema}}}


def ref(kind: type[Struct]) -> dict[str, str]:
    """A reference to a structure that `structures` describes."""
    return {"$ref": _REF.format(name=kind.__name__)}


def structures(*kinds: type[Struct]) -> dict[str, Any]:
    """The components of the description that these structures are, and those that they hold."""
    return schema_components(kinds, ref_template=_REF)[1]

"""What the flow asks of its driver, what it is told, and a gateway's refusal as an exception."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inferproof.errors import (
    Conflict,
    InferproofError,
    InputRejected,
    ModelRejected,
    NotFound,
    PaymentRejected,
    Reason,
    RequestRejected,
    TooMany,
    Unavailable,
)
from inferproof.protocol.json_text import read_json


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request. `path` begins at the root of the host and may carry a query."""

    method: str
    path: str
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """No response came, or only a part of one. Whether the request arrived is not known."""

    why: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait. Units: seconds."""

    seconds: float


Step = Call | Pause
Event = Reply | Lost | None
"""What a step ends in: a Call in a Reply or Lost, a Pause in None."""

_KINDS: Mapping[int, type[InferproofError]] = {
    402: PaymentRejected,
    404: NotFound,
    409: Conflict,
    429: TooMany,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def json_body(reply: Reply, call: Call) -> dict[str, Any]:
    """The JSON object in a reply's body. Raises: Unavailable GATEWAY_ANSWER."""
    try:
        value = read_json(reply.body)
    except ValueError:
        raise unreadable(call, f"status {reply.status}, and the body is not JSON") from None
    if not isinstance(value, dict):
        raise unreadable(call, f"status {reply.status}, and the body is not a JSON object")
    return value


def unreadable(call: Call, problem: str) -> Unavailable:
    """The failure to understand a gateway."""
    return Unavailable(Reason.GATEWAY_ANSWER, method=call.method, path=call.path, problem=problem)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A gateway's error envelope."""

    status: int
    code: str
    message: str
    facts: Mapping[str, object]

    def error(self) -> InferproofError:
        """The refusal as the exception it was raised as, with its code.

        A code that this version does not know, or knows with other words, becomes
        GATEWAY_REFUSED, which carries code and message.
        """
        kind = _KINDS.get(self.status, RequestRejected)
        if self.status == 422 and self.code.startswith("INPUT_"):
            kind = InputRejected
        elif self.status == 422 and self.code.startswith("MODEL_"):
            kind = ModelRejected
        reason = Reason.__members__.get(self.code)
        if reason is not None:
            facts = {k: v for k, v in self.facts.items() if k not in ("self", "reason")}
            try:
                error = kind(reason, **facts)
            except (KeyError, ValueError):
                pass  # facts that do not fill our template: another version's
            else:
                if error.message == self.message:
                    return error
        return kind(
            Reason.GATEWAY_REFUSED, status=self.status, code=self.code, message=self.message
        )


def refusal(reply: Reply, call: Call) -> Refusal:
    """The error envelope of a reply. Raises: Unavailable GATEWAY_ANSWER where there is none."""
    error = json_body(reply, call).get("error")
    if not isinstance(error, dict):
        raise unreadable(call, f"status {reply.status} without an error envelope")
    code, message, facts = error.get("code"), error.get("message"), error.get("facts") or {}
    if not isinstance(code, str) or not isinstance(message, str) or not isinstance(facts, dict):
        raise unreadable(call, f"status {reply.status} with a malformed error envelope")
    return Refusal(reply.status, code[:64], message[:2000], facts)

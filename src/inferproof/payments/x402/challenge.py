"""The 402 challenge: written by the gateway, read by our own client.

Our extension, `inferproof`, carries in `info` the signed quote, the digest of the request
that the gateway saw, what its proof will be, and the name of the nonce binding. Public clients
echo it unread; our client adds the salt under which its nonce binds the request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inferproof.errors import InferproofError, Reason, RequestRejected
from inferproof.payments.header import (
    MAX_HEADER_BYTES,
    decode_header,
    read,
    read_signed_quote,
    signed_quote_json,
)
from inferproof.payments.x402.wire import (
    BAZAAR,
    EXTENSION,
    IDENTIFIER,
    JSON_SCHEMA,
    MAX_TIMEOUT_S,
    NONCE_BINDING,
    VERSION,
    ChallengeInfo,
    Extension,
    PaymentRequired,
    ProofInfo,
    matches,
)
from inferproof.protocol.encoding import Json
from inferproof.types.digest import Digest
from inferproof.types.payment import Quote
from inferproof.types.proof import UNTOLD, Assurance, ToldProof

MAX_ERROR = 200
"""Characters of an error that the header has room for; the body has it whole."""

_IDENTIFIER_DECLARATION: dict[str, Json] = {
    "info": {"required": False},
    "schema": {
        "$schema": JSON_SCHEMA,
        "type": "object",
        "properties": {
            "required": {"type": "boolean"},
            "id": {
                "type": "string",
                "minLength": 16,
                "maxLength": 128,
                "pattern": "^[a-zA-Z0-9_-]+$",
            },
        },
        "required": ["required"],
    },
}


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the Bazaar lists about a resource: how to call it, and an example of each side.

    `input_schema` is the JSON schema of the body; examples are whole bodies.
    """

    input_example: Json
    input_schema: dict[str, Json]
    output_example: Json = None


@dataclass(frozen=True, slots=True)
class Resource:
    """The paid resource as buyers and catalogues see it."""

    url: str
    description: str
    mime_type: str = "application/json"
    service_name: str | None = None
    tags: tuple[str, ...] = ()
    discovery: Discovery | None = None

    def json(self) -> dict[str, Json]:
        """The `resource` object of a challenge."""
        value: dict[str, Json] = {
            "url": self.url,
            "description": self.description,
            "mimeType": self.mime_type,
        }
        if self.service_name is not None:
            value["serviceName"] = self.service_name
        if self.tags:
            value["tags"] = list(self.tags)
        return value


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge that was read: the signed quote, the entry that offers it, and the rest.

    `accepted`, `resource` and `extensions` are echoed in the payment as they came.
    `takes_transfers` says that an earlier transfer pays too. `proof` is not signed.
    """

    quote: Quote
    quote_signature: bytes = field(repr=False)
    request: Digest
    max_timeout_s: int
    accepted: dict[str, Json]
    resource: Json
    extensions: dict[str, Json]
    takes_transfers: bool = False
    proof: ToldProof = UNTOLD


def challenge(
    quote: Quote,
    signature: bytes,
    resource: Resource,
    *,
    request: Digest,
    accepts: Sequence[dict[str, Json]],
    offers: Mapping[str, Json],
    proof: ToldProof,
    error: str | None = None,
) -> dict[str, Json]:
    """The PaymentRequired object that asks for the quoted payment of one request.

    `accepts` and `offers` are what the payment methods put into it (see payments.method); `error`
    says why an earlier payment was refused. `proof` is what the buyer is told of the proof.
    """
    value: dict[str, Json] = {
        "x402Version": VERSION,
        "resource": resource.json(),
        "accepts": list(accepts),
        "extensions": {
            EXTENSION: {
                "info": {
                    **signed_quote_json(quote, signature),
                    "requestDigest": request.hex,
                    "nonceBinding": NONCE_BINDING,
                    "proof": _proof_json(proof),
                    **offers,
                },
                "schema": {"type": "object"},
            },
            IDENTIFIER: _IDENTIFIER_DECLARATION,
            **({BAZAAR: bazaar(resource.discovery)} if resource.discovery is not None else {}),
        },
    }
    if error is not None:
        value["error"] = error
    return value


def header_part(asked: dict[str, Json]) -> dict[str, Json]:
    """What of a PaymentRequired object travels in the header: all that a client needs to pay.

    What describes the resource to catalogues, and the schemas of extensions, are left to the body
    of the answer: proxies take some 4 kB for all headers of an answer, in Base64.
    """
    resource, extensions = asked["resource"], asked["extensions"]
    assert isinstance(resource, dict)  # noqa: S101 - `challenge` made it
    assert isinstance(extensions, dict)  # noqa: S101
    error = {"error": str(asked["error"])[:MAX_ERROR]} if "error" in asked else {}
    return {
        **asked,
        **error,
        "resource": {name: resource[name] for name in ("url", "mimeType")},
        "extensions": {
            name: {"info": entry["info"]}
            for name, entry in extensions.items()
            if name != BAZAAR and isinstance(entry, dict)
        },
    }


def _proof_json(proof: ToldProof) -> dict[str, Json]:
    return {
        "assurance": None if proof.assurance is None else proof.assurance.value,
        "privateInputs": proof.private_inputs,
    }


def _read_proof(info: ProofInfo | None) -> ToldProof:
    """What is told of the proof: nothing by a gateway of before it was told, and of a level that is
    not known here."""
    if info is None:
        return UNTOLD
    known = {level.value: level for level in Assurance}
    return ToldProof(known.get(info.assurance or ""), info.privateInputs)


def bazaar(discovery: Discovery) -> dict[str, Json]:
    """The Bazaar's discovery extension for a JSON body sent by POST."""
    info: dict[str, Json] = {
        "input": {
            "type": "http",
            "method": "POST",
            "bodyType": "json",
            "body": discovery.input_example,
        }
    }
    properties: dict[str, Json] = {
        "input": {
            "type": "object",
            "properties": {
                "type": {"type": "string", "const": "http"},
                "method": {"type": "string", "enum": ["POST"]},
                "bodyType": {"type": "string", "enum": ["json"]},
                "body": discovery.input_schema,
            },
            "required": ["type", "method", "bodyType", "body"],
            "additionalProperties": False,
        }
    }
    if discovery.output_example is not None:
        info["output"] = {"type": "json", "example": discovery.output_example}
        properties["output"] = {
            "type": "object",
            "properties": {"type": {"type": "string"}, "example": {}},
            "required": ["type"],
        }
    return {
        "info": info,
        "schema": {
            "$schema": JSON_SCHEMA,
            "type": "object",
            "properties": properties,
            "required": ["input"],
        },
    }


def read_challenge(header: str) -> Challenge:
    """The challenge that a PAYMENT-REQUIRED header holds.

    Raises: RequestRejected CHALLENGE_MALFORMED, CHALLENGE_NO_OFFER.
    Soundness: nothing is verified; the caller checks the quote's signature and terms and
    that `request` is the digest of what it sent.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise _malformed(f"it is {len(header)} bytes, the limit is {MAX_HEADER_BYTES}")
    try:
        value = decode_header(header)
    except ValueError as error:
        raise _malformed(str(error)) from None
    if not isinstance(value, dict) or value.get("x402Version") != VERSION:
        raise _malformed(f"it is not of x402 version {VERSION}")
    try:
        asked = read(PaymentRequired, value, "challenge")
    except InferproofError:
        raise _malformed("it has no extensions or no offers") from None
    try:
        ours = read(Extension, asked.extensions.get(EXTENSION), "challenge")
        info = read(ChallengeInfo, ours.info, "challenge")
        quote, signature = read_signed_quote(info.quote, info.quoteSignature, "challenge")
    except InferproofError as error:
        raise _malformed(error.message) from None
    if info.nonceBinding != NONCE_BINDING:
        raise _malformed(f"it asks for the nonce binding {info.nonceBinding!r}")
    accepted = next((entry for entry in asked.accepts if matches(entry, quote)), None)
    if accepted is None:
        raise RequestRejected(Reason.CHALLENGE_NO_OFFER)
    timeout = accepted.get("maxTimeoutSeconds")
    if type(timeout) is not int or not 0 < timeout <= MAX_TIMEOUT_S:
        raise _malformed(f"its maxTimeoutSeconds is not between 1 and {MAX_TIMEOUT_S}")
    return Challenge(
        quote,
        signature,
        Digest.from_hex(info.requestDigest),
        timeout,
        accepted,
        asked.resource,
        asked.extensions,
        takes_transfers=info.transfer is not None,
        proof=_read_proof(info.proof),
    )


def _malformed(problem: str) -> RequestRejected:
    return RequestRejected(Reason.CHALLENGE_MALFORMED, problem=problem)

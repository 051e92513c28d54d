"""The receipt: a signed binding of request, statement, proof, payment and settlement."""

from dataclasses import dataclass, field
from enum import StrEnum

from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Payment, Quote, Settlement
from inferproof.types.proof import Assurance, Statement

RECEIPT_VERSION = 1


class ClaimStatus(StrEnum):
    """What the receipt says of a claim."""

    ASSERTED = "asserted"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


class ClaimSource(StrEnum):
    """On whose word a claim rests, from strongest to weakest."""

    PROVEN = "proven"
    """A proof that the verifier checks."""
    VERIFIER_DERIVED = "verifier-derived"
    """The verifier computes it again from the receipt."""
    PROVIDER_ASSERTED = "provider-asserted"
    """The provider says so."""
    OPERATOR_ASSERTED = "operator-asserted"
    """The gateway's operator says so."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a receipt."""

    name: str
    status: ClaimStatus
    source: ClaimSource
    reason: str


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long one stage took, in microseconds."""

    stage: str
    microseconds: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was asked, computed, proven and paid, as the gateway signs it.

    `nonce_salt` is the salt of the payment's bound nonce or of the transfer claim, not zero; None
    where the payer announced none, so that nothing but the gateway's word ties payment and
    request.
    Source: specs/receipt.md.
    """

    statement: Statement
    proof_digest: Digest
    assurance: Assurance
    proven: str
    request_digest: Digest
    quote: Quote
    quote_signature: bytes = field(repr=False)
    payment: Payment
    settlement: Settlement
    claims: tuple[Claim, ...]
    timings: tuple[StageTime, ...]
    issued_at: int
    gateway: Address
    nonce_salt: Digest | None = None
    version: int = RECEIPT_VERSION


@dataclass(frozen=True, slots=True)
class Request:
    """The HTTP request that was paid for: what the request digest is made of.

    `method` is in upper case; `path` as sent, without scheme, host and query. `salt` is 32 random
    bytes of the buyer where it asks for a private input, and else None.
    """

    method: str
    path: str
    body: bytes = field(repr=False)
    salt: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ReceiptFile:
    """A receipt, its signature, and what it refers to, where attached.

    `request` is the paid request as sent, `proof` a proof file, `verifier` a verifier bundle.
    """

    receipt: Receipt
    signature: bytes = field(repr=False)
    request: Request | None = None
    proof: bytes | None = field(default=None, repr=False)
    verifier: bytes | None = field(default=None, repr=False)

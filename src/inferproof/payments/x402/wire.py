"""Names of x402 version 2, and its messages as typed structures.

The structures hold what we read of each message, member by member as it is written; what a
member must be besides its form is checked where it is read. The OpenAPI description of the paid
call is made of the same structures.
"""

from typing import Any

from msgspec import Struct, field

from inferproof.payments.header import Amount, Hash, Signature, Text, WalletAddress, Word
from inferproof.protocol.encoding import Json
from inferproof.types.payment import Quote

PAYMENT_REQUIRED = "PAYMENT-REQUIRED"
PAYMENT_SIGNATURE = "PAYMENT-SIGNATURE"
PAYMENT_RESPONSE = "PAYMENT-RESPONSE"
PAYMENT_V1 = "X-PAYMENT"
"""The header of version 1, known only so that its senders can be told."""

VERSION = 2
EXACT = "exact"
EIP3009 = "eip3009"

IDENTIFIER = "payment-identifier"
BAZAAR = "bazaar"
EXTENSION = "inferproof"
"""Keys of the `extensions` object."""

NONCE_BINDING = "inferproof/nonce/1"
"""How the nonce is made of request digest and salt; see protocol.commitments.bound_nonce."""

MAX_TIMEOUT_S = 86_400
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


class RequiredTerms(Struct):
    """What a payment has to be. Addresses of other chains than EVM's have other forms: they are
    read once the network is known to be ours."""

    network: Word
    asset: Text
    payTo: Text  # noqa: N815 - the names of the wire, here and below
    amount: Amount


class AcceptedTerms(RequiredTerms, kw_only=True):
    """The offer that a payment answers, echoed."""

    scheme: Word
    extra: dict[str, Any] | None = None


class SignedTransfer(Struct):
    """An EIP-3009 authorization, without its signature."""

    payer: WalletAddress = field(name="from")
    to: WalletAddress
    value: Amount
    validAfter: Amount  # noqa: N815
    validBefore: Amount  # noqa: N815
    nonce: Hash


class ExactPayload(Struct):
    """What the scheme `exact` sends with EIP-3009."""

    authorization: SignedTransfer
    signature: Signature


class PaymentPayload(Struct):
    """The PAYMENT-SIGNATURE header, decoded."""

    x402Version: int  # noqa: N815
    accepted: AcceptedTerms
    payload: ExactPayload
    resource: Any = None
    extensions: dict[str, Any] | None = None


class Extension(Struct):
    """One entry of the `extensions` object."""

    info: dict[str, Any]


class IdentifierInfo(Struct):
    """The buyer's own name for its payment."""

    id: Text | None = None


class PaymentInfo(Struct):
    """What our extension says in a payment: the quote that is answered, the salt that binds the
    nonce to the request."""

    salt: Hash | None = None
    quote: dict[str, Any] | None = None
    quoteSignature: Signature | None = None  # noqa: N815


class ProofInfo(Struct):
    """What our extension says in a challenge of the proof."""

    assurance: Word | None = None
    privateInputs: bool | None = None  # noqa: N815


class ChallengeInfo(Struct):
    """What our extension says in a challenge."""

    quote: dict[str, Any]
    quoteSignature: Signature  # noqa: N815
    requestDigest: Hash  # noqa: N815
    nonceBinding: Word  # noqa: N815
    transfer: dict[str, Any] | None = None
    proof: ProofInfo | None = None


class PaymentRequired(Struct):
    """The PAYMENT-REQUIRED header, decoded."""

    x402Version: int  # noqa: N815
    accepts: list[Any]
    extensions: dict[str, Any]
    resource: Any = None
    error: Any = None


def requirements(quote: Quote, max_timeout_s: int) -> dict[str, Json]:
    """The quote's terms as one entry of `accepts`."""
    asset = quote.price.asset
    return {
        "scheme": EXACT,
        "network": asset.network.caip2,
        "asset": asset.address.hex,
        "amount": str(quote.price.amount),
        "payTo": quote.payee.hex,
        "maxTimeoutSeconds": max_timeout_s,
        "extra": {"name": asset.domain_name, "version": asset.domain_version},
    }


def matches(entry: object, quote: Quote) -> bool:
    """True when an entry of `accepts` has the quote's terms; addresses in any case."""
    expected = requirements(quote, 0)
    return isinstance(entry, dict) and all(
        str(entry.get(name)).lower() == str(expected[name]).lower()
        for name in ("scheme", "network", "asset", "amount", "payTo")
    )

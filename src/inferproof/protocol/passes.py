"""Payment by what was bought on a chain before: the claim that its buyer signs, and the event by
which a call of it is taken.

    PassClaim      signed by `buyer`: a call of this right is for this one request, at this gateway
    CallConsumed   an event of the contract of access, in a transaction of the gateway's

The claim names contract, gateway, version and request, so that it is worth nothing at another
gateway that may consume there, and for nothing but the request that the buyer signed.

Soundness: the contract takes a call for whoever its owner allows to, and asks for no signature of
the buyer's. That no other call is taken rests on the gateway; the claim shows which one was asked
for. Source: specs/access.md, section 7.
"""

from collections.abc import Sequence

from inferproof.errors import PaymentRejected, Reason, RequestRejected
from inferproof.protocol.commitments import job_id
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, Struct, digest, hash_struct
from inferproof.protocol.encoding import keccak256, tagged_digest
from inferproof.protocol.signature import recover
from inferproof.types.access import Consumption, PassClaim, Purchase, Subscription
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log

CONSUMPTION_TAG = "inferproof/consumption/1"
MAX_TIME = 2**40 - 1
CALL_CONSUMED = Digest(keccak256(b"CallConsumed(bytes32,address,address,bytes32)"))
CALL_RESTORED = Digest(keccak256(b"CallRestored(bytes32,address,address,bytes32)"))
"""Topics of both: the right, the buyer and the consumer. Source: contracts/src/Events.sol."""

PASS_CLAIM = Struct(
    "PassClaim",
    {
        "network": "string",
        "access": "address",
        "buyer": "address",
        "gateway": "address",
        "model": "bytes32",
        "right": "bytes32",
        "requestDigest": "bytes32",
        "salt": "bytes32",
        "validBefore": "uint64",
    },
)


def pass_claim_value(claim: PassClaim) -> dict[str, object]:
    """The claim's fields under the names of its struct."""
    return {
        "network": claim.asset.network.caip2,
        "access": claim.access,
        "buyer": claim.buyer,
        "gateway": claim.gateway,
        "model": claim.model,
        "right": claim.right,
        "requestDigest": claim.request,
        "salt": claim.salt,
        "validBefore": claim.valid_before,
    }


def pass_claim_digest(claim: PassClaim) -> Digest:
    """The digest that the buyer signs; it is the claim's id, and makes it single-use."""
    return digest(INFERPROOF_DOMAIN, hash_struct(PASS_CLAIM, pass_claim_value(claim)))


def pass_job_id(claim: PassClaim) -> Digest:
    """The job that the claim buys: with the claim's digest where an authorization has its nonce."""
    asset, nonce = claim.asset, pass_claim_digest(claim)
    return job_id(asset.network, asset.address, claim.buyer, nonce, claim.request, claim.salt)


def consumption_of(claim: PassClaim, nonce: Digest | None = None) -> Consumption:
    """What settles the claim, whose digest is `nonce`, where that is known and request and salt are
    not. Its mark does not give the digest away, by which, with the salt, the job could be read."""
    nonce = pass_claim_digest(claim) if nonce is None else nonce
    return Consumption(
        access=claim.access,
        buyer=claim.buyer,
        model=claim.model,
        token=claim.asset.address,
        right=claim.right,
        consumer=claim.gateway,
        nonce=nonce,
        mark=tagged_digest(CONSUMPTION_TAG, nonce.raw),
        valid_before=claim.valid_before,
    )


def check_pass_signature(claim: PassClaim) -> None:
    """Returns when the buyer's own key signed the claim.

    Raises: PaymentRejected PASS_SIGNATURE, SIGNATURE_MALFORMED. Contract wallets (EIP-1271) are
    not supported.
    """
    try:
        signer = recover(pass_claim_digest(claim), claim.signature)
    except RequestRejected as error:
        raise PaymentRejected(error.reason) from None
    if signer != claim.buyer:
        raise PaymentRejected(Reason.PASS_SIGNATURE, buyer=claim.buyer)


def check_pass_request(claim: PassClaim, request: Digest) -> None:
    """Returns when the claim is for this request. Raises: PaymentRejected PASS_OTHER_REQUEST."""
    if claim.request != request:
        raise PaymentRejected(Reason.PASS_OTHER_REQUEST, got=claim.request, expected=request)


def check_pass_time(claim: PassClaim, now: int, *, margin: int, longest: int) -> None:
    """Returns when the claim holds for `margin` seconds from now, and no longer than `longest`.

    Raises: PaymentRejected PASS_ENDS, PASS_TOO_LONG.
    """
    if now + margin >= claim.valid_before:
        raise PaymentRejected(
            Reason.PASS_ENDS, valid_before=claim.valid_before, now=now, margin=margin
        )
    if claim.valid_before > now + longest:
        raise PaymentRejected(
            Reason.PASS_TOO_LONG, valid_before=claim.valid_before, now=now, longest=longest
        )


def takes_call(logs: Sequence[Log], taken: Consumption) -> bool:
    """Whether a transaction with these events took a call of the right, for the buyer and version,
    by this consumer.

    Soundness: it does not say for which of several claims of the same; the transaction's mark does.
    """
    topics = (CALL_CONSUMED, taken.right, _topic(taken.buyer), _topic(taken.consumer))
    return any(
        log.address == taken.access and log.topics == topics and log.data == taken.model.raw
        for log in logs
    )


def check_purchase(purchase: Purchase, buyer: Address, now: int, *, held: bool) -> None:
    """Returns where nothing is wrong with a pass or a pack at this second of the chain.

    Raises: PaymentRejected PASS_NOT_HELD, PASS_OVER, PASS_USED_UP.
    """
    right = purchase.right
    if not held:
        raise PaymentRejected(Reason.PASS_NOT_HELD, right=right, buyer=buyer)
    if purchase.until is not None and now >= purchase.until:
        raise PaymentRejected(Reason.PASS_OVER, right=right, until=purchase.until)
    if purchase.calls is not None and purchase.used >= purchase.calls:
        raise PaymentRejected(Reason.PASS_USED_UP, right=right, calls=purchase.calls)


def check_subscription(
    right: Digest, own: Subscription, calls: int, buyer: Address, now: int
) -> None:
    """The same of a subscription with so many calls in a period, 0 for any number."""
    if not own.paid_until:
        raise PaymentRejected(Reason.PASS_NOT_HELD, right=right, buyer=buyer)
    if now >= own.paid_until:
        raise PaymentRejected(Reason.PASS_OVER, right=right, until=own.paid_until)
    if calls and own.used >= calls:
        raise PaymentRejected(Reason.PASS_USED_UP, right=right, calls=calls)


def _topic(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)

"""A payer's word that it wants the opening of its private input: what is signed, and who may.

The job's id holds the payment and the request, so a signature is about one job of one payer. It
ends at `before`, which is near: whoever keeps a copy has nothing from it later.
"""

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, Struct, digest, hash_struct
from inferproof.protocol.signature import recover
from inferproof.types.digest import Address, Digest

OPEN_INPUT = Struct("OpenInput", {"job": "bytes32", "before": "uint64"})
MOST_AHEAD_S = 900
"""How long a signature may hold: clocks differ by minutes at most."""


def opening_request_digest(job: Digest, before: int) -> Digest:
    """The EIP-712 digest that the payer signs. Units: `before` in Unix seconds."""
    return digest(INFERPROOF_DOMAIN, hash_struct(OPEN_INPUT, {"job": job, "before": before}))


def check_opening_request(
    job: Digest, before: int, signature: bytes, *, payer: Address, now: int
) -> None:
    """Returns when the payer signed this request and it holds now, and not for long.

    Raises: RequestRejected OPENING_REQUEST_TIME, OPENING_REQUEST_SIGNATURE, SIGNATURE_MALFORMED.
    """
    if not now < before <= now + MOST_AHEAD_S:
        raise RequestRejected(
            Reason.OPENING_REQUEST_TIME, before=before, now=now, limit=MOST_AHEAD_S
        )
    if recover(opening_request_digest(job, before), signature) != payer:
        raise RequestRejected(Reason.OPENING_REQUEST_SIGNATURE, payer=payer)

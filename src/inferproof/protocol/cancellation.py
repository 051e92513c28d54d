"""A payer's word that a job shall not be done: what is signed, and who may sign it.

The job's id holds the payment and the request, so a cancellation is about one job of one payer,
and one signature does no more when it is brought twice. It ends at `before`, so that who keeps a
copy cannot use it against the payer later.
"""

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, Struct, digest, hash_struct
from inferproof.protocol.signature import recover
from inferproof.types.digest import Address, Digest

CANCEL_JOB = Struct("CancelJob", {"job": "bytes32", "before": "uint64"})


def cancellation_digest(job: Digest, before: int) -> Digest:
    """The EIP-712 digest that the payer signs. Units: `before` in Unix seconds."""
    return digest(INFERPROOF_DOMAIN, hash_struct(CANCEL_JOB, {"job": job, "before": before}))


def check_cancellation(
    job: Digest, before: int, signature: bytes, *, payer: Address, now: int
) -> None:
    """Returns when the payer signed this cancellation and it still holds.

    Raises: RequestRejected CANCEL_EXPIRED, CANCEL_SIGNATURE, SIGNATURE_MALFORMED.
    """
    if now >= before:
        raise RequestRejected(Reason.CANCEL_EXPIRED, before=before, now=now)
    if recover(cancellation_digest(job, before), signature) != payer:
        raise RequestRejected(Reason.CANCEL_SIGNATURE, payer=payer)

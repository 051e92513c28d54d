"""Webhooks: what a notice says, how the gateway signs it, how its receiver checks it.

    body       {"at", "delivery", "format", "job_id", "seq", "state"} as canonical JSON
    signature  EIP-712 struct Webhook(bytes32 delivery,uint64 sentAt,bytes body) by the
               gateway's key, in the domain of inferproof

The delivery id is the same in every attempt: who has seen it has nothing more to do. The time is
that of the attempt, and bounds how long a copy on the wire is of use.
"""

import hmac
from dataclasses import dataclass

from inferproof.errors import InferproofError, Reason, RequestRejected
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, Struct, digest, hash_struct
from inferproof.protocol.encoding import canonical_json, tagged_digest
from inferproof.protocol.fields import Fields
from inferproof.protocol.json_text import read_json
from inferproof.protocol.signature import recover
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState

FORMAT = "inferproof/webhook/1"
WEBHOOK = Struct("Webhook", {"delivery": "bytes32", "sentAt": "uint64", "body": "bytes"})
MAX_BODY_BYTES = 4096
"""Ten times what a notice takes."""

TOLD = frozenset({JobState.DONE, JobState.FAILED, JobState.REFUNDED, JobState.VOID})
"""The states that a webhook tells: how a job ended, and first that its money will come back."""


@dataclass(frozen=True, slots=True)
class Notice:
    """That a job came to a state. Units: `at` in Unix seconds; `seq` counts the job's events."""

    job_id: Digest
    seq: int
    state: JobState
    at: int

    @property
    def delivery(self) -> Digest:
        """What tells this notice from all others, and is the same in every attempt."""
        return tagged_digest(FORMAT, self.job_id.raw, self.seq.to_bytes(8, "big"))


def encode_notice(notice: Notice) -> bytes:
    """The body of a webhook."""
    return canonical_json(
        {
            "at": notice.at,
            "delivery": notice.delivery.hex,
            "format": FORMAT,
            "job_id": notice.job_id.hex,
            "seq": notice.seq,
            "state": notice.state.value,
        }
    )


def decode_notice(body: bytes) -> Notice:
    """The notice in a webhook's body. Raises: RequestRejected WEBHOOK_MALFORMED."""
    try:
        if len(body) > MAX_BODY_BYTES:
            raise RequestRejected(Reason.WEBHOOK_MALFORMED, problem="the body is no notice")
        fields = Fields(read_json(body), "webhook")
        kind = fields.text("format", most=64)
        given = fields.digest("delivery")
        notice = Notice(
            fields.digest("job_id"),
            fields.integer("seq", least=1, most=2**31),
            fields.one_of("state", JobState),
            fields.integer("at"),
        )
        fields.end()
    except ValueError:
        raise RequestRejected(Reason.WEBHOOK_MALFORMED, problem="the body is not JSON") from None
    except InferproofError as error:
        raise RequestRejected(Reason.WEBHOOK_MALFORMED, problem=error.message) from None
    if kind != FORMAT or given != notice.delivery or encode_notice(notice) != body:
        raise RequestRejected(Reason.WEBHOOK_MALFORMED, problem="the body is no notice")
    return notice


def webhook_digest(delivery: Digest, sent_at: int, body: bytes) -> Digest:
    """The EIP-712 digest that the gateway signs for one attempt."""
    value = {"delivery": delivery, "sentAt": sent_at, "body": body}
    return digest(INFERPROOF_DOMAIN, hash_struct(WEBHOOK, value))


def check_webhook(
    body: bytes, sent_at: int, signature: bytes, *, gateway: Address, now: int, limit_s: int
) -> Notice:
    """The notice, once the gateway's signature over it and over a recent time was found to hold.

    Raises: RequestRejected WEBHOOK_MALFORMED, WEBHOOK_STALE, WEBHOOK_SIGNATURE.
    Soundness: a notice comes at least once; compare `delivery` with those that were seen.
    """
    notice = decode_notice(body)
    if abs(now - sent_at) > limit_s:
        raise RequestRejected(Reason.WEBHOOK_STALE, at=sent_at, now=now, limit=limit_s)
    try:
        signer = recover(webhook_digest(notice.delivery, sent_at, body), signature)
    except RequestRejected:
        raise RequestRejected(Reason.WEBHOOK_SIGNATURE, gateway=gateway) from None
    if not hmac.compare_digest(signer.raw, gateway.raw):
        raise RequestRejected(Reason.WEBHOOK_SIGNATURE, gateway=gateway)
    return notice

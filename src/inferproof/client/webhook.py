"""For who receives webhooks: the one check to make before believing one.

    notice = verify_webhook(request.headers, body, gateway=Address.from_hex("0x…"))
    if notice.delivery not in seen:
        seen.add(notice.delivery)
        ...  # fetch the job's answer: notice.job_id, notice.state

The gateway's address stands in its discovery document and in every receipt.
"""

import time
from collections.abc import Mapping

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.webhook import Notice, check_webhook, decode_notice
from inferproof.types.digest import Address

LIMIT_S = 300
"""How far the gateway's clock and ours may be apart, the way of the message included."""


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes,
    *,
    gateway: Address,
    now: float | None = None,
    limit_s: int = LIMIT_S,
) -> Notice:
    """What the gateway says of a job, once signature, time and delivery id were found to hold.

    `headers` and `body` are those of the request, the body byte for byte; `now` is by default
    the time of this machine. Units: seconds.
    Raises: RequestRejected WEBHOOK_MALFORMED, WEBHOOK_STALE, WEBHOOK_SIGNATURE.
    Soundness: a notice may come more than once; compare its `delivery` with those seen before.
    """
    found = {str(name).lower(): str(value) for name, value in headers.items()}
    sent = found.get("inferproof-timestamp", "")
    signature = found.get("inferproof-signature", "")
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
        raise _malformed("Inferproof-Timestamp")
    try:
        signed = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        raise _malformed("Inferproof-Signature") from None
    if found.get("inferproof-delivery") != decode_notice(body).delivery.hex:
        raise _malformed("Inferproof-Delivery")
    moment = int(time.time() if now is None else now)
    return check_webhook(body, int(sent), signed, gateway=gateway, now=moment, limit_s=limit_s)


def _malformed(header: str) -> RequestRejected:
    problem = f"the header {header} is missing or is not what it should be"
    return RequestRejected(Reason.WEBHOOK_MALFORMED, problem=problem)

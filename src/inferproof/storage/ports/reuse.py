"""When a payment that is already reserved may be presented again."""

from inferproof.errors import Conflict, Reason
from inferproof.storage.ports.jobs import Job
from inferproof.types.digest import Digest
from inferproof.types.payment import Payment


def check_same_payment(job: Job, request: Digest, payment: Payment, salt: Digest | None) -> None:
    """Returns when the payment, for this request, is the one that bought the job.

    Two signatures over the same terms are the same payment: a wallet may sign twice. A salt
    that was announced must be announced again: the payment itself is on the chain, so without it
    anybody who guesses the request would be handed the job.
    Raises: Conflict PAYMENT_REPLAYED.
    """
    known = job.order.nonce_salt
    if (
        job.order.request_digest != request
        or (known is not None and salt != known)
        or not job.order.payment.is_same(payment)
    ):
        raise Conflict(Reason.PAYMENT_REPLAYED)


def check_same_webhook(job: Job, webhook: str | None) -> None:
    """Returns when a repeated request names the job's own webhook, or none.

    Who sees a payment cannot turn its notices to itself by sending it again.
    Raises: Conflict WEBHOOK_OTHER.
    """
    if webhook is not None and webhook != job.order.webhook:
        raise Conflict(Reason.WEBHOOK_OTHER)


def check_same_payment_id(job: Job, request: Digest) -> None:
    """Returns when the job that the payer's payment id names is for this request.

    A second authorization under the same id is then neither reserved nor charged.
    Raises: Conflict PAYMENT_ID_REUSED.
    """
    if job.order.request_digest != request:
        raise Conflict(Reason.PAYMENT_ID_REUSED, payment_id=job.order.payment_id)

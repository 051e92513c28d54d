"""What a buyer sends for an order, and an order that is half taken."""

from dataclasses import dataclass

from inferproof.errors import PaymentRejected, Reason
from inferproof.protocol.commitments import bound_nonce, job_id, request_digest
from inferproof.services.catalog import RegisteredModel
from inferproof.services.gateway.base import SignedQuote
from inferproof.storage.ports.rate_limits import ApiKey
from inferproof.types.digest import Digest
from inferproof.types.payment import Authorization
from inferproof.types.receipt import Request


@dataclass(frozen=True, slots=True)
class Offered:
    """What a buyer sends: the request, the payment, and what goes with it."""

    model: str
    request: Request
    payment: Authorization
    binding_salt: bytes | None = None
    quote: SignedQuote | None = None
    payment_id: str | None = None
    webhook: str | None = None
    holder: ApiKey | None = None

    @property
    def digest(self) -> Digest:
        return request_digest(self.request.method, self.request.path, self.request.body)

    @property
    def nonce_salt(self) -> Digest | None:
        return Digest(self.binding_salt) if self.binding_salt is not None else None

    def job_id(self, request: Digest) -> Digest:
        """The id of the job that the payment buys; `request` is the request's digest."""
        payment, asset = self.payment, self.payment.asset
        salt = self.nonce_salt
        return job_id(asset.network, asset.address, payment.payer, payment.nonce, request, salt)


@dataclass(frozen=True, slots=True)
class Begun:
    """An order for which steps 1 to 8 hold: `now` is when that was found."""

    offered: Offered
    digest: Digest
    model: RegisteredModel
    quote: SignedQuote
    now: int


def check_binding(offered: Offered, digest: Digest) -> None:
    """Returns when the nonce is bound to the request, where a salt says that it is.

    Raises: PaymentRejected PAYMENT_SALT_ZERO, PAYMENT_NONCE_BINDING.
    """
    if offered.binding_salt is None:
        return
    if not any(offered.binding_salt):  # in a receipt zero stands for no salt
        raise PaymentRejected(Reason.PAYMENT_SALT_ZERO)
    expected = bound_nonce(digest, offered.binding_salt)
    if offered.payment.nonce != expected:
        raise PaymentRejected(
            Reason.PAYMENT_NONCE_BINDING, got=offered.payment.nonce, expected=expected
        )

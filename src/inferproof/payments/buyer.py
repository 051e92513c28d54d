"""The buyer's side of payment methods: signs for a request."""

from typing import Protocol

from inferproof.payments.x402.challenge import Challenge
from inferproof.protocol.signature import Signer
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Money
from inferproof.types.payment import Payment, Quote


class SignedPayment(Protocol):
    """What a buyer signed for one request: sent again, it is the same payment."""

    @property
    def method(self) -> str: ...

    @property
    def header_name(self) -> str: ...

    @property
    def header(self) -> str:
        """The value of the header that carries it."""
        ...

    @property
    def payer(self) -> Address: ...

    @property
    def salt(self) -> Digest | None:
        """The secret that the header announces; it keeps the job id from who watches the chain."""
        ...

    @property
    def ends(self) -> int | None:
        """The second from which it is worth nothing; None where it holds for as long as a gateway
        does not refuse it for good."""
        ...

    def job_id(self, request: Digest) -> Digest:
        """The job that it buys for the request with this digest."""
        ...

    def is_stated_by(self, payment: Payment) -> bool:
        """Whether a receipt's payment is this one, whatever a gateway may choose about it."""
        ...

    def costs(self, quote: Quote) -> Money:
        """What the buyer spends by it on a call at this price."""
        ...


class BuyerMethod(Protocol):
    """A buyer's way to pay."""

    @property
    def takes_key(self) -> bool:
        """Whether an Idempotency-Key goes with it."""
        ...

    def costs(self, quote: Quote) -> Money:
        """What the buyer spends by it on a call at this price."""
        ...

    def require_offered(self, challenge: Challenge) -> None:
        """Returns when the gateway takes this method. Raises: PaymentRejected."""
        ...

    def sign(self, challenge: Challenge, signer: Signer, salt: Digest, now: int) -> SignedPayment:
        """The payment for the challenge's request. Units: `now` in Unix seconds."""
        ...

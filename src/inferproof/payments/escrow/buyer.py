"""The buyer's side of orders in an escrow: an order that was made before, sent with its input."""

from dataclasses import dataclass, field, replace

from inferproof.errors import PaymentRejected, Reason, RequestRejected
from inferproof.payments.escrow.receipt import ESCROW_METHOD, order_of_payment
from inferproof.payments.escrow.wire import ORDER_HEADER, SignedOrder, order_header, parse_order
from inferproof.payments.x402.challenge import Challenge
from inferproof.protocol.signature import Signer
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Order
from inferproof.types.money import Asset, Money
from inferproof.types.payment import Payment, Quote


@dataclass(frozen=True, slots=True)
class SentOrder:
    """A SignedPayment (see payments.buyer)."""

    header: str = field(repr=False)
    signed: SignedOrder

    @property
    def method(self) -> str:
        return ESCROW_METHOD

    @property
    def header_name(self) -> str:
        return ORDER_HEADER

    @property
    def payer(self) -> Address:
        return self.signed.order.buyer

    @property
    def salt(self) -> Digest | None:
        """None: nothing keeps the job id from who watches the chain, since it is the order's."""
        return None

    @property
    def ends(self) -> int | None:
        return self.signed.order.rescue_by + 1

    def costs(self, quote: Quote) -> Money:
        return quote.price

    def job_id(self, request: Digest) -> Digest:
        return self.signed.id

    def is_stated_by(self, payment: Payment) -> bool:
        # Which server took it up, the gateway says and the chain confirms.
        return payment.method == ESCROW_METHOD and order_of_payment(payment) == self.signed


@dataclass(frozen=True, slots=True)
class MadeOrder:
    """An order that the buyer made in an escrow before, to pay with: a BuyerMethod.

    `salt` is the secret under which the order's input commitment was made.
    """

    escrow: Address
    order: Order
    salt: Digest = field(repr=False)

    @property
    def takes_key(self) -> bool:
        return False

    def costs(self, quote: Quote) -> Money:
        return quote.price

    def require_offered(self, challenge: Challenge) -> None:
        """Raises: PaymentRejected ESCROWS_CLOSED, ORDER_ESCROW."""
        offered = offered_escrow(challenge)
        if offered is None:
            raise PaymentRejected(Reason.ESCROWS_CLOSED)
        if offered != self.escrow:
            raise PaymentRejected(Reason.ORDER_ESCROW, got=self.escrow, expected=offered)

    def sign(self, challenge: Challenge, signer: Signer, salt: Digest, now: int) -> SentOrder:
        """The order with its buyer's signature. Its salt was drawn before: `salt` is not used."""
        unsigned = SignedOrder(challenge.quote.price.asset, self.escrow, self.order, b"")
        signed = replace(unsigned, signature=signer.sign(unsigned.id))
        quote = (challenge.quote, challenge.quote_signature)
        return SentOrder(order_header(signed, self.salt, quote), signed)


def read_sent_order(header: str, asset: Asset) -> SentOrder:
    """The order in a header that was made before. Raises: as `parse_order`."""
    return SentOrder(header, parse_order(header, [asset]).signed)


def offered_escrow(challenge: Challenge) -> Address | None:
    """The escrow whose orders the gateway serves, as its challenge says it; None for none."""
    extension = challenge.extensions.get("inferproof")
    info = extension.get("info") if isinstance(extension, dict) else None
    offer = info.get("escrow") if isinstance(info, dict) else None
    address = offer.get("address") if isinstance(offer, dict) else None
    try:
        return Address.from_hex(address) if isinstance(address, str) else None
    except RequestRejected:
        return None

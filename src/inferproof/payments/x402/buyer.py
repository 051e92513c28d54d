"""The buyer's side of the method `exact`: an authorization whose nonce binds the request."""

from dataclasses import dataclass, field, replace

from inferproof.payments.header import encode_header
from inferproof.payments.x402.challenge import Challenge
from inferproof.payments.x402.payment import parse_payment, payment_payload
from inferproof.payments.x402.receipt import EXACT_METHOD, authorization_payment
from inferproof.payments.x402.wire import PAYMENT_SIGNATURE
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.commitments import bound_nonce, job_id
from inferproof.protocol.signature import Signer
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Money
from inferproof.types.payment import Authorization, Payment, Quote


@dataclass(frozen=True, slots=True)
class SignedAuthorization:
    """A SignedPayment (see payments.method)."""

    header: str = field(repr=False)
    authorization: Authorization
    salt: Digest | None = field(repr=False)

    @property
    def method(self) -> str:
        return EXACT_METHOD

    @property
    def header_name(self) -> str:
        return PAYMENT_SIGNATURE

    @property
    def payer(self) -> Address:
        return self.authorization.payer

    @property
    def ends(self) -> int | None:
        return self.authorization.valid_before

    def costs(self, quote: Quote) -> Money:
        return quote.price

    def job_id(self, request: Digest) -> Digest:
        paid, asset = self.authorization, self.authorization.asset
        return job_id(asset.network, asset.address, paid.payer, paid.nonce, request, self.salt)

    def is_stated_by(self, payment: Payment) -> bool:
        return payment == authorization_payment(self.authorization)


@dataclass(frozen=True, slots=True)
class ExactBuyer:
    """A BuyerMethod. `payment_id` is the buyer's own name for the payment."""

    payment_id: str | None = None

    @property
    def takes_key(self) -> bool:
        return True

    def costs(self, quote: Quote) -> Money:
        return quote.price

    def require_offered(self, challenge: Challenge) -> None:
        """Every challenge that was read has the offer."""

    def sign(
        self, challenge: Challenge, signer: Signer, salt: Digest, now: int
    ) -> SignedAuthorization:
        quote = challenge.quote
        unsigned = Authorization(
            asset=quote.price.asset,
            payer=signer.address,
            payee=quote.payee,
            amount=quote.price.amount,
            valid_after=0,
            valid_before=now + challenge.max_timeout_s,
            nonce=bound_nonce(challenge.request, salt.raw),
            signature=b"",
        )
        signed = replace(unsigned, signature=signer.sign(authorization_digest(unsigned)))
        payload = payment_payload(challenge, signed, salt.raw, self.payment_id)
        return SignedAuthorization(encode_header(payload), signed, salt)


def read_signed_authorization(header: str, asset: Asset) -> SignedAuthorization:
    """The payment in a header that was signed before. Raises: as `parse_payment`."""
    payment = parse_payment(header, [asset])
    salt = None if payment.binding_salt is None else Digest(payment.binding_salt)
    return SignedAuthorization(header, payment.authorization, salt)

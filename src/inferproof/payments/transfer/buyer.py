"""The buyer's side of earlier transfers: the claim that gives one for a request."""

from dataclasses import dataclass, field, replace

from inferproof.errors import PaymentRejected, Reason
from inferproof.payments.transfer.receipt import TRANSFER_METHOD, claim_of
from inferproof.payments.transfer.wire import TRANSFER_HEADER, parse_transfer, transfer_header
from inferproof.payments.x402.challenge import Challenge
from inferproof.protocol.signature import Signer
from inferproof.protocol.transfer import claim_digest, claim_job_id
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Money
from inferproof.types.payment import Payment, Quote, TransferClaim


@dataclass(frozen=True, slots=True)
class SignedClaim:
    """A SignedPayment (see payments.method)."""

    header: str = field(repr=False)
    claim: TransferClaim

    @property
    def method(self) -> str:
        return TRANSFER_METHOD

    @property
    def header_name(self) -> str:
        return TRANSFER_HEADER

    @property
    def payer(self) -> Address:
        return self.claim.payer

    @property
    def salt(self) -> Digest | None:
        return self.claim.salt

    @property
    def ends(self) -> int | None:
        return None

    def costs(self, quote: Quote) -> Money:
        return quote.price

    def job_id(self, request: Digest) -> Digest:
        return claim_job_id(self.claim)

    def is_stated_by(self, payment: Payment) -> bool:
        # Which of several transfers it took, and of what amount, the gateway says and the chain
        # confirms, unless the payer named the log.
        claim = self.claim
        return payment.method == TRANSFER_METHOD and claim == claim_of(
            payment, claim.request, claim.salt
        )


@dataclass(frozen=True, slots=True)
class MadeTransfer:
    """A transfer that the buyer made before, to pay with: a BuyerMethod.

    `log_index` is its place among the logs of the transaction, from 0; None lets the gateway take
    the first that fits and is unused.
    """

    transaction: Digest
    log_index: int | None = None

    @property
    def takes_key(self) -> bool:
        return False

    def costs(self, quote: Quote) -> Money:
        return quote.price

    def require_offered(self, challenge: Challenge) -> None:
        """Raises: PaymentRejected TRANSFERS_CLOSED."""
        if not challenge.takes_transfers:
            raise PaymentRejected(Reason.TRANSFERS_CLOSED)

    def sign(self, challenge: Challenge, signer: Signer, salt: Digest, now: int) -> SignedClaim:
        quote = challenge.quote
        unsigned = TransferClaim(
            asset=quote.price.asset,
            payer=signer.address,
            payee=quote.payee,
            transaction=self.transaction,
            log_index=self.log_index,
            request=challenge.request,
            salt=salt,
            signature=b"",
        )
        claim = replace(unsigned, signature=signer.sign(claim_digest(unsigned)))
        return SignedClaim(transfer_header(claim, quote, challenge.quote_signature), claim)


def read_signed_claim(header: str, asset: Asset) -> SignedClaim:
    """The claim in a header that was signed before. Raises: as `parse_transfer`."""
    return SignedClaim(header, parse_transfer(header, [asset]).claim)

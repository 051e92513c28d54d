"""The buyer's side of what was bought before: the claim that gives a call of it for a request."""

from dataclasses import dataclass, field, replace

from inferproof.errors import PaymentRejected, Reason, RequestRejected
from inferproof.payments.passes.receipt import PASS_METHOD, pass_payment
from inferproof.payments.passes.wire import PASS_HEADER, parse_pass, pass_header
from inferproof.payments.x402.challenge import Challenge
from inferproof.protocol.passes import pass_claim_digest, pass_job_id
from inferproof.protocol.signature import Signer
from inferproof.types.access import PassClaim
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Money
from inferproof.types.payment import Payment, Quote


@dataclass(frozen=True, slots=True)
class SignedPassClaim:
    """A SignedPayment (see payments.buyer)."""

    header: str = field(repr=False)
    claim: PassClaim

    @property
    def method(self) -> str:
        return PASS_METHOD

    @property
    def header_name(self) -> str:
        return PASS_HEADER

    @property
    def payer(self) -> Address:
        return self.claim.buyer

    @property
    def salt(self) -> Digest | None:
        return self.claim.salt

    @property
    def ends(self) -> int | None:
        return self.claim.valid_before

    def job_id(self, request: Digest) -> Digest:
        return pass_job_id(self.claim)

    def is_stated_by(self, payment: Payment) -> bool:
        return payment == pass_payment(self.claim)

    def costs(self, quote: Quote) -> Money:
        return Money(0, quote.price.asset)


@dataclass(frozen=True, slots=True)
class BoughtRight:
    """A pass, a pack or a subscription that the buyer has, to pay with: a BuyerMethod.

    With `access` the gateway has to take calls of that contract.
    """

    right: Digest
    access: Address | None = None

    @property
    def takes_key(self) -> bool:
        return False

    def costs(self, quote: Quote) -> Money:
        """Nothing more."""
        return Money(0, quote.price.asset)

    def require_offered(self, challenge: Challenge) -> None:
        """Raises: PaymentRejected PASSES_CLOSED, PASS_CONTRACT."""
        offered = offered_access(challenge)
        if offered is None:
            raise PaymentRejected(Reason.PASSES_CLOSED)
        if self.access not in (None, offered):
            raise PaymentRejected(Reason.PASS_CONTRACT, got=self.access, expected=offered)

    def sign(self, challenge: Challenge, signer: Signer, salt: Digest, now: int) -> SignedPassClaim:
        quote, access = challenge.quote, offered_access(challenge)
        if access is None:
            raise PaymentRejected(Reason.PASSES_CLOSED)
        unsigned = PassClaim(
            asset=quote.price.asset,
            access=access,
            buyer=signer.address,
            gateway=quote.payee,
            model=quote.model_commitment,
            right=self.right,
            request=challenge.request,
            salt=salt,
            valid_before=now + challenge.max_timeout_s,
            signature=b"",
        )
        claim = replace(unsigned, signature=signer.sign(pass_claim_digest(unsigned)))
        return SignedPassClaim(pass_header(claim, quote, challenge.quote_signature), claim)


def read_signed_pass(header: str, asset: Asset) -> SignedPassClaim:
    """The claim in a header that was signed before. Raises: as `parse_pass`."""
    return SignedPassClaim(header, parse_pass(header, [asset]).claim)


def offered_access(challenge: Challenge) -> Address | None:
    """The contract whose calls the gateway takes, as its challenge says it; None for none."""
    extension = challenge.extensions.get("inferproof")
    info = extension.get("info") if isinstance(extension, dict) else None
    offer = info.get(PASS_METHOD) if isinstance(info, dict) else None
    address = offer.get("address") if isinstance(offer, dict) else None
    try:
        return Address.from_hex(address) if isinstance(address, str) else None
    except RequestRejected:
        return None

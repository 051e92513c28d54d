"""The payment methods of this release: all that a verifier and a buyer need of them."""

from inferproof.errors import Reason, RequestRejected
from inferproof.payments.buyer import SignedPayment
from inferproof.payments.escrow.buyer import read_sent_order
from inferproof.payments.escrow.receipt import ESCROW_METHOD, EscrowPart
from inferproof.payments.passes.buyer import read_signed_pass
from inferproof.payments.passes.receipt import PASS_METHOD, PassPart
from inferproof.payments.transfer.buyer import read_signed_claim
from inferproof.payments.transfer.receipt import TRANSFER_METHOD, TransferPart
from inferproof.payments.x402.buyer import read_signed_authorization
from inferproof.payments.x402.receipt import EXACT_METHOD, ExactPart
from inferproof.protocol.payment_part import PaymentPart, PaymentParts
from inferproof.types.money import Asset


def payment_parts(*more: PaymentPart) -> PaymentParts:
    """The receipt's side of each method of this release, and of `more`, by name."""
    known: tuple[PaymentPart, ...] = (
        ExactPart(),
        TransferPart(),
        EscrowPart(),
        PassPart(),
        *more,
    )
    return {part.method: part for part in known}


def read_signed(method: str, header: str, asset: Asset) -> SignedPayment:
    """The payment in a header of this method.

    Raises: RequestRejected FIELD_MALFORMED for a method of no release; PaymentRejected.
    """
    if method == TRANSFER_METHOD:
        return read_signed_claim(header, asset)
    if method == ESCROW_METHOD:
        return read_sent_order(header, asset)
    if method == PASS_METHOD:
        return read_signed_pass(header, asset)
    if method == EXACT_METHOD:
        return read_signed_authorization(header, asset)
    raise RequestRejected(Reason.FIELD_MALFORMED, field="method", document="paid call")

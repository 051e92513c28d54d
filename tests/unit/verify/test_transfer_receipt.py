"""A receipt for a payment by earlier transfer: what it shows, and what fails it."""

from dataclasses import replace
from typing import Any

import pytest

from inferproof.errors import Reason, ReceiptRejected
from inferproof.payments.transfer.receipt import transfer_payment
from inferproof.protocol.documents import encode_document
from inferproof.protocol.receipt import (
    decode_receipt_file,
    encode_receipt_file,
    receipt_digest,
    receipt_file_json,
)
from inferproof.protocol.transfer import Transfer, claim_digest, spent
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import (
    PAYEE,
    PAYER,
    PAYMENTS,
    STRANGER,
    TransferSample,
    sample_receipt_file,
    sample_tools,
    seal,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Settlement, SettlementState, TransferPayment
from inferproof.types.proof import Assurance
from inferproof.types.receipt import Receipt
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import VerifiedReceipt, verify_receipt

OPEN = Policy(minimum_assurance=Assurance.COMMITMENT)
FILE = sample_receipt_file(TransferSample())
RECEIPT = FILE.receipt


def payment() -> TransferPayment:
    return TransferSample().transfer()


def paid(payment: TransferPayment, receipt: Receipt = RECEIPT) -> Receipt:
    """The receipt with another payment."""
    return replace(receipt, payment=transfer_payment(payment))


def _verify(receipt: Receipt) -> VerifiedReceipt:
    return verify_receipt(encode_receipt_file(seal(receipt, FILE)), OPEN, sample_tools())


def _claimed(**changes: Any) -> Receipt:
    """The receipt with another claim, which its payer signed."""
    claim = replace(payment().claim, **changes)
    signed = replace(claim, signature=PAYER.sign(claim_digest(claim)))
    return paid(replace(payment(), claim=signed))


@pytest.mark.parametrize("named", [True, False])
def test_a_whole_receipt_passes(named: bool) -> None:
    file = sample_receipt_file(TransferSample(named=named, log_index=0))
    data = encode_receipt_file(file)
    assert decode_receipt_file(data, PAYMENTS) == file
    verified = verify_receipt(data, OPEN, sample_tools())
    step = verified.steps[4]
    assert step.detail == (
        f"payer {PAYER.address}, by the transfer in log 0 of {payment().claim.transaction}"
    )


def test_it_says_how_it_was_paid() -> None:
    reasons = {claim.name: claim.reason for claim in RECEIPT.claims}
    assert reasons["payment-authorized"] == (
        "the payer's signature over an earlier transfer and this request is in the receipt"
    )
    assert reasons["request-bound"] == (
        "the payer signed this request's digest in its claim to the transfer"
    )
    assert reasons["payment-settled"] == (
        f"by an earlier transfer in transaction {payment().claim.transaction}; the chain can "
        "confirm it"
    )


def test_neither_kind_passes_for_the_other() -> None:
    other = sample_receipt_file()
    assert receipt_digest(RECEIPT, PAYMENTS) != receipt_digest(
        replace(RECEIPT, payment=other.receipt.payment), PAYMENTS
    )


def test_5_the_payer_signed_the_claim() -> None:
    message = f"the transfer claim is not signed by its payer {PAYER.address}"
    forged = STRANGER.sign(claim_digest(payment().claim))
    receipt = paid(replace(payment(), claim=replace(payment().claim, signature=forged)))
    with rejects(Reason.CLAIM_SIGNATURE, message, kind=ReceiptRejected):
        _verify(receipt)
    for changed in (
        replace(RECEIPT, request_digest=Digest(b"\x01" * 32)),
        replace(RECEIPT, nonce_salt=Digest(b"\x01" * 32)),
    ):
        claim = replace(
            payment().claim,
            request=changed.request_digest,
            salt=changed.nonce_salt or Digest(bytes(32)),
        )
        changed = replace(
            changed,
            quote=replace(changed.quote, request_digest=changed.request_digest),
            payment=transfer_payment(replace(payment(), claim=claim)),
        )
        with pytest.raises(ReceiptRejected) as caught:
            _verify(changed)
        assert caught.value.reason in (Reason.CLAIM_SIGNATURE, Reason.QUOTE_SIGNATURE)


def test_5_a_named_log_is_signed() -> None:
    sample = TransferSample(named=True, log_index=3)
    file = sample_receipt_file(sample)
    claim = replace(sample.claim(), log_index=4)
    moved = spent(claim, Transfer(4, PAYER.address, PAYEE, 300_000))
    with pytest.raises(ReceiptRejected) as caught:
        verify_receipt(
            encode_receipt_file(seal(paid(moved, file.receipt), file)),
            OPEN,
            sample_tools(),
        )
    assert caught.value.reason is Reason.CLAIM_SIGNATURE


def test_5_it_covers_the_price() -> None:
    small = paid(replace(payment(), amount=249_999))
    with rejects(
        Reason.INSUFFICIENT_AMOUNT,
        "the transfer is of 0.249999 USDC, the price is 0.25 USDC; several transfers are not "
        "added up",
        kind=ReceiptRejected,
    ):
        _verify(small)


def test_5_it_went_to_the_payee_in_the_quoted_asset() -> None:
    with pytest.raises(ReceiptRejected) as caught:
        _verify(_claimed(payee=Address(b"\x01" * 20)))
    assert caught.value.reason is Reason.PAYMENT_PAYEE
    with pytest.raises(ReceiptRejected) as caught:
        _verify(_claimed(asset=replace(payment().asset, address=Address(b"\x01" * 20))))
    assert caught.value.reason is Reason.PAYMENT_ASSET


@pytest.mark.parametrize(
    "settlement",
    [
        Settlement(SettlementState.PENDING),
        Settlement(SettlementState.SETTLED, Digest(b"\x01" * 32), 42),
    ],
)
def test_5_the_settlement_is_the_transfer(settlement: Settlement) -> None:
    expected = payment().claim.transaction
    with rejects(
        Reason.RECEIPT_TRANSFER,
        f"the payment is a transfer of transaction {expected}, the settlement says "
        f"{settlement.state.value} in {settlement.transaction}",
        kind=ReceiptRejected,
    ):
        _verify(replace(RECEIPT, settlement=settlement))


def test_6_the_job_follows_from_the_claim() -> None:
    with pytest.raises(ReceiptRejected) as caught:
        _verify(_claimed(transaction=RECEIPT.settlement.transaction, log_index=3))
    assert caught.value.reason is Reason.RECEIPT_JOB


def test_1_a_claim_without_a_salt_does_not_decode() -> None:
    body: Any = receipt_file_json(FILE)
    body["receipt"]["nonceSalt"] = None
    with pytest.raises(ReceiptRejected) as caught:
        decode_receipt_file(encode_document("inferproof/receipt/1", body), PAYMENTS)
    assert caught.value.reason is Reason.FIELD_MALFORMED

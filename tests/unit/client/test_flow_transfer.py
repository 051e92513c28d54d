"""The flow of a call that an earlier transfer pays for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gateway_double import BODY, TRANSFER, GatewayDouble, buyer, drive, envelope

from inferproof.client import MadeTransfer
from inferproof.client.flow import infer_flow, resume_flow
from inferproof.client.ledger import Ledger
from inferproof.client.limits import Limits
from inferproof.client.steps import Lost
from inferproof.errors import (
    Conflict,
    InferproofError,
    PaymentRejected,
    PolicyRejected,
    Reason,
    ReceiptRejected,
    Unavailable,
)
from inferproof.payments.transfer import parse_transfer
from inferproof.payments.transfer.receipt import claim_of, transfer_of, transfer_payment
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ANSWER, ASSET, PAYER, seal
from inferproof.types.digest import Digest
from inferproof.types.receipt import ReceiptFile

TX = Digest(b"\x0e" * 32)


def infer(who: Any, made: MadeTransfer | None = None, price: Any = "0.25") -> Any:
    return infer_flow(who, "sample", BODY, price, None, made or MadeTransfer(TX))


def test_an_answer_is_paid_for_by_a_transfer() -> None:
    gateway, who = GatewayDouble(), buyer()
    answer = drive(infer(who), gateway)
    assert (answer.outputs, answer.verified) == (ANSWER, True)
    assert gateway.payments == []
    payment = answer.receipt_file.receipt.payment
    receipt = answer.receipt_file.receipt
    claim = claim_of(payment, receipt.request_digest, receipt.nonce_salt)
    assert (claim.transaction, claim.log_index) == (TX, None)
    assert payment.payer == PAYER.address
    assert who.ledger.open_jobs() == ()
    assert who.ledger.spent(ASSET) == 250_000


def test_the_claim_names_request_quote_and_log() -> None:
    gateway = GatewayDouble()
    answer = drive(infer(buyer(), MadeTransfer(TX, 3)), gateway)
    _, incoming = gateway.claims[answer.job_id.hex]
    assert incoming.claim.log_index == 3
    assert incoming.claim.salt == Digest(b"\x5a" * 32)
    assert incoming.quote is not None
    assert incoming.claim.request == answer.receipt_file.receipt.request_digest


def test_a_gateway_that_does_not_offer_it() -> None:
    gateway, who = GatewayDouble(takes_transfers=False), buyer()
    with rejects(
        Reason.TRANSFERS_CLOSED,
        "this gateway takes no payment by earlier transfer; sign an authorization",
        kind=PaymentRejected,
    ):
        drive(infer(who), gateway)
    assert gateway.claims == {}
    assert who.ledger.spent(ASSET) == 0


def test_the_limits_hold() -> None:
    for who, price in ((buyer(), "0.2"), (buyer(limits=Limits(budget="0.1")), "0.25")):
        gateway = GatewayDouble()
        with pytest.raises(PolicyRejected):
            drive(infer(who, price=price), gateway)
        assert gateway.claims == {}


def test_too_few_confirmations_are_waited_for() -> None:
    why = "transaction is 1 blocks deep, 3 are required; send the same again later"
    shallow = envelope(503, "INSUFFICIENT_CONFIRMATIONS", why, tx=TX.hex, got=1, needed=3)
    gateway = GatewayDouble(faults=[shallow, shallow, Lost("gone")])
    pauses: list[float] = []
    assert drive(infer(buyer()), gateway, pauses).verified
    sent = [call.headers[TRANSFER] for call in gateway.calls if TRANSFER in call.headers]
    assert len(sent) == 4
    assert len(set(sent)) == 1


def test_a_refusal_is_the_gateways() -> None:
    message = (
        f"the transfer in any log of transaction {TX} already pays for another call; pay for this "
        "one with another"
    )
    refused = envelope(409, "PAYMENT_ALREADY_USED", message, where="any log", tx=TX.hex)
    who = buyer()
    with rejects(Reason.PAYMENT_ALREADY_USED, message, kind=Conflict):
        drive(infer(who), GatewayDouble(faults=[refused]))
    assert who.ledger.open_jobs() == ()


def test_a_claim_that_may_be_taken_later_is_kept() -> None:
    refused = envelope(402, "TX_NOT_FOUND", "no block holds it")
    who, gateway = buyer(), GatewayDouble(faults=[refused])
    with pytest.raises(PaymentRejected):
        drive(infer(who), gateway)
    (job,) = who.ledger.open_jobs()
    assert drive(resume_flow(who, job), gateway).job_id == job


def test_it_is_resumed_from_a_file_with_the_same_claim(tmp_path: Path) -> None:
    gateway = GatewayDouble(faults=[Lost("gone")] * 6)
    with pytest.raises(Unavailable):
        drive(infer(buyer(ledger=Ledger(tmp_path)), MadeTransfer(TX, 3)), gateway)
    ledger = Ledger(tmp_path)
    (job,) = ledger.open_jobs()
    assert ledger.call(job).payment.header_name == "Inferproof-Transfer"
    claim = parse_transfer(ledger.call(job).payment.header, [ASSET]).claim
    assert (ledger.call(job).payment.claim, claim.log_index) == (claim, 3)
    answer = drive(resume_flow(buyer(ledger=ledger), job), gateway)
    assert (answer.job_id, answer.verified) == (job, True)
    assert ledger.open_jobs() == ()


def test_a_receipt_for_another_claim() -> None:
    def other(file: ReceiptFile) -> ReceiptFile:
        receipt = file.receipt
        payment = transfer_of(receipt.payment, receipt.request_digest, receipt.nonce_salt)
        claim = replace(payment.claim, transaction=Digest(b"\x0f" * 32))
        other = transfer_payment(replace(payment, claim=claim))
        return seal(replace(receipt, payment=other), file)

    with pytest.raises(ReceiptRejected) as caught:
        drive(infer(buyer()), GatewayDouble(change_file=other))
    assert caught.value.reason is Reason.CLAIM_SIGNATURE
    with rejects(Reason.RECEIPT_OTHER_CALL, "the receipt is about another payment than this call"):
        drive(infer(buyer(tools=None)), GatewayDouble(change_file=other))


def test_a_dry_run_claims_nothing() -> None:
    gateway = GatewayDouble()
    with pytest.raises(InferproofError) as caught:
        drive(infer(buyer(dry_run=True)), gateway)
    assert caught.value.reason is Reason.DRY_RUN
    assert gateway.claims == {}

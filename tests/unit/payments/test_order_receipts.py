"""An order in a receipt: what the buyer signed, who took it up, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from order_parts import ESCROW, sample_order, signed_order

from inferproof.chain.escrow import ACCEPTED
from inferproof.errors import PaymentRejected, Reason, ReceiptRejected, RequestRejected
from inferproof.payments.escrow.receipt import (
    EscrowPart,
    check_order_server,
    order_of_payment,
    order_payment,
)
from inferproof.payments.parts import payment_parts
from inferproof.protocol.encoding import canonical_json
from inferproof.protocol.escrow import ACCEPTED_EVENT
from inferproof.protocol.fields import Fields
from inferproof.protocol.receipt import payment_json
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import (
    ASSET,
    ORDERED_AT,
    PAYEE,
    STRANGER,
    Sample,
    sample_receipt_file,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log
from inferproof.types.money import Money
from inferproof.types.receipt import Receipt

PART = EscrowPart()
REQUEST = Digest(b"\x0a" * 32)
TX = Digest(b"\x0b" * 32)
SIGNED = signed_order(sample_order(model=Sample().bundle.commitment))


def sample_receipt(**changes: Any) -> Receipt:
    """A receipt whose statement is what the order is about, and whose payee delivers."""
    sample = Sample()
    quote = replace(sample.quote(), price=Money(200_000, ASSET))
    statement = replace(
        _statement(sample),
        job_id=SIGNED.id,
        model_commitment=SIGNED.order.model,
        input_commitment=SIGNED.order.input_commitment,
        provider=PAYEE,
    )
    receipt = replace(sample.receipt(statement), quote=quote, payment=order_payment(SIGNED, PAYEE))
    return replace(receipt, **changes)


def _statement(sample: Sample) -> Any:
    return sample_receipt_file(sample).receipt.statement


class Mined:
    """A transaction in a block."""

    tx = TX
    block = 7

    def __init__(self, *logs: Log, succeeded: bool = True) -> None:
        self.logs, self.succeeded = logs, succeeded


def accepted(server: Address = PAYEE, escrow: Address = ESCROW, order: Digest = SIGNED.id) -> Log:
    """The event by which a server takes an order up."""
    topics = (ACCEPTED_EVENT, order, Digest(bytes(12) + server.raw))
    return Log(escrow, topics, bytes(64))


def test_a_payment_keeps_the_order_and_gives_it_back() -> None:
    payment = order_payment(SIGNED, PAYEE)
    assert order_of_payment(payment) == SIGNED
    assert (payment.payer, payment.payee) == (SIGNED.order.buyer, PAYEE)
    assert (payment.money, payment.nonce) == (Money(SIGNED.order.price, ASSET), SIGNED.id)
    assert payment.ends == SIGNED.order.accept_by + 1
    assert PART.job_id(payment, REQUEST, None) == SIGNED.id
    assert PART.receipt_part(payment) == {"escrow": ESCROW, "order": SIGNED.id}


def test_a_receipt_reads_it_back_and_no_other_method_knows_it() -> None:
    payment = order_payment(SIGNED, PAYEE)
    value = json.loads(canonical_json(payment_json(payment)))
    assert PART.read_receipt_part(Fields(value, "payment"), REQUEST, None) == payment
    known = [p.method for p in payment_parts().values() if p.recognises(Fields(value, "payment"))]
    assert known == ["escrow"]


@pytest.mark.parametrize(
    "changes",
    [{"amount": "1"}, {"payer": STRANGER.address.hex}, {"note": 1}, {"escrow": None}],
)
def test_what_contradicts_its_order_is_malformed(changes: dict[str, Any]) -> None:
    value = json.loads(canonical_json(payment_json(order_payment(SIGNED, PAYEE)))) | changes
    with pytest.raises(RequestRejected) as caught:
        PART.read_receipt_part(Fields(value, "payment"), REQUEST, None)
    assert caught.value.reason is Reason.FIELD_MALFORMED


def test_an_order_has_no_salt_beside_it() -> None:
    value = payment_json(order_payment(SIGNED, PAYEE))
    with rejects(Reason.FIELD_MALFORMED, "field method of the payment is malformed"):
        PART.read_receipt_part(Fields(value, "payment"), REQUEST, TX)


def test_what_the_buyer_signed_is_said() -> None:
    authorized = PART.verify_receipt_part(sample_receipt())
    assert authorized.how == (
        f"payer {SIGNED.order.buyer}, by order {SIGNED.id} in escrow {ESCROW}"
    )
    assert authorized.latest == SIGNED.order.rescue_by
    claims = PART.claims(order_payment(SIGNED, PAYEE), REQUEST, None)
    assert claims.authorized == (
        "the buyer's signature over an order of this model and input is in the receipt"
    )
    assert claims.request == (
        "the buyer signed the commitment to the input that is proven, in its order; a request "
        "that verifies gives that input"
    )
    assert claims.settled == "the order was taken up "


@pytest.mark.parametrize(
    ("member", "what", "expected"),
    [
        ("model_commitment", "model", SIGNED.order.model),
        ("input_commitment", "input", SIGNED.order.input_commitment),
    ],
)
def test_a_statement_about_something_else(member: str, what: str, expected: Digest) -> None:
    receipt = sample_receipt()
    receipt = replace(receipt, statement=replace(receipt.statement, **{member: TX}))
    message = f"the receipt states the {what} {TX}, its order {SIGNED.id} is about {expected}"
    with rejects(Reason.RECEIPT_ORDER, message, kind=ReceiptRejected):
        PART.verify_receipt_part(receipt)


def test_a_payee_that_does_not_deliver() -> None:
    receipt = sample_receipt()
    other = replace(receipt.statement, provider=STRANGER.address)
    message = (
        f"the receipt states the provider {STRANGER.address}, its order {SIGNED.id} is about "
        f"{PAYEE}"
    )
    with rejects(Reason.RECEIPT_ORDER, message, kind=ReceiptRejected):
        PART.verify_receipt_part(replace(receipt, statement=other))


def test_a_signature_of_somebody_else() -> None:
    forged = signed_order(SIGNED.order, signer=STRANGER)
    message = f"the order is not signed by its buyer {SIGNED.order.buyer}"
    with rejects(Reason.ORDER_SIGNATURE, message, kind=PaymentRejected):
        PART.verify_receipt_part(sample_receipt(payment=order_payment(forged, PAYEE)))
    broken = replace(SIGNED, signature=b"\xff" * 65)
    with pytest.raises(PaymentRejected) as caught:
        PART.verify_receipt_part(sample_receipt(payment=order_payment(broken, PAYEE)))
    assert caught.value.reason is Reason.SIGNATURE_MALFORMED


def test_an_order_below_the_price() -> None:
    cheap = signed_order(replace(SIGNED.order, price=199_999))
    message = f"the order locks 0.199999 {ASSET.symbol}, the price is 0.2 {ASSET.symbol}"
    with rejects(Reason.ORDER_PRICE, message, kind=PaymentRejected):
        PART.verify_receipt_part(sample_receipt(payment=order_payment(cheap, PAYEE)))


def test_an_order_for_one_server() -> None:
    check_order_server(signed_order(sample_order(server=PAYEE)), PAYEE)
    message = f"the order is for the server {STRANGER.address}, and not for {PAYEE}"
    with rejects(Reason.ORDER_SERVER, message, kind=PaymentRejected):
        check_order_server(signed_order(sample_order(server=STRANGER.address)), PAYEE)


# -- on the chain -------------------------------------------------------------------------------


def test_the_event_is_the_contracts() -> None:
    assert ACCEPTED_EVENT == ACCEPTED


def test_the_transaction_that_accepts_is_the_settlement() -> None:
    found = PART.verify_on_chain(sample_receipt(), Mined(accepted()))
    assert found == f", which accepts order {SIGNED.id} for {PAYEE}"


def test_another_acceptor_is_rescued_and_only_after_its_time() -> None:
    late = sample_receipt(issued_at=SIGNED.order.deliver_by + 1)
    mined = Mined(accepted(STRANGER.address))
    found = PART.verify_on_chain(late, mined)
    assert found == f", which accepts order {SIGNED.id} for {STRANGER.address}"
    in_time = sample_receipt(issued_at=SIGNED.order.deliver_by)
    with pytest.raises(PaymentRejected):
        PART.verify_on_chain(in_time, mined)


@pytest.mark.parametrize(
    "mined",
    [
        Mined(),
        Mined(accepted(), succeeded=False),
        Mined(accepted(escrow=STRANGER.address)),
        Mined(accepted(order=TX)),
    ],
)
def test_a_transaction_that_accepts_nothing(mined: Mined) -> None:
    message = (
        f"transaction {TX} does not accept order {SIGNED.id} in escrow {ESCROW} for the server "
        f"{PAYEE}"
    )
    assert sample_receipt().issued_at >= ORDERED_AT
    with rejects(Reason.ORDER_NOT_TAKEN, message, kind=PaymentRejected):
        PART.verify_on_chain(sample_receipt(), mined)

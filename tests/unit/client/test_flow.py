"""The flow of a paid call, driven step by step against a gateway in memory."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
from gateway_double import (
    BODY,
    BUNDLE,
    PRICE,
    SYSTEM,
    Clock,
    GatewayDouble,
    Paid,
    buyer,
    drive,
    envelope,
    reply,
)
from order_parts import INPUT_SALT, signed_order

from inferproof.client import MadeTransfer
from inferproof.client.flow import Extras, infer_flow, offer_flow, resume_flow
from inferproof.client.ledger import Ledger
from inferproof.client.limits import Limits
from inferproof.client.steps import Call, Lost, Reply
from inferproof.errors import (
    Conflict,
    InferproofError,
    InputRejected,
    MissingPart,
    NotFound,
    PaymentRejected,
    PolicyRejected,
    ProofRejected,
    Reason,
    ReceiptRejected,
    RequestRejected,
    Unavailable,
)
from inferproof.payments.escrow.buyer import SentOrder
from inferproof.payments.escrow.wire import order_header
from inferproof.protocol.receipt import encode_receipt_file
from inferproof.protocol.verifier_bundle import encode_bundle
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import (
    ANSWER,
    ASSET,
    GATEWAY,
    ORDERED_AT,
    PAYEE,
    STRANGER,
    Sample,
    sample_bundle,
    sample_preprocess,
    sample_receipt_file,
    sample_tools,
    seal,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Money, Network
from inferproof.types.proof import Assurance, ToldProof
from inferproof.types.receipt import ReceiptFile
from inferproof.verify.policy import Policy

KEY = "order-2026-11-21-0001"
HOOK = "https://buyer.example/hook"


def infer(who: Any, price: Any = "0.25", **extras: Any) -> Any:
    return infer_flow(who, "sample", BODY, price, Extras(**extras))


def test_a_private_input_is_salted_and_its_opening_compared() -> None:
    gateway = GatewayDouble()
    answer = drive(infer(buyer(), private_input=True), gateway)
    assert (answer.outputs, answer.verified) == (ANSWER, True)
    salt = "0x" + "5a" * 32
    asked, paid, _, opened = gateway.calls
    assert asked.headers["inferproof-private-input"] == salt
    assert paid.headers["inferproof-private-input"] == salt
    assert opened.path == f"/v1/jobs/{answer.job_id}/opening"
    assert answer.opening is not None
    assert answer.opening.job_id == answer.job_id
    assert "secret" not in repr(answer)
    receipt = answer.receipt_file
    assert receipt.receipt.statement.private_input
    assert receipt.request is None
    assert BODY not in encode_receipt_file(receipt)


def test_a_proof_about_another_input_than_was_paid_for_is_refused() -> None:
    """The gateway proves something else, and says of the receipt that it is the call's."""
    message = (
        "this input does not have the root that the statement names: the proof is about another "
        "input, or the opening holds another secret"
    )
    gateway = GatewayDouble(change_opening=lambda each: replace(each, secret=bytes(32)))
    with rejects(Reason.PROOF_OTHER_INPUT, message, kind=ProofRejected):
        drive(infer(buyer(), private_input=True), gateway)
    other = GatewayDouble()
    other.change_file = lambda file: _about(other, b'{"input":[9,9,9]}', file)
    other.change_opening = lambda _each: other.lied
    with rejects(Reason.PROOF_OTHER_INPUT, message, kind=ProofRejected):
        drive(infer(buyer(), private_input=True), other)


def _about(gateway: GatewayDouble, body: bytes, file: ReceiptFile) -> ReceiptFile:
    """The receipt of the same payment with a proof about another input."""
    sample = gateway.sample(file.receipt.statement.job_id.hex)
    lie = _Lie(**{f.name: getattr(sample, f.name) for f in fields(sample)}, other=body)
    gateway.lied = lie.opening()
    return replace(sample_receipt_file(lie), request=None)


@dataclass(frozen=True, kw_only=True)
class _Lie(Paid):
    other: bytes

    def tensors(self) -> Any:
        return sample_preprocess({}, self.other)


@dataclass(frozen=True, kw_only=True)
class _Shown(Paid):
    """The receipt of a private call whose proof shows the input."""

    @property
    def private_input(self) -> bool:
        return False


def test_a_public_answer_to_a_private_call_is_refused() -> None:
    gateway = GatewayDouble()

    def shown(file: ReceiptFile) -> ReceiptFile:
        sample = gateway.sample(file.receipt.statement.job_id.hex)
        lie = _Shown(**{each.name: getattr(sample, each.name) for each in fields(sample)})
        return replace(sample_receipt_file(lie), request=None)

    gateway.change_file = shown
    message = "the receipt is about another visibility of the input than this call"
    with rejects(Reason.RECEIPT_OTHER_CALL, message, kind=ReceiptRejected):
        drive(infer(buyer(), private_input=True), gateway)


def test_a_private_call_is_taken_up_again_with_its_salt(tmp_path: Path) -> None:
    gateway = GatewayDouble(faults=[Lost("gone")])
    first = buyer(ledger=Ledger(tmp_path), attempts=1)
    with pytest.raises(Unavailable):
        drive(infer(first, private_input=True), gateway)
    again = buyer(ledger=Ledger(tmp_path))
    (job,) = again.ledger.open_jobs()
    answer = drive(resume_flow(again, job), gateway)
    assert answer.job_id == job
    assert answer.opening is not None
    assert len(set(gateway.payments)) == 1


def test_an_offer_for_a_private_input_is_for_its_salted_digest() -> None:
    offers = [
        drive(offer_flow(buyer(), "sample", BODY, private_input=private), GatewayDouble())
        for private in (False, True)
    ]
    assert offers[0].request != offers[1].request == offers[1].quote.request_digest


def test_an_answer_is_paid_for_once_and_verified() -> None:
    gateway = GatewayDouble()
    who = buyer()
    answer = drive(infer(who), gateway)
    assert (answer.outputs, answer.label, answer.verified) == (ANSWER, "up", True)
    assert len(answer.steps) >= 12
    assert answer.timings == {"settle": 0.021, "prove": 0.85}
    assert [(c.method, c.path.partition("?")[0].rpartition("/")[2]) for c in gateway.calls] == [
        ("POST", "infer"),
        ("POST", "infer"),
        ("GET", answer.job_id.hex),
    ]
    assert who.ledger.open_jobs() == ()
    assert who.ledger.spent(ASSET) == 250_000


def test_the_payment_binds_the_request_and_echoes_the_quote() -> None:
    gateway = GatewayDouble()
    answer = drive(infer(buyer(), payment_id="pay_0123456789abcdef"), gateway)
    _, payment = gateway.jobs[answer.job_id.hex]
    assert payment.binding_salt == b"\x5a" * 32
    assert payment.quote is not None
    assert payment.payment_id == "pay_0123456789abcdef"
    assert answer.receipt_file.receipt.nonce_salt == Digest(b"\x5a" * 32)


def test_a_webhook_and_a_key_go_with_each_sending_of_the_payment() -> None:
    gateway = GatewayDouble(faults=[Lost("gone"), envelope(503, "QUEUE_FULL", "later")])
    drive(infer(buyer(), webhook=HOOK, idempotency_key=KEY), gateway)
    paid = [c.headers for c in gateway.calls if "payment-signature" in c.headers]
    assert len(paid) == 3
    assert {(h["inferproof-webhook"], h["idempotency-key"]) for h in paid} == {(HOOK, KEY)}
    assert not {"inferproof-webhook", "idempotency-key"} & set(gateway.calls[0].headers)


def test_without_them_no_header_goes() -> None:
    gateway = GatewayDouble()
    drive(infer(buyer()), gateway)
    for call in gateway.calls:
        assert not {"inferproof-webhook", "idempotency-key"} & set(call.headers)


def test_a_key_leads_to_the_answer_of_an_earlier_payment() -> None:
    gateway, who = GatewayDouble(), buyer()
    first = drive(infer(who, idempotency_key=KEY), gateway)
    gateway.keys_kept = True
    gateway.states = ["running"]
    second_buyer = replace(who, salts=lambda: b"\x66" * 32, ledger=Ledger())
    again = drive(infer(second_buyer, idempotency_key=KEY), gateway)
    assert again.job_id == first.job_id
    assert again.verified
    assert len({*gateway.payments}) == 2, "it signed another payment, which was not taken"
    assert second_buyer.ledger.spent(ASSET) == 250_000
    assert second_buyer.ledger.open_jobs() == ()


def test_another_job_is_not_believed_without_a_key() -> None:
    gateway, who = GatewayDouble(), buyer()
    drive(infer(who), gateway)
    gateway.keys_kept = True
    with pytest.raises(Unavailable) as caught:
        drive(infer(replace(who, salts=lambda: b"\x66" * 32)), gateway)
    assert caught.value.reason is Reason.GATEWAY_ANSWER


def test_the_answer_to_another_request_is_not_believed_with_a_key() -> None:
    gateway, who = GatewayDouble(), buyer()
    drive(infer_flow(who, "sample", b'{"input":[0,0,0]}', "0.25"), gateway)
    gateway.keys_kept = True
    second = replace(who, salts=lambda: b"\x66" * 32)
    with pytest.raises(Unavailable) as caught:
        drive(infer(second, idempotency_key=KEY), gateway)
    assert caught.value.reason is Reason.GATEWAY_ANSWER


def test_the_answer_to_another_payer_is_not_believed_with_a_key() -> None:
    gateway, who = GatewayDouble(), buyer()
    drive(infer(who, idempotency_key=KEY), gateway)
    gateway.keys_kept = True
    stranger = replace(who, signer=STRANGER, ledger=Ledger())
    with rejects(
        Reason.RECEIPT_OTHER_CALL,
        "the receipt is about another payer than this call",
        kind=ReceiptRejected,
    ):
        drive(infer(stranger, idempotency_key=KEY), gateway)


def test_an_earlier_job_that_ended_without_an_answer_is_told_as_that() -> None:
    gateway, who = GatewayDouble(), buyer()
    first = drive(infer(who, idempotency_key=KEY), gateway)
    gateway.keys_kept = True
    gateway.states = ["refunded"]
    with pytest.raises(Unavailable) as caught:
        drive(
            infer(replace(who, salts=lambda: b"\x66" * 32), idempotency_key=KEY),
            gateway,
        )
    assert caught.value.reason is Reason.JOB_NO_ANSWER
    assert caught.value.facts["job"] == first.job_id


@pytest.mark.parametrize("key", ["short", "with spaces in between", "k" * 129, "ümlaut-in-the-key"])
def test_a_key_of_another_form_is_refused_before_anything_is_sent(key: str) -> None:
    gateway = GatewayDouble()
    with rejects(
        Reason.IDEMPOTENCY_KEY_MALFORMED,
        "an Idempotency-Key is 16 to 128 letters, digits, - and _",
        kind=RequestRejected,
    ):
        drive(infer(buyer(), idempotency_key=key), gateway)
    assert gateway.calls == []


def test_a_transfer_takes_no_key() -> None:
    gateway = GatewayDouble()
    with rejects(
        Reason.IDEMPOTENCY_WITH_TRANSFER,
        "a transfer pays once by itself; leave the idempotency key out, or pay by an authorization",
        kind=RequestRejected,
    ):
        flow = infer_flow(
            buyer(),
            "sample",
            BODY,
            "0.25",
            Extras(idempotency_key=KEY),
            MadeTransfer(Digest(b"\x07" * 32)),
        )
        drive(flow, gateway)
    assert gateway.calls == []


def test_what_is_resumed_goes_with_the_same_webhook_and_key(tmp_path: Path) -> None:
    gateway = GatewayDouble(faults=[Lost("gone")] * 20)
    who = buyer(ledger=Ledger(tmp_path))
    with pytest.raises(Unavailable):
        drive(infer(who, webhook=HOOK, idempotency_key=KEY), gateway)
    (job,) = Ledger(tmp_path).open_jobs()
    gateway.faults.clear()
    drive(resume_flow(buyer(ledger=Ledger(tmp_path)), job), gateway)
    sent = [c.headers for c in gateway.calls if "payment-signature" in c.headers][-1]
    assert (sent["inferproof-webhook"], sent["idempotency-key"]) == (HOOK, KEY)


def test_the_receipt_can_be_saved_and_verified_again(tmp_path: Path) -> None:
    from inferproof.verify.receipt import verify_receipt

    answer = drive(infer(buyer()), GatewayDouble())
    saved = answer.save_receipt(tmp_path / "receipt.json")
    assert (
        verify_receipt(saved.read_bytes(), Policy(), sample_tools(SYSTEM)).proof.outputs == ANSWER
    )


def test_an_offer_costs_nothing() -> None:
    gateway = GatewayDouble()
    who = buyer()
    offer = drive(offer_flow(who, "sample", BODY), gateway)
    assert (offer.quote.price, offer.gateway) == (PRICE, GATEWAY.address)
    assert len(gateway.calls) == 1
    assert who.ledger.spent(ASSET) == 0


# limits: nothing is signed


def unsigned(gateway: GatewayDouble, who: Any, price: Any = "0.25") -> None:
    """Runs a call that the buyer's limits forbid, and checks that no payment left."""
    try:
        drive(infer(who, price), gateway)
    finally:
        assert gateway.payments == []
        assert who.ledger.spent(ASSET) == 0


def test_a_price_above_the_limit() -> None:
    with rejects(
        Reason.PRICE_ABOVE_MAX,
        "the call costs 0.25 USDC, its limit is 0.249999 USDC",
        kind=PolicyRejected,
    ):
        unsigned(GatewayDouble(), buyer(), "0.249999")
    assert drive(infer(buyer(), Money(250_000, ASSET)), GatewayDouble()).verified


def test_a_limit_in_another_asset_is_no_limit() -> None:
    other = replace(ASSET, address=Address(b"\x01" * 20))
    with pytest.raises(PolicyRejected) as caught:
        unsigned(GatewayDouble(), buyer(), Money(10**9, other))
    assert caught.value.reason is Reason.ASSET_NOT_ALLOWED


@pytest.mark.parametrize("price", ["0,25", "-1", "1e3", ".25", "0.2500001", ""])
def test_a_limit_that_is_no_amount(price: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        unsigned(GatewayDouble(), buyer(), price)
    assert caught.value.reason is Reason.AMOUNT_MALFORMED


def test_the_budget_is_a_total() -> None:
    who = buyer(limits=Limits(budget="0.6"), salts=iter([b"\x01" * 32, b"\x02" * 32]).__next__)
    gateway = GatewayDouble()
    drive(infer(who), gateway)
    drive(infer(who), gateway)
    with rejects(
        Reason.BUDGET_EXCEEDED,
        "the call costs 0.25 USDC, and only 0.1 USDC is left of the budget",
        kind=PolicyRejected,
    ):
        drive(infer(who), gateway)
    assert len(gateway.payments) == 2


def test_payees_can_be_listed() -> None:
    who = buyer(limits=Limits(payees=frozenset({Address(b"\x01" * 20)})))
    with rejects(
        Reason.PAYEE_NOT_ALLOWED,
        f"the money would go to {PAYEE}, who is not among the allowed payees",
    ):
        unsigned(GatewayDouble(), who)
    who = buyer(limits=Limits(payees=frozenset({PAYEE})))
    assert drive(infer(who), GatewayDouble()).verified


def test_only_known_assets_are_spent_beyond_the_devnet() -> None:
    fake = replace(ASSET, network=Network.evm(8453))
    with rejects(
        Reason.ASSET_NOT_ALLOWED,
        f"the price is in USDC at {ASSET.address} on eip155:8453, which is not among the allowed "
        "assets",
    ):
        unsigned(GatewayDouble(quote_changes={"price": Money(250_000, fake)}), buyer())
    with pytest.raises(PolicyRejected):
        unsigned(GatewayDouble(), buyer(limits=Limits(networks=frozenset({Network.evm(8453)}))))


def test_a_dry_run_stops_before_signing() -> None:
    with rejects(
        Reason.DRY_RUN,
        f"0.25 USDC would be paid to {PAYEE}; this is a dry run, and nothing was signed",
    ):
        unsigned(GatewayDouble(), buyer(dry_run=True))


def test_the_policy_counts_before_the_payment() -> None:
    for policy in (
        Policy(gateways=frozenset({STRANGER.address})),
        Policy(models=frozenset({Digest(b"\x01" * 32)})),
        Policy(networks=frozenset({Network.evm(1)})),
        Policy(minimum_assurance=Assurance.ZK_PRIVATE),
    ):
        with pytest.raises(PolicyRejected):
            unsigned(GatewayDouble(), buyer(policy=policy))


def test_a_told_proof_counts_before_the_payment() -> None:
    told = GatewayDouble(proof=ToldProof(assurance=Assurance.COMMITMENT))
    with rejects(
        Reason.POLICY_ASSURANCE,
        "the assurance is commitment, at least zk-integrity is asked for",
        kind=PolicyRejected,
    ):
        unsigned(told, buyer())
    wants = buyer(policy=Policy(minimum_assurance=Assurance.ZK_PRIVATE))
    with rejects(
        Reason.POLICY_ASSURANCE,
        "the assurance is zk-integrity, at least zk-private is asked for",
        kind=PolicyRejected,
    ):
        unsigned(GatewayDouble(proof=ToldProof(Assurance.ZK_INTEGRITY)), wants)
    told = GatewayDouble(proof=ToldProof(Assurance.ZK_INTEGRITY, private_inputs=True))
    assert drive(infer(buyer()), told).verified


# an offer that is not for this request


def test_an_offer_for_another_request() -> None:
    other = Digest(b"\x09" * 32)
    sent = Sample().request_digest()
    extension = GatewayDouble()(Call("POST", "/v1/models/sample/infer", BODY))
    assert isinstance(extension, Reply)
    from inferproof.payments.x402 import challenge, read_challenge
    from inferproof.payments.x402.challenge import Resource

    honest = read_challenge(extension.headers["payment-required"])
    forged = challenge(
        honest.quote,
        honest.quote_signature,
        Resource("http://gateway", "x"),
        request=other,
        accepts=[],
        offers={},
        proof=honest.proof,
    )
    with rejects(
        Reason.CHALLENGE_OTHER_REQUEST,
        f"the gateway asks payment for request {other}, but {sent} was sent; something on the "
        "way changed it",
    ):
        unsigned(GatewayDouble(challenge_changes={"extensions": forged["extensions"]}), buyer())


def test_an_offer_that_expired() -> None:
    with pytest.raises(RequestRejected) as caught:
        unsigned(GatewayDouble(), buyer(Clock(ORDERED_AT + 60.0)))
    assert caught.value.reason is Reason.QUOTE_EXPIRED


def test_an_offer_without_a_header_or_with_an_answer_for_nothing() -> None:
    with rejects(
        Reason.GATEWAY_ANSWER,
        "the gateway's answer to POST /v1/models/sample/infer cannot be read: status 200 where "
        "payment was expected",
        kind=Unavailable,
    ):
        drive(infer(buyer()), lambda _: reply(200, {}))
    with pytest.raises(Unavailable):
        drive(infer(buyer()), lambda _: Reply(404, {}, b"<html>"))


# refusals before the payment


def test_a_refusal_keeps_its_code_and_kind() -> None:
    message = "there is no model sample"
    with rejects(Reason.MODEL_UNKNOWN, message, kind=NotFound):
        drive(infer(buyer()), lambda _: envelope(404, "MODEL_UNKNOWN", message, model="sample"))
    message = "input x holds a NaN or an infinity"
    with rejects(Reason.INPUT_NOT_FINITE, message, kind=InputRejected):
        drive(infer(buyer()), lambda _: envelope(422, "INPUT_NOT_FINITE", message, name="x"))


@pytest.mark.parametrize(
    ("code", "facts"),
    [("SOMETHING_NEW", {}), ("MODEL_UNKNOWN", {}), ("MODEL_UNKNOWN", {"model": "b", "self": 1})],
)
def test_a_refusal_in_words_we_do_not_know(code: str, facts: dict[str, Any]) -> None:
    with rejects(Reason.GATEWAY_REFUSED, f"the gateway answers 409 {code}: no", kind=Conflict):
        drive(infer(buyer()), lambda _: envelope(409, code, "no", **facts))


def test_a_gateway_that_is_not_there() -> None:
    pauses: list[float] = []
    with rejects(
        Reason.GATEWAY_LOST,
        "the gateway does not answer: ConnectError: refused; nothing was paid",
        kind=Unavailable,
    ):
        drive(infer(buyer(attempts=3)), lambda _: Lost("ConnectError: refused"), pauses)
    assert pauses == [0.5, 1.0]
    pauses.clear()
    with pytest.raises(Unavailable):
        drive(infer(buyer(attempts=6)), lambda _: Lost("ConnectError: refused"), pauses)
    assert pauses == [0.5, 1.0], "nothing is paid yet: who waits is told soon"


def test_a_busy_gateway_is_asked_again_when_it_says() -> None:
    gateway = GatewayDouble()
    busy = [replace(envelope(503, "QUEUE_FULL", "full"), headers={"retry-after": "5"})]
    pauses: list[float] = []
    answer = drive(infer(buyer()), lambda c: busy.pop() if busy else gateway(c), pauses)
    assert answer.verified
    assert pauses == [5.0]


# after the payment left


FAULTS: list[Any] = [
    Lost("ReadError: gone"),
    Reply(502, {}, b"<html>bad gateway</html>"),
    envelope(503, "STORAGE_UNAVAILABLE", "the storage does not answer: x", why="x"),
    envelope(500, "INTERNAL_ERROR", "the gateway failed", request_id="1"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_header_is_sent_again(fault: Any) -> None:
    gateway = GatewayDouble(faults=[fault, fault, fault])
    answer = drive(infer(buyer()), gateway, [])
    assert answer.verified
    assert len(gateway.payments) == 4
    assert len(set(gateway.payments)) == 1
    assert len(gateway.jobs) == 1


def test_a_lost_answer_can_be_resumed_later(tmp_path: Path) -> None:
    gateway = GatewayDouble(faults=[Lost("ReadError: gone")] * 2)
    who = buyer(ledger=Ledger(tmp_path), attempts=2)
    with pytest.raises(Unavailable) as caught:
        drive(infer(who), gateway, [])
    (job,) = Ledger(tmp_path).open_jobs()
    message = (
        f"the answer of job {job} is not here yet: ReadError: gone; resume it with that id, "
        "which never pays a second time"
    )
    assert (caught.value.reason, caught.value.message) == (Reason.ANSWER_PENDING, message)
    again = buyer(ledger=Ledger(tmp_path), salts=lambda: pytest.fail("signed again"))
    answer = drive(resume_flow(again, job), gateway)
    assert answer.verified
    assert len(set(gateway.payments)) == 1
    assert again.ledger.open_jobs() == ()
    assert again.ledger.spent(ASSET) == 250_000
    with rejects(Reason.CALL_UNKNOWN, f"this client has no call with job {job}", kind=NotFound):
        drive(resume_flow(again, job), gateway)


def test_patience_ends(tmp_path: Path) -> None:
    clock = Clock()
    who = buyer(clock, patience_s=10)
    gateway = GatewayDouble(states=["settling", *["running"] * 30])
    job = ""
    with pytest.raises(Unavailable) as caught:
        drive(infer(who), gateway, [], clock)
    (job,) = (j.hex for j in who.ledger.open_jobs())
    with rejects(
        Reason.ANSWER_PENDING,
        f"the answer of job {job} is not here yet: it is running; resume it with that id, which "
        "never pays a second time",
    ):
        raise caught.value


def test_a_running_job_is_polled() -> None:
    gateway = GatewayDouble(states=["reserved", "queued", "running"])
    pauses: list[float] = []
    assert drive(infer(buyer()), gateway, pauses).verified
    assert next(c.path for c in gateway.calls if "/jobs/" in c.path).endswith("?wait=25")
    assert len(gateway.payments) == 1


@pytest.mark.parametrize(
    ("state", "code", "kind"),
    [
        ("void", "SETTLEMENT_REVERTED", PaymentRejected),
        ("refunding", "LEASE_EXPIRED", Unavailable),
        ("refunded", "INPUT_NOT_FINITE", InputRejected),
    ],
)
def test_a_job_that_ends_without_an_answer(
    state: str, code: str, kind: type[InferproofError]
) -> None:
    who = buyer()

    class Failing(GatewayDouble):
        def _job(self, job: str, state: str) -> dict[str, Any]:
            return {"job_id": job, "state": state, "failure": {"code": code, "message": "why"}}

    gateway = Failing(states=[state])
    with pytest.raises(kind) as caught:
        drive(infer(who), gateway)
    (job,) = gateway.jobs
    with rejects(Reason.JOB_NO_ANSWER, f"job {job} is {state} and gives no answer: why"):
        raise caught.value
    assert who.ledger.open_jobs() == ()


@pytest.mark.parametrize("state", ["void", "failed"])
def test_an_order_is_kept_when_its_server_gives_no_answer(state: str) -> None:
    """Another server may, and its refund is asked for by it."""
    who, signed = buyer(attempts=1), signed_order()
    with pytest.raises(Unavailable):
        drive(infer(who), GatewayDouble(faults=[Lost("gone")]))
    (job,) = who.ledger.open_jobs()
    call = who.ledger.call(job)
    who.ledger.finish(job)
    paid = replace(call, payment=SentOrder(order_header(signed, INPUT_SALT), signed))
    who.ledger.record(paid, lambda _spent: None)
    failure = {"code": "JOB_ATTEMPTS", "message": "why"}
    told = {"job_id": paid.job_id.hex, "state": state, "failure": failure}
    message = f"job {paid.job_id} is {state} and gives no answer: why"
    kind = PaymentRejected if state == "void" else Unavailable
    with rejects(Reason.JOB_NO_ANSWER, message, kind=kind):
        drive(resume_flow(who, paid.job_id), lambda _call: reply(200, told))
    assert who.ledger.open_jobs() == (paid.job_id,)


def test_a_failed_job_in_an_error_envelope_ends_the_wait() -> None:
    who = buyer()
    gateway = GatewayDouble()

    def failing(call: Call) -> Any:
        event = gateway(call)
        if "payment-signature" not in call.headers:
            return event
        (job,) = gateway.jobs
        return envelope(503, "LEASE_EXPIRED", "stopped", job_id=job, state="refunding")

    with pytest.raises(Unavailable) as caught:
        drive(infer(who), failing)
    assert caught.value.reason is Reason.JOB_NO_ANSWER
    assert len(gateway.payments) == 1


def test_a_definitive_refusal_of_the_payment() -> None:
    message = "this authorization already pays for another request; sign one with a fresh nonce"
    gateway = GatewayDouble(faults=[envelope(409, "PAYMENT_REPLAYED", message)])
    who = buyer()
    with rejects(
        Reason.PAYMENT_REPLAYED,
        "this authorization already pays for another request; sign one with a fresh nonce",
        kind=Conflict,
    ):
        drive(infer(who), gateway)
    assert len(who.ledger.open_jobs()) == 1, "the gateway could still settle it"


def test_a_refused_payment_is_forgotten_once_it_is_over() -> None:
    message = "this authorization already pays for another request; sign one with a fresh nonce"
    who = buyer(attempts=1)
    with pytest.raises(Unavailable):
        drive(infer(who), GatewayDouble(faults=[Lost("gone")]))
    (job,) = who.ledger.open_jobs()
    end = who.ledger.call(job).payment.ends
    for now, left in [(end - 1, (job,)), (end, ())]:
        gateway = GatewayDouble(faults=[envelope(409, "PAYMENT_REPLAYED", message)])
        with pytest.raises(Conflict):
            drive(resume_flow(replace(who, clock=lambda now=now: now), job), gateway)
        assert who.ledger.open_jobs() == left


@pytest.mark.parametrize("before", [[], [Lost("gone")]])
def test_a_refusal_of_a_job_that_is_known_is_not_believed(before: list[Any]) -> None:
    """The first send was taken, its answer was lost, and then the model was suspended."""
    gateway = GatewayDouble()
    faults = [*before, envelope(409, "MODEL_NOT_ACTIVE", "no")]

    def suspended(call: Call) -> Any:
        event = gateway(call)
        return faults.pop(0) if faults and "payment-signature" in call.headers else event

    assert drive(infer(buyer()), suspended, []).verified
    assert len(gateway.jobs) == 1


def test_a_refused_poll_or_receipt_keeps_the_call_open() -> None:
    for path in ("/jobs/", "/receipts/"):
        gateway = GatewayDouble(states=["running"])
        who = buyer()

        def misrouted(call: Call, path: str = path, gateway: GatewayDouble = gateway) -> Any:
            event = gateway(call)
            lost = envelope(404, "ROUTE_UNKNOWN", "nothing here")
            return lost if path in call.path else event

        with pytest.raises(NotFound):
            drive(infer(who), misrouted, [])
        assert len(who.ledger.open_jobs()) == 1


def test_an_answer_about_another_job_is_not_read() -> None:
    gateway = GatewayDouble(faults=[reply(200, {"job_id": "0x00", "state": "done"})])
    with pytest.raises(Unavailable) as caught:
        drive(infer(buyer()), gateway)
    assert caught.value.reason is Reason.GATEWAY_ANSWER


# the receipt


def forged(change: Callable[[ReceiptFile], ReceiptFile]) -> None:
    """Runs a call whose receipt file was changed."""
    who = buyer()
    try:
        drive(infer(who), GatewayDouble(change_file=change))
    finally:
        assert len(who.ledger.open_jobs()) == 1, "an unverified answer is not an answer"


def test_the_receipt_of_another_call() -> None:
    with rejects(
        Reason.RECEIPT_OTHER_CALL,
        "the receipt is about another payment than this call",
        kind=ReceiptRejected,
    ):
        forged(lambda _: sample_receipt_file(Sample(bundle=BUNDLE)))


def test_a_receipt_of_another_gateway() -> None:
    def by_stranger(file: ReceiptFile) -> ReceiptFile:
        from inferproof.protocol.quote import quote_digest

        receipt = replace(
            file.receipt,
            gateway=STRANGER.address,
            quote_signature=STRANGER.sign(quote_digest(file.receipt.quote)),
        )
        return seal(receipt, file, STRANGER)

    with rejects(Reason.RECEIPT_OTHER_CALL, "the receipt is about another gateway than this call"):
        forged(by_stranger)


def test_a_proof_that_does_not_hold() -> None:
    def tampered(file: ReceiptFile) -> ReceiptFile:
        from inferproof.protocol.commitments import proof_digest
        from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file

        assert file.proof is not None
        wrong = replace(decode_proof_file(file.proof), proof=b"\x00" * 32)
        data = encode_proof_file(wrong)
        receipt = replace(file.receipt, proof_digest=proof_digest(data))
        return seal(receipt, replace(file, proof=data))

    with pytest.raises(ProofRejected):
        forged(tampered)


@pytest.mark.parametrize("part", ["proof", "verifier"])
def test_a_receipt_without_its_attachments(part: str) -> None:
    with pytest.raises(ReceiptRejected):
        forged(lambda file: replace(file, **{part: None}))


def test_a_flipped_byte_in_the_receipt() -> None:
    flip = GatewayDouble(change_bytes=lambda data: data[:400] + b"0" + data[401:])
    with pytest.raises(ReceiptRejected):
        drive(infer(buyer()), flip)


def test_a_missing_checker_is_an_error_before_anything_is_paid() -> None:
    with pytest.raises(MissingPart):
        unsigned(GatewayDouble(), buyer(tools=sample_tools("another")))


def test_a_missing_checker_is_never_an_unverified_answer() -> None:
    asked: list[str] = []

    def lost(system: str) -> Any:
        asked.append(system)
        return sample_tools(*([SYSTEM] if len(asked) == 1 else ["another"])).checker(system)

    with pytest.raises(MissingPart):
        drive(infer(buyer(tools=replace(sample_tools(), checker=lost))), GatewayDouble())
    assert asked == [SYSTEM, SYSTEM]


def test_a_system_that_only_binds_is_not_paid_for_by_default() -> None:
    gateway = GatewayDouble(quote_changes={"proof_system": "sample"})
    with rejects(
        Reason.POLICY_ASSURANCE, "the assurance is commitment, at least zk-integrity is asked for"
    ):
        unsigned(gateway, buyer())


def test_without_verification_the_answer_says_so() -> None:
    answer = drive(infer(buyer(tools=None)), GatewayDouble())
    assert (answer.verified, answer.outputs, answer.steps) == (False, ANSWER, ())
    with pytest.raises(ReceiptRejected):
        drive(
            infer(buyer(tools=None)),
            GatewayDouble(change_file=lambda file: replace(file, proof=None)),
        )


def test_labels_are_those_of_the_attached_verifier_bundle() -> None:
    unverified = drive(infer(buyer(tools=None)), GatewayDouble())
    assert (unverified.label, unverified.labels) == ("up", (("up", "down"),))
    other = encode_bundle(sample_bundle(system=SYSTEM, labels=("down", "up")))
    for attached in (None, other):
        gateway = GatewayDouble(change_file=lambda file: replace(file, verifier=attached))  # noqa: B023
        unnamed = drive(infer(buyer(tools=None)), gateway)
        assert (unnamed.label, unnamed.labels) == (None, ())

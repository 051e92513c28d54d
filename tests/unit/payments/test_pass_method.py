"""What is asked of a claim to a call that was bought before, and what a receipt shows of it."""

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from pass_parts import PLAN, REQUEST, RIGHT, pass_claim
from service_parts import TREASURY

from inferproof.errors import PaymentRejected, Reason, ReceiptRejected, RequestRejected, Unavailable
from inferproof.payments.header import encode_header
from inferproof.payments.passes import PASS_HEADER, parse_pass, pass_header
from inferproof.payments.passes.buyer import BoughtRight
from inferproof.payments.passes.method import PassMethod, PassTerms, present
from inferproof.payments.passes.receipt import PassPart, pass_claim_of, pass_payment
from inferproof.payments.passes.wire import IncomingPass
from inferproof.payments.x402 import Challenge
from inferproof.protocol.passes import CALL_CONSUMED, consumption_of, takes_call
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.services.orders.exposure_limits import NoExposure
from inferproof.testing.cash import CashLedger
from inferproof.testing.cash_access import ACCESS, CashAccess, CashRight
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, ORDERED_AT, PAYER, STRANGER, Sample
from inferproof.types.access import Entitlement, PassClaim, PlanKind
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.event import Log
from inferproof.types.money import Money, Network
from inferproof.types.payment import Quote

MODEL, OTHER = Sample().bundle.commitment, Digest(b"\x01" * 32)
ENDS = ORDERED_AT + 600


def quote(**changes: Any) -> Quote:
    own = replace(Sample().quote(), price=Money(250_000, ASSET), payee=TREASURY)
    return replace(own, model_commitment=MODEL, **changes)


def claim(**changes: Any) -> PassClaim:
    return pass_claim(**{"model": MODEL, **changes})


class Counter:
    """A method over a contract where the payer has what a test gives it."""

    def __init__(self, **terms: Any) -> None:
        ledger = CashLedger(ASSET, lambda: ORDERED_AT)
        ledger.consumers.add(TREASURY)
        self.access = CashAccess(ledger)
        self.method = PassMethod(ASSET, self.access, PassTerms(ACCESS, **terms))

    def give(self, right: Digest = RIGHT, **terms: Any) -> None:
        terms = {"kind": PlanKind.PACK, "model": MODEL, "buyer": PAYER.address} | terms
        self.access.give(right, CashRight(**terms))

    async def reserve(self, **changes: Any) -> Any:
        presented = present(IncomingPass(claim(**changes)))
        (found,) = await self.method.reserve(presented, quote(), ORDERED_AT, NoExposure())
        return found


# -- the header ---------------------------------------------------------------------------------


def header(given: PassClaim | None = None) -> str:
    return pass_header(given or claim(), quote(), b"\x07" * 65)


def decoded(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.b64decode(text))
    return value


def test_a_header_reads_as_it_was_written() -> None:
    found = parse_pass(header(), [ASSET])
    assert found.claim == claim()
    assert found.quote == (quote(), b"\x07" * 65)
    plain = {k: v for k, v in decoded(header()).items() if not k.startswith("quote")}
    assert parse_pass(encode_header(plain), [ASSET]) == IncomingPass(claim())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": 2}, "it is of version 2, this gateway takes version 1"),
        ({"right": "0x12"}, "field right of the claim is malformed"),
        ({"validBefore": 2**40}, "field validBefore of the claim is malformed"),
        ({"validBefore": "1"}, "field validBefore of the claim is malformed"),
        ({"salt": ZERO_DIGEST.hex}, "its salt is zero; draw 32 random bytes"),
        ({"right": ZERO_DIGEST.hex}, "its right is zero, which nobody buys"),
        ({"quoteSignature": None}, "field quoteSignature of the claim is malformed"),
    ],
)
def test_a_header_of_another_form(changes: dict[str, Any], problem: str) -> None:
    wrong = encode_header({**decoded(header()), **changes})
    with rejects(
        Reason.PASS_HEADER_MALFORMED,
        f"the Inferproof-Pass header is not a claim to a call: {problem}",
        kind=PaymentRejected,
    ):
        parse_pass(wrong, [ASSET])


def test_a_header_of_another_network() -> None:
    elsewhere = replace(ASSET, network=Network.evm(1))
    with pytest.raises(PaymentRejected) as caught:
        parse_pass(header(), [elsewhere])
    assert caught.value.reason is Reason.PAYMENT_NETWORK


def test_a_gateway_without_a_contract_takes_none() -> None:
    closed = PassMethod(ASSET, None, None)
    assert closed.offer() == {}
    assert Counter().method.offer() == {
        "pass": {"header": PASS_HEADER, "version": 1, "address": ACCESS.hex}
    }
    with rejects(
        Reason.PASSES_CLOSED,
        "this gateway takes no calls that were bought before; sign an authorization",
        kind=PaymentRejected,
    ):
        closed.read({PASS_HEADER.lower(): header()})
    assert closed.read({}) is None


# -- pure checks --------------------------------------------------------------------------------


def check_terms(**changes: Any) -> None:
    Counter().method.check(present(IncomingPass(claim(**changes))), quote(), ORDERED_AT)


def test_terms() -> None:
    with rejects(
        Reason.PASS_MODEL,
        f"the claim is to a call of {OTHER}, the request is to {MODEL}",
        kind=PaymentRejected,
    ):
        check_terms(model=OTHER)
    with rejects(
        Reason.PASS_ENDS,
        f"the claim to a call ends at {ORDERED_AT + 30}; at {ORDERED_AT} it must last 30 "
        "seconds longer",
        kind=PaymentRejected,
    ):
        check_terms(valid_before=ORDERED_AT + 30)
    with rejects(
        Reason.PASS_TOO_LONG,
        f"the claim to a call ends at {ORDERED_AT + 3601}, more than 3600 seconds after "
        f"{ORDERED_AT}; sign one that ends sooner",
        kind=PaymentRejected,
    ):
        check_terms(valid_before=ORDERED_AT + 3601)
    with rejects(
        Reason.PAYMENT_PAYEE,
        f"the payment goes to {STRANGER.address}, the payee is {TREASURY}",
        kind=PaymentRejected,
    ):
        check_terms(gateway=STRANGER.address)


@pytest.mark.parametrize("fits", [{}, {"valid_before": ORDERED_AT + 31}, {"valid_before": ENDS}])
def test_terms_that_fit(fits: dict[str, Any]) -> None:
    check_terms(**fits)
    check_terms(valid_before=ORDERED_AT + 3600)


def check_signed(given: PassClaim) -> None:
    Counter().method.check_signed(present(IncomingPass(given)), REQUEST)


def test_what_was_signed() -> None:
    check_signed(claim())
    with rejects(
        Reason.PASS_CONTRACT,
        f"the claim is to a right of the contract at {STRANGER.address}, this gateway takes "
        f"calls at {ACCESS}",
        kind=PaymentRejected,
    ):
        check_signed(claim(access=STRANGER.address))
    with rejects(
        Reason.PASS_OTHER_REQUEST,
        f"the claim to a call is for request {OTHER}, this is request {REQUEST}",
        kind=PaymentRejected,
    ):
        check_signed(claim(request=OTHER))
    with rejects(
        Reason.PASS_SIGNATURE,
        f"the claim to a call is not signed by its buyer {PAYER.address}",
        kind=PaymentRejected,
    ):
        check_signed(claim(signer=STRANGER))
    with pytest.raises(PaymentRejected) as caught:
        check_signed(replace(claim(), signature=bytes(65)))
    assert caught.value.reason is Reason.SIGNATURE_MALFORMED


# -- what the contract says ---------------------------------------------------------------------


async def reserve(**terms: Any) -> None:
    counter = Counter()
    counter.give(**terms)
    await counter.reserve()


async def test_what_is_not_honoured() -> None:
    with rejects(
        Reason.PASS_NOT_FOUND,
        f"nobody has the right {RIGHT}: it was not bought, or it was given back",
        kind=PaymentRejected,
    ):
        await Counter().reserve()
    with rejects(
        Reason.PASS_NOT_HELD,
        f"the right {RIGHT} is not {PAYER.address}'s",
        kind=PaymentRejected,
    ):
        await reserve(buyer=STRANGER.address)
    with rejects(
        Reason.PASS_OVER,
        f"the right {RIGHT} ended at {ORDERED_AT}, in Unix seconds",
        kind=PaymentRejected,
    ):
        await reserve(until=ORDERED_AT)
    with rejects(
        Reason.PASS_USED_UP,
        f"all 3 calls of the right {RIGHT} are used",
        kind=PaymentRejected,
    ):
        await reserve(calls=3, used=3)


@pytest.mark.parametrize("terms", [{"model": OTHER}, {"price": 5}])
async def test_what_its_plan_does_not_cover(terms: dict[str, Any]) -> None:
    with rejects(
        Reason.NOT_ENTITLED,
        f"{PAYER.address} may not call {MODEL} by {RIGHT} now",
        kind=PaymentRejected,
    ):
        await reserve(**terms)


@pytest.mark.parametrize(
    "terms", [{}, {"until": ORDERED_AT + 1}, {"calls": 3, "used": 2}, {"calls": 1}]
)
async def test_what_is_honoured(terms: dict[str, Any]) -> None:
    counter = Counter()
    counter.give(**terms)
    found = await counter.reserve()
    assert (found.payment, found.settled_in) == (pass_payment(claim()), None)
    assert found.first_block == await counter.access.head()


@pytest.mark.parametrize("kind", [PlanKind.FREE, PlanKind.LOAD])
async def test_plans_that_nobody_buys(kind: PlanKind) -> None:
    counter = Counter()
    counter.give(PLAN, kind=kind, calls=9)
    message = (
        f"the right {PLAN} is a plan of kind {kind.name.lower()}; a gateway takes calls of what "
        "was bought: of a pass, a pack or a subscription"
    )
    with rejects(Reason.PASS_KIND, message, kind=PaymentRejected):
        await counter.reserve(right=PLAN)


async def test_subscriptions() -> None:
    counter = Counter()
    with pytest.raises(PaymentRejected) as caught:
        await counter.reserve(right=PLAN)
    assert caught.value.reason is Reason.PASS_NOT_FOUND
    for terms, reason in (
        ({"buyer": STRANGER.address}, Reason.PASS_NOT_HELD),
        ({"until": ORDERED_AT}, Reason.PASS_OVER),
        ({"calls": 2, "used": 2}, Reason.PASS_USED_UP),
        ({"model": OTHER}, Reason.NOT_ENTITLED),
    ):
        counter.give(PLAN, **{"kind": PlanKind.SUBSCRIPTION, **terms})
        with pytest.raises(PaymentRejected) as caught:
            await counter.reserve(right=PLAN)
        assert caught.value.reason is reason
    counter.give(PLAN, kind=PlanKind.SUBSCRIPTION, until=ORDERED_AT + 1)
    assert (await counter.reserve(right=PLAN)).payment.payer == PAYER.address


async def test_a_contract_that_is_silent_is_not_waited_for() -> None:
    counter = Counter(ask_s=0.01)
    counter.give()

    async def silent(*_: object) -> Entitlement:
        await asyncio.sleep(60)
        raise AssertionError

    counter.access.entitlement = silent  # type: ignore[method-assign]
    with rejects(
        Reason.ACCESS_SILENT,
        f"the contract of access at {ACCESS} was not heard of in 0.01 seconds; nothing was "
        "charged, come back",
        kind=Unavailable,
    ):
        await counter.reserve()


# -- kept, and shown ----------------------------------------------------------------------------


def test_a_payment_keeps_its_claim() -> None:
    payment = pass_payment(claim())
    assert pass_claim_of(payment, REQUEST, claim().salt) == claim()
    assert Counter().method.settle(payment) == consumption_of(claim())
    assert (payment.amount, payment.ends) == (0, ENDS)
    for wrong in (replace(payment, terms=b"{}"), replace(payment, terms=b'{"method":"x"}')):
        with pytest.raises(RequestRejected) as caught:
            pass_claim_of(wrong, REQUEST, claim().salt)
        assert caught.value.reason is Reason.FIELD_MALFORMED
    with pytest.raises(RequestRejected):
        pass_claim_of(payment, REQUEST, None)


def test_claims_at_two_gateways_are_two_calls() -> None:
    """One that is seen cannot take a call at another gateway, nor be made to look like it."""
    here, there = claim(), claim(gateway=STRANGER.address)
    marks = {consumption_of(each).mark for each in (here, there)}
    nonces = {consumption_of(each).nonce for each in (here, there)}
    assert len(marks) == len(nonces) == 2
    assert marks.isdisjoint(nonces)


def consumed(**changes: Any) -> Log:
    own = consumption_of(claim())
    topics = [CALL_CONSUMED, own.right, word(own.buyer), word(own.consumer)]
    given = {"address": ACCESS, "topics": tuple(topics), "data": own.model.raw} | changes
    return Log(**given)


def word(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)


def test_the_event_that_shows_it() -> None:
    own, topics = consumption_of(claim()), consumed().topics
    assert takes_call([consumed()], own)
    for wrong in (
        consumed(address=STRANGER.address),
        consumed(data=OTHER.raw),
        *(
            consumed(topics=(*topics[:at], word(STRANGER.address), *topics[at + 1 :]))
            for at in range(4)
        ),
    ):
        assert not takes_call([wrong], own)
    assert not takes_call([], own)


def test_a_receipt_of_another_model() -> None:
    sample = Sample()
    statement = decode_proof_file(sample.proof()).statement
    payment = pass_payment(pass_claim(OTHER, gateway=sample.quote().payee))
    receipt = replace(
        sample.receipt(statement), payment=payment, request_digest=REQUEST, nonce_salt=claim().salt
    )
    model = receipt.statement.model_commitment
    message = f"the receipt is about {model}, its payment is a call of {OTHER}"
    with rejects(Reason.RECEIPT_PASS, message, kind=ReceiptRejected):
        PassPart().verify_receipt_part(receipt)


# -- buyers -------------------------------------------------------------------------------------


def challenge(offer: dict[str, Any]) -> Challenge:
    return Challenge(quote(), b"\x07" * 65, REQUEST, 600, {}, None, {"inferproof": {"info": offer}})


def test_a_buyer_signs_for_the_contract_that_is_offered() -> None:
    offered = challenge(Counter().method.offer())
    way = BoughtRight(RIGHT, ACCESS)
    way.require_offered(offered)
    signed = way.sign(offered, PAYER, claim().salt, ORDERED_AT)
    assert signed.claim == claim()
    assert (signed.ends, signed.payer, way.costs(quote()).amount) == (ENDS, PAYER.address, 0)
    assert signed.is_stated_by(pass_payment(claim()))
    assert not signed.is_stated_by(pass_payment(claim(right=PLAN)))


def test_a_buyer_signs_for_no_other() -> None:
    for nothing in ({}, {"pass": {}}, {"pass": {"address": "0x12"}}, {"pass": None}):
        with pytest.raises(PaymentRejected) as caught:
            BoughtRight(RIGHT).require_offered(challenge(nothing))
        assert caught.value.reason is Reason.PASSES_CLOSED
    with pytest.raises(PaymentRejected) as caught:
        BoughtRight(RIGHT, STRANGER.address).require_offered(challenge(Counter().method.offer()))
    assert caught.value.reason is Reason.PASS_CONTRACT

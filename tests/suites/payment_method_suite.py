"""What every payment method keeps to, from its entry in the 402 to its part of a receipt.

A subclass says how a buyer pays by its method (`way`), and which methods the world has besides.
Each order here goes through a whole gateway: the API, the order book, the settler and the worker,
with a ledger in place of a chain.
"""

import json
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from paid_calls import JSON, Caller, caller
from service_parts import BODY, MODEL, PATH, PRICE, TREASURY, World, running

from inferproof.client.answer import Answer
from inferproof.client.flow import Buyer, infer_flow
from inferproof.client.ledger import Ledger
from inferproof.client.limits import Limits
from inferproof.client.steps import Call, Event, Pause, Reply, Step
from inferproof.errors import InferproofError, PaymentRejected, Reason, ReceiptRejected
from inferproof.payments.buyer import BuyerMethod, SignedPayment
from inferproof.payments.method import PaymentMethod, PaymentMethods, Presented
from inferproof.payments.x402 import Challenge, read_challenge
from inferproof.protocol.commitments import request_digest
from inferproof.protocol.documents import encode_document
from inferproof.protocol.fields import Fields
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.receipt import (
    FORMAT,
    decode_receipt_file,
    encode_receipt_file,
    payment_json,
    receipt_digest,
    receipt_struct,
)
from inferproof.services.orders.exposure_limits import NoExposure
from inferproof.testing.cash_transfers import transfer_log
from inferproof.testing.samples import ASSET, GATEWAY, PAYER, STRANGER, sample_preprocess
from inferproof.types.digest import Digest
from inferproof.types.event import Log
from inferproof.types.money import Money
from inferproof.types.payment import Quote, SettlementState
from inferproof.types.proof import Assurance
from inferproof.types.receipt import ReceiptFile
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools, VerifiedReceipt, verify_receipt

T = TypeVar("T")
REQUEST = request_digest("POST", PATH, BODY)
SALT = Digest(b"\x5a" * 32)
OPEN = Policy(minimum_assurance=Assurance.COMMITMENT)


@dataclass(frozen=True)
class Mined:
    """A transaction in a block."""

    tx: Digest
    logs: tuple[Log, ...]
    succeeded: bool = True
    block: int = 1


@dataclass
class Shop:
    """A gateway and a buyer who pays it by the method."""

    world: World
    caller: Caller
    way: BuyerMethod

    @property
    def methods(self) -> PaymentMethods:
        return self.caller.services.gateway.methods

    @property
    def tools(self) -> Tools:
        return Tools(lambda _system: self.world.system, sample_preprocess, self.methods)

    async def challenge(self) -> Challenge:
        return await self.caller.challenge()

    async def signed(self, salt: Digest = SALT, signer: Any = PAYER) -> SignedPayment:
        return self.way.sign(await self.challenge(), signer, salt, self.world.clock.now)

    async def presented(self, **signed: Any) -> tuple[PaymentMethod[Any], Presented[Any], Quote]:
        """A payment as the gateway reads it, and the quote that it answers."""
        made = await self.signed(**signed)
        method = self.methods[made.method]
        presented = method.read({made.header_name.lower(): made.header})
        assert presented is not None
        return method, presented, (await self.challenge()).quote

    async def buy(self, **changes: Any) -> Answer:
        """A whole paid call, by the client."""
        buyer = Buyer(
            signer=PAYER,
            limits=Limits(),
            policy=OPEN,
            tools=self.tools,
            ledger=Ledger(),
            clock=lambda: float(self.world.clock.now),
            salts=lambda: SALT.raw,
        )
        name = MODEL.partition("@")[0]
        flow = infer_flow(replace(buyer, **changes), name, BODY, "0.25", None, self.way)
        return await self._drive(flow)

    async def _drive(self, flow: Generator[Step, Event, T]) -> T:
        event: Event = None
        while True:
            try:
                step = flow.send(event)
            except StopIteration as done:
                result: T = done.value
                return result
            event = None if isinstance(step, Pause) else await self._call(step)

    async def _call(self, call: Call) -> Event:
        if "/jobs/" in call.path:
            await self.caller.finish()
        headers = {**call.headers, "prefer": "respond-async"}
        sent = await self.caller.http.request(
            call.method, call.path, content=call.body, headers=headers
        )
        return Reply(
            sent.status_code, {k.lower(): v for k, v in sent.headers.items()}, sent.content
        )

    def verify(self, file: ReceiptFile) -> VerifiedReceipt:
        return verify_receipt(encode_receipt_file(file), OPEN, self.tools)


class PaymentMethodSuite:
    """Subclasses give `way`, and `more` where the method is of no release.

    `stated` are members of a receipt's payment that the payer did not sign: the gateway states
    them, and the chain has to confirm them. `paid` is what the gateway has of a call.
    """

    stated: frozenset[str] = frozenset()
    paid = PRICE

    def more(self) -> tuple[PaymentMethod[Any], ...]:
        return ()

    def way(self, world: World) -> BuyerMethod:
        raise NotImplementedError

    @pytest.fixture
    async def shop(self, tmp_path: Path) -> AsyncIterator[Shop]:
        async with self.opened(tmp_path) as shop:
            yield shop

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Shop]:
        world = World(folder, more_methods=self.more())
        async with running(world) as services, caller(services) as calls:
            yield Shop(world, calls, self.way(world))

    # -- a whole order ----------------------------------------------------------------------

    async def test_a_call_is_paid_answered_and_verified(self, shop: Shop) -> None:
        answer = await shop.buy()
        receipt = answer.receipt_file.receipt
        assert answer.verified
        assert receipt.settlement.state is SettlementState.SETTLED
        assert receipt.payment.payer == PAYER.address
        assert receipt.payment.money == Money(self.paid, ASSET)
        job = (await shop.caller.http.get(f"/v1/jobs/{answer.job_id.hex}")).json()
        method = shop.methods[receipt.payment.method]
        shown = json.loads(json.dumps(method.view(receipt.payment)))
        assert {name: job["payment"][name] for name in shown} == shown
        assert (job["payment"]["payer"], job["payment"]["nonce"]) == (
            PAYER.address.hex,
            receipt.payment.nonce.hex,
        )
        assert shop.world.ledger.balances.get(TREASURY, 0) == self.paid, "it was paid, and once"

    async def test_the_same_payment_is_the_same_job_and_pays_once(self, shop: Shop) -> None:
        signed = await shop.signed()
        headers = {
            **JSON,
            "prefer": "respond-async",
            signed.header_name: signed.header,
        }
        jobs = []
        for _ in range(2):
            response = await shop.caller.http.post(PATH, content=BODY, headers=headers)
            assert response.status_code in (200, 202), response.text
            jobs.append(response.json()["job_id"])
            await shop.caller.finish()
        assert jobs == [signed.job_id(REQUEST).hex] * 2
        assert shop.world.ledger.balances.get(TREASURY, 0) == self.paid

    async def test_it_pays_for_no_second_request(self, shop: Shop) -> None:
        signed = await shop.signed()
        headers = {**JSON, signed.header_name: signed.header}
        assert (await shop.caller.http.post(PATH, content=BODY, headers=headers)).is_success
        other = await shop.caller.http.post(PATH, content=b'{"input":[0,0,0]}', headers=headers)
        assert other.status_code in (402, 409), other.text

    async def test_the_order_book_gives_the_payment_back_as_it_was(self, shop: Shop) -> None:
        answer = await shop.buy()
        stored = await shop.caller.services.stores.orders.jobs.job(answer.job_id)
        assert stored.order.payment == answer.receipt_file.receipt.payment
        again = await shop.caller.services.stores.orders.jobs.find_payment(stored.order.payment)
        assert again == stored

    # -- the 402 and the header ---------------------------------------------------------------

    async def test_a_402_says_how(self, shop: Shop) -> None:
        signed = await shop.signed()
        method, quote = shop.methods[signed.method], (await shop.challenge()).quote
        assert method.challenge(quote) is not None or method.offer()
        response = await shop.caller.http.post(
            PATH, content=BODY, headers={"content-type": "application/json"}
        )
        info = response.json()["payment_required"]["extensions"]["inferproof"]["info"]
        assert method.offer().items() <= info.items()
        shop.way.require_offered(read_challenge(response.headers["payment-required"]))

    async def test_a_request_without_its_header_has_no_such_payment(self, shop: Shop) -> None:
        signed = await shop.signed()
        assert shop.methods[signed.method].read(JSON) is None

    @pytest.mark.parametrize("header", ["", "e30=", "not base64", "AAAA", "bnVsbA==", "W10="])
    async def test_a_header_that_is_none(self, shop: Shop, header: str) -> None:
        signed = await shop.signed()
        with pytest.raises(PaymentRejected):
            shop.methods[signed.method].read({signed.header_name.lower(): header})
        headers = {**JSON, signed.header_name: header}
        response = await shop.caller.http.post(PATH, content=BODY, headers=headers)
        assert response.status_code == 402

    # -- pure checks ----------------------------------------------------------------------------

    async def test_what_the_payer_signed_passes(self, shop: Shop) -> None:
        method, presented, quote = await shop.presented()
        method.check_signed(presented, REQUEST)
        method.check_bound(presented, REQUEST)
        method.check(presented, quote, shop.world.clock.now)
        assert presented.method == method.method
        assert presented.payer == PAYER.address
        assert presented.payment is not None or presented.job_id is not None

    async def test_what_another_signed_does_not(self, shop: Shop) -> None:
        class Forger:
            address = PAYER.address
            sign = STRANGER.sign

        method, presented, _ = await shop.presented(signer=Forger())
        with pytest.raises(PaymentRejected):
            method.check_signed(presented, REQUEST)

    async def test_nor_does_it_for_another_request(self, shop: Shop) -> None:
        method, presented, _ = await shop.presented()
        other = request_digest("POST", PATH, b"{}")

        def check() -> None:
            method.check_signed(presented, other)
            method.check_bound(presented, other)

        with pytest.raises(PaymentRejected):
            check()

    @pytest.mark.parametrize("changes", ["payee", "asset"])
    async def test_nor_on_other_terms(self, shop: Shop, changes: str) -> None:
        method, presented, quote = await shop.presented()
        terms: dict[str, Any] = {
            "payee": {"payee": STRANGER.address},
            "asset": {"price": Money(PRICE, replace(ASSET, address=STRANGER.address))},
        }
        with pytest.raises(PaymentRejected):
            method.check(presented, replace(quote, **terms[changes]), shop.world.clock.now)

    async def test_what_can_be_reserved_has_its_key_and_its_way_to_be_settled(
        self, shop: Shop
    ) -> None:
        method, presented, quote = await shop.presented()
        found = await method.reserve(presented, quote, shop.world.clock.now, NoExposure())
        assert len({each.payment.nonce for each in found}) == len(found) >= 1
        for each in found:
            payment, order = each.payment, method.settle(each.payment)
            assert (payment.method, payment.payer) == (method.method, PAYER.address)
            assert presented.payment in (None, payment)
            assert (order is None) == (each.settled_in is not None) == (not presented.draws)
            if order is not None:
                assert (order.payer, order.payee, order.amount, order.nonce) == (
                    payment.payer,
                    payment.payee,
                    payment.amount,
                    payment.nonce,
                )
            job = method.job_id(payment, REQUEST, presented.salt)
            assert presented.job_id in (None, job)
            assert job == (await shop.signed()).job_id(REQUEST)

    # -- receipts -------------------------------------------------------------------------------

    async def test_a_receipt_states_it_and_reads_it_back(self, shop: Shop) -> None:
        file = (await shop.buy()).receipt_file
        receipt, payment = file.receipt, file.receipt.payment
        value = payment_json(payment)
        own = [m for m in shop.methods.values() if m.recognises(Fields(value, "payment"))]
        assert [m.method for m in own] == [payment.method], "one method knows it, and no other"
        again = own[0].read_receipt_part(
            Fields(value, "payment"), receipt.request_digest, receipt.nonce_salt
        )
        assert again == payment
        assert decode_receipt_file(encode_receipt_file(file), shop.methods) == file
        assert tuple(own[0].receipt_part(payment)) == tuple(n for n, _ in own[0].form.fields)

    async def test_its_receipts_are_of_a_type_of_their_own(self, shop: Shop) -> None:
        receipt = (await shop.buy()).receipt_file.receipt
        mine = receipt_struct(shop.methods[receipt.payment.method].form)
        others = [receipt_struct(m.form) for m in shop.methods.values()]
        assert len({struct.type_hash for struct in others}) == len(others)
        assert mine.type_hash in {struct.type_hash for struct in others}

    async def test_no_word_of_it_can_be_changed(self, shop: Shop) -> None:
        """Also where the gateway itself signs the change."""
        answer = await shop.buy()
        body = json.loads(encode_receipt_file(answer.receipt_file))["body"]
        payment = body["receipt"]["payment"]
        changed = 0
        for name, value in payment.items():
            if name == "asset" or name in self.stated:
                continue
            for other in _others(value):
                body["receipt"]["payment"] = {**payment, name: other}
                data = encode_document(FORMAT, body)
                with pytest.raises(InferproofError):
                    self._resigned(shop, data)
                changed += 1
        assert changed >= len(payment) - 1 - len(self.stated)

    def _resigned(self, shop: Shop, data: bytes) -> VerifiedReceipt:
        file = decode_receipt_file(data, shop.methods)
        signature = GATEWAY.sign(receipt_digest(file.receipt, shop.methods))
        return shop.verify(replace(file, signature=signature))

    async def test_it_is_bound_to_request_and_salt(self, shop: Shop) -> None:
        file = (await shop.buy()).receipt_file
        for changes in ({"request_digest": SALT}, {"nonce_salt": Digest(b"\x01" * 32)}):
            receipt = replace(file.receipt, **changes)
            quote = replace(receipt.quote, request_digest=receipt.request_digest)
            receipt = replace(receipt, quote=quote, quote_signature=_signed_quote(quote))
            forged = replace(file, receipt=receipt, request=None)
            forged = replace(forged, signature=GATEWAY.sign(receipt_digest(receipt, shop.methods)))
            with pytest.raises(ReceiptRejected) as caught:
                shop.verify(forged)
            assert caught.value.reason is not Reason.RECEIPT_SIGNATURE

    async def test_a_verifier_that_does_not_know_it_says_so(self, shop: Shop) -> None:
        file = (await shop.buy()).receipt_file
        others = {n: m for n, m in shop.methods.items() if n != file.receipt.payment.method}
        with pytest.raises(ReceiptRejected) as caught:
            verify_receipt(encode_receipt_file(file), OPEN, replace(shop.tools, payments=others))
        assert caught.value.reason is Reason.FIELD_MALFORMED

    async def test_a_transaction_that_moved_something_else_does_not_show_it(
        self, shop: Shop
    ) -> None:
        receipt = (await shop.buy()).receipt_file.receipt
        method, tx = shop.methods[receipt.payment.method], receipt.settlement.transaction
        assert tx is not None
        elsewhere = transfer_log(ASSET.address, PAYER.address, STRANGER.address, PRICE)
        for found in (Mined(tx, ()), Mined(tx, (elsewhere,)), Mined(tx, (), succeeded=False)):
            with pytest.raises(PaymentRejected):
                method.verify_on_chain(receipt, found)


def _signed_quote(quote: Quote) -> bytes:
    return GATEWAY.sign(quote_digest(quote))


def _others(value: object) -> list[object]:
    """Other values of the same form, and one of another."""
    if isinstance(value, bool):
        return [not value, None]
    if isinstance(value, int):
        return [value + 1, str(value)]
    text = str(value)
    if text.startswith("0x"):
        last = "0" if text[-1] != "0" else "1"
        return [text[:-1] + last, text[:-2]]
    return [str(int(text) + 1), int(text)] if text.isdigit() else [text + "x"]

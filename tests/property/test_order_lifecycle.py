"""Random interleavings of payers, two settlers, workers, chain, clock and crashes.

At any time: no unit of money appears or vanishes, no job that was not settled is in a paid state,
a payment is one job for ever, an outcome is the last one, a claim that is over changes nothing,
and the books balance. When the faults end: every job is answered, refunded or void, each by steps
of the table alone, and the books agree to the unit.
"""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from order_book_suite import ANSWER, WHY, path
from service_parts import PATH, PRICE, TREASURY, Services, World, build, claim_to, nonce, pay

from inferproof.errors import (
    Conflict,
    InferproofError,
    InputRejected,
    PaymentRejected,
    Reason,
    Unavailable,
)
from inferproof.payments.transfer.method import TransferTerms
from inferproof.protocol.lifecycle import FINAL, PAID
from inferproof.services.orders.base import CancelPolicy
from inferproof.services.reconciliation.service import Reconciler, ReconcilerSettings
from inferproof.storage.sql.engine import MEMORY
from inferproof.storage.sql.ledger import SqlLedger
from inferproof.testing.cash import CashBooks, CashChain
from inferproof.testing.memory_store import open_stores
from inferproof.testing.metrics import MemoryMetrics
from inferproof.testing.samples import PAYER, STRANGER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Authorization
from inferproof.types.receipt import Request

T = TypeVar("T")
FUNDS = 100 * PRICE
LONG_S = 100_000
BODIES = [b'{"input":[1,2,3]}', b'{"input":[4,5,6]}']


class Market(RuleBasedStateMachine):
    """One gateway whose parts move in any order."""

    payments: Bundle[Authorization] = Bundle("payments")

    @initialize(confirmations=st.sampled_from([1, 3]), policy=st.sampled_from(CancelPolicy))
    def start(self, confirmations: int, policy: CancelPolicy) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.world.ledger.confirmations = confirmations
        self.world.cancel = policy
        self.opened = open_stores(MEMORY)
        self.stores = self.do(self.opened.__aenter__())
        self.crash()
        self.do(self.services.register())
        self.signed: dict[Digest, Authorization] = {}
        self.abandoned: list[tuple[Digest, int]] = []
        self.bought: dict[Digest, Digest] = {}
        self.ended: dict[Digest, JobState] = {}
        self.books = Reconciler(
            ledger=SqlLedger(self.stores.database),
            chain=CashBooks(self.world.ledger),
            metrics=MemoryMetrics(),
            settings=ReconcilerSettings(page=2, again_s=0),
        )
        self.transfers: dict[Digest, int] = {}
        self.sent_at: dict[Digest, int] = {}
        self.redeemed: dict[Digest, Digest] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def attempt(self, work: Coroutine[Any, Any, T], *kinds: type[InferproofError]) -> T | None:
        try:
            return self.do(work)
        except kinds:
            return None

    # -- the buyer ----------------------------------------------------------------------------

    @rule(target=payments, number=st.integers(0, 5), long=st.booleans())
    def sign(self, number: int, long: bool) -> Any:
        if nonce(number) in self.signed:
            return multiple()
        payment = pay(
            self.world,
            nonce=nonce(number),
            valid_before=self.world.clock.now + (LONG_S if long else 100),
        )
        self.signed[payment.nonce] = payment
        return payment

    @rule(payment=payments, body=st.sampled_from(BODIES), times=st.integers(1, 3))
    def send(self, payment: Authorization, body: bytes, times: int) -> None:
        async def together() -> list[Any]:
            request = Request("POST", PATH, body)
            return await asyncio.gather(
                *(self.services.accept(payment=payment, request=request) for _ in range(times)),
                return_exceptions=True,
            )

        results = self.do(together())
        for result in results:
            if isinstance(result, BaseException):
                assert isinstance(result, Conflict | PaymentRejected | Unavailable), result
        assert len({r.id for r in results if not isinstance(r, BaseException)}) <= 1

    @rule(more=st.sampled_from([0, 0, 7]))
    def transfer(self, more: int) -> None:
        """The payer sends tokens before it asks for anything."""
        if len(self.transfers) < 3:
            tx = self.world.transfers.transfer(PAYER.address, TREASURY, PRICE + more)
            self.transfers[tx] = PRICE + more
            self.sent_at[tx] = self.world.clock.now

    @rule(number=st.integers(0, 2), salts=st.lists(st.integers(1, 3), min_size=1, max_size=3))
    def redeem(self, number: int, salts: list[int]) -> None:
        """Claims to one transfer, some of them the same, at once."""
        if number >= len(self.transfers):
            return
        tx = list(self.transfers)[number]

        async def together() -> list[Any]:
            claims = [claim_to(tx, body=BODIES[0], salt=bytes([salt]) * 32) for salt in salts]
            request = Request("POST", PATH, BODIES[0])
            return await asyncio.gather(
                *(self.services.redeem(claim, request=request) for claim in claims),
                return_exceptions=True,
            )

        for result in self.do(together()):
            if isinstance(result, PaymentRejected):
                assert result.reason is Reason.TRANSFER_TOO_OLD, result
                assert self.world.clock.now - self.sent_at[tx] > TransferTerms().max_age_s
            elif isinstance(result, BaseException):
                assert isinstance(result, Conflict | Unavailable), result
            else:
                assert self.redeemed.setdefault(tx, result.id) == result.id

    @rule(payment=payments)
    def cancel(self, payment: Authorization) -> None:
        """The payer cancels on chain, where the authorization is still unused."""
        ledger = self.world.ledger
        if (payment.payer, payment.nonce) not in ledger.used:
            ledger.cancel(payment.payer, payment.nonce)

    @rule(payment=payments)
    def front_run(self, payment: Authorization) -> None:
        """A stranger who has seen the authorization submits it first, also before it is sent
        here."""
        job = self.job_of(payment)
        if job is not None and job.state not in (JobState.RESERVED, JobState.SETTLING):
            return

        async def submit() -> None:
            chain = CashChain(self.world.ledger, STRANGER.address)
            signed = await chain.sign_settlement([payment], (await chain.look()).pending)
            await chain.submit(signed.raw)

        self.attempt(submit(), Unavailable)

    @rule(payment=payments)
    def call_off(self, payment: Authorization) -> None:
        """The payer cancels the job at the gateway, whatever state it is in."""
        job = self.job_of(payment)
        if job is not None:
            self.attempt(self.services.cancel(job.order.job_id), Conflict)

    @rule(payment=payments)
    def settle_elsewhere(self, payment: Authorization) -> None:
        """Whoever has seen the authorization settles it, though its payer cancelled the job."""
        job, now = self.job_of(payment), self.world.clock.now
        if job is None or job.state is not JobState.WITHDRAWN or now >= payment.valid_before:
            return

        async def submit() -> None:
            chain = CashChain(self.world.ledger, STRANGER.address)
            signed = await chain.sign_settlement([payment], (await chain.look()).pending)
            await chain.submit(signed.raw)

        self.attempt(submit(), Unavailable)

    # -- the gateway --------------------------------------------------------------------------

    @rule()
    def settle(self) -> None:
        self.attempt(self.services.settler.settle_once(), Unavailable)

    @rule()
    def settle_at_once(self) -> None:
        """Two gateways both believe that it is their turn."""

        async def both() -> list[Any]:
            settlers = (self.services.settler, build(self.world, self.stores).settler)
            work = (settler.settle_once() for settler in settlers)
            return await asyncio.gather(*work, return_exceptions=True)

        for outcome in self.do(both()):
            if isinstance(outcome, BaseException):
                assert isinstance(outcome, Conflict | Unavailable), outcome

    @rule()
    def work_at_once(self) -> None:
        """Two workers, of two processes."""

        async def both() -> None:
            workers = (self.services.worker, build(self.world, self.stores).worker)
            await asyncio.gather(*(worker.work_once() for worker in workers))

        self.do(both())

    @rule()
    def work(self) -> None:
        self.do(self.services.worker.work_once())

    @rule()
    def recover(self) -> None:
        self.do(self.services.worker.recover())

    @rule()
    def abandon(self) -> None:
        """A worker takes a job and is never heard of again."""
        now = self.world.clock.now
        job = self.do(self.stores.orders.queue.claim(now=now, lease_until=now + 30))
        if job is not None:
            self.abandoned.append((job.order.job_id, job.fence))

    @precondition(lambda self: self.abandoned)
    @rule(which=st.integers(0, 50), what=st.sampled_from(["finish", "give up", "release", "beat"]))
    def come_back(self, which: int, what: str) -> None:
        """A worker that was given up wants to go on; only while its claim is the newest it may."""
        job_id, fence = self.abandoned[which % len(self.abandoned)]
        orders, now = self.stores.orders, self.world.clock.now
        before = self.do(orders.jobs.job(job_id))
        if before.fence == fence and before.state is JobState.RUNNING:
            return
        tries: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "finish": lambda: orders.queue.finish(job_id, fence, ANSWER, now=now),
            "give up": lambda: orders.queue.give_up(job_id, fence, WHY, now=now),
            "release": lambda: orders.queue.release(job_id, fence, now=now),
            "beat": lambda: orders.queue.heartbeat(job_id, fence, lease_until=now + 30),
        }
        with pytest.raises(Conflict):
            self.do(tries[what]())
        assert self.do(orders.jobs.job(job_id)) == before

    @rule()
    def crash(self) -> None:
        async def built() -> Services:
            return build(self.world, self.stores)

        self.services = self.do(built())

    @rule(temporary=st.booleans())
    def fault(self, temporary: bool) -> None:
        self.world.system.faults = [
            Unavailable(Reason.STORAGE_FULL)
            if temporary
            else InputRejected(Reason.INPUT_NOT_FINITE, name="x")
        ]

    # -- the world ----------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 20, 40, 70, 4000, 1_000_000]))
    def wait(self, seconds: int) -> None:
        self.world.clock.now += seconds

    @rule(down=st.booleans())
    def reach(self, down: bool) -> None:
        self.world.ledger.down = down

    @rule(holding=st.booleans(), forgetful=st.booleans())
    def congest(self, holding: bool, forgetful: bool) -> None:
        self.world.ledger.holding, self.world.ledger.forgetful = holding, forgetful

    @rule(forget=st.booleans())
    def block(self, forget: bool) -> None:
        if forget:
            self.world.ledger.drop_waiting()
        self.world.ledger.mine()

    @rule()
    def spend(self) -> None:
        """Another program uses the settler's key."""

        async def submit() -> None:
            chain = CashChain(self.world.ledger, TREASURY)
            number = self.world.ledger.next_nonce.get(TREASURY, 0)
            await chain.submit((await chain.sign_refund(TREASURY, 0, number)).raw)

        if not self.world.ledger.waiting:
            self.attempt(submit(), Unavailable)

    # -- what always holds --------------------------------------------------------------------

    def job_of(self, payment: Authorization) -> Any:
        return self.do(self.stores.orders.jobs.find_payment(payment))

    @invariant()
    def nothing_unpaid_is_worked_on_and_an_outcome_is_the_last(self) -> None:
        for payment in self.signed.values():
            job = self.job_of(payment)
            if job is None:
                assert payment.nonce not in self.bought
                continue
            if job.state in PAID:
                assert self.world.ledger.used[payment.payer, payment.nonce] is not None
            assert self.bought.setdefault(payment.nonce, job.order.job_id) == job.order.job_id
            if job.state in FINAL:
                assert self.ended.setdefault(payment.nonce, job.state) is job.state
            else:
                assert payment.nonce not in self.ended

    @invariant()
    def no_unit_appears_or_vanishes(self) -> None:
        assert sum(self.world.ledger.balances.values()) == FUNDS

    @rule()
    def audit(self) -> None:
        """In the middle of everything; what is in motion is no fault."""
        report = self.attempt(self.books.check(), Unavailable)
        assert report is None or report.discrepancies == ()

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.end_well()
        finally:
            self.do(self.opened.__aexit__(None, None, None))
            self.runner.close()
            self.folder.cleanup()

    def go_on(self, rounds: int) -> None:
        for _ in range(rounds):
            self.world.ledger.mine()
            self.do(self.services.settler.settle_once())
            self.do(self.services.worker.recover())
            self.do(self.services.worker.work_once())
            self.world.clock.now += 20

    def end_well(self) -> None:
        ledger = self.world.ledger
        ledger.down = ledger.holding = ledger.forgetful = False
        self.world.system.faults = []
        self.go_on(30)
        # A withdrawn payment could still be settled by others until it expires.
        self.world.clock.now += LONG_S
        self.go_on(10)
        jobs = [job for job in map(self.job_of, self.signed.values()) if job is not None]
        assert all(job.state in FINAL for job in jobs), [job.state for job in jobs]
        for job in jobs:
            history = path(self.do(self.stores.orders.jobs.events(job.order.job_id)))
            assert history[-1][1] is job.state
        kept = sum(PRICE for job in jobs if job.state is JobState.DONE)
        for payment in self.signed.values():
            # What a stranger submitted, and nobody ordered for, stays with the payee.
            taken = ledger.used.get((payment.payer, payment.nonce))
            kept += PRICE if taken is not None and self.job_of(payment) is None else 0
        for tx, amount in self.transfers.items():
            # What was sent and never claimed stays with the payee.
            job_id = self.redeemed.get(tx)
            job = None if job_id is None else self.do(self.stores.orders.jobs.job(job_id))
            assert job is None or job.state in FINAL, job
            kept += amount if job is None or job.state is JobState.DONE else 0
        assert ledger.balances[PAYER.address] == FUNDS - kept
        assert ledger.balances.get(TREASURY, 0) == kept
        report = self.do(self.books.check())
        assert report.discrepancies == ()
        for till in report.accounts:  # none before the first order
            assert till.closing == kept
            assert till.closing - till.opening == report.earned + report.other_income.amount


TestMarket = Market.TestCase
TestMarket.settings = settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
class TestManyMarkets(Market.TestCase):  # type: ignore[misc, valid-type, name-defined]
    """The same, longer."""

    settings = settings(TestMarket.settings, max_examples=60)

"""The books of a whole gateway on the cash chain: honest, then with every kind of forged row."""

import asyncio
import logging
from typing import Any

import pytest
from service_parts import PRICE, TREASURY, Services, nonce, pay
from sqlalchemy import text
from waiting import until

from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.services.reconciliation.service import Reconciler, ReconcilerSettings
from inferproof.storage.sql.ledger import SqlLedger
from inferproof.testing.cash import CashBooks, CashChain
from inferproof.testing.metrics import MemoryMetrics
from inferproof.testing.samples import PAYER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.reconciliation import BooksReport, Fault, Tally


class Shop:
    """A gateway with its bookkeeper."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.metrics = MemoryMetrics()
        self.chain = CashBooks(services.world.ledger)
        self.books = Reconciler(
            ledger=SqlLedger(services.stores.database),
            chain=self.chain,
            metrics=self.metrics,
            settings=ReconcilerSettings(page=2, again_s=0),
        )

    async def sell(self, number: int, *, fails: bool = False) -> Digest:
        """A job that is done, or failed and refunded."""
        if fails:
            self.services.world.system.faults = [InputRejected(Reason.INPUT_NOT_FINITE, name="x")]
        view = await self.services.accept(payment=pay(self.services.world, nonce=nonce(number)))
        await self.bring_on()
        return view.id

    async def bring_on(self) -> None:
        await self.services.settler.settle_once()
        await self.services.worker.work_once()
        await self.services.settler.settle_once()

    async def sql(self, statement: str, **values: object) -> None:
        async def change(connection: Any) -> None:
            done = await connection.execute(text(statement), values)
            assert done.rowcount == 1, statement

        await self.services.stores.database.write(change)

    async def faults(self) -> list[Fault]:
        return [found.fault for found in (await self.books.check()).discrepancies]


@pytest.fixture
async def shop(services: Services) -> Shop:
    return Shop(services)


async def test_no_job_no_money(shop: Shop) -> None:
    report = await shop.books.check()
    assert report.balanced
    assert (report.accounts, report.jobs) == ((), {})
    assert shop.metrics.discrepancies == [0]


async def test_every_state_balances_on_the_way(shop: Shop) -> None:
    world = shop.services.world
    await shop.sell(1)
    await shop.sell(2, fails=True)
    await shop.services.accept(payment=pay(world, nonce=nonce(3)))
    world.ledger.holding = True
    await shop.services.settler.settle_once()
    await shop.services.accept(payment=pay(world, nonce=nonce(4)))
    report = await shop.books.check()
    assert report.discrepancies == ()
    assert report.jobs == {
        JobState.DONE: Tally(1, PRICE),
        JobState.REFUNDED: Tally(1, PRICE),
        JobState.SETTLING: Tally(1, PRICE),
        JobState.RESERVED: Tally(1, PRICE),
    }
    assert (report.settled, report.refunded) == (Tally(2, 2 * PRICE), Tally(1, PRICE))
    assert report.earned == PRICE
    (till,) = report.accounts
    assert (till.address, till.opening, till.closing) == (TREASURY, 0, PRICE)
    # In a block, and not known to the order book yet.
    world.ledger.mine()
    report = await shop.books.check()
    assert report.balanced
    assert report.arriving == Tally(1, PRICE)


OF_JOB = "job = (SELECT number FROM jobs WHERE job_id = :job)"
FORGERIES: list[tuple[str, str, list[Fault]]] = [
    (
        "a job that was never paid is called done",
        "UPDATE jobs SET state = 'done' WHERE job_id = :unpaid",
        [Fault.PAID_UNSETTLED, Fault.ANSWER_MISSING],
    ),
    (
        "a settlement that never happened",
        "UPDATE settlements SET state = 'settled', tx = :other, block = 3 "
        "WHERE job = (SELECT number FROM jobs WHERE job_id = :unpaid)",
        [Fault.SETTLED_UNPAID],
    ),
    (
        "another settlement than the one that was",
        "UPDATE settlements SET tx = :other "
        "WHERE job = (SELECT number FROM jobs WHERE job_id = :done)",
        [Fault.SETTLEMENT_ELSEWHERE],
    ),
    (
        "a paid job is called void",
        "UPDATE jobs SET state = 'void' WHERE job_id = :done",
        [Fault.SETTLED_UNPAID, Fault.ANSWER_UNDUE, Fault.SETTLEMENT_OF_VOID],
    ),
    (
        "the price was changed afterwards",
        "UPDATE payment_reservations SET amount = '250001' WHERE job_id = :done",
        [Fault.SETTLEMENT_OTHER_FUNDS, Fault.SETTLEMENT_NOT_FOUND],
    ),
    (
        "another authorization stands for the payment",
        "UPDATE payment_reservations SET nonce = :other WHERE job_id = :done",
        [Fault.SETTLEMENT_NOT_FOUND],
    ),
    (
        "a refund is owed that was paid",
        "UPDATE refunds SET state = 'due' WHERE job_id = :refunded",
        [Fault.REFUND_STATE],
    ),
    (
        "a refunded job is called failed, to be refunded again",
        "UPDATE jobs SET state = 'failed' WHERE job_id = :refunded",
        [Fault.REFUND_STATE, Fault.REFUND_UNRECORDED],
    ),
    (
        "a refunded job is called done",
        "UPDATE jobs SET state = 'done' WHERE job_id = :refunded",
        [Fault.ANSWER_MISSING, Fault.REFUND_UNDUE, Fault.REFUND_UNRECORDED],
    ),
    (
        "a job is called refunded without a refund",
        "UPDATE jobs SET state = 'refunded' WHERE job_id = :done",
        [Fault.ANSWER_UNDUE, Fault.REFUND_MISSING],
    ),
    (
        "the answer is gone",
        "DELETE FROM answers WHERE job_id = :done",
        [Fault.ANSWER_MISSING],
    ),
    (
        "the reservation is gone",
        "DELETE FROM payment_reservations WHERE job_id = :done",
        [Fault.JOB_WITHOUT_RESERVATION],
    ),
    (
        "a reservation without a job",
        "UPDATE payment_reservations SET job_id = :other WHERE job_id = :unpaid",
        [Fault.JOB_WITHOUT_RESERVATION, Fault.RESERVATION_WITHOUT_JOB],
    ),
    (
        "the refund's row names no block",
        "UPDATE refunds SET block = NULL WHERE job_id = :refunded",
        [Fault.REFUND_STATE],
    ),
    (
        "a refund that is not on the chain",
        "UPDATE outbox_raws SET tx = :other WHERE outbox IN (SELECT outbox.number FROM outbox JOIN "
        "outbox_jobs ON outbox = outbox.number JOIN jobs ON job = jobs.number "
        "WHERE kind = 'refund' AND job_id = :refunded)",
        [],  # the refund's own row still names the transaction
    ),
]


async def test_forged_rows_are_caught(shop: Shop) -> None:
    """One after the other in one order book; each is told of its own jobs."""
    for number, (what, statement, expected) in enumerate(FORGERIES):
        numbers = (10 * number + n for n in range(4))
        await shop.bring_on()
        await shop.bring_on()
        done = await shop.sell(next(numbers))
        refunded = await shop.sell(next(numbers), fails=True)
        world, other = shop.services.world, nonce(next(numbers) + 1000)
        unpaid = (await shop.services.accept(payment=pay(world, nonce=nonce(next(numbers))))).id
        values = {"done": done, "refunded": refunded, "unpaid": unpaid, "other": other}
        told = {found.key for found in (await shop.books.check()).discrepancies}
        assert {job for _, job, _ in told}.isdisjoint(values.values()), what
        used = {name: value.hex for name, value in values.items() if f":{name}" in statement}
        await shop.sql(statement, **used)
        found = [d for d in (await shop.books.check()).discrepancies if d.key not in told]
        assert [d.fault for d in found] == expected, what
        assert {d.job_id for d in found} <= set(values.values()), what
        assert shop.metrics.discrepancies[-1] == len(told) + len(expected), what


async def test_missing_settlement_row_is_caught(shop: Shop) -> None:
    unpaid = (await shop.services.accept(payment=pay(shop.services.world, nonce=nonce(3)))).id
    await shop.sql(f"DELETE FROM settlements WHERE {OF_JOB}", job=unpaid.hex)  # noqa: S608 - ours
    assert await shop.faults() == [Fault.JOB_WITHOUT_SETTLEMENT]


async def test_money_that_left_without_a_word_is_caught(shop: Shop) -> None:
    await shop.sell(1)
    shop.services.world.ledger.balances[TREASURY] -= 1
    # The cash chain counts back from the present: the opening balance is off by one.
    report = await shop.books.check(openings={TREASURY: 0})
    assert [found.fault for found in report.discrepancies] == [Fault.BALANCE]


async def test_a_second_refund_is_caught(shop: Shop) -> None:
    """The refund was taken for lost, sent again, and both are in blocks."""
    await shop.sell(1)
    job = await shop.sell(2, fails=True)
    world = shop.services.world
    chain = CashChain(world.ledger, TREASURY)
    again = await chain.sign_refund(PAYER.address, PRICE, (await chain.look()).pending)
    await chain.submit(again.raw)
    assert await shop.faults() == []  # a transfer of the operator's own, for all we know
    await shop.sql(
        "INSERT INTO outbox_raws (outbox, tx, raw, fee_cap, fee_tip, attempts, created_at) "  # noqa: S608 - ours
        "SELECT r.outbox, :tx, r.raw, r.fee_cap, r.fee_tip, 1, r.created_at FROM outbox_raws r "
        "JOIN outbox o ON o.number = r.outbox JOIN outbox_jobs j ON j.outbox = o.number "
        f"WHERE o.kind = 'refund' AND {OF_JOB}",
        tx=again.tx.hex,
        job=job.hex,
    )
    assert await shop.faults() == [Fault.REFUND_TWICE]


async def test_a_withdrawal_is_listed(shop: Shop) -> None:
    await shop.sell(1)
    await shop.sell(2)
    chain = CashChain(shop.services.world.ledger, TREASURY)
    signed = await chain.sign_refund(PAYER.address, PRICE // 2, (await chain.look()).pending)
    await chain.submit(signed.raw)
    report = await shop.books.check()
    assert report.balanced
    assert report.other_outgo == Tally(1, PRICE // 2)
    assert [transfer.tx for transfer in report.listed] == [signed.tx]


async def test_from_a_later_block_on(shop: Shop) -> None:
    await shop.sell(1)
    middle = shop.services.world.ledger.block
    await shop.sell(2)
    report = await shop.books.check(first_block=middle + 1)
    assert report.balanced
    assert (report.settled, report.earlier) == (Tally(1, PRICE), Tally(1, PRICE))
    assert report.accounts[0].opening == PRICE


async def test_what_is_over_by_the_second_look_is_not_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await shop.sell(1)
    await shop.sql(f"UPDATE settlements SET block = block + 1 WHERE {OF_JOB}", job=job.hex)  # noqa: S608 - ours
    looks: list[BooksReport] = []
    look = shop.books._look

    async def watched(*given: Any) -> BooksReport:
        looks.append(await look(*given))
        await shop.sql(f"UPDATE settlements SET block = block - 1 WHERE {OF_JOB}", job=job.hex)  # noqa: S608 - ours
        return looks[-1]

    monkeypatch.setattr(shop.books, "_look", watched)
    report = await shop.books.check()
    assert [len(seen.discrepancies) for seen in looks] == [1, 0]
    assert report.balanced


# -- time and again -----------------------------------------------------------------------------


async def test_a_check_goes_on_from_the_last_one(shop: Shop) -> None:
    await shop.sell(1)
    first = await shop.books.check_new()
    await shop.sell(2)
    second = await shop.books.check_new()
    assert second.first_block == first.last_block + 1
    assert (second.settled, second.earlier) == (Tally(1, PRICE), Tally(1, PRICE))
    assert second.accounts[0].opening == first.accounts[0].closing == PRICE
    assert (await shop.books.check_new()).balanced  # without a new block


async def test_a_fault_is_logged_until_it_is_mended(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    job = await shop.sell(1)
    await shop.sql(f"UPDATE settlements SET tx = :tx WHERE {OF_JOB}", tx=nonce(9).hex, job=job.hex)  # noqa: S608 - ours
    for _ in range(2):
        with caplog.at_level(logging.ERROR, "inferproof.books"):
            caplog.clear()
            assert not (await shop.books.check_new()).balanced
        (record,) = caplog.records
        assert record.getMessage().startswith("the books disagree: SETTLEMENT_ELSEWHERE: ")
        assert record.__dict__["job"] == job
    assert shop.metrics.discrepancies == [1, 1]


async def test_it_runs_and_survives_a_chain_that_is_down(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.sell(1)
    ledger = shop.services.world.ledger
    ledger.down = True
    leader = shop.services.stores.database.leader_lock("books")
    task = asyncio.create_task(shop.books.run(0.01, leader))
    try:
        await until(lambda: "cannot check the books" in caplog.text, "it tells")
        assert shop.metrics.discrepancies == []
        ledger.down = False
        await until(lambda: len(shop.metrics.discrepancies) >= 2, "two checks")
        assert set(shop.metrics.discrepancies) == {0}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_only_the_one_whose_turn_it_is_checks(shop: Shop) -> None:
    database = shop.services.stores.database
    first, second = database.leader_lock("books"), database.leader_lock("books")
    assert await first.held()
    task = asyncio.create_task(shop.books.run(0.01, second))
    try:
        await asyncio.sleep(0.1)
        assert shop.metrics.discrepancies == []
        await first.release()
        await until(lambda: len(shop.metrics.discrepancies) >= 1, "a check")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await first.held()
    await first.release()


async def test_where_the_node_has_forgotten_it_starts_from_now(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.sell(1)
    ledger, balance = shop.services.world.ledger, shop.chain.balance
    here = ledger.block

    async def forgetful(holder: Any, block: int) -> int:
        if block < here:
            raise Unavailable(Reason.BOOKS_NO_STATE, account=holder, block=block, why="pruned")
        return await balance(holder, block)

    monkeypatch.setattr(shop.chain, "balance", forgetful)
    leader = shop.services.stores.database.leader_lock("books")
    task = asyncio.create_task(shop.books.run(0.01, leader))
    try:
        await until(lambda: len(shop.metrics.discrepancies) >= 1, "a check")
        assert set(shop.metrics.discrepancies) == {0}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

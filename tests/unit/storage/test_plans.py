"""How the databases look for what the settler asks: never through all payments there ever were."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from order_book_suite import ASSET, BLOCK, NETWORK, SENDER, order, transaction
from postgres_server import Databases
from sqlalchemy import event

from inferproof.storage.ports.outbox import Inclusion, Payable, SettlementStep
from inferproof.storage.sql import queue_quota
from inferproof.storage.sql.engine import sqlite_url
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.types.job import JobState

ALL_PAYMENTS = "sqlite_autoindex_payment_reservations_1"


class Asked:
    """The plans of all statements that a database is asked."""

    def __init__(self, stores: Stores, path: Path) -> None:
        self.stores = stores
        self._plans: list[str] = []
        self._file = sqlite3.connect(path)
        for engine in (stores.database._writing, stores.database._reading):
            event.listen(engine.sync_engine, "before_cursor_execute", self._explain)

    def _explain(self, _c: Any, _cursor: Any, sql: str, given: Any, _x: Any, many: bool) -> None:
        if sql.split()[0] in ("SELECT", "UPDATE"):
            rows = self._file.execute(f"EXPLAIN QUERY PLAN {sql}", given[0] if many else given)
            self._plans.append("\n".join(str(row[-1]) for row in rows))

    def plans(self, table: str) -> list[str]:
        """Of the statements that looked for rows of this table, each told once."""
        told = [
            plan for plan in self._plans if f"SEARCH {table} " in plan or f"SCAN {table}" in plan
        ]
        self._plans.clear()
        return told


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    path = tmp_path / "plans.db"
    async with open_stores(sqlite_url(path)) as stores:
        for number in range(4):
            await stores.orders.jobs.reserve(order(number))
        yield Asked(stores, path)


async def test_what_waits_is_looked_for_by_its_step_and_in_turn(asked: Asked) -> None:
    await asked.stores.orders.settlements.to_settle(ASSET, limit=3)
    again, new = asked.plans("payment_reservations")
    assert again.startswith("SEARCH settlements USING INDEX ix_settlements_step")
    assert new.startswith("SEARCH jobs USING INDEX ix_jobs_state_turn_number (state=?)")
    assert "TEMP B-TREE" not in new, "it ends with the last that is wanted"


async def test_few_are_looked_for_among_few(asked: Asked) -> None:
    orders = asked.stores.orders
    await orders.settlements.refused(ASSET, limit=3)
    await orders.settlements.due_refunds(ASSET, now=9, limit=3)
    plans = asked.plans("payment_reservations")
    assert len(plans) == 2
    assert not [plan for plan in plans if ALL_PAYMENTS in plan]


async def test_jobs_are_moved_by_their_ids(asked: Asked) -> None:
    orders = asked.stores.orders
    ids = [order(number).job_id for number in range(3)]
    (item,) = await orders.settlements.send_settlements([(ids, transaction(1))], now=2)
    outcomes: dict[Any, SettlementStep | None] = dict.fromkeys(ids)
    await orders.settlements.included([Inclusion(item, item.newest.tx, BLOCK, outcomes)], now=3)
    assert (await orders.jobs.job(ids[0])).state is JobState.QUEUED
    plans = asked.plans("jobs")
    assert plans
    assert not [plan for plan in plans if "SEARCH jobs USING INDEX ix_jobs_state" in plan]
    assert await orders.outbox.open_outbox(NETWORK, SENDER) == []


async def test_a_payment_is_still_looked_for_by_all_that_is_its_own(asked: Asked) -> None:
    await asked.stores.orders.jobs.find_payment(order().payment)
    plan, *_ = asked.plans("payment_reservations")
    assert f"{ALL_PAYMENTS} (network=? AND token=? AND payer=? AND nonce=?)" in plan


# -- on a server --------------------------------------------------------------------------------

OVER, WAITING = 600, 3


@pytest.mark.postgres
@pytest.mark.parametrize("known", [False, True], ids=["never analyzed", "analyzed when empty"])
async def test_a_server_reads_no_more_than_what_waits(
    postgres: Databases, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plans are for what is there, also where they were asked for when nothing was."""
    # Orders count what waits once a second, which reads it too.
    monkeypatch.setattr(queue_quota, "COUNTED_S", 1e9)
    url = postgres.fresh()
    if known:
        postgres.sql("ANALYZE", url)
    async with open_stores(url) as stores:
        for _ in range(8):  # after a few times a plan is kept, where it may be
            await ask_as_the_settler(stores)
        await asyncio.gather(*(stores.orders.jobs.reserve(order(n)) for n in range(OVER)))
        await asyncio.to_thread(postgres.sql, "UPDATE jobs SET state = 'done'", url)
        for number in range(OVER, OVER + WAITING):
            await stores.orders.jobs.reserve(order(number))
        assert len(await ask_as_the_settler(stores)) == WAITING
        # The first look of this process at the payments that wait is one of the two.
        assert await read_of_payments(postgres, url, stores) == 2 * WAITING


@pytest.mark.postgres
async def test_a_server_ends_with_the_last_that_is_wanted(postgres: Databases) -> None:
    """Also where it believes that all that wait are fewer."""
    url, wanted = postgres.fresh(), 250
    async with open_stores(url) as stores:
        await asyncio.gather(*(stores.orders.jobs.reserve(order(n)) for n in range(OVER)))
        for statement in (
            "UPDATE jobs SET state = 'done' WHERE number > 200",
            "ANALYZE",
            "UPDATE jobs SET state = 'reserved'",
        ):
            await asyncio.to_thread(postgres.sql, statement, url)
        assert len(await stores.orders.settlements.to_settle(ASSET, limit=wanted)) == wanted
        # To look at how far an index reaches counts too.
        assert await read_of_payments(postgres, url, stores) < wanted + 50


async def ask_as_the_settler(stores: Stores) -> Sequence[Payable]:
    orders = stores.orders
    await orders.settlements.refused(ASSET, limit=1280)
    await orders.settlements.due_refunds(ASSET, now=9, limit=64)
    await orders.ledger.backlog()
    return await orders.settlements.to_settle(ASSET, limit=1280)


async def read_of_payments(postgres: Databases, url: str, stores: Stores) -> int:
    """How many rows of payments were read so far, by those who say so when they close."""
    await stores.database._reading.dispose()
    question = (
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) "
        "FROM pg_stat_user_tables WHERE relname = 'payment_reservations'"
    )
    return int(await asyncio.to_thread(postgres.sql, question, url))

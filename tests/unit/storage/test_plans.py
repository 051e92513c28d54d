"""How SQLite looks for what the settler asks: never through all payments that there ever were."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from order_book_suite import ASSET, BLOCK, NETWORK, SENDER, order, transaction
from sqlalchemy import event

from inferproof.storage.base.outbox import Inclusion, SettlementStep
from inferproof.storage.db.engine import sqlite_url
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
            await stores.orders.reserve(order(number))
        yield Asked(stores, path)


async def test_what_waits_is_looked_for_by_its_step_and_in_turn(asked: Asked) -> None:
    await asked.stores.orders.to_settle(ASSET, limit=3)
    again, new = asked.plans("payment_reservations")
    assert again.startswith("SEARCH settlements USING INDEX ix_settlements_step")
    assert new.startswith("SEARCH jobs USING INDEX ix_jobs_state_turn_number (state=?)")
    assert "TEMP B-TREE" not in new, "it ends with the last that is wanted"


async def test_few_are_looked_for_among_few(asked: Asked) -> None:
    orders = asked.stores.orders
    await orders.refused(ASSET, limit=3)
    await orders.due_refunds(ASSET, now=9, limit=3)
    plans = asked.plans("payment_reservations")
    assert len(plans) == 2
    assert not [plan for plan in plans if ALL_PAYMENTS in plan]


async def test_jobs_are_moved_by_their_ids(asked: Asked) -> None:
    orders = asked.stores.orders
    ids = [order(number).job_id for number in range(3)]
    (item,) = await orders.send_settlements([(ids, transaction(1))], now=2)
    outcomes: dict[Any, SettlementStep | None] = dict.fromkeys(ids)
    await orders.included([Inclusion(item, item.newest.tx, BLOCK, outcomes)], now=3)
    assert (await orders.job(ids[0])).state is JobState.QUEUED
    plans = asked.plans("jobs")
    assert plans
    assert not [plan for plan in plans if "SEARCH jobs USING INDEX ix_jobs_state" in plan]
    assert await orders.open_outbox(NETWORK, SENDER) == []


async def test_a_payment_is_still_looked_for_by_all_that_is_its_own(asked: Asked) -> None:
    await asked.stores.orders.find_payment(order().payment)
    plan, *_ = asked.plans("payment_reservations")
    assert f"{ALL_PAYMENTS} (network=? AND token=? AND payer=? AND nonce=?)" in plan

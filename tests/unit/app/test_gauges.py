"""The gauges of /metrics: true, cheap, and there when the database is not."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
from order_book_suite import brought_to, send_settlement, transaction
from paid_calls import caller
from prometheus_client.parser import text_string_to_metric_families
from service_parts import World, running
from waiting import until

from inferproof.api.context import ApiSettings, Services
from inferproof.api.create import create_app
from inferproof.app.gauges import Gauges
from inferproof.app.key_budgets import openings_left
from inferproof.errors import Reason, Unavailable
from inferproof.observability.metrics import Metrics
from inferproof.protocol.lifecycle import FINAL
from inferproof.proving.sumcheck.private_key import KeptKey, write_key
from inferproof.storage.blobs.artifacts import LocalArtifacts
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.ports.ledger import Figures
from inferproof.storage.ports.models import ModelFilter
from inferproof.storage.sql.figures import RESTING_S, FiguresReader
from inferproof.testing.memory_store import open_stores
from inferproof.types.digest import Digest
from inferproof.types.job import JobState


def shown(metrics: Metrics) -> dict[tuple[str, str], float]:
    """Values by name and by the first label."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


async def test_every_state_is_counted_and_its_oldest_job_is_as_old_as_it_is() -> None:
    async with open_stores() as stores:
        # What is queued comes last: a worker takes the oldest.
        numbers = {state: number for number, state in enumerate(JobState)}
        for state in sorted(JobState, key=lambda state: state is JobState.QUEUED):
            await brought_to(stores.orders, state, numbers[state])
        figures = await stores.orders.ledger.figures()
        assert set(figures.jobs) == set(JobState)
        for state, number in numbers.items():
            assert figures.jobs[state] == 1
            assert figures.oldest.get(state) == (None if state in FINAL else 1000 + number)
        # The settlement that is under way, and the refund.
        assert (figures.open_transactions, figures.open_since) == (2, 2)
        metrics = Metrics()
        metrics.watch()
        metrics.orders(figures, 2000)
    found = shown(metrics)
    assert found["inferproof_jobs", "settling"] == 1
    assert found["inferproof_oldest_job_seconds", "reserved"] == 1000
    assert found["inferproof_oldest_transaction_seconds", ""] == 1998
    assert ("inferproof_oldest_job_seconds", "done") not in found


async def test_the_oldest_is_the_first_of_its_state() -> None:
    async with open_stores() as stores:
        empty = await stores.orders.ledger.figures()
        assert (empty.oldest, empty.open_transactions, empty.open_since) == ({}, 0, None)
        for number in (5, 3, 9):
            await brought_to(stores.orders, JobState.RESERVED, number)
        await send_settlement(
            stores.orders,
            (await stores.orders.jobs.in_state(JobState.RESERVED, limit=1))[0].order.job_id,
            transaction(1),
            now=50,
        )
        figures = await stores.orders.ledger.figures()
    assert figures.oldest == {JobState.RESERVED: 1003, JobState.SETTLING: 1005}
    assert figures.open_since == 50


async def test_ended_jobs_are_counted_seldom_and_the_others_each_time() -> None:
    now = [0.0]
    reader = FiguresReader(lambda: now[0])
    async with open_stores() as stores:
        await stores.database.read(reader)
        await brought_to(stores.orders, JobState.DONE, 1)
        await brought_to(stores.orders, JobState.RESERVED, 2)
        figures = await stores.database.read(reader)
        assert (figures.jobs[JobState.DONE], figures.jobs[JobState.RESERVED]) == (0, 1)
        now[0] = RESTING_S
        assert (await stores.database.read(reader)).jobs[JobState.DONE] == 1


async def test_the_age_is_looked_up_in_the_index(tmp_path: Path) -> None:
    from sqlalchemy import text

    async with open_stores(f"sqlite+aiosqlite:///{tmp_path / 'orders.db'}") as stores:
        plan = await stores.database.read(
            lambda c: c.execute(
                text(
                    "EXPLAIN QUERY PLAN SELECT state, count(*), min(created_at) FROM jobs "
                    "WHERE state IN ('queued', 'running') GROUP BY state"
                )
            )
        )
        steps = [row[-1] for row in plan]
    assert len(steps) == 1
    assert steps[0].startswith("SEARCH jobs USING INDEX ix_jobs_state")


class Book:
    """Figures that can fail."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    async def figures(self) -> Figures:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="gone")
        return Figures(dict.fromkeys(JobState, self.asked), {}, 0, None)


async def balances() -> tuple[int, int]:
    return 10**18, 250_000


async def no_openings() -> dict[str, int]:
    return {}


async def test_the_database_is_asked_once_a_second_however_many_scrape() -> None:
    now, book, metrics = [0.0], Book(), Metrics()
    gauges = Gauges(metrics, book.figures, balances, no_openings, lambda: 1000, lambda: now[0])
    await asyncio.gather(*(gauges.refresh() for _ in range(50)))
    assert book.asked == 1
    now[0] = 1.0
    await gauges.refresh()
    assert book.asked == 2


async def test_while_the_database_is_away_the_last_figures_stay_and_tell_their_age() -> None:
    now, clock, book, metrics = [0.0], [1000], Book(), Metrics()
    gauges = Gauges(metrics, book.figures, balances, no_openings, lambda: clock[0], lambda: now[0])
    await gauges.refresh()
    book.down, now[0], clock[0] = True, 5.0, 1005
    await gauges.refresh()
    assert shown(metrics)["inferproof_jobs", "queued"] == 1
    assert shown(metrics)["inferproof_figures_timestamp_seconds", ""] == 1000
    book.down, now[0] = False, 10.0
    await gauges.refresh()
    assert shown(metrics)["inferproof_figures_timestamp_seconds", ""] == 1005


async def test_the_account_is_shown() -> None:
    metrics = Metrics()
    gauges = Gauges(metrics, Book().figures, balances, no_openings, lambda: 1000)
    task = asyncio.create_task(gauges.watch())
    await until(
        lambda: shown(metrics).get(("inferproof_account_timestamp_seconds", "")) == 1000,
        "the account is looked at",
    )
    task.cancel()
    found = shown(metrics)
    assert found["inferproof_account_coin_wei", ""] == 10**18
    assert found["inferproof_account_tokens", ""] == 250_000
    assert found["inferproof_account_timestamp_seconds", ""] == 1000


async def test_the_route_brings_them_up_to_date(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world) as services, caller(services) as buyer:
        await buyer.send(await buyer.header())
        metrics = Metrics()
        gauges = Gauges(
            metrics, services.stores.orders.ledger.figures, balances, no_openings, world.clock
        )
        served = Services(
            gateway=services.gateway,
            metrics=metrics,
            settings=ApiSettings(version="1"),
            refresh=gauges.refresh,
        )
        transport = httpx.ASGITransport(create_app(served))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            text = (await http.get("/metrics")).text
    assert 'inferproof_jobs{state="reserved"} 1.0' in text
    assert "inferproof_build_info{" in text


async def test_retries_and_lost_leases_are_counted() -> None:
    metrics = Metrics()
    metrics.retry("STORAGE_FULL")
    metrics.lease_lost()
    found = shown(metrics)
    assert found["inferproof_retries_total", "STORAGE_FULL"] == 1
    assert found["inferproof_leases_lost_total", ""] == 1


@dataclass(frozen=True)
class Sold:
    """What the figures ask of an active model."""

    name: str
    commitment: Digest


class Models:
    """Three active models: one with a budget, one without, one that is not here."""

    async def list(self, _wanted: ModelFilter) -> list[Sold]:
        return [
            Sold(f"{name}@1.0.0", Digest(bytes([number]) * 32))
            for number, name in enumerate(("private", "uncounted", "gone"))
        ]


async def test_openings_are_those_of_the_keys_of_active_models(tmp_path: Path) -> None:
    models, artifacts = Models(), LocalArtifacts(tmp_path)
    budgets = LocalOpeningBudgets(tmp_path / "records")
    sold = await models.list(ModelFilter())
    for each in sold[:2]:
        (tmp_path / each.commitment.raw.hex()).mkdir()
    key = Digest(bytes([9]) * 32)
    write_key(artifacts.path(sold[0].commitment), KeptKey(key, 9, bytes(32)))
    await budgets.register(key, 9)
    await budgets.take(key)
    left = await openings_left(models, artifacts, budgets)  # type: ignore[arg-type]
    assert left == {"private@1.0.0": 7}


def test_openings_are_shown_of_keys_with_a_budget_alone() -> None:
    metrics = Metrics()
    assert not any(name == "inferproof_openings_left" for name, _ in shown(metrics))
    metrics.openings({"digits@1.0.0": 18})
    metrics.openings({"digits@1.0.0": 17, "iris@1.0.0": 0})
    found = shown(metrics)
    assert found["inferproof_openings_left", "digits@1.0.0"] == 17
    assert found["inferproof_openings_left", "iris@1.0.0"] == 0

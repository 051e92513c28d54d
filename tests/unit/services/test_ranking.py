"""Scores are asked for in rounds, and never by a request."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

import pytest
from service_parts import MODEL, PROVIDER_KEY, Services
from waiting import until

from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.models.ranking import Ranking
from inferproof.storage.ports.models import ModelFilter
from inferproof.storage.sql.scores import SqlScores
from inferproof.types.digest import Address

PROVIDER = PROVIDER_KEY.address


class FakeScores:
    """A reputation whose words are the test's. `faults` are raised by the next questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[Address, ...]] = []
        self.faults: list[BaseException] = []

    async def ask(self, servers: Sequence[Address]) -> Mapping[Address, int]:
        self.asked.append(tuple(servers))
        if self.faults:
            raise self.faults.pop(0)
        return dict.fromkeys(servers, 5_000)


class Kept(SqlScores):
    """The store, with what was recorded."""

    recorded: list[Mapping[Address, int]]

    async def record(self, scores: Mapping[Address, int], *, now: int) -> None:
        await super().record(scores, now=now)
        self.recorded.append(scores)


@pytest.fixture
def kept(services: Services) -> Kept:
    store = Kept(services.stores.database)
    store.recorded = []
    return store


def ranking(services: Services, kept: Kept, scores: FakeScores) -> Ranking:
    return Ranking(scores=scores, store=kept, clock=services.world.clock, poll_s=0.01)


async def test_a_round_asks_for_those_who_sell(services: Services, kept: Kept) -> None:
    scores = FakeScores()
    await ranking(services, kept, scores).rank()
    assert scores.asked == [(PROVIDER,)]
    assert kept.recorded == [{PROVIDER: 5_000}]
    (view,) = await services.gateway.list_models(ModelFilter())
    assert view.id == MODEL
    assert len(scores.asked) == 1, "a list asks nobody"


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable(Reason.CHAIN_UNREACHABLE, url="it", why="it is off"),
        TimeoutError(),
        RuntimeError("a fault of ours"),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_chain_that_fails_leaves_the_scores(
    services: Services, kept: Kept, fault: BaseException
) -> None:
    scores = FakeScores()
    asked = ranking(services, kept, scores)
    await asked.rank()
    scores.faults = [fault]
    await asked.try_rank()
    assert kept.recorded == [{PROVIDER: 5_000}]
    if isinstance(fault, InferproofError):
        scores.faults = [fault]
        with pytest.raises(Unavailable):
            await asked.rank()


async def test_one_process_asks_at_a_time(services: Services, kept: Kept) -> None:
    scores, heartbeat = FakeScores(), Heartbeat()
    lock = services.stores.database.leader_lock("ranking")
    running = asyncio.create_task(ranking(services, kept, scores).run(lock, heartbeat))
    try:
        await until(lambda: len(scores.asked) >= 3, "three rounds")
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


class NotHeld:
    """Another process has the lock."""

    async def held(self) -> bool:
        return False

    async def release(self) -> None:
        pass


async def test_who_has_not_the_lock_asks_nothing(services: Services, kept: Kept) -> None:
    scores = FakeScores()
    await ranking(services, kept, scores).try_rank(NotHeld())
    assert (scores.asked, kept.recorded) == ([], [])

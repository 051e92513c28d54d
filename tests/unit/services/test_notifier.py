"""The notifier: each end is told at least once, and nobody's silence holds up others."""

import asyncio
from collections.abc import Mapping

import pytest
from order_book_suite import URL, brought_to, order
from service_parts import Clock, Services, pay
from waiting import until

from inferproof.client.webhook import verify_webhook
from inferproof.errors import Conflict, Reason, Unavailable
from inferproof.services.notifier.service import Notifier, NotifierSettings
from inferproof.storage.ports.deliveries import DeliveryState
from inferproof.storage.sql.engine import MEMORY
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.metrics import MemoryMetrics
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import GATEWAY
from inferproof.types.job import JobState


class Receiver:
    """Answers with what it is told to; an exception stands for no answer."""

    def __init__(self) -> None:
        self.answers: list[int | BaseException] = []
        self.calls: list[tuple[str, Mapping[str, str], bytes]] = []

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.calls.append((url, headers, body))
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Parts:
    def __init__(self, stores: Stores, **settings: int) -> None:
        self.stores, self.receiver, self.clock = stores, Receiver(), Clock()
        self.metrics = MemoryMetrics()
        self.notifier = Notifier(
            deliveries=stores.deliveries,
            sender=self.receiver,
            key=GATEWAY,
            settings=NotifierSettings(**settings),  # type: ignore[arg-type]
            clock=self.clock,
            chance=lambda: 0.0,
            metrics=self.metrics,
            leader=stores.database.leader_lock("notifier"),
        )

    async def done(self, number: int = 0, url: str = URL) -> None:
        await self.stores.orders.jobs.reserve(order(number, webhook=url))
        await brought_to(self.stores.orders, JobState.DONE, number)

    async def in_state(self, state: DeliveryState) -> int:
        return len(await self.stores.deliveries.in_state(state, limit=999))


async def test_what_is_told_is_signed_and_told_once(tmp_path: object) -> None:
    async with open_stores(MEMORY) as stores:
        parts = Parts(stores)
        await parts.done()
        assert await parts.notifier.notify_once() == 1
        assert await parts.notifier.notify_once() == 0
        ((url, headers, body),) = parts.receiver.calls
        assert url == URL
        notice = verify_webhook(headers, body, gateway=GATEWAY.address, now=parts.clock.now)
        assert (notice.job_id, notice.seq, notice.state) == (order().job_id, 5, JobState.DONE)
        assert await parts.in_state(DeliveryState.DELIVERED) == 1
        assert parts.metrics.webhooks == {"delivered": 1}


async def test_it_is_tried_again_ever_later_and_dead_in_the_end() -> None:
    async with open_stores(MEMORY) as stores:
        parts = Parts(stores, attempts=4)
        await parts.done()
        lost = Unavailable(Reason.WEBHOOK_UNREACHABLE, why="x")
        parts.receiver.answers = [500, lost, 302, 404]
        waits = []
        for _ in range(4):
            assert await parts.notifier.notify_once() == 1
            start = parts.clock.now
            while not await stores.deliveries.due(now=parts.clock.now, limit=1):
                parts.clock.now += 1
                if parts.clock.now > start + 100:
                    break
            waits.append(parts.clock.now - start)
        assert waits == [10, 20, 40, 101]
        assert await parts.in_state(DeliveryState.DEAD) == 1
        assert len({h["Inferproof-Delivery"] for _, h, _ in parts.receiver.calls}) == 1
        assert len({h["Inferproof-Timestamp"] for _, h, _ in parts.receiver.calls}) == 4
        assert parts.metrics.webhooks == {"failed": 3, "dead": 1}


async def test_a_receiver_that_is_gone_is_not_called_again() -> None:
    async with open_stores(MEMORY) as stores:
        parts = Parts(stores)
        await parts.done()
        parts.receiver.answers = [410]
        await parts.notifier.notify_once()
        assert await parts.in_state(DeliveryState.DEAD) == 1


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_around_the_call_it_is_told_again_under_the_same_id(moment: str) -> None:
    async with open_stores(MEMORY) as stores:
        parts = Parts(stores)
        await parts.done()
        if moment == "before":
            parts.receiver.answers = [Killed()]
        else:

            async def delivered(number: int, *, now: int) -> None:
                raise Killed

            parts.notifier._deliveries = stores.deliveries
            parts.notifier._deliveries.delivered = delivered  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await parts.notifier.notify_once()
        again = Parts(stores)
        again.clock.now = parts.clock.now
        assert await again.notifier.notify_once() == 1
        ids = {
            headers["Inferproof-Delivery"]
            for _, headers, _ in parts.receiver.calls + again.receiver.calls
        }
        assert len(ids) == 1
        assert await again.in_state(DeliveryState.DELIVERED) == 1


async def test_a_host_that_is_slow_leaves_room_for_others() -> None:
    async with open_stores(MEMORY) as stores:
        parts = Parts(stores, of_a_host=2, at_a_time=4)
        for number in range(6):
            await parts.done(number, "https://slow.example/x")
        await parts.done(9, "https://other.example/")
        await parts.notifier.notify_once()
        hosts = [url for url, _, _ in parts.receiver.calls]
        assert sorted(hosts) == ["https://other.example/"] + ["https://slow.example/x"] * 2


async def test_it_runs_in_its_turn_and_ends_when_it_is_told_to() -> None:
    async with open_stores(MEMORY) as stores:
        parts, second = Parts(stores), Parts(stores)
        await parts.done()
        running = [asyncio.create_task(one.notifier.run()) for one in (parts, second)]

        async def told() -> bool:
            return await parts.in_state(DeliveryState.DELIVERED) > 0

        await until(told, "the end is told")
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert len(parts.receiver.calls) + len(second.receiver.calls) == 1


async def test_a_paid_call_names_its_webhook_and_no_repeat_changes_it(services: Services) -> None:
    payment = pay(services.world)
    with rejects(
        Reason.WEBHOOK_URL, "the webhook's address cannot be used: it must begin with https://"
    ):
        await services.accept(payment=payment, webhook="http://127.0.0.1/")
    job = await services.accept(payment=payment, webhook=URL)
    assert (await services.accept(payment=payment)).id == job.id
    with pytest.raises(Conflict):
        await services.accept(payment=payment, webhook="https://thief.example/")
    await services.settler.settle_once()
    await services.worker.work_once()
    (told,) = await services.stores.deliveries.due(now=services.world.clock.now, limit=9)
    assert (told.url, told.job_state) == (URL, JobState.DONE)

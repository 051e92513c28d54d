"""Following a job: what happened, and what happens next."""

import asyncio

import pytest
from service_parts import Services

from inferproof.errors import NotFound
from inferproof.types.digest import Digest


async def test_the_history_of_a_paid_job(services: Services) -> None:
    job = await services.accept()
    await services.settler.settle_once()
    await services.worker.work_once()
    events = await services.gateway.events(job.id)
    assert [event.transition for event in events] == [
        "reserve",
        "send_settlement",
        "settled",
        "claim",
        "finish",
    ]
    assert [event.seq for event in await services.gateway.events(job.id, after=3)] == [4, 5]
    assert await services.gateway.events(job.id, after=5) == []
    with pytest.raises(NotFound):
        await services.gateway.events(Digest(bytes(32)), after=3, wait_s=1)


async def test_who_waits_is_woken_by_the_next_step(services: Services) -> None:
    job = await services.accept()
    await services.settler.settle_once()
    seen = len(await services.gateway.events(job.id))
    waiting = asyncio.create_task(services.gateway.events(job.id, after=seen, wait_s=20))
    await asyncio.sleep(0.05)
    await services.worker.work_once()
    async with asyncio.timeout(60):
        assert (await waiting)[0].transition == "claim"

"""Event streams: resumed without loss or repetition, bounded in number and time."""

import asyncio
from typing import Any

import httpx
import pytest
from api_fakes import FakeGateway, error_of
from test_jobs import running
from waiting import until

from inferproof.api.context import Services
from inferproof.api.streams import EventStream, Streams
from inferproof.errors import Reason, Unavailable
from inferproof.storage.ports.jobs import JobEvent
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

STEPS = [
    JobEvent(1, "reserve", JobState.RESERVED, 10),
    JobEvent(2, "send_settlement", JobState.SETTLING, 11),
    JobEvent(3, "settled", JobState.QUEUED, 12),
    JobEvent(4, "claim", JobState.RUNNING, 13),
    JobEvent(5, "finish", JobState.DONE, 14),
]
JOB = Digest(b"\x01" * 32)


async def test_the_whole_history(http: httpx.AsyncClient, gateway: FakeGateway) -> None:
    job = await running(http, gateway)
    gateway.history = STEPS
    response = await http.get(f"/v1/jobs/{job}/events")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    blocks = response.text.removesuffix("\n\n").split("\n\n")
    assert blocks[0] == "retry: 2000"
    assert blocks[3] == (
        'id: 3\nevent: settled\ndata: {"seq":3,"transition":"settled","state":"queued","at":12}'
    )
    assert [block.split("\n")[0] for block in blocks[1:]] == [f"id: {n}" for n in range(1, 6)]


async def test_it_goes_on_after_the_last_event(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    job = await running(http, gateway)
    gateway.history = STEPS
    response = await http.get(f"/v1/jobs/{job}/events", headers={"last-event-id": "3"})
    assert [line for line in response.text.split("\n") if line.startswith("id")] == [
        "id: 4",
        "id: 5",
    ]
    seen = await http.get(f"/v1/jobs/{job}/events", headers={"last-event-id": "5"})
    assert (seen.status_code, seen.content) == (204, b"")
    for wrong in ("-1", "x", "1" * 10):
        refused = await http.get(f"/v1/jobs/{job}/events", headers={"last-event-id": wrong})
        assert error_of(refused)["code"] == "REQUEST_INVALID"


async def test_an_unknown_job_has_none(http: httpx.AsyncClient) -> None:
    response = await http.get(f"/v1/jobs/{JOB.hex}/events")
    assert response.status_code == 404


async def test_events_come_as_they_are_made_with_heartbeats_between(
    http: httpx.AsyncClient, gateway: FakeGateway, services: Services
) -> None:
    job = await running(http, gateway)
    services.streams.heartbeat_s = 0.01
    gateway.history = STEPS[:2]

    async def later() -> None:
        # Each heartbeat is behind a look that found nothing new.
        await until(lambda: gateway.looks > 3, "the stream has looked some times")
        gateway.history = STEPS

    moving = asyncio.create_task(later())
    text = (await http.get(f"/v1/jobs/{job}/events")).text
    await moving
    assert text.index("id: 2") < text.index(": waiting") < text.index("id: 3")
    assert text.count("id: ") == 5
    assert len(services.streams) == 0


async def test_their_number_is_bounded(
    http: httpx.AsyncClient, gateway: FakeGateway, services: Services
) -> None:
    job = await running(http, gateway)
    open_ones = [
        asyncio.create_task(http.get(f"/v1/jobs/{job}/events"))
        for _ in range(services.streams.most_of_a_job)
    ]
    await until(lambda: len(services.streams) == len(open_ones), "all are open")
    refused = await http.get(f"/v1/jobs/{job}/events")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert error_of(refused)["code"] == "STREAMS_FULL"
    services.streams.close()
    assert {(await one).status_code for one in open_ones} == {200}
    assert len(services.streams) == 0


def test_full_is_full_for_all_jobs_together() -> None:
    streams = Streams(most=2)
    streams.take(JOB)
    streams.take(Digest(b"\x02" * 32))
    with rejects(
        Reason.STREAMS_FULL, "too many event streams are open; ask for the job itself, or come back"
    ):
        streams.take(Digest(b"\x03" * 32))
    streams.give_back(JOB)
    streams.take(JOB)


async def test_a_caller_that_does_not_read_loses_its_place(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inferproof.api.streams.SLACK_S", 0.1)
    streams, gateway.history = Streams(longest_s=0.1), STEPS[:1]
    gateway.jobs[JOB] = None  # type: ignore[assignment]
    monkeypatch.setattr(gateway, "job", _nothing)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 2:
            await asyncio.Event().wait()  # its window is closed for ever

    async def receive() -> Any:
        await asyncio.Event().wait()

    response = EventStream(streams, gateway, JOB, 0)  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    assert len(sent) == 2
    assert len(streams) == 0


async def test_streams_end_when_the_server_goes_down(gateway: FakeGateway) -> None:
    streams = Streams()
    streams.close()
    with pytest.raises(Unavailable):
        streams.take(JOB)


async def _nothing(_number: Digest) -> None:
    return None

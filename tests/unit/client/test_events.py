"""Following a job from the client: each event once, by stream or by polling."""

import json

import httpx
import pytest

from inferproof.client import AsyncClient, Client
from inferproof.client.events import MAX_BLOCK, Watch
from inferproof.errors import NotFound, Reason, Unavailable
from inferproof.testing.samples import PAYER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

JOB = Digest(b"\x01" * 32)
STEPS = [("reserve", "reserved"), ("settled", "queued"), ("claim", "running"), ("finish", "done")]


def block(seq: int) -> bytes:
    transition, state = STEPS[seq - 1]
    data = json.dumps({"seq": seq, "transition": transition, "state": state, "at": seq})
    return f"id: {seq}\nevent: {transition}\ndata: {data}\n\n".encode()


def stream(*seqs: int) -> httpx.Response:
    text = b"retry: 2000\n\n: waiting\n\n" + b"".join(map(block, seqs))
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=text)


def client(*answers: httpx.Response | Exception) -> tuple[Client, list[httpx.Request]]:
    left, asked = list(answers), list[httpx.Request]()

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    made = Client("http://gateway/x", key=PAYER, transport=httpx.MockTransport(handle), attempts=3)
    return made, asked


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "pause_s", 0)


def test_a_stream_that_breaks_is_taken_up_where_it_broke() -> None:
    made, asked = client(stream(1, 2), httpx.ReadError("gone"), stream(2, 3), stream(4))
    events = list(made.events(JOB))
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert events[-1].state is JobState.DONE
    assert [r.headers.get("last-event-id") for r in asked] == [None, "2", "2", "3"]
    assert asked[0].url.path == f"/x/v1/jobs/{JOB.hex}/events"


async def test_the_same_awaited() -> None:
    answers = [stream(1, 2), stream(3, 4)]
    async with AsyncClient(
        "http://gateway", key=PAYER, transport=httpx.MockTransport(lambda _: answers.pop(0))
    ) as made:
        assert [event.seq async for event in made.events(JOB)] == [1, 2, 3, 4]
        answers.append(stream(1, 2, 3, 4))
        assert await made.wait(JOB) is JobState.DONE


def test_what_is_over_and_seen_gives_nothing() -> None:
    made, _ = client(httpx.Response(204))
    assert list(made.events(JOB, after=4)) == []


def job(state: str) -> httpx.Response:
    return httpx.Response(200, json={"state": state, "updated_at": 7})


def envelope(status: int, code: str, **facts: str) -> httpx.Response:
    message = Reason[code].value.format(**facts)
    return httpx.Response(
        status, json={"error": {"code": code, "message": message, "facts": facts}}
    )


@pytest.mark.parametrize(
    "refusal",
    [envelope(404, "ROUTE_UNKNOWN"), envelope(503, "STREAMS_FULL"), httpx.Response(502, text="x")],
)
def test_where_nothing_is_streamed_it_polls(refusal: httpx.Response) -> None:
    made, asked = client(refusal, job("queued"), job("queued"), httpx.ReadError("x"), job("done"))
    assert [(e.state, e.seq) for e in made.events(JOB)] == [
        (JobState.QUEUED, None),
        (JobState.DONE, None),
    ]
    assert asked[-1].url.path == f"/x/v1/jobs/{JOB.hex}"


def test_a_job_that_is_unknown_or_a_gateway_that_is_lost() -> None:
    made, _ = client(envelope(404, "JOB_UNKNOWN", job=JOB.hex))
    with pytest.raises(NotFound):
        list(made.events(JOB))
    made, _ = client(*[httpx.ConnectError("no")] * 3)
    with pytest.raises(Unavailable) as caught:
        list(made.events(JOB))
    assert caught.value.reason is Reason.ANSWER_PENDING


@pytest.mark.parametrize(
    "text",
    [b"data: nonsense\n\n", b"data: {}\n\n", b"x" * (MAX_BLOCK + 1), b'data: {"state":"no"}\n\n'],
)
def test_a_stream_of_nonsense(text: bytes) -> None:
    kind = {"content-type": "text/event-stream"}
    made, _ = client(httpx.Response(200, headers=kind, content=text))
    with pytest.raises(Unavailable) as caught:
        list(made.events(JOB))
    assert caught.value.reason is Reason.GATEWAY_ANSWER


def test_pieces_of_any_size_give_the_same_events() -> None:
    whole = b"retry: 1\r\n\r\n" + b"".join(block(n) for n in range(1, 5))
    for size in (1, 3, 50):
        watch = Watch(JOB, "", after=0, attempts=1)
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        found = [event.seq for piece in pieces for event in watch.feed(piece)]
        assert found == [1, 2, 3, 4]

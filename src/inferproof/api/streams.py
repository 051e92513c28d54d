"""Server-sent events: the history of a job as it is made, in bounded number and time.

    id: 3                      the number of the event; `Last-Event-ID` goes on after it
    event: settled             the transition
    data: {"seq":3,…}          the event as JSON
    : waiting                  a comment now and then, so that proxies keep the connection

A stream reads what is stored, from the number on that the caller has, so that nothing is lost and
nothing comes twice, whoever moves the job and however often the connection breaks. It holds no
queue: a caller that reads slowly holds one event and its place, until its time is over.

Source: HTML Living Standard, server-sent events.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from inferproof.errors import Reason, Unavailable
from inferproof.protocol.lifecycle import FINAL
from inferproof.services.orders.base import Gateway
from inferproof.storage.ports.jobs import JobEvent
from inferproof.types.digest import Digest

EVENT_STREAM = "text/event-stream"
HEADERS = {"X-Accel-Buffering": "no"}
"""Tells nginx to pass events on as they come."""
HEARTBEAT_S = 15.0
"""Proxies close what is silent for half a minute or longer."""
LOOK_S = 1.0
"""How soon a stream notices that the server is closing."""
RETRY_MS = 2000
SLACK_S = 5.0
"""What a caller that does not read at all has beyond the time of a stream."""


@dataclass
class Streams:
    """The open streams of one process. Units: `longest_s` seconds, after which a stream ends and
    its caller comes back with the last number it has."""

    most: int = 256
    most_of_a_job: int = 4
    longest_s: float = 900.0
    heartbeat_s: float = HEARTBEAT_S
    closing: bool = field(default=False, init=False)
    _open: Counter[Digest] = field(default_factory=Counter, init=False)

    def __len__(self) -> int:
        return self._open.total()

    def close(self) -> None:
        """Ends every stream within a second: the server is going down."""
        self.closing = True

    def take(self, job_id: Digest) -> None:
        """Takes a place. Raises: Unavailable STREAMS_FULL."""
        if self.closing or len(self) >= self.most or self._open[job_id] >= self.most_of_a_job:
            raise Unavailable(Reason.STREAMS_FULL)
        self._open[job_id] += 1

    def give_back(self, job_id: Digest) -> None:
        self._open[job_id] -= 1
        if not self._open[job_id]:
            del self._open[job_id]


class EventStream(StreamingResponse):
    """The stream of one job, from the event after `seen` on. It takes its place when it is made."""

    def __init__(self, streams: Streams, gateway: Gateway, job_id: Digest, seen: int) -> None:
        streams.take(job_id)
        self._streams = streams
        self._job_id = job_id
        lines = _lines(streams, gateway, job_id, seen)
        super().__init__(lines, media_type=EVENT_STREAM, headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            # A caller that stops reading blocks the sending, where the stream's own end is not
            # reached.
            async with asyncio.timeout(self._streams.longest_s + SLACK_S):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            pass  # the connection is closed unfinished, which is what such a caller is told
        finally:
            self._streams.give_back(self._job_id)


async def _lines(
    streams: Streams, gateway: Gateway, job_id: Digest, seen: int
) -> AsyncIterator[bytes]:
    clock: Callable[[], float] = asyncio.get_running_loop().time
    end, quiet_since = clock() + streams.longest_s, clock()
    yield b"retry: %d\n\n" % RETRY_MS
    while not streams.closing and clock() < end:
        for event in await gateway.events(job_id, after=seen, wait_s=LOOK_S):
            seen, quiet_since = event.seq, clock()
            yield encode_event(event)
            if event.state in FINAL:
                return
        if clock() - quiet_since >= streams.heartbeat_s:
            quiet_since = clock()
            yield b": waiting\n\n"


def encode_event(event: JobEvent) -> bytes:
    """One event as it goes over the wire."""
    data = json.dumps(event_json(event), separators=(",", ":"))
    return f"id: {event.seq}\nevent: {event.transition}\ndata: {data}\n\n".encode()


def event_json(event: JobEvent) -> dict[str, int | str]:
    """An event as JSON."""
    return {
        "seq": event.seq,
        "transition": event.transition,
        "state": event.state.value,
        "at": event.at,
    }

"""Following a job: server-sent events where the gateway streams them, polling where it does not.

`Watch` does no I/O: it says what to ask next, takes what comes, and gives the events in it, each
once, however often the connection breaks. The clients drive it.
"""

from dataclasses import dataclass

from inferproof.client.steps import Call, Reply, json_body, refusal
from inferproof.errors import InferproofError, NotFound, Reason, Unavailable
from inferproof.protocol.json_text import read_json
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

FINAL = frozenset({JobState.DONE, JobState.REFUNDED, JobState.VOID})
MAX_BLOCK = 64 * 1024
"""Longer than any event; a gateway that sends no end of one must not fill the memory."""
POLL_S = 20
AGAIN = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a job. `seq` and `transition` are absent where the gateway was polled, which
    shows states and may miss some. Units: `at` in Unix seconds."""

    state: JobState
    at: int
    seq: int | None = None
    transition: str | None = None


class Watch:
    """What is known of one job, and what to ask next."""

    def __init__(self, job: Digest, prefix: str, *, after: int, attempts: int) -> None:
        self._job = job
        self._path = f"{prefix}/v1/jobs/{job.hex}"
        self._seen = after
        self._attempts = attempts
        self._failures = 0
        self._state: JobState | None = None
        self._rest = b""
        self.polls = False
        self.over = False

    def stream(self) -> Call:
        """The request that opens the stream after the last event that came."""
        self._rest = b""
        headers = {"accept": "text/event-stream"}
        if self._seen:
            headers["last-event-id"] = str(self._seen)
        return Call("GET", f"{self._path}/events", b"", headers)

    def opened(self, status: int, kind: str) -> bool:
        """Whether the answer is a stream to be read."""
        if status == 204:
            self.over = True
        return status == 200 and kind.partition(";")[0].strip() == "text/event-stream"

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this piece of the stream. Raises: Unavailable GATEWAY_ANSWER."""
        blocks = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        self._rest = blocks.pop()
        if len(self._rest) > MAX_BLOCK:
            raise self._unreadable("an event without an end")
        return [event for event in map(self._event, blocks) if event is not None]

    def poll(self) -> Call:
        """The request for the job itself."""
        return Call("GET", f"{self._path}?wait={POLL_S}")

    def polled(self, reply: Reply) -> list[Event]:
        """The state, where it is another one than before. Raises: what the gateway refuses."""
        call = self.poll()
        if reply.status >= 400:
            self.refused(reply)
            return []
        job = json_body(reply, call)
        try:
            state, at = JobState(job["state"]), int(job["updated_at"])
        except (KeyError, TypeError, ValueError):
            raise self._unreadable("it names no state") from None
        self._failures = 0
        known, self._state, self.over = self._state, state, state in FINAL
        return [] if state is known else [Event(state, at)]

    def refused(self, reply: Reply) -> None:
        """Takes a refusal: temporary, a gateway without streams, or the gateway's last word."""
        try:
            error: InferproofError | None = refusal(reply, self.poll()).error()
        except Unavailable:
            error = None
        if isinstance(error, NotFound) and error.reason is Reason.JOB_UNKNOWN:
            raise error
        if reply.status in AGAIN:
            self.lost(f"status {reply.status}")
        elif self.polls and error is not None:
            raise error
        self.polls = True

    def lost(self, why: str) -> None:
        """Notes that no answer came. Raises: Unavailable ANSWER_PENDING after too many."""
        self._failures += 1
        if self._failures >= self._attempts:
            raise Unavailable(Reason.ANSWER_PENDING, job=self._job, why=why)

    @property
    def pause_s(self) -> float:
        """How long to wait before the next request."""
        return min(0.25 * (1 << min(self._failures, 10)), 10.0)

    def _event(self, block: bytes) -> Event | None:
        lines = block.decode("utf-8", "replace").split("\n")
        data = "".join(line[5:].lstrip(" ") for line in lines if line.startswith("data:"))
        if not data:
            return None
        try:
            told = read_json(data.encode())
            event = Event(
                JobState(told["state"]),
                int(told["at"]),
                int(told["seq"]),
                str(told["transition"])[:32],
            )
        except (KeyError, TypeError, ValueError):
            raise self._unreadable("an event is no step of a job") from None
        if event.seq is None or event.seq <= self._seen:
            return None
        self._seen, self._failures, self._state = event.seq, 0, event.state
        self.over = event.state in FINAL
        return event

    def _unreadable(self, problem: str) -> Unavailable:
        return Unavailable(
            Reason.GATEWAY_ANSWER, method="GET", path=f"{self._path}/events", problem=problem
        )

"""The load of bench.orders: sends requests that are ready, and notes when each was answered.

Reads one JSON object on standard input, writes one into the file `report`:

    in    {"url", "connections", "rate", "requests", "answers", "keep", "report"}
    out   {"wall_s", "per_s", "cpu_s", "statuses": {status: n}, "errors": {code: n}, "latencies"}

`requests` is a file of requests, each after its length in four bytes. With a `rate` they are
sent at their time, in turn, on whichever connection is free; a latency counts from that time,
so that a request which waits for a connection is late. A rate of zero sends each when one is
free. With `keep`, this header of each answer goes into the file `answers`, one a line, in the
order of the requests. Units: seconds.
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

LIMIT_S = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_CODE = re.compile(rb'"code":"([A-Z0-9_]+)"')


class Connection(asyncio.Protocol):
    """One connection that is kept, with at most one request under way."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.transport: Any = None
        self.number = -1
        self.buffer = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, number: int, request: bytes, due: float) -> None:
        self.number, self.due = number, due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer = buffer = self.buffer + data if self.buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(buffer, 0, end + 2)
        if length is None or len(buffer) < end + 4 + int(length[1]):
            return
        self.buffer = b""
        self.run.answered(self, buffer, end)

    def connection_lost(self, _error: Exception | None) -> None:
        self.run.lost(self)


class Run:
    """One run over the requests."""

    def __init__(self, requests: list[bytes], rate: float, keep: str | None) -> None:
        self.requests = requests
        self.rate = rate
        self.keep = re.compile(rb"\r\n%s: ([^\r]*)" % keep.encode(), re.I) if keep else None
        self.kept: list[bytes] = [b""] * len(requests)
        self.free: deque[Connection] = deque()
        self.next = 0
        self.left = len(requests)
        self.statuses: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.latencies = [0.0] * len(requests)
        self.begun = 0.0
        self.ended = 0.0
        self.done = asyncio.Event()

    def send_due(self) -> None:
        """Sends what is due, as far as connections are free."""
        now = time.perf_counter()
        while self.next < len(self.requests) and self.free:
            due = self.begun + self.next / self.rate if self.rate else now
            if due > now:
                return
            self.free.popleft().send(self.next, self.requests[self.next], due)
            self.next += 1

    def answered(self, connection: Connection, buffer: bytes, end: int) -> None:
        now = time.perf_counter()
        status = buffer[9:12].decode()
        self.statuses[status] += 1
        self.latencies[connection.number] = now - connection.due
        if self.keep is not None:
            found = self.keep.search(buffer, 0, end)
            self.kept[connection.number] = found[1] if found else b""
        elif status >= "400":
            code = _CODE.search(buffer, end)
            self.errors[code[1].decode() if code else status] += 1
        connection.number = -1
        self.free.append(connection)
        self._count()
        if not self.rate:
            self.send_due()

    def lost(self, connection: Connection) -> None:
        if connection.number >= 0:
            self.errors["connection lost"] += 1
            self.latencies[connection.number] = LIMIT_S
            self._count()

    def _count(self) -> None:
        self.left -= 1
        if not self.left:
            self.ended = time.perf_counter()
            self.done.set()


async def run(order: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """What standard output is given for what standard input asked, and the headers to keep."""
    requests = _read(Path(order["requests"]))
    this = Run(requests, order["rate"], order.get("keep"))
    place, loop = urlsplit(order["url"]), asyncio.get_running_loop()
    for _ in range(order["connections"]):
        _, connection = await loop.create_connection(
            lambda: Connection(this), place.hostname, place.port
        )
        this.free.append(connection)
    cpu = time.process_time()
    this.begun = time.perf_counter()
    this.send_due()
    if this.rate:
        while this.next < len(requests):
            await asyncio.sleep(0.001)
            this.send_due()
    limit = LIMIT_S if this.rate else None
    try:
        await asyncio.wait_for(this.done.wait(), limit)
    except TimeoutError:
        this.errors["no answer"] = this.left
        this.ended = time.perf_counter()
    cpu = time.process_time() - cpu
    wall = this.ended - this.begun
    told = {
        "wall_s": wall,
        "per_s": sum(this.statuses.values()) / wall,
        "cpu_s": cpu,
        "statuses": this.statuses,
        "errors": this.errors,
        "latencies": [] if this.keep is not None else this.latencies,
    }
    return told, this.kept


def _read(path: Path) -> list[bytes]:
    data, requests, at = path.read_bytes(), [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        requests.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return requests


def main() -> None:
    order = json.load(sys.stdin)
    told, kept = uvloop.run(run(order))
    if order.get("keep"):
        Path(order["answers"]).write_bytes(b"\n".join(kept) + b"\n")
    Path(order["report"]).write_text(json.dumps(told))


if __name__ == "__main__":
    main()

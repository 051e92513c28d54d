"""Connections that are bounded in number, in time and in size.

uvicorn gives a request no time limit once its first byte came, its parser no limit on a head, and
an answer no limit on how long it may lie unread. One look at all connections, once a second, costs
a request nothing and finds:

| what | is met with |
|---|---|
| a head that is not complete in time, or no request at all | 408, or silence where nothing came |
| a head that is too large or has too many fields | 431, as soon as it is seen |
| the rest of a body that was not waited for | the end of the connection |
| an answer that is read too slowly | the end of the connection |
| one connection too many, in all or of one address | 503 |

Bodies that a route waits for have their limit in api.edge.
"""

import ipaddress
from asyncio import AbstractEventLoop, Transport
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inferproof.api.errors import error_response
from inferproof.errors import InferproofError, Reason, RequestRejected, Unavailable

MAX_HEAD_BYTES = 64 * 1024
"""A payment may take 16 KiB of it; what h11 allows too."""
MAX_FIELDS = 128
SLOWEST_READ = 16 * 1024
"""Bytes a second that an answer must be read at once its first time is over."""
LINGER_S = 2.0
"""How long a caller whose connection ends may go on sending: closing at once could destroy the
answer on its way."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Units: seconds. `trusted` are proxies, whose connections are not counted by address."""

    most: int = 2048
    per_address: int = 256
    head_s: float = 10.0
    write_s: float = 20.0
    trusted: tuple[Network, ...] = ()


def _ignore(_: str) -> None:
    return None


class Watch:
    """All connections of one server. `sweep` is to be called about once a second."""

    def __init__(
        self, limits: ConnectionLimits, on_refused: Callable[[str], None] = _ignore
    ) -> None:
        self.limits = limits
        self.refused = on_refused
        self._of: Counter[str] = Counter()

    def take(self, host: str, others: int) -> InferproofError | None:
        """Counts a connection; why it is one too many, if it is."""
        self._of[host] += 1
        if others >= self.limits.most:
            return Unavailable(Reason.CONNECTIONS_FULL, whose="")
        if self._of[host] > self.limits.per_address and not self._is_trusted(host):
            return Unavailable(Reason.CONNECTIONS_FULL, whose=" from this address")
        return None

    def give_back(self, host: str) -> None:
        """One of its connections ended."""
        self._of[host] -= 1
        if self._of[host] <= 0:
            del self._of[host]

    def sweep(self, connections: Iterable[Any], now: float) -> None:
        """Ends what takes too long. Units: seconds of the event loop's clock."""
        for connection in list(connections):
            if isinstance(connection, Connection):
                connection.look(now)

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return True  # a Unix socket: whoever may open it is the operator's
        return any(address in network for network in self.limits.trusted)


class Connection(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *, watch: Watch, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self.loop: AbstractEventLoop
        self._watch = watch
        self._host = ""
        self._head_since: float | None = None
        self._head_bytes = 0
        self._read_bytes = 0
        self._fields = 0
        self._in_request = False
        self._too_large = False
        self._answered_at: float | None = None
        self._ended_at: float | None = None
        self._unread_since: float | None = None
        self._unread_most = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        others = len(self.connections)
        super().connection_made(transport)
        self._head_since = self.loop.time()
        self._host = self.client[0] if self.client else ""
        error = self._watch.take(self._host, others)
        if error is not None:
            self._refuse(error, "connections")
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._watch.give_back(self._host)

    def data_received(self, data: bytes) -> None:
        if self._ended_at is not None or self.transport.is_closing():
            return
        if self._head_since is None and not self._in_request:
            self._head_since = self.loop.time()
        if self._head_since is not None:
            # Of a field that is still coming the parser tells nothing, so reads are counted too,
            # apart: the same bytes counted twice would halve the limit for a head in many parts.
            self._read_bytes += len(data)
        super().data_received(data)
        if self._head_since is not None and self._read_bytes > MAX_HEAD_BYTES:
            self._too_large = True
        if self._too_large and not self.transport.is_closing():
            self._refuse(
                RequestRejected(Reason.HEAD_TOO_LARGE, limit=MAX_HEAD_BYTES, fields=MAX_FIELDS),
                "large heads",
            )

    # what the parser tells

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_request = True
        self._answered_at = None
        self._fields = self._head_bytes = 0
        if self._head_since is None:
            self._head_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._too_large = True
        if not self._too_large:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._head_bytes += len(name) + len(value)
        if self._fields > MAX_FIELDS or self._head_bytes > MAX_HEAD_BYTES:
            self._too_large = True
        if not self._too_large:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_since = None
        if not self._too_large:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._too_large:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_request = False
        self._read_bytes = 0  # what is left of this read belongs to the next head, uncounted
        if not self._too_large:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self._answered_at = self.loop.time()
        super().on_response_complete()

    # what a look at it finds

    def look(self, now: float) -> None:
        """Ends the connection where it takes too long."""
        limits = self._watch.limits
        if self._is_read_slowly(now):
            self._watch.refused("slow readers")
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self._ended_at is not None:
            if now - self._ended_at > LINGER_S:
                self.transport.close()
        elif self.cycle is not None and not self.cycle.response_complete:
            # An answer is being made; what the caller sends meanwhile is not waited for yet.
            if self._head_since is not None:
                self._head_since = now
        elif self._head_since is not None and now - self._head_since > limits.head_s:
            if self._in_request:
                error = RequestRejected(Reason.HEAD_TOO_SLOW, seconds=f"{limits.head_s:g}")
                self._refuse(error, "slow heads")
            else:
                self._watch.refused("slow heads")
                self.transport.close()
        elif self._in_request and self._head_since is None and self._rest_is_late(now):
            self._watch.refused("slow bodies")
            self.transport.close()

    def _rest_is_late(self, now: float) -> bool:
        return self._answered_at is not None and now - self._answered_at > LINGER_S

    def _is_read_slowly(self, now: float) -> bool:
        waiting = self.transport.get_write_buffer_size()
        if waiting == 0:
            self._unread_since, self._unread_most = None, 0
            return False
        self._unread_most = max(self._unread_most, waiting)
        if self._unread_since is None:
            self._unread_since = now
        allowed = self._watch.limits.write_s + self._unread_most / SLOWEST_READ
        return now - self._unread_since > allowed

    def _refuse(self, error: InferproofError, what: str) -> None:
        """Answers, and takes nothing more. What the caller still sends is read and forgotten for
        a while: closing at once would destroy the answer on its way."""
        self._watch.refused(what)
        self._ended_at = self.loop.time()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # another answer is half out
            return
        response = error_response(error, request_id="-", logged=True)
        lines = [f"HTTP/1.1 {response.status_code} {error.code}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        lines += [b"connection: close", b"", bytes(response.body)]
        self.transport.write(b"\r\n".join(lines))
        self.transport.write_eof()

"""A real server against callers who are slow, large, many or silent, on raw sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inferproof.connections import (
    MAX_HEAD_BYTES,
    Connection,
    ConnectionLimits,
    Watch,
)
from inferproof.errors import Reason, RequestRejected, Unavailable
from inferproof.server import Server, listen
from inferproof.testing.rejections import rejects

LARGE = 48 * 2**20
"""More than the buffers of a loopback connection hold."""
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
Caller = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def small_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once; /large with much; /read once the body is there."""
    if scope["path"] == "/read":
        await Request(scope, receive).body()
    body = bytes(LARGE) if scope["path"] == "/large" else b"ok"
    await Response(body)(scope, receive, send)


class Served:
    """A server that runs, and what it refused."""

    def __init__(self, port: int, server: Server, refused: list[str]) -> None:
        self.port = port
        self.server = server
        self.refused = refused

    async def call(self) -> Caller:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def until(self, refused: list[str]) -> None:
        end = time.monotonic() + 10
        while self.refused != refused and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert self.refused == refused


@asynccontextmanager
async def served(**limits: Any) -> AsyncIterator[Served]:
    refused: list[str] = []
    watch = Watch(ConnectionLimits(**limits), refused.append)
    with listen("127.0.0.1", 0) as listener:
        server = Server(small_app, shutdown_s=1, watch=watch)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        try:
            yield Served(listener.getsockname()[1], server, refused)
        finally:
            server.should_exit = True
            await task


async def answer(reader: asyncio.StreamReader, limit_s: float = 10) -> bytes:
    """All that comes until the server ends the connection."""
    async with asyncio.timeout(limit_s):
        return await reader.read()


async def test_a_quick_caller_is_answered_again_and_again() -> None:
    async with served(head_s=0.5) as it:
        reader, writer = await it.call()
        for _ in range(3):
            writer.write(GET + b"\r\n")
            assert b"200 OK" in await reader.readuntil(b"ok")
        writer.close()
        assert it.refused == []


async def test_a_head_that_trickles_gets_408() -> None:
    async with served(head_s=0.5) as it:
        reader, writer = await it.call()
        writer.write(GET)
        for _ in range(8):
            writer.write(b"X-Slow: 1\r\n")
            await asyncio.sleep(0.1)
        said = await answer(reader)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"HEAD_TOO_SLOW"' in said
        assert it.refused == ["slow heads"]
        writer.close()


async def test_a_second_head_that_trickles_gets_408_too() -> None:
    async with served(head_s=0.5) as it:
        reader, writer = await it.call()
        writer.write(GET + b"\r\n" + GET)
        said = await answer(reader)
        assert b"200 OK" in said
        assert b"HEAD_TOO_SLOW" in said
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"])
async def test_a_silent_caller_is_sent_away(sent: bytes) -> None:
    async with served(head_s=0.3) as it:
        reader, writer = await it.call()
        writer.write(sent)
        assert await answer(reader) == b""
        assert it.refused == ["slow heads"]
        writer.close()


async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with served(head_s=0.5) as it:
        reader, writer = await it.call()
        writer.write(GET + b"\r\n")
        await reader.readuntil(b"ok")
        gone = asyncio.create_task(answer(reader))
        while not gone.done():
            writer.write(b"\r\n")
            await asyncio.sleep(0.1)
        with suppress(ConnectionResetError):  # what was sent last met no one
            assert await gone == b""
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        GET + b"".join(b"X-%d: 1\r\n" % n for n in range(10_000)) + b"\r\n",
        GET + b"X-Large: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        GET + b"X-Endless: " + b"a" * (MAX_HEAD_BYTES + 1000),
        b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * (2 * MAX_HEAD_BYTES),
    ],
    ids=["many fields", "large field", "endless field", "long address", "endless address"],
)
async def test_a_head_that_is_too_large_gets_431(head: bytes) -> None:
    async with served() as it:
        reader, writer = await it.call()
        writer.write(head)
        said = await answer(reader)
        assert said.startswith(b"HTTP/1.1 431 ")
        assert b'"code":"HEAD_TOO_LARGE"' in said
        assert it.refused == ["large heads"]
        writer.close()


@pytest.mark.parametrize("parts", [1, 2, 3, 10])
@pytest.mark.parametrize(
    "head",
    [
        b"GET /?" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        GET + b"X-Large: " + b"a" * 60_000 + b"\r\n\r\n",
        GET + b"".join(b"X-%d: %b\r\n" % (i, b"a" * 3_000) for i in range(20)) + b"\r\n",
    ],
    ids=["address", "field", "fields"],
)
async def test_a_large_head_fits_in_however_many_parts_it_comes(head: bytes, parts: int) -> None:
    async with served() as it:
        reader, writer = await it.call()
        step = -(-len(head) // parts)
        for start in range(0, len(head), step):
            writer.write(head[start : start + step])
            await writer.drain()
            await asyncio.sleep(0.01)
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.close()
        assert it.refused == []


async def test_a_head_is_not_charged_for_the_body_before_it() -> None:
    async with served() as it:
        reader, writer = await it.call()
        length = MAX_HEAD_BYTES + 1000
        post = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length
        writer.write(post + bytes(length) + GET)
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.write(b"\r\n")
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.close()
        assert it.refused == []


async def test_the_head_after_a_request_has_the_same_limit() -> None:
    async with served() as it:
        reader, writer = await it.call()
        writer.write(GET + b"\r\n" + GET + b"X-Endless: ")
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.write(b"a" * (MAX_HEAD_BYTES + 1000))
        assert (await answer(reader)).count(b"HTTP/1.1 431 ") == 1
        assert it.refused == ["large heads"]
        writer.close()


async def test_what_a_payment_takes_fits() -> None:
    async with served() as it:
        reader, writer = await it.call()
        writer.write(GET + b"PAYMENT-SIGNATURE: " + b"a" * 16 * 1024 + b"\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.close()


async def test_the_rest_of_an_answered_body_is_not_waited_for() -> None:
    async with served() as it:
        reader, writer = await it.call()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        assert b"200 OK" in await reader.readuntil(b"ok")
        gone = asyncio.create_task(answer(reader))
        while not gone.done():
            writer.write(b"a")
            await asyncio.sleep(0.2)
        await it.until(["slow bodies"])
        writer.close()


async def test_a_body_that_comes_in_parts_is_read() -> None:
    async with served(head_s=0.2) as it:
        reader, writer = await it.call()
        writer.write(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.4)
            writer.write(b"a")
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.close()


async def test_a_slow_reader_is_cut_off() -> None:
    async with served(write_s=0.1) as it:
        with socket.create_connection(("127.0.0.1", it.port)) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            (connection,) = await _connections(it)
            connection._unread_since = -1e9  # it has been so since long ago
            connection._unread_most = 1
            await it.until(["slow readers"])
            # Not by reading to the end: what the kernel holds trickles through so small a window.
            for _ in range(500):
                if not it.server.server_state.connections:
                    break
                await asyncio.sleep(0.01)
            assert not it.server.server_state.connections


async def test_a_reader_who_goes_on_reading_gets_it_all() -> None:
    async with served(write_s=5.0) as it:
        reader, writer = await it.call()
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert len(await answer(reader, 30)) > LARGE
        assert it.refused == []
        writer.close()


async def _connections(it: Served) -> list[Any]:
    for _ in range(500):
        found = [c for c in it.server.server_state.connections if isinstance(c, Connection)]
        if found and found[0].transport.get_write_buffer_size():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("nothing waits to be read")


@pytest.mark.parametrize(
    ("limits", "whose"), [({"most": 2}, b""), ({"per_address": 2}, b" from this address")]
)
async def test_one_connection_too_many(limits: dict[str, int], whose: bytes) -> None:
    async with served(**limits) as it:
        first = [await it.call() for _ in range(2)]
        for _, writer in first:
            writer.write(GET + b"\r\n")
        for reader, _ in first:
            await reader.readuntil(b"ok")
        reader, writer = await it.call()
        said = await answer(reader)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 5" in said.lower()
        assert b"too many connections" + whose + b";" in said
        first[0][1].close()
        await asyncio.sleep(0.1)
        again = await it.call()
        again[1].write(GET + b"\r\n")
        assert b"200 OK" in await again[0].readuntil(b"ok")
        for one in (writer, first[1][1], again[1]):
            one.close()


async def test_a_trusted_proxy_may_have_many() -> None:
    import ipaddress

    trusted = (ipaddress.ip_network("127.0.0.0/8"),)
    async with served(per_address=1, trusted=trusted) as it:
        callers = [await it.call() for _ in range(3)]
        for reader, writer in callers:
            writer.write(GET + b"\r\n")
            assert b"200 OK" in await reader.readuntil(b"ok")
            writer.close()


async def test_no_connection_is_counted_for_ever() -> None:
    async with served(per_address=3) as it:
        for _ in range(20):
            _, writer = await it.call()
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(0.1)
        assert not it.server._watch._of


def test_what_refusals_say() -> None:
    with rejects(
        Reason.HEAD_TOO_LARGE,
        "the head of the request is larger than 65536 bytes or has more than 128 fields",
    ):
        raise RequestRejected(Reason.HEAD_TOO_LARGE, limit=65536, fields=128)
    with rejects(Reason.HEAD_TOO_SLOW, "the head of the request did not arrive within 10 seconds"):
        raise RequestRejected(Reason.HEAD_TOO_SLOW, seconds="10")
    with rejects(
        Reason.CONNECTIONS_FULL, "there are too many connections; close some, or come back"
    ):
        raise Unavailable(Reason.CONNECTIONS_FULL, whose="")

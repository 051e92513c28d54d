"""Calls to strangers' addresses, on real sockets of this machine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from inferproof.delivery.http import WebhookSender
from inferproof.errors import InferproofError, Reason, RequestRejected, Unavailable
from inferproof.testing.rejections import rejects

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Server:
    """Answers each connection with the same bytes, and keeps what it was sent."""

    def __init__(self, answer: bytes, hold: bool = False) -> None:
        self.answer, self.hold = answer, hold
        self.requests: list[bytes] = []
        self.port = 0
        self.tasks: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            writer.write(self.answer)
            await writer.drain()
            if self.hold:
                await reader.read()
        writer.transport.abort()
        await asyncio.sleep(0.01)  # it is closed by the loop


@contextlib.asynccontextmanager
async def serving(answer: bytes, *, hold: bool = False) -> AsyncIterator[Server]:
    server = Server(answer, hold)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
    for task in filter(None, server.tasks):
        await asyncio.wait_for(task, 60)


@contextlib.asynccontextmanager
async def sender(
    *addresses: str, private: bool = True, limit_s: float = 5
) -> AsyncIterator[tuple[WebhookSender, list[str]]]:
    asked: list[str] = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return addresses

    made = WebhookSender(private=private, limit_s=limit_s, resolver=resolver)
    yield made, asked
    await made.aclose()


async def test_it_calls_the_address_that_was_resolved_under_the_name() -> None:
    async with serving(OK) as server, sender("127.0.0.1") as (made, asked):
        url = f"http://buyer.example:{server.port}/hook?a=b"
        assert await made.post(url, {"X-Test": "1"}, b"body") == 204
    assert asked == ["buyer.example"]  # once: it cannot say something else later
    (head,) = server.requests
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /hook?a=b http/1.1"
    assert f"host: buyer.example:{server.port}" in lines
    assert "x-test: 1" in lines


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("8.8.8.8", "10.0.0.1"),
        ("::ffff:127.0.0.1",),
        ("168.63.129.16",),
        ("8.8.8.8", "192.0.0.192"),
    ],
)
async def test_a_name_that_leads_inside_is_not_called(addresses: tuple[str, ...]) -> None:
    async with serving(OK) as server, sender(*addresses, private=False) as (made, _):
        with pytest.raises(RequestRejected) as caught:
            await made.post(f"https://inside.example:{server.port}/", {}, b"")
        assert caught.value.reason is Reason.WEBHOOK_ADDRESS
    assert server.requests == []


async def test_the_words_of_an_address_that_is_not_public() -> None:
    async with sender("10.0.0.1", private=False) as (made, _):
        with rejects(
            Reason.WEBHOOK_ADDRESS,
            "the webhook's host inside.example is at 10.0.0.1, which is not a public address",
        ):
            await made.post("https://inside.example/", {}, b"")


async def test_a_name_that_leads_to_a_clouds_metadata_is_not_called() -> None:
    async with sender("168.63.129.16", private=False) as (made, _):
        with rejects(
            Reason.WEBHOOK_ADDRESS,
            "the webhook's host inside.example is at 168.63.129.16, which is not a public address",
        ):
            await made.post("https://inside.example/", {}, b"")


async def test_redirects_are_not_followed() -> None:
    async with serving(OK) as inside:
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inside.port}/\r\n\r\n"
        async with serving(moved.encode()) as server, sender("127.0.0.1") as (made, _):
            assert await made.post(f"http://buyer.example:{server.port}/", {}, b"") == 302
    assert inside.requests == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with serving(OK) as server, sender("127.0.0.1") as (made, _):
        assert await made.post(f"http://buyer.example:{server.port}/", {}, b"") == 204


async def test_the_body_of_an_answer_is_not_read() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 1000
    async with serving(endless, hold=True) as server, sender("127.0.0.1") as (made, _):
        async with asyncio.timeout(60):
            assert await made.post(f"http://buyer.example:{server.port}/", {}, b"") == 200


async def test_who_does_not_answer_is_given_up() -> None:
    async with (
        serving(b"HTTP/1.1 200", hold=True) as server,
        sender("127.0.0.1", limit_s=0.2) as (made, _),
    ):
        with rejects(
            Reason.WEBHOOK_UNREACHABLE,
            "the webhook's receiver does not answer: not within 0.2 seconds",
            kind=Unavailable,
        ):
            await made.post(f"http://buyer.example:{server.port}/", {}, b"")


@pytest.mark.parametrize(
    "answer", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000]
)
async def test_nonsense_is_a_failure(answer: bytes) -> None:
    async with serving(answer) as server, sender("127.0.0.1") as (made, _):
        with pytest.raises(InferproofError) as caught:
            await made.post(f"http://buyer.example:{server.port}/", {}, b"")
        assert caught.value.reason is Reason.WEBHOOK_UNREACHABLE


async def test_a_name_without_an_address_is_a_failure() -> None:
    async with sender() as (made, _):
        with pytest.raises(Unavailable):
            await made.post("http://nowhere.example/", {}, b"")


async def test_tls_is_for_the_name_though_the_address_is_called() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    async with sender("2606:4700::1111", private=False) as (made, _):
        await made.aclose()
        made._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        assert await made.post("https://buyer.example/hook", {}, b"") == 204
    assert str(seen[0].url) == "https://[2606:4700::1111]/hook"
    assert seen[0].extensions["sni_hostname"] == "buyer.example"
    assert seen[0].headers["host"] == "buyer.example"

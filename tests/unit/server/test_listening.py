"""Listening, and services that ended."""

import asyncio
import logging
import socket

import pytest

from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.observability.readiness import alive, report_end
from inferproof.server.listening import listen, url_of
from inferproof.testing.rejections import rejects


def test_a_free_port_is_taken_and_told() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port)):
            connection, _ = listener.accept()
            with connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_taken_port_is_refused() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with rejects(
            Reason.CANNOT_LISTEN,
            f"cannot listen on 127.0.0.1 port {port}: Address already in use",
            kind=Misconfigured,
        ):
            listen("127.0.0.1", port)


async def test_a_service_that_ended_is_not_ready(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise RuntimeError("a bug")

    async def rest() -> None:
        await asyncio.sleep(60)

    resting = asyncio.create_task(rest())
    assert await alive("worker", resting)() == "runs"
    resting.cancel()
    ended = asyncio.create_task(work(), name="settler")
    ended.add_done_callback(report_end)
    with caplog.at_level(logging.CRITICAL):
        await asyncio.wait({ended})
        await asyncio.sleep(0)
    with rejects(
        Reason.SERVICE_ENDED,
        "the settler has ended; see the log and start the gateway again",
        kind=Unavailable,
    ):
        await alive("settler", ended)()
    assert "a bug" in caplog.text

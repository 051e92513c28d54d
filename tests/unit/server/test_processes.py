"""Which settings several processes take, what each tells of itself, and what is bounded."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from waiting import until

from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness
from inferproof.server.application import before_the_end
from inferproof.server.limits import options
from inferproof.server.listening import listen, listen_on_first, url_of
from inferproof.server.operations import serving_operations
from inferproof.server.processes import check_processes, run_settle
from inferproof.settings import Settings
from inferproof.testing.rejections import rejects

POSTGRES = "postgresql+asyncpg://nobody@127.0.0.1:9/nothing"


def settings(folder: Path, **changes: Any) -> Settings:
    """Settings on a free port; nothing is asked of chain or database by what runs here."""
    given: dict[str, Any] = {
        "port": 0,
        "data_dir": folder,
        "rpc_url": "http://127.0.0.1:9",
        "token_address": "0x" + "22" * 20,
        "gateway_key": "0x" + "11" * 32,
        "shutdown_s": 1,
        "database_url": POSTGRES,
    }
    return Settings.load(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"processes": 2}, "PROCESSES"), ({"background": "apart"}, "BACKGROUND")],
)
def test_several_processes_need_a_server(
    tmp_path: Path, changes: dict[str, Any], name: str
) -> None:
    check_processes(settings(tmp_path, **changes))
    check_processes(settings(tmp_path, database_url=None))
    with rejects(
        Reason.SETTING_WRONG,
        f"the setting INFERPROOF_{name} is wrong: several processes need PostgreSQL; set "
        "INFERPROOF_DATABASE_URL",
        kind=Misconfigured,
    ):
        check_processes(settings(tmp_path, database_url=None, **changes))


async def test_settling_apart_needs_a_server(tmp_path: Path) -> None:
    with rejects(
        Reason.SETTING_WRONG,
        "the setting INFERPROOF_DATABASE_URL is wrong: settling in a process of its own needs "
        "PostgreSQL",
        kind=Misconfigured,
    ):
        await run_settle(settings(tmp_path, database_url=None), announce=lambda _: None)


def test_a_facilitator_has_one_process(tmp_path: Path) -> None:
    key = "0x" + "33" * 32
    check_processes(settings(tmp_path, facilitator_key=key))
    with rejects(
        Reason.SETTING_WRONG,
        "the setting INFERPROOF_PROCESSES is wrong: a facilitator sends with a key of its own, "
        "which one process alone may do; serve it elsewhere, or unset INFERPROOF_FACILITATOR_KEY",
        kind=Misconfigured,
    ):
        check_processes(settings(tmp_path, facilitator_key=key, processes=2))


def test_each_process_takes_the_first_port_that_is_free() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen_on_first("127.0.0.1", range(port, port + 20)) as second:
            assert port < second.getsockname()[1] < port + 20
        with rejects(
            Reason.CANNOT_LISTEN,
            f"cannot listen on 127.0.0.1 port {port}: Address already in use",
            kind=Misconfigured,
        ):
            listen_on_first("127.0.0.1", range(port, port + 1))


def free_port() -> int:
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


async def test_a_process_tells_of_itself_at_its_own_port(tmp_path: Path) -> None:
    asked: list[int] = []

    async def good() -> str:
        asked.append(threading.get_ident())
        return "answers"

    async def bad() -> str:
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="gone")

    metrics, checks = Metrics(), {"chain": good}

    async def refresh() -> None:
        asked.append(threading.get_ident())
        metrics.proof("sumcheck", "a")

    given = settings(tmp_path, metrics_port=free_port())
    readiness = Readiness(checks, kept_s=0)
    async with (
        serving_operations(given, metrics, readiness, refresh) as url,
        httpx.AsyncClient(base_url=str(url), timeout=60) as http,
    ):
        assert (await http.get("/health")).json()["status"] == "ok"
        assert (await http.get("/ready")).json()["checks"]["chain"]["ok"]
        text = (await http.get("/metrics")).text
        assert 'inferproof_ready{check="chain"} 1.0' in text
        assert 'inferproof_proofs_total{model="a",system="sumcheck"} 1.0' in text
        assert set(asked) == {threading.get_ident()}  # where the process works
        checks["database"] = bad
        assert (await http.get("/ready")).status_code == 503
        assert (await http.get("/v1/models")).status_code == 404
    with pytest.raises(httpx.TransportError):
        await asyncio.to_thread(httpx.get, f"{url}/health")


async def test_a_process_that_hangs_does_not_answer(tmp_path: Path) -> None:
    given = settings(tmp_path, metrics_port=free_port())
    seen: list[object] = []

    def ask(url: str) -> None:
        try:
            seen.append(httpx.get(f"{url}/health", timeout=0.5))
        except httpx.TimeoutException as error:
            seen.append(error)

    async with serving_operations(given, Metrics(), Readiness()) as url:
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        asking.join()  # it hangs for as long as it is asked
    assert isinstance(seen[0], httpx.TimeoutException)


async def test_without_a_port_nothing_is_served(tmp_path: Path) -> None:
    async with serving_operations(settings(tmp_path), Metrics(), Readiness()) as url:
        assert url is None


async def test_streams_are_ended_when_the_process_is_told_to_stop() -> None:
    """Before the server waits for what is open; and it is told all the same."""
    seen: list[str] = []

    def server(number: int, _frame: object) -> None:
        seen.append(f"server {number}")

    before = signal.signal(signal.SIGTERM, server)
    try:
        with before_the_end(lambda: seen.append("streams")):
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0.01)
        assert sorted(seen) == [f"server {int(signal.SIGTERM)}", "streams"]
        assert signal.getsignal(signal.SIGTERM) is server
    finally:
        signal.signal(signal.SIGTERM, before)


async def small_app(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"ok")(scope, receive, send)


@asynccontextmanager
async def served(given: Settings) -> AsyncIterator[str]:
    """A server with a gateway's own options."""
    with listen("127.0.0.1", 0) as listener:
        chosen = options(given) | {"lifespan": "off"}
        server = uvicorn.Server(uvicorn.Config(small_app, **chosen))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield url_of(listener)
        finally:
            server.should_exit = True
            await task


async def test_one_connection_too_many_is_refused(tmp_path: Path) -> None:
    """It is told so, and closed, and the next that finds room is served."""
    async with served(settings(tmp_path, connections_limit=3)) as url:
        port = httpx.URL(url).port
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        async with httpx.AsyncClient() as http:
            answer = await http.get(url)
            assert (answer.status_code, answer.headers["connection"]) == (503, "close")
            for _, writer in held:
                writer.close()
                await writer.wait_closed()

            async def served_again() -> bool:
                return (await http.get(url)).status_code == 200

            await until(served_again, "an answer once there is room")


async def test_an_idle_connection_is_closed_after_its_time(tmp_path: Path) -> None:
    async with served(settings(tmp_path, keep_alive_s=1)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"ok")
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"PAYMENT-SIGNATURE: " + b"a" * 16 * 1024 + b"\r\n", b"200"),
        (b"X-Large: " + b"a" * 60_000 + b"\r\n", b"200"),
        (b"X-Endless: " + b"a" * 2_000_000, b"400"),
    ],
    ids=["a payment", "large", "endless"],
)
async def test_a_head_that_does_not_end_is_bounded(
    tmp_path: Path, fields: bytes, status: bytes
) -> None:
    async with served(settings(tmp_path)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + b"\r\n")
        try:
            async with asyncio.timeout(60):
                said = await reader.read()
        except ConnectionResetError:  # it closed before it had read all of it
            said = b"HTTP/1.1 400 "
        finally:
            writer.close()
        assert said.startswith(b"HTTP/1.1 " + status)

"""A gateway in several processes on PostgreSQL: two that take requests, one that settles, a worker.

Any of them may be killed; every order is settled and answered once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_parts import settings_for
from postgres_server import Databases
from prometheus_client.parser import text_string_to_metric_families

from inferproof.app.openings import local_openings
from inferproof.app.publishing import install_model
from inferproof.client import Client
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.server.listening import listen
from inferproof.testing.deployment import environment_of
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.limits import WIDE
from inferproof.testing.tiny import compile_tiny

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.native]

WAIT_S = 60.0
ORDERS = 12
COMMAND = [sys.executable, "-c", "from inferproof.cli.main import run; run()"]


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    for first in range(20_000 + os.getpid() % 10_000, 60_000, count):
        try:
            for port in range(first, first + count):
                listen("127.0.0.1", port).close()
        except Exception:  # noqa: BLE001, S112 - whatever is wrong with it, the next may do
            continue
        return first
    raise AssertionError("there are no free ports")


def until(holds: Callable[[], Any]) -> Any:
    """What it returns once that is true."""
    end = time.monotonic() + WAIT_S
    while not (found := holds()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@contextmanager
def command(environment: dict[str, str], *words: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A process of the command line, and the line that it prints when it is ready."""
    with subprocess.Popen(
        [*COMMAND, *words, "--json"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that uvicorn started to take requests."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = []
    for child in map(int, children):
        try:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
        except OSError:  # it has ended meanwhile
            continue
    return found


def get(port: int, path: str) -> httpx.Response | None:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=WAIT_S)
    except httpx.TransportError:
        return None


def is_ready(port: int) -> bool:
    found = get(port, "/ready")
    return found is not None and found.status_code == 200


def shown(port: int) -> dict[tuple[str, str], float]:
    """The metrics at this port, by name and first label."""
    answer = get(port, "/metrics")
    assert answer is not None
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def environment(devnet: DevnetInfo, tmp_path: Path, postgres: Databases) -> dict[str, str]:
    """The settings of a gateway that has a model."""
    more = {"database_url": postgres.fresh(), "sync_wait_s": 30.0, **WIDE}
    made = settings_for(devnet, tmp_path / "gateway", **more)
    system = SumcheckSystem(openings=local_openings)
    try:
        compile_tiny(tmp_path / "model", "tiny", system)
    finally:
        system.close()
    card = tmp_path / "model"
    asyncio.run(install_model(made, card, card / "compiled", key=devnet.accounts.provider))
    return environment_of(devnet.settings(tmp_path / "gateway") | more)


def test_one_is_killed_and_nothing_is_lost(devnet: DevnetInfo, environment: dict[str, str]) -> None:
    ports = free_ports(4)
    settle_port, worker_port, own = ports, ports + 1, (ports + 2, ports + 3)
    serving = environment | {"INFERPROOF_METRICS_PORT": str(own[0])}
    with (
        command(environment, "settle", "--metrics-port", str(settle_port)) as (settle, told),
        command(environment, "worker", "--metrics-port", str(worker_port)) as (worker, _),
        command(serving, "serve", "--port", "0", "--processes", "2") as (serve, served),
    ):
        assert told["gateway"] == served["gateway"]
        for port in (settle_port, worker_port, *own):
            until(lambda port=port: is_ready(port))
        first = workers_of(serve)
        assert len(first) == 2
        _what_each_tells(served["url"], settle_port, worker_port, own)

        def buy(number: int) -> None:
            if number == ORDERS // 3:
                os.kill(first[0], signal.SIGKILL)
            with Client(served["url"], key=devnet.accounts.buyer) as client:
                assert client.infer("tiny", [[float(number), 1.0, 1.0]], max_price="0.25").verified

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(buy, range(ORDERS)))
        again = until(lambda: len(found := workers_of(serve)) == 2 and found)
        assert first[0] not in again  # started again by uvicorn, with its own port
        for port in own:
            until(lambda port=port: is_ready(port))
        assert shown(settle_port)["inferproof_payments_total", "settled"] == ORDERS
        assert shown(worker_port)["inferproof_proofs_total", "tiny"] == ORDERS
        books = [*COMMAND, "books", "check", "--json"]
        done = subprocess.run(
            books, env=os.environ | environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for process in (serve, worker, settle):
            process.send_signal(signal.SIGTERM)
        assert [process.wait(WAIT_S) for process in (serve, worker, settle)] == [0, 0, 0]
    assert not any(Path(f"/proc/{pid}").exists() for pid in again)


def _what_each_tells(url: str, settle: int, worker: int, own: tuple[int, int]) -> None:
    """Each process tells of itself, and only of itself."""

    def checks(port: int) -> set[str]:
        answer = get(port, "/ready")
        assert answer is not None
        return set(answer.json()["checks"])

    both = {"database", "disk"}
    assert checks(settle) >= both | {"chain", "token", "gas", "settler", "notifier", "gauges"}
    assert checks(worker) == both | {"models", "worker"}
    assert checks(own[0]) == checks(own[1]) == both | {"chain", "token", "gas", "models"}
    assert httpx.get(f"{url}/ready", timeout=WAIT_S).status_code == 200
    refused = httpx.get(f"{url}/metrics", timeout=WAIT_S)
    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "METRICS_ELSEWHERE"
    account = ("inferproof_account_coin_wei", "")
    until(lambda: shown(settle)[account] > 0)
    for port in (worker, *own):
        assert account not in shown(port)  # which would be zero, and an alarm
        assert any(name == "inferproof_build_info" for name, _ in shown(port))


def test_processes_end_with_the_one_that_started_them(environment: dict[str, str]) -> None:
    """Else they would keep the port, and nobody would start again what ends."""
    own = free_ports(2)
    serving = environment | {"INFERPROOF_METRICS_PORT": str(own)}
    with command(serving, "serve", "--port", "0", "--processes", "2") as (serve, _):
        until(lambda: is_ready(own) and is_ready(own + 1))
        children = workers_of(serve)
        serve.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))

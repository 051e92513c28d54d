"""`inferproof worker` as a process that is told to stop while it computes."""

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

import pytest
from live_parts import MODEL, Installed, settings_for
from postgres_server import Databases

from inferproof.app.publishing import install_model
from inferproof.client import Client
from inferproof.client.answer import Answer
from inferproof.client.tools import installed_tools
from inferproof.payments.parts import payment_parts
from inferproof.testing.deployment import environment_of
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.kill_server import SLOW
from inferproof.testing.limits import WIDE
from inferproof.testing.live import LiveGateway
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

PROVE_S = 4.0
WAIT_S = 120.0
WORKER = f"""
import functools, sys
from pathlib import Path
import inferproof.server.processes as server
from inferproof.testing import kill_server
kill_server.SLOW_S = {PROVE_S}
system = kill_server.MoodySystem(Path(sys.argv.pop()))
server.run_worker = functools.partial(server.run_worker, more_systems={{system.name: system}})
from inferproof.cli.main import run
run()
"""
"""The command as it is installed, with the toy proof system beside the others."""


class Shop:
    """A gateway that leaves its jobs to worker processes, and its buyer."""

    def __init__(
        self,
        live: LiveGateway,
        devnet: DevnetInfo,
        toy: dict[str, ToySystem],
        sql: Callable[[str], Any],
    ) -> None:
        self._live = live
        self._devnet = devnet
        self._toy = toy
        self._sql = sql

    def buy(self, number: int) -> Answer:
        """The answer to a request whose proof takes PROVE_S."""
        with Client(
            self._live.url,
            key=self._devnet.accounts.buyer,
            policy=Policy(minimum_assurance=Assurance.COMMITMENT),
            tools=Tools(
                lambda name: self._toy[name], installed_tools().preprocess, payment_parts()
            ),
        ) as client:
            return client.infer(MODEL, [[SLOW, float(number), 1.0]], max_price="0.25")

    def jobs(self) -> list[tuple[str, int]]:
        """State and attempts of each job, the oldest first."""
        found = self._sql(
            "SELECT coalesce(json_agg(json_build_array(state, attempts) ORDER BY "
            "number), '[]')::text FROM jobs"
        )
        return [(state, attempts) for state, attempts in json.loads(found)]

    def until(self, holds: Callable[[list[tuple[str, int]]], bool]) -> None:
        end = time.monotonic() + WAIT_S
        while not holds(self.jobs()):
            assert time.monotonic() < end, self.jobs()
            time.sleep(0.02)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def url(postgres: Databases) -> str:
    """The address of the database that gateway and workers share."""
    return postgres.fresh()


@pytest.fixture
def shop(
    devnet: DevnetInfo,
    tiny: Installed,
    toy: dict[str, ToySystem],
    data: Path,
    postgres: Databases,
    url: str,
) -> Iterator[Shop]:
    settings = settings_for(devnet, data, workers=0, database_url=url, **WIDE)
    provider = devnet.accounts.provider
    asyncio.run(install_model(settings, tiny.card, tiny.compiled, key=provider, more_systems=toy))
    with LiveGateway(settings, more_systems=toy) as live:
        yield Shop(live, devnet, toy, lambda statement: postgres.sql(statement, url))


@contextmanager
def worker(
    devnet: DevnetInfo, data: Path, url: str, **more: object
) -> Iterator[subprocess.Popen[str]]:
    """A worker process that is ready."""
    environment = environment_of(devnet.settings(data) | {"database_url": url} | more)
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, "worker", "--json", str(data)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["worker"] == process.pid
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> None:
    """The process ends by itself, in order, without a trace of a fault."""
    _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, told
    assert "Traceback" not in told


def test_it_ends_what_it_works_on_and_takes_no_more(
    shop: Shop, devnet: DevnetInfo, data: Path, url: str
) -> None:
    with ThreadPoolExecutor(2) as buyers:
        with worker(devnet, data, url) as process:
            first = buyers.submit(shop.buy, 1)
            shop.until(lambda jobs: [state for state, _ in jobs] == ["running"])
            second = buyers.submit(shop.buy, 2)
            shop.until(lambda jobs: [state for state, _ in jobs] == ["running", "queued"])
            process.send_signal(signal.SIGTERM)
            ended(process)
        assert shop.jobs() == [("done", 1), ("queued", 0)]
        assert first.result(WAIT_S).verified
        with worker(devnet, data, url) as process:
            assert second.result(WAIT_S).verified
            process.send_signal(signal.SIGTERM)
            ended(process)
    assert shop.jobs() == [("done", 1), ("done", 1)]


@pytest.mark.parametrize(
    ("shutdown_s", "signals"), [(0, 1), (60, 2)], ids=["no time to end", "told twice"]
)
def test_it_gives_back_what_it_cannot_end(
    shutdown_s: int, signals: int, shop: Shop, devnet: DevnetInfo, data: Path, url: str
) -> None:
    with ThreadPoolExecutor(1) as buyers:
        # A lease that outlives the test: it is given back, and does not just run out.
        with worker(devnet, data, url, shutdown_s=shutdown_s, lease_s=600) as process:
            bought = buyers.submit(shop.buy, 3)
            shop.until(lambda jobs: [state for state, _ in jobs] == ["running"])
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            shop.until(lambda jobs: jobs == [("queued", 0)])
            ended(process)
        with worker(devnet, data, url) as process:
            assert bought.result(WAIT_S).verified
            process.send_signal(signal.SIGTERM)
            ended(process)
    assert shop.jobs() == [("done", 1)]

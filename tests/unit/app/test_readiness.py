"""/ready tells the truth: each check by name, with what it found, and it recovers by itself."""

import asyncio
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from service_parts import World, running
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from waiting import until

from inferproof.api.context import ApiSettings, Services
from inferproof.api.create import create_app
from inferproof.app.checks import chain_checks, model_checks, storage_checks, task_checks
from inferproof.errors import Reason, Unavailable
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness, alive, space
from inferproof.services.heartbeat import Heartbeat
from inferproof.storage.blobs.artifacts import LocalArtifacts
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address
from inferproof.types.money import Network


class Chain:
    """A token and an account that can be switched off and made poor."""

    def __init__(self) -> None:
        self.down = False
        self.asked = 0
        self.coin = 10**18
        self.sender = Address(b"\x01" * 20)
        self.asset = SimpleNamespace(
            network=Network.evm(31337), address=Address(b"\x05" * 20), symbol="USDC"
        )

    def _up(self) -> None:
        if self.down:
            raise Unavailable(Reason.CHAIN_UNREACHABLE, url="x", why="off")

    async def head(self) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        self._up()
        return SimpleNamespace(number=7)

    async def check(self) -> None:
        self._up()

    async def holdings(self) -> tuple[int, int]:
        self._up()
        return self.coin, 0

    async def settlement_cost(self) -> int:
        self._up()
        return 150_000


class Probe:
    """A gateway's /ready over real stores, with what it rests on in the test's hands."""

    def __init__(self, services: Any, world: World, kept_s: float = 0.0) -> None:
        self.chain, self.beats = Chain(), [0.0]
        self.heartbeats = {name: Heartbeat(lambda: self.beats[0]) for name in ("settler", "worker")}
        self.heartbeats["settler"].beat("settling")
        self.tasks = {
            name: asyncio.create_task(asyncio.sleep(600)) for name in ("settler", "worker")
        }
        self.metrics = Metrics()
        stores, artifacts = services.stores, LocalArtifacts(world.folder / "artifacts")
        self.checks = {
            **storage_checks(stores.database, world.folder, 0),
            **chain_checks(self.chain, self.chain),
            **model_checks(stores.models, artifacts, lambda _name: world.system),
            **task_checks(self.tasks, self.heartbeats, 30.0),
        }
        served = Services(
            gateway=services.gateway,
            metrics=self.metrics,
            settings=ApiSettings(version="1"),
            readiness=Readiness(self.checks, kept_s=kept_s, clock=lambda: self.beats[0]),
        )
        transport = httpx.ASGITransport(create_app(served))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway.test")

    async def ask(self) -> tuple[int, dict[str, Any]]:
        answer = await self.http.get("/ready")
        body = answer.json()
        assert body["ready"] is (answer.status_code == 200)
        assert (await self.http.get("/health")).status_code == 200
        return answer.status_code, body["checks"]

    async def failing(self) -> dict[str, str]:
        """What fails, with why; the status agrees."""
        status, checks = await self.ask()
        failing = {name: c["detail"] for name, c in checks.items() if not c["ok"]}
        assert (status == 503) is bool(failing)
        return failing

    async def close(self) -> None:
        await self.http.aclose()
        for task in self.tasks.values():
            task.cancel()


@pytest.fixture
async def probe(tmp_path: Path) -> Any:
    world = World(tmp_path)
    async with running(world) as services:
        probe = Probe(services, world)
        yield probe, services, world
        await probe.close()


async def test_all_is_well(probe: Any) -> None:
    status, checks = await probe[0].ask()
    assert status == 200
    assert list(checks) == [
        *("database", "disk", "chain", "token", "gas", "models", "settler", "worker")
    ]
    assert checks["database"]["detail"] == "takes writes"
    assert checks["models"]["detail"] == "sample@1.0.0"
    assert checks["gas"]["detail"] == f"coin for {10**18 // 150_000} settlements at today's fees"


async def test_the_chain_goes_and_comes(probe: Any) -> None:
    ready = probe[0]
    ready.chain.down = True
    failing = await ready.failing()
    assert set(failing) == {"chain", "token", "gas"}
    assert failing["chain"].startswith("CHAIN_UNREACHABLE: ")
    ready.chain.down = False
    assert await ready.failing() == {}


async def test_many_who_ask_are_answered_by_one_look(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world) as services:
        ready = Probe(services, world, kept_s=1.0)
        try:
            await asyncio.gather(*(ready.ask() for _ in range(20)))
            ready.beats[0] = 0.9
            ready.chain.down = True
            assert await ready.failing() == {}
            assert ready.chain.asked == 1
            ready.beats[0] = 1.0
            assert "chain" in await ready.failing()
            assert ready.chain.asked == 2
        finally:
            await ready.close()


async def test_too_little_coin(probe: Any) -> None:
    ready = probe[0]
    ready.chain.coin = 149_999
    with rejects(
        Reason.GAS_LOW,
        "the account 0x0101010101010101010101010101010101010101 holds 149999 wei, one settlement "
        "may take 150000; send it coin",
        kind=Unavailable,
    ):
        await ready.checks["gas"]()
    assert await ready.failing() == {
        "gas": "GAS_LOW: the account 0x0101010101010101010101010101010101010101 holds 149999 wei, "
        "one settlement may take 150000; send it coin"
    }
    ready.chain.coin = 150_000
    assert await ready.failing() == {}


async def test_a_database_that_only_reads(probe: Any) -> None:
    ready, services, _ = probe

    async def only_read(connection: AsyncConnection) -> None:
        await connection.execute(text("PRAGMA query_only = ON"))

    await services.stores.database.write(only_read)
    failing = await ready.failing()
    assert set(failing) == {"database"}
    assert failing["database"].startswith("STORAGE_UNAVAILABLE: ")
    await services.stores.database._writing.dispose()  # the next connection writes again
    assert await ready.failing() == {}


async def test_a_compiled_model_that_is_gone(probe: Any) -> None:
    ready, _, world = probe
    (folder,) = (world.folder / "artifacts").iterdir()
    folder.rename(world.folder / "away")
    assert (await ready.failing())["models"].startswith("ARTIFACT_NOT_HERE: ")
    (world.folder / "away").rename(folder)
    assert await ready.failing() == {}


async def test_a_task_that_ended_and_one_that_stalls(probe: Any) -> None:
    ready = probe[0]
    ready.beats[0] = 30.0
    assert await ready.failing() == {}
    ready.beats[0] = 31.0
    assert await ready.failing() == {
        "settler": "SERVICE_STALLED: the settler (settling) has made no step for 31 seconds; see "
        "the log and start the gateway again"
    }
    ready.heartbeats["settler"].beat("settling")
    assert await ready.failing() == {}
    ready.tasks["worker"].cancel()
    await asyncio.sleep(0)
    assert set(await ready.failing()) == {"worker"}
    assert ready.metrics.registry.get_sample_value("inferproof_ready", {"check": "worker"}) == 0


async def test_a_stalled_part_is_not_hidden_by_a_busy_one() -> None:
    now = [0.0]
    heartbeat = Heartbeat(lambda: now[0])
    assert heartbeat.silence() == ("", 0.0)
    heartbeat.beat("recovery")
    now[0] = 50.0
    heartbeat.beat("work")
    assert heartbeat.silence() == ("recovery", 50.0)
    task = asyncio.create_task(asyncio.sleep(60))
    with rejects(
        Reason.SERVICE_STALLED,
        "the worker (recovery) has made no step for 50 seconds; see the log and start the "
        "gateway again",
        kind=Unavailable,
    ):
        await alive("worker", task, heartbeat, 49)()
    task.cancel()


async def test_a_worker_that_rests_beats(tmp_path: Path) -> None:
    async with running(World(tmp_path)) as services:
        heartbeat = services.worker._heartbeat
        resting = asyncio.create_task(services.worker.run())
        await until(lambda: heartbeat.silence()[0] in ("work", "recovery"), "it beats")
        assert heartbeat.silence()[1] < 60
        resting.cancel()
        await asyncio.gather(resting, return_exceptions=True)


async def test_disk_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage(10, 0, 100))
    assert await space(tmp_path, 100)() == "0 MiB free"
    with rejects(
        Reason.DISK_LOW,
        f"{tmp_path} has 100 bytes left, 101 should be free; make room",
        kind=Unavailable,
    ):
        await space(tmp_path, 101)()


async def test_a_data_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        await space(tmp_path / "gone", 1)()
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE

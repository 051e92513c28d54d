"""Many paid orders at once: how long each waits for its answer, and whether each is paid once.

    python -m bench.burst [--database sqlite|postgres] [--orders N] [--proving none|sumcheck]

A gateway with durable commits, which computes as many jobs as there are cores: on SQLite in its one
process, on PostgreSQL in a worker process beside it; a local chain that makes a block each second;
as many payers as orders, in another process. All payments are signed before the first is sent, and
all are sent at once. Both models are token-risk, once proven by `sumcheck` and once by the toy
proof system of the tests, which proves nothing: what is left then is the cost of everything else.

Afterwards the orders are counted in the database and the money on the token, payer by payer.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.gateway import MODEL, PERCENTILES, PROVEN, without_proof
from bench.measure import ROOT, BenchFailed, percentile, run_json, say
from bench.orders import DATABASES, cpu_s, key_of
from inferproof.app.compiling import compile_card
from inferproof.app.publishing import install_model
from inferproof.chain.abi import calldata
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import Fees, require_success, sign_tx, wait_receipt
from inferproof.errors import InferproofError
from inferproof.models.card import ModelCard
from inferproof.settings import Settings
from inferproof.storage.sql.engine import Database
from inferproof.testing.deployment import environment_of
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.limits import WIDE
from inferproof.testing.market import LocalChain
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem
from inferproof.types.digest import Address

BUYERS = [sys.executable, "-m", "bench.burst_buyers"]
SERVER = [sys.executable, "-m", "bench.burst_server"]
BLOCK_S = 1
PRICE = 250_000
FUNDS = 10**9
FEES = Fees(cap=10**11, tip=1)
WARM_UP = 2
"""Orders before the measured ones: the worker then has its keys and its model."""
STOP_S = 30.0
LIMIT_S = 900.0
"""Ten times what a hundred proofs take on two cores."""
_COUNTS = {
    "jobs": "SELECT count(*) FROM jobs",
    "done": "SELECT count(*) FROM jobs WHERE state = 'done'",
    "payments": "SELECT count(DISTINCT nonce) FROM payment_reservations",
    "settled": "SELECT count(*) FROM settlements WHERE state = 'settled'",
}


@dataclass(frozen=True, slots=True)
class Burst:
    """`orders` paid at once on one database, proven by `sumcheck` or not proven at all."""

    database: str
    proving: bool
    orders: int


@dataclass(frozen=True, slots=True)
class Place:
    """A running gateway with its workers. `pids` are the processes whose time is counted."""

    url: str
    info: DevnetInfo
    database: str
    models: dict[bool, ModelCard]
    pids: dict[str, int]


def measure_bursts(bursts: Sequence[Burst], work: Path) -> list[dict[str, Any]]:
    """Figures of each, as results.json has them. Raises: BenchFailed where an order was lost,
    doubled or unpaid."""
    found = []
    for database in dict.fromkeys(burst.database for burst in bursts):
        mine = [burst for burst in bursts if burst.database == database]
        with _open_place(database, work, max(burst.orders for burst in mine)) as place:
            found += [asyncio.run(_measure(place, burst)) for burst in mine]
    return found


@contextmanager
def _open_place(database: str, work: Path, payers: int) -> Iterator[Place]:
    say(f"burst: starting a chain and a gateway on {database}")
    with ExitStack() as stack:
        market = stack.enter_context(LocalChain(work / "market", zoo=(MODEL,), system=PROVEN))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=work)))
        (listing,) = market.models
        info, toy = market.devnet, ToySystem(ACKNOWLEDGEMENT)
        url, database_pid = stack.enter_context(DATABASES[database]())
        given = _settings(info, folder / "gateway", url)
        environment = environment_of(given)
        unproven = without_proof(listing.card, folder / "unproven")
        compile_card(unproven, folder / "unproven.compiled", toy)
        settings = Settings.load(**given)
        for card, compiled in (
            (listing.card, listing.compiled),
            (unproven, folder / "unproven.compiled"),
        ):
            asyncio.run(
                install_model(
                    settings,
                    card.folder,
                    compiled,
                    key=info.accounts.provider,
                    more_systems={toy.name: toy},
                )
            )
        asyncio.run(_fund(info, payers + WARM_UP))
        working = environment | environment_of({"workers": os.cpu_count() or 1})
        if database_pid is None:
            told, gateway = stack.enter_context(_process("gateway", working))
            pids = {"gateway": gateway}
        else:
            told, gateway = stack.enter_context(_process("gateway", environment))
            _, worker = stack.enter_context(_process("worker", working))
            pids = {"gateway": gateway, "worker": worker, "database": database_pid}
        models = {True: listing.card, False: unproven}
        yield Place(told["url"], info, settings.database, models, pids)


def _settings(info: DevnetInfo, folder: Path, database: str | None) -> dict[str, object]:
    """Of a gateway that computes nothing itself."""
    given = info.settings(folder) | {"log_level": "warning", "workers": 0, **WIDE}
    return given if database is None else given | {"database_url": database}


@contextmanager
def _process(role: str, environment: dict[str, str]) -> Iterator[tuple[dict[str, Any], int]]:
    """What a process of this role says once it is ready, and its id; it ends with the block."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [*SERVER, role],
        stdout=subprocess.PIPE,
        env={**os.environ, **environment, "PYTHONPATH": paths},
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BenchFailed(f"the {role} ended with {process.wait(STOP_S)}")
        yield json.loads(line), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _fund(info: DevnetInfo, payers: int) -> None:
    """Gives every payer money, then makes blocks at their pace."""
    owner = info.accounts.owner
    async with Rpc(info.rpc_url) as rpc:
        first = await rpc.nonce(owner.address)
        for number in range(payers):
            signed = sign_tx(
                owner,
                chain_id=info.chain_id,
                nonce=first + number,
                fees=FEES,
                gas=100_000,
                to=info.token.address,
                data=calldata("mint(address,uint256)", key_of(number).address, FUNDS),
            )
            await rpc.send_raw(signed.raw)
        require_success(await wait_receipt(rpc, signed.tx))
        await rpc.request("evm_setIntervalMining", BLOCK_S)


async def _measure(place: Place, burst: Burst) -> dict[str, Any]:
    name = PROVEN if burst.proving else "no proof"
    say(f"burst: {burst.orders} paid orders at once, {name}, {burst.database}")
    card = place.models[burst.proving]
    keys = [key_of(number) for number in range(burst.orders + WARM_UP)]
    order = {"url": place.url, "model": card.id, "values": [e.value for e in card.input.examples]}

    def buy(numbers: Sequence[int]) -> dict[str, Any]:
        secrets = [keys[number].secret().hex() for number in numbers]
        return run_json(BUYERS, {**order, "keys": secrets}, limit_s=LIMIT_S).answer

    await asyncio.to_thread(buy, range(burst.orders, burst.orders + WARM_UP))
    payers = [key.address for key in keys[: burst.orders]]
    held = await _balances(place.info, payers)
    counted = await _counted(place.database)
    cpu = {name: cpu_s(pid) for name, pid in place.pids.items()}
    bought = await asyncio.to_thread(buy, range(burst.orders))
    cpu = {name: cpu_s(pid) - cpu[name] for name, pid in place.pids.items()}
    paid = [
        (before - after) / PRICE
        for before, after in zip(held, await _balances(place.info, payers), strict=True)
    ]
    counted = {
        name: count - counted[name] for name, count in (await _counted(place.database)).items()
    }
    lost, doubled, unpaid = weigh(burst.orders, len(set(bought["jobs"])), paid, counted)
    if lost or doubled or unpaid:
        raise BenchFailed(
            f"of {burst.orders} orders at once {lost} were lost, {doubled} doubled, {unpaid} "
            f"unpaid: {counted}, {bought['errors']}"
        )
    answered = bought["answered_s"]
    return {
        "database": burst.database,
        "proving": PROVEN if burst.proving else "none",
        "orders": burst.orders,
        "answered_s": {f"p{p}": percentile(answered, p) for p in PERCENTILES}
        | {"slowest": max(answered)},
        "per_s": burst.orders / bought["wall_s"],
        "cpu_ms": {name: s * 1e3 / burst.orders for name, s in cpu.items()},
        "lost": lost,
        "doubled": doubled,
        "unpaid": unpaid,
    }


def weigh(
    orders: int, answered: int, paid: Sequence[float], counted: dict[str, int]
) -> tuple[int, int, int]:
    """How many orders were lost, doubled and unpaid.

    `answered` have a verified answer, `paid` says how often each payer paid the price, `counted`
    is what the database has gained. Every order must be all of it exactly once.
    """
    lost = max(orders - answered, orders - counted["done"], 0)
    doubled = max(
        counted["jobs"] - orders, counted["jobs"] - counted["payments"], sum(p > 1 for p in paid), 0
    )
    unpaid = max(sum(p < 1 for p in paid), orders - counted["settled"], 0)
    return lost, doubled, unpaid


async def _balances(info: DevnetInfo, holders: Sequence[Address]) -> list[int]:
    async with Rpc(info.rpc_url) as rpc:
        token = TokenChain(rpc, info.token)
        return [await token.balance(holder) for holder in holders]


async def _counted(database: str) -> dict[str, int]:
    opened = await Database.open(database)
    try:
        return {name: await _count(opened, question) for name, question in _COUNTS.items()}
    finally:
        await opened.close()


async def _count(database: Database, question: str) -> int:
    return int(await database.read(lambda connection: connection.scalar(text(question))) or 0)


def main() -> int:
    """The exit status: 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(prog="bench.burst", description="Many paid orders at once.")
    parser.add_argument("--database", choices=[*DATABASES], action="append")
    parser.add_argument("--proving", choices=("none", PROVEN), action="append")
    parser.add_argument("--orders", type=int, default=100)
    given = parser.parse_args()
    bursts = [
        Burst(database, proving == PROVEN, given.orders)
        for database in given.database or DATABASES
        for proving in given.proving or ("none", PROVEN)
    ]
    work = Path(tempfile.mkdtemp(prefix="inferproof-burst-"))
    work.chmod(0o755)  # PostgreSQL runs as another user
    try:
        print(json.dumps(measure_bursts(bursts, work), indent=1))
    except (BenchFailed, InferproofError) as error:
        say(f"failed: {error}")
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

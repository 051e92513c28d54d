"""How many paid orders a second a gateway accepts, and how long each takes.

python -m bench.orders [--database sqlite|postgres] [--rate N] [--seconds S]

Everything is on this machine: the gateway in processes of its own, its database with durable
commits, a chain that makes a block of 30 million gas each second, the settler behind, and the
load in another process. Every order is complete: a buyer's own challenge with its signed quote,
a signed authorization bound to the request, and all checks of the gateway. Challenges are asked
for and payments are signed before the measured time.

The load is open: orders are sent at a fixed rate whether or not earlier ones were answered, and
a latency counts from the moment an order was due. An order is accepted when it is answered 202:
it is durable by then. Nothing is proven: the gateway has no worker, so that what is measured is
taking orders and settling them. Afterwards the books are counted in the database.

Units: CPU in milliseconds of processor time for each order, the kernel's included.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.machine import cpu_s
from bench.measure import ROOT, BenchFailed, percentile, say, scratch
from bench.report import orders_table
from inferproof.app.compiling import compile_card
from inferproof.app.publishing import install_model
from inferproof.chain.abi import calldata
from inferproof.chain.contracts import BATCH_SETTLER, deploy, load_artifact
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import Fees, require_success, sign_tx, wait_receipt
from inferproof.models.card import load_card
from inferproof.payments.x402 import PAYMENT_SIGNATURE, encode_header, payment_payload
from inferproof.payments.x402.challenge import read_challenge
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.commitments import bound_nonce
from inferproof.protocol.signature import SigningKey
from inferproof.settings import Settings
from inferproof.storage.sql.engine import Database
from inferproof.testing.deployment import environment_of
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.limits import WIDE
from inferproof.testing.market import find_zoo
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem
from inferproof.types.digest import Address
from inferproof.types.payment import Authorization

BLOCK_GAS = 30_000_000
BLOCK_S = 1
PAYERS = 500
FUNDS = 10**12
MODEL = "token_risk"
FEES = Fees(cap=10**11, tip=1)
START_S = 60.0
RATE = "1000000/minute"
CONNECTIONS = 128
CHALLENGES_AT_ONCE = 32
VALID_S = 3000
LOAD = [sys.executable, "-m", "bench.orders_load"]
SERVER = [sys.executable, "-m", "bench.orders_server"]
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Result:
    """One run. `offered` and `accepted` are orders a second; latencies in milliseconds;
    `cpu_ms` by process, for each order; `settled` is payments a second while orders came in."""

    database: str
    processes: int
    rate: int
    seconds: float
    orders: int
    accepted: int
    accepted_per_s: float
    latency_ms: dict[str, float]
    errors: dict[str, int]
    cpu_ms: dict[str, float]
    settled_per_s: float
    challenges_per_s: float
    challenge_cpu_ms: float
    lost: int
    doubled: int


def key_of(number: int) -> SigningKey:
    """The key of a payer."""
    return SigningKey((2**200 + number).to_bytes(32, "big"))


# -- the machine room ---------------------------------------------------------------------------


@contextmanager
def sqlite() -> Iterator[tuple[str | None, int | None]]:
    """The gateway's own file: no address, no process."""
    yield None, None


@contextmanager
def postgres() -> Iterator[tuple[str | None, int | None]]:
    """The address of a PostgreSQL of our own that waits for its disk, and its process."""
    sys.path.insert(0, str(ROOT / "tests" / "suites"))
    from postgres_server import PostgresServer

    with PostgresServer("shared_buffers=256MB", fsync=True) as server:
        assert server.process is not None
        yield server.url, server.process.pid


DATABASES = {"sqlite": sqlite, "postgres": postgres}


async def _prepare_chain(info: DevnetInfo) -> Address:
    """Gives every payer money, then makes blocks at their pace; the contract that settles."""
    owner = info.accounts.owner
    async with Rpc(info.rpc_url) as rpc:
        await rpc.request("evm_setBlockGasLimit", hex(BLOCK_GAS))
        contract = await deploy(rpc, load_artifact(BATCH_SETTLER), owner)
        first = await rpc.nonce(owner.address)
        await rpc.request("evm_setAutomine", False)
        for i in range(PAYERS):
            signed = sign_tx(
                owner,
                chain_id=info.chain_id,
                nonce=first + i,
                fees=FEES,
                gas=100_000,
                to=info.token.address,
                data=calldata("mint(address,uint256)", key_of(i).address, FUNDS),
            )
            await rpc.send_raw(signed.raw)
        await rpc.request("evm_setIntervalMining", BLOCK_S)
        require_success(await wait_receipt(rpc, signed.tx))
        return contract


def _settings(
    info: DevnetInfo, contract: Address, folder: Path, database: str | None
) -> dict[str, str]:
    """The gateway's environment."""
    given = info.settings(folder) | {
        **WIDE,
        "queue_limit": 10**9,
        "quote_ttl_s": VALID_S,
        "payment_timeout_s": VALID_S,
        "deadline_s": 10**6,
        "log_level": "warning",
        "workers": 0,
        "batch_settler_address": contract.hex,
        # On, and out of reach: they are counted as in production.
        "queue_share_percent": 100,
        "rate_requests": RATE,
        "rate_quotes": RATE,
        "rate_orders": RATE,
    }
    return environment_of(given if database is None else given | {"database_url": database})


def _install(environment: dict[str, str], info: DevnetInfo, work: Path) -> tuple[str, list[Any]]:
    """The model's id and inputs; it is sold with the toy proof system, which is never run."""
    card = load_card(find_zoo() / MODEL)
    folder = work / "card"
    folder.mkdir()
    for path in card.folder.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    text = (folder / "card.toml").read_text()
    (folder / "card.toml").write_text(text.replace(f'"{card.proof.system}"', '"toy"', 1))
    toy = ToySystem(ACKNOWLEDGEMENT)
    compile_card(load_card(folder), work / "compiled", toy)
    os.environ.update(environment)
    asyncio.run(
        install_model(
            Settings.load(),
            folder,
            work / "compiled",
            key=info.accounts.provider,
            more_systems={toy.name: toy},
        )
    )
    return card.id, [example.value for example in card.input.examples]


class Server:
    """A gateway: one process that does everything, or some that take requests and one that
    settles."""

    def __init__(self, environment: dict[str, str], processes: int, *, settler: bool) -> None:
        given = _environment(environment)
        command = SERVER if settler else [*SERVER, "--no-settler"]
        self._started: list[subprocess.Popen[str]] = []
        if processes:
            given |= {"INFERPROOF_BACKGROUND": "apart"}
            self._start([*command, "settle"], given)
        told = self._start([*command, "serve", "--processes", str(max(1, processes))], given)
        self.url: str = told["url"]

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._started]

    def cpu_s(self) -> float:
        """Processor time of all its processes so far."""
        return sum(map(cpu_s, self.pids))

    def _start(self, command: list[str], environment: dict[str, str]) -> dict[str, Any]:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment, text=True, cwd=ROOT
        )
        self._started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BenchFailed(f"the gateway ended with {process.wait(10)}")
        told: dict[str, Any] = json.loads(line)
        return told

    def stop(self) -> None:
        for process in self._started:
            process.send_signal(signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(START_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(more: dict[str, str]) -> dict[str, str]:
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **more, "PYTHONPATH": paths}


# -- what is bought -----------------------------------------------------------------------------


def bodies(inputs: Sequence[Any], count: int) -> list[bytes]:
    """Request bodies that all differ."""
    made = []
    for i in range(count):
        value = dict(inputs[i % len(inputs)])
        value["holders"] = 1 + (i * 7919) % 90_000_000
        value["liquidity_usd"] = 1000 + i % 9_000_000
        made.append(json.dumps({"input": value}).encode())
    return made


def request_bytes(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: gateway", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def sign_all(work: tuple[str, int, list[tuple[str, bytes]]]) -> list[bytes]:
    """Paid requests for (challenge, body) pairs; runs in a process of its own."""
    path, first, pairs = work
    keys = [key_of(i) for i in range(PAYERS)]
    end = int(time.time()) + VALID_S
    made = []
    for i, (header, body) in enumerate(pairs):
        challenge, key = read_challenge(header), keys[(first + i) % PAYERS]
        quote, salt = challenge.quote, secrets.token_bytes(32)
        unsigned = Authorization(
            asset=quote.price.asset,
            payer=key.address,
            payee=quote.payee,
            amount=quote.price.amount,
            valid_after=0,
            valid_before=end,
            nonce=bound_nonce(challenge.request, salt),
            signature=b"",
        )
        signed = replace(unsigned, signature=key.sign(authorization_digest(unsigned)))
        payment = encode_header(payment_payload(challenge, signed, salt))
        made.append(
            request_bytes(path, body, {PAYMENT_SIGNATURE: payment, "Prefer": "respond-async"})
        )
    return made


def _load(order: dict[str, Any], requests: Sequence[bytes], work: Path) -> dict[str, Any]:
    """What the load process reports of sending these requests."""
    source, answers, report = (work / name for name in ("requests", "answers", "report"))
    with source.open("wb") as file:
        for request in requests:
            file.write(len(request).to_bytes(4, "big") + request)
    order = {**order, "requests": str(source), "answers": str(answers), "report": str(report)}
    done = subprocess.run(
        LOAD,
        input=json.dumps(order),
        env=_environment({}),
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode != 0:
        raise BenchFailed(f"the load ended with {done.returncode}")
    told: dict[str, Any] = json.loads(report.read_text())
    return told


# -- measuring ----------------------------------------------------------------------------------


def measure(
    database: str,
    rate: int,
    seconds: float,
    *,
    processes: int = 0,
    settler: bool = True,
    warm_up: int = 500,
) -> Result:
    """One run. Raises: BenchFailed; InferproofError where the chain does not start."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(scratch("orders")))
        devnet = stack.enter_context(Devnet())
        info = devnet.info
        contract = asyncio.run(_prepare_chain(info))
        stack.callback(_restore, dict(os.environ))  # the settings are read from it
        url, database_pid = stack.enter_context(DATABASES[database]())
        environment = _settings(info, contract, work / "gateway", url)
        model, inputs = _install(environment, info, work)
        server = Server(environment, processes, settler=settler)
        stack.callback(server.stop)
        path, count = f"/v1/models/{model}/infer", round(rate * seconds)
        wanted = bodies(inputs, count + warm_up)
        place = {"url": server.url, "connections": CONNECTIONS}
        say(f"orders: {len(wanted)} challenges from {server.url}")
        before = server.cpu_s()
        asked = _load(
            {**place, "connections": CHALLENGES_AT_ONCE, "rate": 0, "keep": "payment-required"},
            [request_bytes(path, body, {}) for body in wanted],
            work,
        )
        challenge_cpu = server.cpu_s() - before
        if asked["statuses"] != {"402": len(wanted)}:
            raise BenchFailed(f"challenges were answered {asked['statuses']}")
        headers = (work / "answers").read_text().splitlines()
        say(f"orders: {asked['per_s']:.0f} challenges a second; signing payments")
        pairs, cores = list(zip(headers, wanted, strict=True)), os.cpu_count() or 1
        parts = [(path, i, pairs[i : i + 500]) for i in range(0, len(pairs), 500)]
        with ProcessPoolExecutor(cores) as pool:
            paid = [request for part in pool.map(sign_all, parts) for request in part]
        say(f"orders: {warm_up} to warm up, then {rate} a second for {seconds:g} s on {database}")
        if warm_up:
            _load({**place, "rate": min(rate, 500)}, paid[:warm_up], work)
        of = {"gateway": server.pids, "database": [database_pid], "chain": [devnet.pid]}
        pids = {name: [pid for pid in its if pid is not None] for name, its in of.items()}
        settled = _settled(Settings.load().database)
        cpu = {name: sum(map(cpu_s, its)) for name, its in pids.items()}
        began = time.monotonic()
        told = _load({**place, "rate": rate}, paid[warm_up:], work)
        cpu = {name: (sum(map(cpu_s, its)) - cpu[name]) * 1e3 / count for name, its in pids.items()}
        took = time.monotonic() - began
        settled = _settled(Settings.load().database) - settled
        jobs, payments = _books(Settings.load().database)
        accepted = told["statuses"].get("202", 0)
        latencies = [1e3 * s for s in told["latencies"]]
        return Result(
            database=database,
            processes=processes,
            rate=rate,
            seconds=seconds,
            orders=count,
            accepted=accepted,
            accepted_per_s=accepted / told["wall_s"],
            latency_ms={f"p{p}": percentile(latencies, p) for p in PERCENTILES}
            | {"slowest": max(latencies)},
            errors=told["errors"],
            cpu_ms=cpu | {"load": told["cpu_s"] * 1e3 / count},
            settled_per_s=settled / took,
            challenges_per_s=asked["per_s"],
            challenge_cpu_ms=challenge_cpu * 1e3 / len(wanted),
            lost=accepted + warm_up - jobs,
            doubled=jobs - payments,
        )


def summary(runs: Sequence[Result]) -> dict[str, Any]:
    """Runs of one offer: the figures of that whose p95 is the median, and what went wrong in any.

    `p95s_ms` has that of each run; `missed` are the orders that were not accepted.
    """
    by_p95 = sorted(runs, key=lambda run: run.latency_ms["p95"])
    return asdict(by_p95[(len(runs) - 1) // 2]) | {
        "p95s_ms": [run.latency_ms["p95"] for run in runs],
        "missed": sum(run.orders - run.accepted for run in runs),
        "lost": sum(run.lost for run in runs),
        "doubled": sum(run.doubled for run in runs),
    }


def _restore(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _settled(database: str) -> int:
    return _count(database, "SELECT count(*) FROM settlements WHERE state = 'settled'")


def _books(database: str) -> tuple[int, int]:
    """How many jobs there are, and how many payments that differ."""
    jobs = _count(database, "SELECT count(*) FROM jobs")
    return jobs, _count(database, "SELECT count(DISTINCT nonce) FROM payment_reservations")


def _count(database: str, question: str) -> int:
    from sqlalchemy import text

    async def ask() -> int:
        opened = await Database.open(database)
        try:
            return int(await opened.read(lambda c: c.scalar(text(question))) or 0)
        finally:
            await opened.close()

    return asyncio.run(ask())


def main() -> int:
    """The exit status: 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(description="Measure how a gateway takes paid orders.")
    parser.add_argument("--database", choices=[*DATABASES], default="sqlite")
    parser.add_argument("--rate", type=int, nargs="+", default=[1500])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument(
        "--processes",
        type=int,
        help="that take requests, beside one that settles; 0, all that SQLite takes: one does all",
    )
    parser.add_argument(
        "--no-settler", action="store_true", help="settle nothing: what taking orders alone costs"
    )
    parser.add_argument("--json", action="store_true", help="print figures, not a table")
    given = parser.parse_args()
    processes = given.processes
    if processes is None:
        processes = 0 if given.database == "sqlite" else 1
    results = []
    try:
        for rate in given.rate:
            result = measure(
                given.database,
                rate,
                given.seconds,
                processes=processes,
                settler=not given.no_settler,
            )
            results.append(result)
            say(json.dumps(asdict(results[-1])))
    except BenchFailed as error:
        say(f"failed: {error}")
        return 1
    runs = [summary([result]) for result in results]
    print(json.dumps(runs) if given.json else orders_table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())

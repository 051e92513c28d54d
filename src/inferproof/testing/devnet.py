"""A whole chain on this machine: anvil, a dollar token, funded wallets, the ezkl verifier.

    with Devnet() as devnet:
        devnet.info.rpc_url, devnet.info.token, devnet.info.accounts.buyer ...

The chain lives in memory and ends with `stop`, and on Linux also when this process dies in
any way. Its keys are public: they come from the mnemonic that every such chain uses.
"""

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any, TypeVar

from eth_account.hdaccount import key_from_seed, seed_from_mnemonic

from inferproof.chain.abi import calldata
from inferproof.chain.contracts import (
    ACCESS,
    BATCH_SETTLER,
    DEVNET_TOKEN,
    ESCROW,
    EZKL_VERIFIER,
    MARKET,
    MODEL_REGISTRY,
    PAYOUTS,
    PRIVATE_PROOFS,
    VERIFIER_ROUTER,
    load_artifact,
)
from inferproof.chain.create2 import Planned, planned
from inferproof.chain.release import addresses, deploy_release, release
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import check_token
from inferproof.chain.transactions import transact
from inferproof.chain.wiring import consumer_steps, server_steps, steps, token_steps, wire
from inferproof.errors import MissingPart, Reason, Unavailable
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address
from inferproof.types.money import Asset, Network

T = TypeVar("T")

CHAIN_ID = 31337
BLOCK_GAS = 60_000_000
"""What a block may take, as on the main network."""
MNEMONIC = "test test test test test test test test test test test junk"
FUNDS = 1_000_000_000
"""1,000 dollars for each wallet, in atomic units."""
START_S = 60.0
"""anvil answers within a fifth of a second; a machine under heavy load may take many times that."""
STOP_S = 20.0

_LAUNCH = (
    "import ctypes, os, sys\n"
    "parent = int(sys.argv[1])\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"  # PR_SET_PDEATHSIG, SIGKILL
    "if os.getppid() != parent: sys.exit('the parent is gone')\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
"""Runs before anvil in its process, so that the kernel kills anvil with its parent. A program
of its own, because code between fork and exec is unsafe where threads run."""


@dataclass(frozen=True, slots=True)
class DevnetAccounts:
    """The wallets. `owner` deployed the contracts and may mint; the others hold dollars."""

    owner: SigningKey
    provider: SigningKey
    buyer: SigningKey
    gateway: SigningKey


@dataclass(frozen=True, slots=True)
class DevnetInfo:
    """All that a user of the devnet needs to know. Printing it shows no keys."""

    rpc_url: str
    network: Network
    token: Asset
    contracts: Mapping[str, Address]
    """Those of the release, by name."""
    accounts: DevnetAccounts

    @property
    def verifier(self) -> Address:
        """Of proofs by ezkl."""
        return self.contracts[EZKL_VERIFIER]

    @property
    def private_proofs(self) -> Address:
        """Of proofs by sumcheck, profile `evm`."""
        return self.contracts[PRIVATE_PROOFS]

    @property
    def batch_settler(self) -> Address:
        return self.contracts[BATCH_SETTLER]

    @property
    def model_registry(self) -> Address:
        return self.contracts[MODEL_REGISTRY]

    @property
    def payouts(self) -> Address:
        return self.contracts[PAYOUTS]

    @property
    def access(self) -> Address:
        return self.contracts[ACCESS]

    @property
    def market(self) -> Address:
        return self.contracts[MARKET]

    @property
    def escrow(self) -> Address:
        return self.contracts[ESCROW]

    @property
    def verifier_router(self) -> Address:
        return self.contracts[VERIFIER_ROUTER]

    @property
    def chain_id(self) -> int:
        return self.network.chain_id

    def settings(self, data_dir: Path) -> dict[str, object]:
        """The settings of a gateway on this chain, by name: on a free port of loopback."""
        return {
            "host": "127.0.0.1",
            "port": 0,
            "data_dir": data_dir,
            "rpc_url": self.rpc_url,
            "chain_id": self.chain_id,
            "token_address": self.token.address.hex,
            "token_symbol": self.token.symbol,
            "token_name": self.token.domain_name,
            "token_version": self.token.domain_version,
            "token_decimals": self.token.decimals,
            "batch_settler_address": self.batch_settler.hex,
            "payouts_address": self.payouts.hex,
            "access_address": self.access.hex,
            "gateway_key": self.accounts.gateway.secret().hex(),
        }


def dev_key(index: int) -> SigningKey:
    """The key of an account that anvil has funded with coin, counted from zero."""
    return SigningKey(key_from_seed(_seed(), f"m/44'/60'/0'/0/{index}"))


@lru_cache(maxsize=1)
def _seed() -> bytes:
    return bytes(seed_from_mnemonic(MNEMONIC, ""))


def find_anvil() -> Path:
    """The anvil program: INFERPROOF_ANVIL, else contracts/node_modules of this clone, else PATH.

    Raises: MissingPart MISSING_TOOL.
    """
    named = os.environ.get("INFERPROOF_ANVIL")
    if named:
        if os.access(named, os.X_OK) and Path(named).is_file():
            return Path(named)
        raise MissingPart(
            Reason.MISSING_TOOL,
            feature="the devnet",
            tool="anvil",
            mend=f"INFERPROOF_ANVIL names {named}, which is not a program",
        )
    in_clone = _npm_anvil(Path(__file__).resolve().parents[3])
    if in_clone is not None:
        return in_clone
    on_path = shutil.which("anvil")
    if on_path is not None:
        return Path(on_path)
    raise MissingPart(
        Reason.MISSING_TOOL,
        feature="the devnet",
        tool="anvil",
        mend='run "make -C contracts tools" in a clone (needs Node 20 and npm), or install '
        "Foundry, or set INFERPROOF_ANVIL to the program",
    )


def _npm_anvil(clone: Path) -> Path | None:
    systems = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
    machines = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    system = systems.get(platform.system(), "unknown")
    package = f"anvil-{system}-{machines.get(platform.machine(), 'unknown')}"
    name = "anvil.exe" if system == "win32" else "anvil"
    program = clone / "contracts" / "node_modules" / "@foundry-rs" / package / "bin" / name
    return program if program.is_file() else None


class _Anvil:
    """The anvil process, held by a thread that reads what it prints.

    The thread also starts it: the kernel counts the starting *thread* as the parent, and this
    one lives exactly as long as anvil or this process does.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._heard = Event()
        self._lines: deque[str] = deque(maxlen=20)
        self.process: subprocess.Popen[str] | None = None
        self.address: str | None = None
        self._failure: OSError | None = None
        self._thread = Thread(target=self._hold, name="devnet", daemon=True)

    def start(self) -> str:
        """The host and port that anvil listens on. Raises: Unavailable DEVNET_NOT_STARTED."""
        self._thread.start()
        self._heard.wait(START_S)
        if self.address is None:
            last = "; ".join(line for line in list(self._lines)[-3:] if line)
            why = str(self._failure or last or f"it said nothing in {START_S:g} seconds")
            self.stop()
            raise Unavailable(Reason.DEVNET_NOT_STARTED, why=why)
        return self.address

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_S)
        self._thread.join(STOP_S)

    def _hold(self) -> None:
        try:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            self._failure = error
            self._heard.set()
            return
        with self.process:
            assert self.process.stdout is not None  # noqa: S101 - it is a pipe
            for line in self.process.stdout:
                self._lines.append(line.strip())
                if line.startswith("Listening on "):
                    self.address = line.removeprefix("Listening on ").strip()
                    self._heard.set()
        self._heard.set()


class Devnet:
    """A local chain with everything deployed; a context manager.

    `block_time_s` of zero makes a block for each transaction at once; otherwise blocks come
    at that pace, once the contracts are there. `port` of zero takes a free one. The chain's clock
    is `behind_s` late until `catch_up`, so that what takes time is done at once.
    """

    def __init__(
        self,
        *,
        block_time_s: int = 0,
        port: int = 0,
        behind_s: int = 0,
        anvil: Path | None = None,
    ) -> None:
        self._block_time_s = block_time_s
        self._behind_s = behind_s
        self._port = port
        self._program = anvil
        self._anvil: _Anvil | None = None
        self._info: DevnetInfo | None = None

    @property
    def info(self) -> DevnetInfo:
        """Addresses and keys. Raises: Unavailable DEVNET_NOT_STARTED before `start`."""
        if self._info is None:
            raise Unavailable(Reason.DEVNET_NOT_STARTED, why="start() was not called")
        return self._info

    @property
    def pid(self) -> int | None:
        """The process id of anvil while it runs."""
        process = self._anvil.process if self._anvil is not None else None
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> DevnetInfo:
        """Addresses and keys, once the chain answers and everything is deployed.

        Raises: MissingPart MISSING_TOOL; Unavailable DEVNET_NOT_STARTED, CHAIN_UNREACHABLE.
        """
        if self._info is not None:
            return self._info
        self._anvil = _Anvil(self._command(self._program or find_anvil()))
        address = self._anvil.start()
        try:
            self._info = _run(_set_up(f"http://{address}", self._block_time_s))
        except BaseException:  # also at an interrupt, no chain is left behind
            self.stop()
            raise
        return self._info

    def pass_time(self, seconds: int) -> None:
        """The chain's clock goes on by so many seconds, and so does its next block's."""
        _run(_pass_time(self.info.rpc_url, seconds))
        self._behind_s = max(0, self._behind_s - seconds)

    def catch_up(self) -> None:
        """The chain's clock is this machine's from now on, however long it took to start."""
        _run(_catch_up(self.info.rpc_url))
        self._behind_s = 0

    def stop(self) -> None:
        """Ends the chain; its state is gone. Does nothing when it is not running."""
        if self._anvil is not None:
            self._anvil.stop()
        self._anvil = None
        self._info = None

    def __enter__(self) -> "Devnet":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _command(self, program: Path) -> list[str]:
        command = [str(program), "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--chain-id", str(CHAIN_ID), "--mnemonic", MNEMONIC]
        command += ["--gas-limit", str(BLOCK_GAS)]
        if self._behind_s:
            command += ["--timestamp", str(int(time.time()) - self._behind_s)]
        if platform.system() == "Linux":
            return [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *command]
        return command


def _run(work: Coroutine[Any, Any, T]) -> T:
    # A thread of its own: the caller may be inside a running event loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def devnet_contracts() -> tuple[Planned, ...]:
    """What a devnet has: the dollar token, and the release. Both belong to the first wallet."""
    owner = dev_key(0).address
    return (planned(load_artifact(DEVNET_TOKEN), owner), *release(owner))


async def _set_up(url: str, block_time_s: int) -> DevnetInfo:
    owner, provider, buyer, gateway = (dev_key(index) for index in range(4))
    async with Rpc(url) as rpc:
        await _wait_until_up(rpc)
        await rpc.require_chain(CHAIN_ID)
        await deploy_release(rpc, devnet_contracts(), owner, lambda _stage, _share: None)
        found = addresses(devnet_contracts())
        address = found[DEVNET_TOKEN]
        token = Asset(Network.evm(CHAIN_ID), address, "devUSDC", 6, "USD Coin (devnet)", "1")
        servers = [provider.address, gateway.address]
        todo = [
            *steps(rpc, found, owner.address),
            *token_steps(rpc, found[MARKET], [address]),
            *server_steps(rpc, found[MARKET], servers),
            *consumer_steps(rpc, found[ACCESS], [gateway.address]),
        ]
        await wire(todo, owner, lambda _stage, _share: None)
        for wallet in (provider, buyer, gateway):
            data = calldata("mint(address,uint256)", wallet.address, FUNDS)
            await transact(rpc, owner, to=address, data=data, what="mint")
        await check_token(rpc, token)
        if block_time_s:
            await rpc.request("evm_setIntervalMining", block_time_s)
    accounts = DevnetAccounts(owner, provider, buyer, gateway)
    return DevnetInfo(
        url,
        token.network,
        token,
        contracts={name: at for name, at in found.items() if name != DEVNET_TOKEN},
        accounts=accounts,
    )


async def _pass_time(url: str, seconds: int) -> None:
    async with Rpc(url) as rpc:
        await rpc.request("evm_increaseTime", seconds)
        await rpc.request("evm_mine")


async def _catch_up(url: str) -> None:
    async with Rpc(url) as rpc:
        await rpc.request("evm_mine")  # the block's time is the chain's now
        behind = int(time.time()) - (await rpc.head()).timestamp
        if behind > 0:
            await rpc.request("evm_increaseTime", behind)
            await rpc.request("evm_mine")


async def _wait_until_up(rpc: Rpc) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            await rpc.chain_id()
        except Unavailable:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.02)
        else:
            return

"""`inferproof chain deploy`, killed before and after each transaction that it sends, and around the
file that it writes: run again it takes up what is there, and ends with the same addresses.

One deployment goes through all of these deaths, so that each run goes on from the one before.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from deploy_command import COMMAND, DEPLOY
from stories import Case

from inferproof.chain.create2 import DEPLOYER, DEPLOYER_CODE, Planned
from inferproof.chain.deployments import load_deployment
from inferproof.chain.release import addresses, release
from inferproof.chain.wiring import OWN_ROLES, VERIFIERS
from inferproof.testing.boundaries import Boundary, Watcher
from inferproof.testing.deployment import Nursery
from inferproof.testing.devnet import Devnet, DevnetInfo, dev_key
from inferproof.testing.kill_server import WATCH
from inferproof.types.money import Network

RUN_S = 300.0
"""How long one run of the command may take, on a machine that is slow and full."""
SERVER = dev_key(5).address
STEPS = len(OWN_ROLES) + 1 + 1 + len(VERIFIERS) + 1 + 1
"""Of telling contracts of each other: roles, the escrow's, access, verifiers, a token, a server."""
SENT, MADE = Boundary(DEPLOY, "send", "before"), Boundary(DEPLOY, "send", "after")
UNSAVED, SAVED = Boundary(DEPLOY, "save", "before"), Boundary(DEPLOY, "save", "after")


class Deploying:
    """A chain without our contracts, and the command that brings them there."""

    def __init__(self, folder: Path, devnet: DevnetInfo, nursery: Nursery) -> None:
        self.folder = folder
        self.file = folder / "deployments.toml"
        self.owner = dev_key(4)
        self._url, self._token = devnet.rpc_url, devnet.token.address.hex
        self._token_code = self.chain("eth_getCode", self._token, "latest")
        self._nursery = nursery
        self._key = folder / "key"
        folder.mkdir(parents=True)
        self._key.touch(mode=0o600)
        self._key.write_text(self.owner.secret().hex())
        self.begin()

    def begin(self) -> None:
        """The chain begins anew: it has the deployer and a token, and there is no file."""
        self.chain("anvil_reset")
        self.chain("anvil_setCode", self._token, self._token_code)
        self.chain("anvil_setCode", DEPLOYER.hex, "0x" + DEPLOYER_CODE.hex())
        self.file.unlink(missing_ok=True)

    def run(self, at: Boundary | None = None) -> bool:
        """Whether the command came to the boundary, and died there. Raises: AssertionError where
        it neither dies nor ends well."""
        more = ["--key-file", str(self._key), "--token", self._token, "--server", SERVER.hex]
        code = self._command(at, "deploy", *more)
        died = (self.folder / Watcher.FIRED).exists()
        if code != 0 and not died:
            raise AssertionError(f"chain deploy ended with {code}; see {self.folder / 'log'}")
        return died

    def verify(self) -> None:
        """Raises: AssertionError where `chain verify` ends with an error."""
        code = self._command(None, "verify")
        if code != 0:
            raise AssertionError(f"chain verify ended with {code}; see {self.folder / 'log'}")

    def _command(self, at: Boundary | None, name: str, *more: str) -> int:
        for file in (Watcher.FIRED, Watcher.ARMED):
            (self.folder / file).unlink(missing_ok=True)
        if at is not None:
            (self.folder / Watcher.ARMED).write_text(str(at))
        words = ["chain", name, "--rpc", self._url, "--file", str(self.file), "--json", *more]
        environment = {COMMAND: json.dumps(words), WATCH: str(self.folder)}
        return self._nursery.start(name, environment, self.folder / "log").wait(RUN_S)

    def contracts(self) -> tuple[Planned, ...]:
        return release(self.owner.address)

    def there(self) -> int:
        """How many of the contracts are on the chain."""
        codes = (self.chain("eth_getCode", e.address.hex, "latest") for e in self.contracts())
        return sum(code != "0x" for code in codes)

    def transactions(self) -> list[tuple[str, bool]]:
        """The data of each transaction of the owner's, and whether it did anything."""
        found = []
        for number in range(1, int(self.chain("eth_blockNumber"), 16) + 1):
            block = self.chain("eth_getBlockByNumber", hex(number), True)
            for tx in block["transactions"]:
                receipt = self.chain("eth_getTransactionReceipt", tx["hash"])
                found.append((tx["input"], int(receipt["status"], 16) == 1))
        return found

    def chain(self, method: str, *params: object) -> Any:
        """What the node answers."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = httpx.post(self._url, json=call, timeout=60).json()
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    def check(self, *, twice: int = 0) -> None:
        """Returns when the contracts lie where this release has them, each brought there by one
        transaction, and know of each other by one each; `twice` were sent again, and did nothing.

        Raises: AssertionError.
        """
        self.verify()
        found = load_deployment(self.file, Network.evm(31337)).contracts
        planned = addresses(self.contracts())
        if {name: each.address for name, each in found.items()} != planned:
            raise AssertionError(f"deployed elsewhere than planned: {found}")
        sent = self.transactions()
        did = Counter(data for data, succeeded in sent if succeeded)
        made = {"0x" + each.data.hex() for each in self.contracts()}
        steps = len(did) - len(made)
        if not made <= set(did) or steps != STEPS or set(did.values()) != {1}:
            raise AssertionError(f"{len(made)} contracts and {steps} steps: {did.values()}")
        if len(sent) - sum(did.values()) != twice:
            raise AssertionError(f"{len(sent)} transactions, {twice} of them in vain")


def deploys(folder: Path) -> Iterator[tuple[Boundary, bool]]:
    """Every boundary, as often as the command came there, and whether it died there.

    Raises: AssertionError.
    """
    program = Path(__file__).with_name("deploy_command.py")
    with Devnet() as devnet, Nursery(str(program)) as nursery:
        deploying = Deploying(folder, devnet.info, nursery)
        yield from at_each_step(deploying)
        deploying.begin()
        yield from in_its_block(deploying)


def at_each_step(deploying: Deploying) -> Iterator[tuple[Boundary, bool]]:
    """Killed before and after each transaction, until nothing is left to send."""
    contracts, saved = len(deploying.contracts()), False
    while deploying.run(SENT):
        yield SENT, True
        yield MADE, deploying.run(MADE)
        if deploying.there() == contracts and not saved:
            saved = True
            for at in (UNSAVED, SAVED):
                yield at, deploying.run(at)
                if deploying.file.exists() != (at is SAVED):
                    raise AssertionError(f"killed at {at}, the file is wrong")
    deploying.run()
    deploying.check()


def in_its_block(deploying: Deploying) -> Iterator[tuple[Boundary, bool]]:
    """Killed while its first transaction waits for a block, and run again before that comes."""
    deploying.chain("evm_setAutomine", False)
    yield MADE, deploying.run(MADE)
    yield MADE, deploying.run(MADE)
    deploying.chain("evm_setAutomine", True)
    deploying.chain("evm_mine")
    deploying.run()
    deploying.check(twice=1)


DEPLOYED = Case(at_each_step, "each transaction of the command passes it, and each run its file")

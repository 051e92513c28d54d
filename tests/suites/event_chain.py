"""A chain of blocks with events, and a node that tells of it: at its best, or refusing, lagging,
repeating itself, and changing its mind between two questions."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from inferproof.chain.event_logs import LogReader
from inferproof.errors import Reason, Unavailable
from inferproof.protocol.encoding import keccak256
from inferproof.types.digest import Address, Digest
from inferproof.types.indexing import Source, SourceSet

CHAIN_ID = 31337
FIRST = Address(b"\x11" * 20)
SECOND = Address(b"\x22" * 20)
STRANGER = Address(b"\x33" * 20)
SOURCES = SourceSet(CHAIN_ID, (Source("First", FIRST, 2), Source("Second", SECOND, 5)))

MINED = itertools.count(1)
"""No two blocks are alike, on whatever chain."""


@dataclass(frozen=True, slots=True)
class MinedLog:
    """An event: who emitted it, its topics after the first, its data."""

    address: Address
    keys: tuple[int, ...] = ()
    data: bytes = b""


@dataclass(frozen=True)
class MinedBlock:
    """A block of the chain."""

    number: int
    hash: Digest
    parent: Digest
    logs: tuple[MinedLog, ...]

    def header(self) -> dict[str, Any]:
        """As a node tells it."""
        bloom = 0
        for log in self.logs:
            for part in (log.address.raw, *(topic.raw for topic in topics_of(log))):
                digest = keccak256(part)
                for at in (0, 2, 4):
                    bloom |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
        return {
            "number": hex(self.number),
            "hash": self.hash.hex,
            "parentHash": self.parent.hex,
            "timestamp": hex(1000 + 12 * self.number),
            "logsBloom": "0x" + bloom.to_bytes(256, "big").hex(),
        }

    def told(self, addresses: Sequence[str]) -> list[dict[str, Any]]:
        """Its events of these addresses, as a node tells them."""
        return [
            {
                "blockNumber": hex(self.number),
                "blockHash": self.hash.hex,
                "logIndex": hex(index),
                "transactionHash": digest("tx", self.hash.raw, index).hex,
                "address": log.address.hex,
                "topics": [topic.hex for topic in topics_of(log)],
                "data": "0x" + log.data.hex(),
                "removed": False,
            }
            for index, log in enumerate(self.logs)
            if log.address.hex in addresses
        ]


def digest(*parts: object) -> Digest:
    return Digest(keccak256(repr(parts).encode()))


def topics_of(log: MinedLog) -> tuple[Digest, ...]:
    return (digest("an event"), *(Digest(key.to_bytes(32, "big")) for key in log.keys))


@dataclass
class Chain:
    """The chain that counts, and the node's faults."""

    blocks: list[MinedBlock] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    """Blocks whose events are refused."""
    longest: int = 1000
    """Ranges beyond are refused."""
    lag: int = 0
    """Events are told without those of so many newest blocks."""
    twice: bool = False
    """Events are told twice."""
    down: bool = False
    after: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    """What happens after so many more questions."""
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.blocks:
            self.mine(())

    @property
    def head(self) -> int:
        return len(self.blocks) - 1

    def mine(self, logs: Sequence[MinedLog]) -> None:
        parent = self.blocks[-1].hash if self.blocks else digest("before all")
        made = MinedBlock(len(self.blocks), digest("block", next(MINED)), parent, tuple(logs))
        self.blocks.append(made)

    def drop(self, depth: int) -> None:
        """Takes back the newest blocks, but for the first one of all."""
        del self.blocks[max(1, len(self.blocks) - depth) :]

    def be_well(self) -> None:
        self.refused.clear()
        self.after.clear()
        self.longest, self.lag, self.twice, self.down = 1000, 0, False, False

    # -- what inferproof.chain.event_logs asks of an Rpc ----------------------------------------

    shown_url = "http://node"

    async def ask_all(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self._answer(method, params) for method, params in calls]

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        self.asked.append(method)
        if self.down:
            raise Unavailable(Reason.CHAIN_UNREACHABLE, url=self.shown_url, why="it is down")
        given = self._header(params[0]) if method == "eth_getBlockByNumber" else self._logs(*params)
        self.after = [(left - 1, what) for left, what in self.after]
        for _, what in [each for each in self.after if each[0] <= 0]:
            what()
        self.after = [each for each in self.after if each[0] > 0]
        return given

    def _header(self, name: str) -> dict[str, Any] | None:
        number = self.head if name == "latest" else int(name, 16)
        return self.blocks[number].header() if number <= self.head else None

    def _logs(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        if "blockHash" in wanted:
            blocks = [each for each in self.blocks if each.hash.hex == wanted["blockHash"]]
            if not blocks or blocks[0].number in self.refused:
                raise self._refuses("unknown block")
        else:
            first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
            if last - first >= self.longest or self.refused & set(range(first, last + 1)):
                raise self._refuses("query returned more than 10000 results")
            blocks = self.blocks[first : min(last, self.head - self.lag) + 1]
        told = [log for block in blocks for log in block.told(wanted["address"])]
        return told * 2 if self.twice else told

    def _refuses(self, why: str) -> Unavailable:
        return Unavailable(
            Reason.CHAIN_RPC_ERROR, url=self.shown_url, method="eth_getLogs", why=why
        )

    def reader(self, span_blocks: int = 1000) -> LogReader:
        """The real reader, asking this node."""
        return LogReader(self, span_blocks=span_blocks)  # type: ignore[arg-type]

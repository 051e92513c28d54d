"""How many events a second the indexer writes, durably: `python -m bench.index [URL]`.

The node is in this process and answers at once, so that what is measured is checking, decoding from
JSON and writing: two keys an event, a block's header for each block. Spans are as in a gateway.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import scratch
from inferproof.chain.event_logs import LogReader
from inferproof.protocol.encoding import keccak256
from inferproof.services.indexer.service import Indexer
from inferproof.storage.sql.chain_events import SqlChainEvents
from inferproof.storage.sql.engine import Database, sqlite_url
from inferproof.testing.metrics import MemoryMetrics
from inferproof.types.digest import Address
from inferproof.types.indexing import Source, SourceSet

ADDRESS = Address(b"\x11" * 20)
TOPIC = "0x" + keccak256(b"Ordered(bytes32,address,uint256)").hex()


class Node:
    """A chain with so many events in each block."""

    shown_url = "memory"

    def __init__(self, run: str, blocks: int, events: int) -> None:
        self._run, self._blocks, self._events = run, blocks, events

    def _hex(self, *parts: object) -> str:
        return "0x" + keccak256(f"{self._run} {parts}".encode()).hex()

    async def ask_all(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        return [self._answer(method, params) for method, params in calls]

    def _answer(self, method: str, params: list[Any]) -> Any:
        if method == "eth_getLogs":
            first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
            return [log for block in range(first, last + 1) for log in self._logs(block)]
        number = self._blocks if params[0] == "latest" else int(params[0], 16)
        return {
            "number": hex(number),
            "hash": self._hex("block", number),
            "parentHash": self._hex("block", number - 1),
            "timestamp": hex(1_700_000_000 + 2 * number),
        }

    def _logs(self, block: int) -> list[dict[str, Any]]:
        return [
            {
                "blockNumber": hex(block),
                "blockHash": self._hex("block", block),
                "logIndex": hex(index),
                "transactionHash": self._hex("tx", block, index),
                "address": ADDRESS.hex,
                "topics": [TOPIC, self._hex("order", block, index), "0x" + "00" * 31 + "07"],
                "data": "0x" + "00" * 64,
            }
            for index in range(self._events)
        ]


async def index_all(url: str, blocks: int, events: int) -> tuple[float, float]:
    """Events a second, and events for each second of this process's own processor time. What the
    node takes is left out of both."""
    run = str(time.time_ns())
    sources = SourceSet(time.time_ns() % 2**40, (Source("Bench", ADDRESS, 1),))  # a set of its own
    node = Node(run, blocks, events)
    begun, cpu = time.perf_counter(), time.process_time()
    for number in range(1, blocks + 1):
        node._answer("eth_getBlockByNumber", [hex(number)])
        node._logs(number)
    node_s, node_cpu = time.perf_counter() - begun, time.process_time() - cpu
    database = await Database.open(url)
    try:
        indexer = Indexer(
            chain=LogReader(node),  # type: ignore[arg-type]
            store=SqlChainEvents(database),
            sources=sources,
            metrics=MemoryMetrics(),
        )
        begun, cpu = time.perf_counter(), time.process_time()
        read = await indexer.catch_up()
        took, cpu = time.perf_counter() - begun - node_s, time.process_time() - cpu - node_cpu
        assert read == blocks * events
    finally:
        await database.close()
    return read / took, read / cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="default: a SQLite file of its own")
    parser.add_argument("--blocks", type=int, default=6000)
    parser.add_argument("--events", type=int, default=5, help="in each block")
    given = parser.parse_args()
    with scratch("index") as folder:
        url = given.url or sqlite_url(Path(folder) / "index.db")
        rate, by_cpu = asyncio.run(index_all(url, given.blocks, given.events))
    sys.stdout.write(f"{rate:,.0f} events/s; {by_cpu:,.0f} for each second of its processor time\n")


if __name__ == "__main__":
    main()

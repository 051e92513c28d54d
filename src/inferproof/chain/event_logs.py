"""Events of contracts, and the blocks that they are in, as a node tells them; nothing is believed
that contradicts the question."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from inferproof.chain.ranges import SPAN_BLOCKS, in_ranges
from inferproof.chain.rpc import Rpc, RpcCall
from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.types.digest import Address, Digest
from inferproof.types.indexing import ChainLog, Header

T = TypeVar("T")

MAX_LOGS = 20_000
"""Events in one answer. A full block of sixty million gas has fewer than a hundred thousand; more
of several blocks are asked for in halves."""
MAX_BLOCK_LOGS = 100_000
MAX_DATA_BYTES = 2**20
"""Of one event: at eight gas a byte more than any block can pay for."""
MAX_TOPICS = 4


class LogReader:
    """One node, asked for events. Implements services.indexer.base.EventChain."""

    def __init__(self, rpc: Rpc, *, span_blocks: int = SPAN_BLOCKS) -> None:
        self._rpc = rpc
        self._span = span_blocks

    async def check(self, chain_id: int) -> None:
        """Returns when the node serves this chain. Raises: as `Rpc.require_chain`."""
        await self._rpc.require_chain(chain_id)

    async def head(self) -> Header:
        """The newest block. Raises: Unavailable."""
        (found,) = await self._asked([("eth_getBlockByNumber", ["latest", False])], _header)
        if found is None:
            raise _bad("it knows no newest block")
        return found

    async def headers(self, numbers: Sequence[int]) -> Mapping[int, Header]:
        """The blocks with these numbers that the node has.

        Raises: Unavailable CHAIN_UNREACHABLE, CHAIN_RPC_ERROR, INDEX_BAD_ANSWER.
        """
        calls: list[RpcCall] = [("eth_getBlockByNumber", [hex(n), False]) for n in numbers]
        found = await self._asked(calls, _header)
        for number, header in zip(numbers, found, strict=True):
            if header is not None and header.number != number:
                raise _bad(f"asked for block {number}, it gives block {header.number}")
        return {header.number: header for header in found if header is not None}

    async def logs(
        self, addresses: Collection[Address], first: int, last: int
    ) -> Sequence[ChainLog]:
        """The contracts' events in these blocks, both ends included, in their order.

        A node that refuses is asked for half as many blocks.
        Raises: Unavailable INDEX_BLOCK_REFUSED naming the block that it refuses alone,
        INDEX_BAD_ANSWER, CHAIN_UNREACHABLE.
        """

        async def ask(start: int, end: int) -> Sequence[ChainLog]:
            try:
                found = await self._logs(
                    addresses, {"fromBlock": hex(start), "toBlock": hex(end)}, start, end
                )
            except Unavailable as error:
                if error.reason is Reason.CHAIN_RPC_ERROR and start == end:
                    why = error.facts.get("why", "")
                    raise Unavailable(Reason.INDEX_BLOCK_REFUSED, block=start, why=why) from error
                raise
            if start < end and len(found) > MAX_LOGS:
                raise Unavailable(
                    Reason.CHAIN_RPC_ERROR,
                    url=self._rpc.shown_url,
                    method="eth_getLogs",
                    why=f"it gives more than {MAX_LOGS} events",
                )
            return found

        return ordered(await in_ranges(ask, first, last, span=self._span))

    async def logs_of(self, addresses: Collection[Address], block: Header) -> Sequence[ChainLog]:
        """The contracts' events in this block, which is named by its hash: a node that does not
        have it refuses. Raises: as `logs`."""
        asked = {"blockHash": block.hash.hex}
        try:
            found = await self._logs(addresses, asked, block.number, block.number)
        except Unavailable as error:
            if error.reason is Reason.CHAIN_RPC_ERROR:
                why = error.facts.get("why", "")
                raise Unavailable(
                    Reason.INDEX_BLOCK_REFUSED, block=block.number, why=why
                ) from error
            raise
        if any(log.block_hash != block.hash for log in found):
            raise _bad(f"asked for block {block.hash}, it gives events of another")
        return ordered(found)

    async def _logs(
        self, addresses: Collection[Address], asked: Mapping[str, str], first: int, last: int
    ) -> Sequence[ChainLog]:
        wanted = {"address": [each.hex for each in sorted(addresses)], **asked}
        (found,) = await self._asked([("eth_getLogs", [wanted])], _read_logs)
        for log in found:
            if not first <= log.block <= last:
                raise _bad(
                    f"asked for blocks {first} to {last}, it gives an event of block {log.block}"
                )
            if log.address not in addresses:
                raise _bad(f"it gives an event of {log.address}, which was not asked for")
        return found

    async def _asked(self, calls: Sequence[RpcCall], read: Callable[[Any], T]) -> list[T]:
        answers = await self._rpc.ask_all(calls)
        try:
            return [read(answer) for answer in answers]
        except InferproofError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise _bad("it has not the form of blocks or events") from error


def ordered(logs: Sequence[ChainLog]) -> Sequence[ChainLog]:
    """The logs in the chain's order; what was told twice alike stands once.

    Raises: Unavailable INDEX_BAD_ANSWER where one place has two events, or a block two hashes.
    """
    by_place: dict[tuple[int, int], ChainLog] = {}
    hashes: dict[int, Digest] = {}
    for log in logs:
        if by_place.setdefault(log.place, log) != log:
            raise _bad(f"it gives two events {log.index} of block {log.block}")
        if hashes.setdefault(log.block, log.block_hash) != log.block_hash:
            raise _bad(f"it gives two hashes of block {log.block}")
    return [by_place[place] for place in sorted(by_place)]


def _header(found: Any) -> Header | None:
    if found is None:
        return None
    return Header(
        _number(found["number"]),
        _digest(found["hash"]),
        _digest(found["parentHash"]),
        _number(found["timestamp"]),
        _bytes(found.get("logsBloom") or "0x", 256),
    )


def _read_logs(found: Any) -> list[ChainLog]:
    if not isinstance(found, list):
        raise TypeError("a list of events")
    if len(found) > MAX_BLOCK_LOGS:
        raise _bad(f"it gives {len(found)} events at once")
    return [_log(each) for each in found]


def _log(found: Any) -> ChainLog:
    topics = found["topics"]
    if found.get("removed"):
        raise _bad("it gives an event that it says was removed")
    if len(topics) > MAX_TOPICS:
        raise _bad(f"it gives an event with {len(topics)} topics")
    return ChainLog(
        block=_number(found["blockNumber"]),
        index=_number(found["logIndex"]),
        block_hash=_digest(found["blockHash"]),
        tx=_digest(found["transactionHash"]),
        address=Address(_bytes(found["address"], 20)),
        topics=tuple(map(_digest, topics)),
        data=_bytes(found["data"], MAX_DATA_BYTES),
    )


def _number(text: str) -> int:
    number = int(text, 16)
    if not 0 <= number < 2**63:
        raise ValueError("no number of a block")
    return number


def _digest(text: str) -> Digest:
    return Digest(_bytes(text, 32))


def _bytes(text: str, most: int) -> bytes:
    if not text.startswith("0x") or len(text) > 2 * most + 2:
        raise ValueError("not hex, or too long")
    return bytes.fromhex(text[2:])


def _bad(why: str) -> Unavailable:
    return Unavailable(Reason.INDEX_BAD_ANSWER, why=why)

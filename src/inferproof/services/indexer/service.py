"""Reads the events of a set of contracts, while the chain goes on and changes its mind.

A step is one of these, in this order:

    1  the newest block that was read is not of the chain any more: back to the one that is
    2  there are blocks that were not read: the next of them are
    3  there are none: what became deep enough is not provisional any more

To read blocks, what is asked is the last one's header, then the events, then the headers again with
those of every block that has events: where the last block is the same before and after, and all is
linked, the events are of the chain that ends with it. What was read is committed with the cursor.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.protocol import indexing
from inferproof.protocol.indexing import IndexTerms
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.indexer.base import EventChain
from inferproof.services.metrics import Metrics
from inferproof.storage.ports.chain_events import ChainEvents
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.types.indexing import (
    NO_BLOCK,
    ChainLog,
    Change,
    Cursor,
    Header,
    SourceSet,
    Span,
)

log = logging.getLogger("inferproof.indexer")

MAX_REFUSED = 8
"""Blocks that a pass leaves for later. A node that refuses more of them refuses everything."""

REBUILT = 10_000
"""Events that a rebuild takes away at once."""


class Indexer:
    """Reads one set. All of what it must not forget is in the store."""

    def __init__(
        self,
        *,
        chain: EventChain,
        store: ChainEvents,
        sources: SourceSet,
        metrics: Metrics,
        terms: IndexTerms | None = None,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._chain = chain
        self._store = store
        self._sources = sources
        self._metrics = metrics
        self._terms = terms or IndexTerms()
        self._heartbeat = heartbeat
        self._cursor: Cursor | None = None
        self._refused: frozenset[int] = frozenset()
        self._span = self._terms.span

    async def run(self, every_s: float, leader: LeaderLock) -> None:
        """While it holds the lock, reads what is new every so many seconds, until cancelled."""
        try:
            while True:
                await self._pass_as_leader(leader)
                await asyncio.sleep(every_s)
        finally:
            await leader.release()

    async def _pass_as_leader(self, leader: LeaderLock) -> None:
        try:
            if await leader.held():
                await self.catch_up()
        except InferproofError as error:
            level = logging.INFO if error.reason is Reason.INDEX_CHAIN_MOVED else logging.WARNING
            log.log(level, "cannot read events: %s", error.message)
        except Exception:  # the edge of a service that must not end with one bad day
            log.exception("a fault of ours")

    async def catch_up(self) -> int:
        """Steps until there is nothing to do; how many events were read. Blocks that the node
        refuses are left, and tried again when this is called again.

        Raises: Unavailable; Conflict INDEX_REORG_TOO_DEEP, INDEX_TAKEN.
        """
        self._refused, events = frozenset(), 0
        while True:
            if self._heartbeat is not None:
                self._heartbeat.beat("indexer")
            read = await self.step()
            if read is None:
                return events
            events += read

    async def step(self) -> int | None:
        """One step: how many events it read, or None where there was nothing to do.

        Raises: as `catch_up`; after that the cursor is read from the store again.
        """
        try:
            return await self._step()
        except BaseException:  # also where it is cancelled: nobody knows what was committed
            self._cursor = None
            raise

    async def _step(self) -> int | None:
        cursor = self._cursor or await self._store.begin(self._sources)
        if cursor.covered.last != (None if cursor.tip is None else cursor.tip.number):
            await self.rebuild()  # one that did not come to its end
            return 0
        self._cursor = cursor
        head = await self._chain.head()
        # 1
        if cursor.tip is not None and not await self._is_still(cursor.tip, head):
            await self._roll_back(cursor, head)
            return 0
        # 2
        span = indexing.next_span(
            cursor, self._sources.first_block, head.number, self._span, self._refused
        )
        if span is not None:
            return await self._read(cursor, span, head)
        # 3
        change = indexing.seen(cursor, head.number, self._terms)
        if change is not None:
            await self._apply(change)
        self._metrics.index_lag(self._lag(head.number))
        return None

    async def _is_still(self, tip: Header, head: Header) -> bool:
        if tip.number >= head.number:
            return tip == head
        found = (await self._chain.headers([tip.number])).get(tip.number)
        return found is not None and found.hash == tip.hash

    async def _roll_back(self, cursor: Cursor, head: Header) -> None:
        numbers = [kept.number for kept in cursor.kept if kept.number <= head.number]
        found = await self._chain.headers(numbers) if numbers else {}
        canonical = {number: header.hash for number, header in found.items()}
        change = indexing.taken_back(cursor, canonical, head.number, self._terms)
        if change.dropped == cursor.covered.last:
            raise indexing.moved(head.number)  # it changed back meanwhile
        await self._apply(change)
        assert change.dropped is not None  # noqa: S101 - what a change back has
        log.log(
            logging.WARNING if change.dropped < cursor.confirmed else logging.INFO,
            "the chain changed: events after block %d are taken back, %d blocks of them confirmed",
            change.dropped,
            max(0, cursor.confirmed - change.dropped),
        )
        self._metrics.index_rollback()

    async def _read(self, cursor: Cursor, span: Span, head: Header) -> int:
        try:
            headers, logs = await self._ask(cursor, span, head)
        except Unavailable as error:
            if error.reason is Reason.INDEX_BLOCK_REFUSED:
                return self._leave(error)
            if error.reason is Reason.CHAIN_UNREACHABLE:
                # It may be that an answer about so many blocks takes too long.
                self._span = max(1, self._span // 2)
            raise
        self._span = min(self._terms.span, self._span * 2)
        for part, own in indexing.pieces(span, logs, self._terms.batch):
            assert self._cursor is not None  # noqa: S101 - set by `_step`
            await self._apply(
                indexing.advanced(self._cursor, part, own, headers, head.number, self._terms)
            )
            self._metrics.indexed(len(own))
        self._metrics.index_lag(self._lag(head.number))
        return len(logs)

    def _leave(self, error: Unavailable) -> int:
        """Leaves a block for the next pass. Raises: the error, where too many are left."""
        block = error.facts["block"]
        assert isinstance(block, int)  # noqa: S101 - what the chain promises of it
        if len(self._refused) >= MAX_REFUSED or block in self._refused:
            raise error
        self._refused |= {block}
        log.warning("%s", error.message)
        return 0

    async def _ask(
        self, cursor: Cursor, span: Span, head: Header
    ) -> tuple[Mapping[int, Header], list[ChainLog]]:
        """The events of these blocks that are wanted, in order, and headers that prove them.

        Raises: Unavailable INDEX_CHAIN_MOVED.
        """
        first, last = span
        before = head if last == head.number else await self._header(last)
        addresses = self._sources.addresses
        logs = list(await self._chain.logs(addresses, first, last))
        wanted = indexing.wanted_headers(cursor, span, logs, head.number, self._terms)
        headers = await self._chain.headers(wanted)
        missing = [number for number in wanted if number not in headers]
        if missing or headers[last].hash != before.hash:
            raise indexing.moved(min([*missing, last]))
        indexing.check_links(cursor, headers, logs)
        for header in indexing.left_out(headers.values(), logs, addresses):
            kept = [each for each in logs if each.block != header.number]
            logs = [*kept, *await self._chain.logs_of(addresses, header)]
        logs.sort(key=lambda each: each.place)
        return headers, [each for each in logs if self._sources.wants(each)]

    async def _header(self, number: int) -> Header:
        found = (await self._chain.headers([number])).get(number)
        if found is None:
            raise indexing.moved(number)
        return found

    async def _apply(self, change: Change) -> None:
        await self._store.apply(self._sources, change)
        self._cursor = change.after

    def _lag(self, head: int) -> int:
        """How many blocks up to the head were not read, those of gaps too."""
        assert self._cursor is not None  # noqa: S101 - set by `_step`
        gaps = self._cursor.covered.gaps(self._sources.first_block, head)
        return sum(end - start + 1 for start, end in gaps)

    async def rebuild(self) -> None:
        """Takes away all that was read, in parts, the newest first: what is left is true at any
        time, and reading goes on from the beginning."""
        cursor = await self._store.begin(self._sources)
        digest = indexing.set_digest(self._sources)
        while (block := await self._store.block_below(digest, REBUILT)) is not None:
            cursor = await self._cut(cursor, block)
        await self._cut(cursor, NO_BLOCK)
        self._cursor = None

    async def _cut(self, cursor: Cursor, to: int) -> Cursor:
        after = replace(
            cursor,
            version=cursor.version + 1,
            covered=cursor.covered.cut(to),
            kept=tuple(kept for kept in cursor.kept if kept.number <= to),
        )
        await self._store.apply(self._sources, Change(cursor, after, dropped=to))
        return after

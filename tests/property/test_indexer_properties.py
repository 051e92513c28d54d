"""Any sequence of blocks, reorganisations, repeated answers, restarts, deaths and refused ranges
ends with the tables of a replay from zero."""

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from event_chain import FIRST, SECOND, SOURCES, STRANGER, Chain, MinedLog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from index_parts import replayed, tables
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, InferproofError, Reason, Unavailable
from inferproof.protocol.indexing import IndexTerms
from inferproof.services.indexer.service import Indexer
from inferproof.storage.sql.chain_events import SqlChainEvents
from inferproof.storage.sql.engine import MEMORY, Database
from inferproof.storage.sql.tables import event_blocks
from inferproof.testing.metrics import MemoryMetrics
from inferproof.types.indexing import Change, SourceSet

T = TypeVar("T")

LOGS = st.lists(
    st.builds(
        MinedLog,
        st.sampled_from([FIRST, SECOND, STRANGER]),
        st.lists(st.integers(0, 3), max_size=3).map(tuple),
        st.binary(max_size=3),
    ),
    max_size=3,
)
BLOCKS = st.lists(LOGS, min_size=1, max_size=6)
TERMS = st.builds(
    IndexTerms,
    depth=st.integers(1, 4),
    keep=st.integers(4, 9),
    span=st.integers(1, 6),
    batch=st.integers(1, 4),
)


class Died(Exception):
    """The process ended here."""


class Mortal(SqlChainEvents):
    """A store whose process dies before or after a commit."""

    dies: str | None = None

    async def apply(self, sources: SourceSet, change: Change) -> None:
        if self.dies == "before":
            raise Died
        await super().apply(sources, change)
        if self.dies == "after":
            raise Died


class Reading(RuleBasedStateMachine):
    """One index of a chain that does what it wants."""

    @initialize(terms=TERMS, ranges=st.integers(1, 5))
    def start(self, terms: IndexTerms, ranges: int) -> None:
        self.runner = asyncio.Runner()
        self.terms, self.ranges = terms, ranges
        self.chain = Chain()
        self.database = self.do(Database.open(MEMORY))
        self.store = Mortal(self.database)
        self.restart()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        if not hasattr(self, "database"):
            return
        try:
            self.chain.be_well()
            self.store.dies = None
            self.caught_up()
            replay = replayed(self.chain.reader(), SOURCES, self.terms)
            assert self.do(tables(self.database)) == self.do(replay)
        finally:
            self.do(self.database.close())
            self.runner.close()

    @rule()
    def restart(self) -> None:
        self.indexer = Indexer(
            chain=self.chain.reader(self.ranges),
            store=self.store,
            sources=SOURCES,
            metrics=MemoryMetrics(),
            terms=self.terms,
        )

    @rule(blocks=BLOCKS)
    def mine(self, blocks: list[list[MinedLog]]) -> None:
        for logs in blocks:
            self.chain.mine(logs)

    @rule(depth=st.integers(1, 6), blocks=BLOCKS)
    def reorganise(self, depth: int, blocks: list[list[MinedLog]]) -> None:
        self.chain.drop(depth)
        self.mine(blocks)

    @rule(depth=st.integers(1, 12))
    def shorten(self, depth: int) -> None:
        self.chain.drop(depth)

    @rule(asked=st.integers(1, 6), depth=st.integers(1, 5), blocks=BLOCKS)
    def reorganise_while_it_reads(
        self, asked: int, depth: int, blocks: list[list[MinedLog]]
    ) -> None:
        self.chain.after.append((asked, lambda: self.reorganise(depth, blocks)))

    @rule(blocks=st.sets(st.integers(0, 30), max_size=4), longest=st.integers(1, 6))
    def refuse(self, blocks: set[int], longest: int) -> None:
        self.chain.refused, self.chain.longest = blocks, longest

    @rule(lag=st.integers(0, 3), twice=st.booleans(), down=st.booleans())
    def be_odd(self, lag: int, twice: bool, down: bool) -> None:
        # Behind by no more than the blocks whose headers are compared with what is told.
        self.chain.lag = min(lag, self.terms.keep - 1)
        self.chain.twice, self.chain.down = twice, down

    @rule()
    def be_well(self) -> None:
        self.chain.be_well()

    @rule(when=st.sampled_from([None, "before", "after"]))
    def be_mortal(self, when: str | None) -> None:
        self.store.dies = when

    @rule(steps=st.integers(1, 4))
    def read(self, steps: int) -> None:
        for _ in range(steps):
            self.attempt(self.indexer.step())

    @rule()
    def rebuild(self) -> None:
        self.attempt(self.indexer.rebuild())

    @rule()
    def caught_up(self) -> None:
        """All is read, but for what the node does not tell."""
        for _ in range(40):
            if self.attempt(self.indexer.catch_up()):
                break
        else:
            assert self.chain.refused or self.chain.down or self.store.dies

    def attempt(self, work: Coroutine[Any, Any, object]) -> bool:
        """Whether it went well. What is too deep for the index is said, and mended as it says."""
        try:
            self.do(work)
        except Died:
            self.restart()
            return False
        except (Unavailable, Conflict) as error:
            self.mend(error)
            return False
        return True

    def mend(self, error: InferproofError) -> None:
        known = self.do(self.kept())
        if error.reason is Reason.INDEX_NODE_BEHIND:  # here the chain began anew
            assert int(str(error.facts["head"])) < min(known)
            if self.chain.head >= min(known):  # it has caught up since, as it was told to
                return
        elif error.reason is Reason.INDEX_REORG_TOO_DEEP:
            assert all(
                number > self.chain.head or self.chain.blocks[number].hash != known[number]
                for number in known
            )
        else:
            assert isinstance(error, Unavailable)
            return
        assert error.facts["oldest"] == min(known)
        self.attempt(self.indexer.rebuild())

    async def kept(self) -> dict[int, Any]:
        async def ask(connection: AsyncConnection) -> dict[int, Any]:
            query = select(event_blocks.c.block, event_blocks.c.hash)
            return {row.block: row.hash for row in await connection.execute(query)}

        return await self.database.read(ask)

    @invariant()
    def the_cursor_says_what_the_rows_are(self) -> None:
        """Rows lie in blocks that were read; the newest of these is known by its header."""
        if not hasattr(self, "store"):
            return
        cursor = self.do(self.store.begin(SOURCES))
        rows = self.do(tables(self.database))["events"]
        spans = cursor.covered.spans
        for row in rows:
            assert any(first <= row[0] <= last for first, last in spans)
            assert bool(row[-1]) == (row[0] > cursor.confirmed)
        assert all(b + 1 < c for (_, b), (c, _) in pairwise(spans))
        assert len(cursor.kept) <= self.terms.keep


TestReading = Reading.TestCase
TestReading.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
class TestReadingForLong(Reading.TestCase):  # type: ignore[misc, valid-type, name-defined]
    """The same, longer."""

    settings = settings(TestReading.settings, max_examples=400, stateful_step_count=50)

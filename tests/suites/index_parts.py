"""An index of a chain, and its tables to compare."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.chain.event_logs import LogReader
from inferproof.protocol.indexing import IndexTerms
from inferproof.services.indexer.service import Indexer
from inferproof.storage.sql.chain_events import SqlChainEvents
from inferproof.storage.sql.engine import MEMORY, Database
from inferproof.storage.sql.tables import chain_event_keys, chain_events, event_sets
from inferproof.testing.metrics import MemoryMetrics
from inferproof.types.indexing import SourceSet

Tables = dict[str, list[tuple[Any, ...]]]


class Index:
    """One set of contracts over one database. `restart` is what a new process would be."""

    def __init__(
        self, database: Database, chain: LogReader, sources: SourceSet, terms: IndexTerms
    ) -> None:
        self.database, self.chain, self.sources, self.terms = database, chain, sources, terms
        self.store = SqlChainEvents(database)
        self.metrics = MemoryMetrics()
        self.restart()

    def restart(self) -> None:
        self.indexer = Indexer(
            chain=self.chain,
            store=self.store,
            sources=self.sources,
            metrics=self.metrics,
            terms=self.terms,
        )


@asynccontextmanager
async def open_index(
    chain: LogReader, sources: SourceSet, terms: IndexTerms | None = None, url: str = MEMORY
) -> AsyncIterator[Index]:
    """An index in the database at the URL, closed when the block ends."""
    database = await Database.open(url)
    try:
        yield Index(database, chain, sources, terms or IndexTerms())
    finally:
        await database.close()


async def replayed(chain: LogReader, sources: SourceSet, terms: IndexTerms) -> Tables:
    """The tables of a new database that reads the whole chain."""
    async with open_index(chain, sources, terms) as index:
        await index.indexer.catch_up()
        return await tables(index.database)


async def tables(database: Database) -> Tables:
    """All that is kept but for how often it changed and which headers are known."""
    c, e, k = event_sets.c, chain_events.c, chain_event_keys.c

    async def ask(connection: AsyncConnection) -> Tables:
        told = {
            "sets": select(c.chain_id, c.digest, c.covered, c.head, c.confirmed),
            "events": select(*[each for each in e if each.name != "event_set"]).order_by(
                e.block, e.log_index
            ),
            "keys": select(k.key, k.block, k.log_index).order_by(k.block, k.log_index, k.key),
        }
        return {
            name: [tuple(row) for row in await connection.execute(query)]
            for name, query in told.items()
        }

    return await database.read(ask)

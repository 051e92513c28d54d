"""Events of contracts in the database: how they are found, and what a backup leaves out."""

import sqlite3
from pathlib import Path

from event_chain import FIRST, SECOND, SOURCES, Chain, MinedLog
from index_parts import open_index
from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.protocol.indexing import Place
from inferproof.storage.ports.chain_events import EventFilter
from inferproof.storage.sql.chain_events import _query
from inferproof.storage.sql.dump import tables_of
from inferproof.storage.sql.engine import Database, sqlite_url
from inferproof.types.digest import Digest

KEY = Digest(bytes(32))


async def test_events_are_found_in_the_order_of_an_index(tmp_path: Path) -> None:
    path, chain = tmp_path / "plans.db", Chain()
    chain.mine([MinedLog(FIRST)])
    async with open_index(chain.reader(), SOURCES, url=sqlite_url(path)) as index:
        await index.indexer.catch_up()
    place = Place(1, 0, "00" * 8)
    for wanted, used in (
        (EventFilter(), "sqlite_autoindex_chain_events_1"),
        (EventFilter(addresses=(SECOND,)), "ix_chain_events_event_set_address_block_log_index"),
        (EventFilter(topics=(KEY,)), "ix_chain_events_event_set_topic_block_log_index"),
        (EventFilter(key=KEY), "SEARCH chain_event_keys USING PRIMARY KEY"),
        (EventFilter(key=KEY, after=place), "SEARCH chain_event_keys USING PRIMARY KEY"),
    ):
        query = _query(1, wanted).compile(
            dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
        )
        with sqlite3.connect(path) as file:
            plan = [row[-1] for row in file.execute(f"EXPLAIN QUERY PLAN {query}")]
        file.close()
        assert used in plan[0], plan
        assert not [line for line in plan if "TEMP B-TREE" in line], plan


async def test_a_backup_leaves_them_out(url: str) -> None:
    def names(connection: Connection) -> set[str]:
        return {table.name for table in tables_of(connection)}

    async def ask(connection: AsyncConnection) -> set[str]:
        return await connection.run_sync(names)

    database = await Database.open(url)
    try:
        found = await database.read(ask)
    finally:
        await database.close()
    assert "jobs" in found
    assert not {"event_sets", "event_blocks", "chain_events", "chain_event_keys"} & found

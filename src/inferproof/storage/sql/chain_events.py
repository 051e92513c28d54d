"""Events of contracts in SQL. See storage/ports/chain_events."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, Reason
from inferproof.protocol.indexing import Place, set_digest
from inferproof.storage.ports.chain_events import EventFilter, KeptEvent, SetSummary
from inferproof.storage.sql.constructs import insert_new
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.tables import (
    chain_event_keys,
    chain_events,
    event_blocks,
    event_sets,
)
from inferproof.types.digest import Digest
from inferproof.types.indexing import (
    NO_BLOCK,
    ChainLog,
    Change,
    Coverage,
    Cursor,
    Header,
    SourceSet,
    Span,
)

FORGOTTEN = 10_000
"""Events that one commit takes away: a second or two on a slow disk."""

_BY_BLOCK = (chain_event_keys, chain_events, event_blocks)


class SqlChainEvents:
    """The ChainEvents over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def begin(self, sources: SourceSet) -> Cursor:
        digest = set_digest(sources)
        row = {
            "chain_id": sources.chain_id,
            "digest": digest,
            "sources": _sources_text(sources),
            **_cursor_values(Cursor()),
        }

        async def change(connection: AsyncConnection) -> Cursor:
            await insert_new(connection, event_sets, [row], returning=event_sets.c.number)
            found = (await _set_rows(connection, digest)).one()
            query = select(event_blocks).where(event_blocks.c.event_set == found.number)
            blocks = await connection.execute(query.order_by(event_blocks.c.block))
            return _cursor(found, tuple(map(_header, blocks)))

        return await self._db.write(change)

    async def apply(self, sources: SourceSet, change: Change) -> None:
        digest = set_digest(sources)

        async def work(connection: AsyncConnection) -> None:
            c = event_sets.c
            moved = await connection.execute(
                update(event_sets)
                .where(c.digest == digest, c.version == change.before.version)
                .values(**_cursor_values(change.after))
            )
            if moved.rowcount != 1:
                raise Conflict(Reason.INDEX_TAKEN, chain_id=sources.chain_id)
            number = (await _set_rows(connection, digest)).one().number
            await _make(connection, number, change)

        await self._db.write(work)

    async def block_below(self, digest: Digest, rows: int) -> int | None:
        async def ask(connection: AsyncConnection) -> int | None:
            c = chain_events.c
            found = (await _set_rows(connection, digest)).one_or_none()
            if found is None:
                return None
            query = select(c.block).where(c.event_set == found.number)
            query = query.order_by(c.block.desc(), c.log_index.desc()).limit(1)
            block = await connection.scalar(query.offset(rows))
            if block is None:
                return None
            newest: int = (await connection.scalars(query)).one()
            return min(int(block), newest - 1)

        return await self._db.read(ask)

    async def forget(self, digest: Digest) -> None:
        # In parts: a server ends a statement that takes long.
        while (block := await self.block_below(digest, FORGOTTEN)) is not None:
            await self._db.write(partial(_forget, digest=digest, after=block))
        await self._db.write(partial(_forget, digest=digest, after=None))

    async def cursor(self, sources: SourceSet) -> Cursor | None:
        async def ask(connection: AsyncConnection) -> Cursor | None:
            found = (await _set_rows(connection, set_digest(sources))).one_or_none()
            return None if found is None else _cursor(found, ())

        return await self._db.read(ask)

    async def find(self, sources: SourceSet, wanted: EventFilter) -> Sequence[KeptEvent]:
        async def ask(connection: AsyncConnection) -> Sequence[KeptEvent]:
            found = (await _set_rows(connection, set_digest(sources))).one_or_none()
            if found is None:
                return []
            if wanted.after is not None:
                await _check_place(connection, found.number, wanted.after)
            rows = await connection.execute(_query(found.number, wanted))
            return [KeptEvent(_log(row), bool(row.provisional)) for row in rows]

        return await self._db.read(ask)

    async def sets(self) -> Sequence[SetSummary]:
        async def ask(connection: AsyncConnection) -> Sequence[SetSummary]:
            sets = await connection.execute(select(event_sets).order_by(event_sets.c.number))
            counted = await connection.execute(
                select(chain_events.c.event_set, func.count()).group_by(chain_events.c.event_set)
            )
            events = {number: int(count) for number, count in counted}
            return [
                SetSummary(
                    row.digest,
                    row.chain_id,
                    row.sources,
                    _coverage(row.covered),
                    row.head,
                    row.confirmed,
                    events.get(row.number, 0),
                )
                for row in sets
            ]

        return await self._db.read(ask)


async def _forget(connection: AsyncConnection, *, digest: Digest, after: int | None) -> None:
    found = (await _set_rows(connection, digest)).one_or_none()
    if found is None:
        return
    await _delete(connection, found.number, NO_BLOCK if after is None else after + 1, None)
    if after is None:
        await connection.execute(delete(event_sets).where(event_sets.c.number == found.number))


async def _set_rows(connection: AsyncConnection, digest: Digest) -> Any:
    return await connection.execute(select(event_sets).where(event_sets.c.digest == digest))


async def _make(connection: AsyncConnection, number: int, change: Change) -> None:
    """The change of the rows. What is not new is written over: the same again ends the same."""
    if change.dropped is not None:
        await _delete(connection, number, change.dropped + 1, None)
    if change.span is not None:
        await _delete(connection, number, *change.span)
    gone = {header.number for header in change.before.kept} - {
        header.number for header in change.after.kept
    }
    if gone:
        c = event_blocks.c
        await connection.execute(
            delete(event_blocks).where(c.event_set == number, c.block.in_(sorted(gone)))
        )
    there = set() if change.span is None else set(_outside(change.before.kept, change.span))
    new = [header for header in change.after.kept if header not in there]
    if change.span is not None and new:
        await connection.execute(insert(event_blocks), [_block_row(number, each) for each in new])
    confirmed = change.after.confirmed
    await _confirm(connection, number, change.before.confirmed, confirmed)
    if change.logs:
        rows = [_event_row(number, log, confirmed) for log in change.logs]
        await connection.execute(insert(chain_events), rows)
        keys = [row for log in change.logs for row in _key_rows(number, log)]
        if keys:
            await connection.execute(insert(chain_event_keys), keys)


async def _delete(connection: AsyncConnection, number: int, first: int, last: int | None) -> None:
    for table in _BY_BLOCK:
        c = table.c
        rows = delete(table).where(c.event_set == number, c.block >= first)
        await connection.execute(rows if last is None else rows.where(c.block <= last))


async def _confirm(connection: AsyncConnection, number: int, before: int, after: int) -> None:
    """Rows of blocks between the two change whether they are provisional."""
    if before == after:
        return
    c = chain_events.c
    low, high = min(before, after), max(before, after)
    await connection.execute(
        update(chain_events)
        .where(c.event_set == number, c.block > low, c.block <= high)
        .values(provisional=after < before)
    )


async def _check_place(connection: AsyncConnection, number: int, place: Place) -> None:
    c = chain_events.c
    query = select(c.block_hash).where(
        c.event_set == number, c.block == place.block, c.log_index == place.index
    )
    found = await connection.scalar(query)
    if found is None or found.raw[:8].hex() != place.mark:
        raise Conflict(Reason.EVENTS_CURSOR_REPLACED, block=place.block)


def _query(number: int, wanted: EventFilter) -> Any:
    """The events that match, found in the order of an index."""
    c, k = chain_events.c, chain_event_keys.c
    query, at = select(chain_events).where(c.event_set == number), (c.block, c.log_index)
    if wanted.key is not None:
        joined = and_(k.event_set == c.event_set, k.block == c.block, k.log_index == c.log_index)
        query = query.join(chain_event_keys, joined)
        query = query.where(k.event_set == number, k.key == wanted.key)
        at = (k.block, k.log_index)
    if wanted.addresses is not None:
        query = query.where(_one_of(c.address, wanted.addresses))
    if wanted.topics is not None:
        query = query.where(_one_of(c.topic, wanted.topics))
    if wanted.after is not None:
        query = query.where(tuple_(*at) > (wanted.after.block, wanted.after.index))
    return query.order_by(*at).limit(wanted.limit)


def _one_of(column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    return or_(*(column == value for value in values))


def _outside(kept: Sequence[Header], span: Span) -> list[Header]:
    return [header for header in kept if not span[0] <= header.number <= span[1]]


def _sources_text(sources: SourceSet) -> str:
    return json.dumps(
        [
            {"name": each.name, "address": each.address.hex, "first_block": each.first_block}
            for each in sources.sources
        ]
    )


def _cursor_values(cursor: Cursor) -> dict[str, Any]:
    return {
        "version": cursor.version,
        "covered": json.dumps(cursor.covered.spans),
        "head": cursor.head,
        "confirmed": cursor.confirmed,
    }


def _coverage(text: str) -> Coverage:
    return Coverage(tuple((int(first), int(last)) for first, last in json.loads(text)))


def _cursor(row: Row[Any], kept: tuple[Header, ...]) -> Cursor:
    return Cursor(row.version, _coverage(row.covered), kept, row.head, row.confirmed)


def _header(row: Row[Any]) -> Header:
    return Header(row.block, row.hash, row.parent, row.time)


def _block_row(number: int, header: Header) -> dict[str, Any]:
    return {
        "event_set": number,
        "block": header.number,
        "hash": header.hash,
        "parent": header.parent,
        "time": header.time,
    }


def _event_row(number: int, log: ChainLog, confirmed: int) -> dict[str, Any]:
    return {
        "event_set": number,
        "block": log.block,
        "log_index": log.index,
        "block_hash": log.block_hash,
        "time": log.time,
        "tx": log.tx,
        "address": log.address,
        "topic": log.topics[0] if log.topics else None,
        "topics": " ".join(topic.hex for topic in log.topics),
        "data": log.data,
        "provisional": log.block > confirmed,
    }


def _key_rows(number: int, log: ChainLog) -> list[dict[str, Any]]:
    return [
        {"event_set": number, "key": key, "block": log.block, "log_index": log.index}
        for key in sorted(set(log.topics[1:]))
    ]


def _log(row: Row[Any]) -> ChainLog:
    return ChainLog(
        block=row.block,
        index=row.log_index,
        block_hash=row.block_hash,
        tx=row.tx,
        address=row.address,
        topics=tuple(Digest(bytes.fromhex(topic[2:])) for topic in row.topics.split()),
        data=row.data,
        time=row.time,
    )

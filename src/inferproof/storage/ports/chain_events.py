"""Events of contracts, kept by sets of contracts.

Whatever is changed is changed at once: rows and cursor together, so that after any end of a process
the cursor says what the rows are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.protocol.indexing import Place
from inferproof.types.digest import Address, Digest
from inferproof.types.indexing import ChainLog, Change, Coverage, Cursor, SourceSet


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events, in the chain's order. `addresses` and `topics` are any of which it must be,
    None for any at all; `key` is an indexed argument, of which it must have one."""

    addresses: tuple[Address, ...] | None = None
    topics: tuple[Digest, ...] | None = None
    key: Digest | None = None
    after: Place | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event, and whether the chain may still take its block back."""

    log: ChainLog
    provisional: bool


@dataclass(frozen=True, slots=True)
class SetSummary:
    """A set of contracts in the database. `sources` is its JSON, `events` how many rows it has."""

    digest: Digest
    chain_id: int
    sources: str
    covered: Coverage
    head: int
    confirmed: int
    events: int


class ChainEvents(Protocol):
    """The events of all sets. Raises: Unavailable STORAGE_UNAVAILABLE, STORAGE_FULL."""

    async def begin(self, sources: SourceSet) -> Cursor:
        """How far the set was read; a new set was not read at all."""
        ...

    async def apply(self, sources: SourceSet, change: Change) -> None:
        """Makes the change, all of it or nothing.

        Raises: Conflict INDEX_TAKEN where the cursor is not any more what the change began from.
        """
        ...

    async def block_below(self, digest: Digest, rows: int) -> int | None:
        """The block after which the set has about so many events, those of whole blocks; None where
        it has fewer."""
        ...

    async def forget(self, digest: Digest) -> None:
        """Lets go of a set: its rows, its blocks, its cursor."""
        ...

    async def cursor(self, sources: SourceSet) -> Cursor | None:
        """How far the set was read, without its headers; None for one that was never begun."""
        ...

    async def find(self, sources: SourceSet, wanted: EventFilter) -> Sequence[KeptEvent]:
        """The set's events that match. Raises: Conflict EVENTS_CURSOR_REPLACED."""
        ...

    async def sets(self) -> Sequence[SetSummary]:
        """All sets in the database."""
        ...

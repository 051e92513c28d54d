"""The history of contracts, as it was read: by contract, event and indexed argument, in pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferproof.errors import NotFound, Reason
from inferproof.protocol.encoding import Json
from inferproof.protocol.indexing import Place
from inferproof.services.indexer.base import EventDecoder
from inferproof.storage.ports.chain_events import ChainEvents, EventFilter, KeptEvent
from inferproof.types.digest import Address, Digest
from inferproof.types.indexing import NO_BLOCK, ChainLog, Source, SourceSet


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events. `contract` is a name or an address, `key` an indexed argument; None is any."""

    contract: str | None = None
    event: str | None = None
    key: Digest | None = None
    after: Place | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class EventView:
    """An event that was read. `event` and `fields` are None where the ABI does not know it."""

    contract: str
    event: str | None
    fields: Mapping[str, Json] | None
    log: ChainLog
    provisional: bool

    @property
    def place(self) -> Place:
        return Place.of(self.log)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the chain's order. `complete_to` is the newest block up to which every one was
    read, `confirmed` that up to which none is provisional; before the first block there is -1.
    `more` says whether there are others after these."""

    chain_id: int
    events: Sequence[EventView]
    more: bool
    head: int
    confirmed: int
    complete_to: int


class History:
    """What was read of one set of contracts. `decoders` are those of the sources' names."""

    def __init__(
        self, store: ChainEvents, sources: SourceSet, decoders: Mapping[str, EventDecoder]
    ) -> None:
        self._store = store
        self._set = sources
        self._decoders = decoders
        self._by_address = {source.address: source for source in sources.sources}

    async def page(self, query: EventQuery) -> EventPage:
        """The first events that match, after the query's place.

        Raises: NotFound EVENTS_CONTRACT_UNKNOWN, EVENTS_EVENT_UNKNOWN; Conflict
        EVENTS_CURSOR_REPLACED.
        """
        sources = self._sources(query.contract)
        wanted = EventFilter(
            addresses=None
            if query.contract is None
            else tuple(source.address for source in sources),
            topics=None if query.event is None else self._topics(sources, query.event),
            key=query.key,
            after=query.after,
            limit=query.limit + 1,  # one more tells whether there is a next page
        )
        cursor = await self._store.cursor(self._set)
        found = await self._store.find(self._set, wanted)
        return EventPage(
            self._set.chain_id,
            [self._view(kept) for kept in found[: query.limit]],
            len(found) > query.limit,
            NO_BLOCK if cursor is None else cursor.head,
            NO_BLOCK if cursor is None else cursor.confirmed,
            NO_BLOCK if cursor is None else cursor.complete_to(self._set.first_block),
        )

    def _sources(self, contract: str | None) -> Sequence[Source]:
        found = [
            source
            for source in self._set.sources
            if contract in (None, source.name) or contract == source.address.hex
        ]
        if not found:
            known = ", ".join(sorted({source.name for source in self._set.sources}))
            raise NotFound(Reason.EVENTS_CONTRACT_UNKNOWN, contract=contract, known=known)
        return found

    def _topics(self, sources: Sequence[Source], event: str) -> tuple[Digest, ...]:
        names = sorted({source.name for source in sources})
        topics = {topic for name in names for topic in self._decoders[name].topics_of(event)}
        if not topics:
            known = sorted({each for name in names for each in self._decoders[name].names})
            raise NotFound(Reason.EVENTS_EVENT_UNKNOWN, event=event, known=", ".join(known))
        return tuple(sorted(topics))

    def _view(self, kept: KeptEvent) -> EventView:
        log = kept.log
        name = self._by_address[log.address].name
        event, fields = self._decoders[name].decode(log.topics, log.data)
        return EventView(name, event, fields, log, kept.provisional)


def account_key(account: Address) -> Digest:
    """The indexed argument that an address is."""
    return Digest(bytes(12) + account.raw)

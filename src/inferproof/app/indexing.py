"""What reads events of contracts, and what shows them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from inferproof.app.checks import storage_checks, task_checks
from inferproof.app.running import started
from inferproof.app.stores import Watch, unwatched
from inferproof.chain.contracts import load_artifact
from inferproof.chain.event_abi import EventAbi
from inferproof.chain.event_logs import LogReader
from inferproof.chain.rpc import Rpc
from inferproof.errors import Conflict, Misconfigured, Reason
from inferproof.observability.logs import report_loop_faults
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness
from inferproof.protocol.indexing import IndexTerms, set_digest
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.indexer.history import History
from inferproof.services.indexer.service import Indexer
from inferproof.settings import Settings, variable
from inferproof.storage.ports.chain_events import SetSummary
from inferproof.storage.sql.chain_events import SqlChainEvents
from inferproof.storage.sql.engine import Database
from inferproof.types.digest import Digest
from inferproof.types.indexing import SourceSet


@dataclass(frozen=True, slots=True)
class IndexerApp:
    """A running process that reads events. `task` ends only with it."""

    settings: Settings
    sources: SourceSet
    task: asyncio.Task[None]
    metrics: Metrics
    readiness: Readiness


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How far the events were read. `digest` names the set of the settings' contracts, which is
    among `sets` where it was begun; `head` is the chain's newest block now."""

    sources: SourceSet
    digest: Digest
    head: int
    sets: tuple[SetSummary, ...]


@asynccontextmanager
async def build_indexer(
    settings: Settings, *, watch: Watch = unwatched
) -> AsyncIterator[IndexerApp]:
    """A running process that reads the settings' contracts. It needs no key.

    Raises: Misconfigured INDEX_NO_SOURCES, SETTING_WRONG, CHAIN_ID_MISMATCH, DATABASE_IN_USE;
    Unavailable.
    """
    async with AsyncExitStack() as stack:
        sources = required_sources(settings)
        chain = await open_chain(settings, stack)
        database = await open_database(settings, stack, serving=True)
        stack.callback(report_loop_faults(asyncio.get_running_loop()))
        metrics, heartbeat = Metrics(), Heartbeat()
        task = start_indexer(settings, sources, chain, database, metrics, heartbeat, stack, watch)
        checks = {
            **storage_checks(database, settings.data_dir, settings.disk_reserve_bytes),
            **task_checks({"indexer": task}, {"indexer": heartbeat}, settings.stall_s),
        }
        yield IndexerApp(settings, sources, task, metrics, Readiness(checks))


def start_indexer(
    settings: Settings,
    sources: SourceSet,
    chain: LogReader,
    database: Database,
    metrics: Metrics,
    heartbeat: Heartbeat,
    stack: AsyncExitStack,
    watch: Watch,
) -> asyncio.Task[None]:
    """The task that reads, while no other process on the database does."""
    indexer = Indexer(
        chain=chain,
        store=watch("events", SqlChainEvents(database)),
        sources=sources,
        metrics=metrics,
        terms=index_terms(settings),
        heartbeat=heartbeat,
    )
    leader = database.leader_lock(f"indexer of {set_digest(sources)}")
    return started(indexer.run(settings.index_every_s, leader), "indexer", stack)


def make_history(settings: Settings, database: Database) -> History | None:
    """What shows the settings' contracts; None where there are none.

    Raises: Misconfigured SETTING_WRONG, CONTRACT_ARTIFACT_MALFORMED.
    """
    sources = settings.sources
    if sources is None:
        return None
    return History(SqlChainEvents(database), sources, load_decoders(sources))


def load_decoders(sources: SourceSet) -> Mapping[str, EventAbi]:
    """The ABIs of the contracts, by their names.

    Raises: Misconfigured SETTING_WRONG for a name that this release has no events of.
    """
    names = sorted({source.name for source in sources.sources})
    decoders = {name: EventAbi(_abi(name)) for name in names}
    for name, decoder in decoders.items():
        if not decoder.names:
            raise _wrong(f"the contract {name} has no events")
    return decoders


def _abi(name: str) -> list[dict[str, object]]:
    if not name.isalnum():
        raise _wrong(f"{name[:60]} names no contract")
    try:
        return load_artifact(name).abi
    except Misconfigured as error:
        raise _wrong(f"this release knows no contract {name[:60]}: {error.message}") from error


def required_sources(settings: Settings) -> SourceSet:
    """The settings' contracts, all of which this release knows.

    Raises: Misconfigured INDEX_NO_SOURCES, SETTING_WRONG.
    """
    sources = settings.sources
    if sources is None:
        raise Misconfigured(Reason.INDEX_NO_SOURCES)
    load_decoders(sources)
    index_terms(settings)
    return sources


def index_terms(settings: Settings) -> IndexTerms:
    """How events are read. Raises: Misconfigured SETTING_WRONG."""
    if settings.index_kept_blocks < settings.index_confirmations:
        raise Misconfigured(
            Reason.SETTING_WRONG,
            name=variable("index_kept_blocks"),
            problem=f"it is less than {variable('index_confirmations')}",
        )
    return IndexTerms(
        depth=settings.index_confirmations,
        keep=settings.index_kept_blocks,
        span=settings.index_span_blocks,
    )


def _wrong(problem: str) -> Misconfigured:
    return Misconfigured(Reason.SETTING_WRONG, name=variable("index_contracts"), problem=problem)


async def open_chain(settings: Settings, stack: AsyncExitStack) -> LogReader:
    """The settings' node. Raises: Misconfigured CHAIN_ID_MISMATCH; Unavailable."""
    rpc = await stack.enter_async_context(Rpc(settings.rpc))
    await rpc.require_chain(settings.chain_id)
    return LogReader(rpc, span_blocks=settings.index_span_blocks)


async def open_database(
    settings: Settings, stack: AsyncExitStack, *, serving: bool = False
) -> Database:
    """The settings' database, closed with the stack. Raises: as `Database.open`."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = await Database.open(settings.database, serving=serving)
    stack.push_async_callback(database.close)
    return database


async def status(settings: Settings) -> IndexStatus:
    """How far the events were read. Raises: as `build_indexer`."""
    async with AsyncExitStack() as stack:
        sources = required_sources(settings)
        chain = await open_chain(settings, stack)
        database = await open_database(settings, stack)
        head = await chain.head()
        sets = await SqlChainEvents(database).sets()
        return IndexStatus(sources, set_digest(sources), head.number, tuple(sets))


async def rebuild(
    settings: Settings, *, forget_others: bool, report: Callable[[str], None]
) -> IndexStatus:
    """Takes away what was read of the settings' contracts and reads all of it again; with
    `forget_others` first everything of other contracts that the database has of this chain.

    Raises: as `build_indexer`; Conflict INDEX_TAKEN where another process reads at the time.
    """
    async with AsyncExitStack() as stack:
        sources = required_sources(settings)
        chain = await open_chain(settings, stack)
        database = await open_database(settings, stack, serving=True)
        store, own = SqlChainEvents(database), set_digest(sources)
        leader = database.leader_lock(f"indexer of {own}")
        if not await leader.held():
            raise Conflict(Reason.INDEX_TAKEN, chain_id=sources.chain_id)
        if forget_others:
            for other in await store.sets():
                if other.digest != own and other.chain_id == sources.chain_id:
                    report(f"forgetting {other.digest}")
                    await store.forget(other.digest)
        indexer = Indexer(
            chain=chain,
            store=store,
            sources=sources,
            metrics=Metrics(),
            terms=index_terms(settings),
        )
        report("taking away what was read")
        await indexer.rebuild()
        report("reading")
        await indexer.catch_up()
        head = await chain.head()
        return IndexStatus(sources, own, head.number, tuple(await store.sets()))

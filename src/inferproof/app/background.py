"""What runs beside the requests, in the gateway's process or in one of its own: settling, refunds,
webhooks, sweeping, keeping books, following the registry of models."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from inferproof.app.checks import chain_checks, storage_checks, task_checks
from inferproof.app.core import Core, gateway_terms, open_core
from inferproof.app.gauges import Gauges
from inferproof.app.indexing import required_sources, start_indexer
from inferproof.app.key_budgets import openings_left
from inferproof.app.providing import make_provider
from inferproof.app.reconciliation import make_reconciler
from inferproof.app.running import clock, started
from inferproof.app.serving import Serving
from inferproof.app.stores import Stores, Watch, unwatched
from inferproof.chain.event_logs import LogReader
from inferproof.delivery.http import WebhookSender
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness, ReadyCheck
from inferproof.protocol.signature import SigningKey
from inferproof.proving.base import ProofSystem
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.models.ranking import Ranking
from inferproof.services.notifier.service import Notifier, NotifierSettings
from inferproof.services.settlement.payouts import PayoutParts
from inferproof.services.settlement.service import Settler, SettlerSettings
from inferproof.services.sweeper import Sweeper
from inferproof.settings import Settings
from inferproof.storage.sql.blob_names import SqlBlobNames
from inferproof.storage.sql.deliveries import SqlDeliveries
from inferproof.storage.sql.retention import SqlUnpaidJobs
from inferproof.storage.sql.scores import SqlScores
from inferproof.types.digest import Address


@dataclass(frozen=True, slots=True)
class Background:
    """What runs beside the requests. `refresh` brings the gauges up to date."""

    tasks: Mapping[str, asyncio.Task[None]]
    refresh: Callable[[], Awaitable[None]]
    heartbeats: Mapping[str, Heartbeat]

    def checks(self, stall_s: float) -> dict[str, ReadyCheck]:
        """What /ready asks of it. Units: seconds."""
        return task_checks(self.tasks, self.heartbeats, stall_s)


@dataclass(frozen=True, slots=True)
class SettleApp:
    """A running process that settles. `signer` is the address whose account it settles with."""

    settings: Settings
    signer: Address
    metrics: Metrics
    readiness: Readiness
    refresh: Callable[[], Awaitable[None]]


@asynccontextmanager
async def build_settle(
    settings: Settings,
    *,
    more_systems: Mapping[str, ProofSystem] | None = None,
    watch: Watch = unwatched,
    settler_settings: SettlerSettings | None = None,
) -> AsyncIterator[SettleApp]:
    """All of a gateway but taking requests and proving, for gateways that leave it to this one.

    Raises: as `gateway.build`.
    """
    async with AsyncExitStack() as stack:
        core = await open_core(settings, stack, more_systems, (), watch)
        background = await start_background(settings, core, settler_settings, stack, watch)
        checks = {
            **storage_checks(core.stores.database, settings.data_dir, settings.disk_reserve_bytes),
            **chain_checks(core.token, core.account),
            **background.checks(settings.stall_s),
        }
        readiness = Readiness(checks)
        yield SettleApp(settings, core.key.address, core.metrics, readiness, background.refresh)


async def start_background(
    settings: Settings,
    core: Core,
    settler_settings: SettlerSettings | None,
    stack: AsyncExitStack,
    watch: Watch,
) -> Background:
    """Settling, refunds, webhooks, sweeping, the books and the gauges, started, and following the
    registry of models, where one is set, after its first round."""
    stores, metrics, asset, heartbeat = core.stores, core.metrics, core.token.asset, Heartbeat()
    gauges = Gauges(
        metrics,
        stores.orders.ledger.figures,
        core.account.holdings,
        partial(openings_left, stores.models, stores.artifacts, stores.openings),
        clock,
    )
    settler = Settler(
        jobs=stores.orders.jobs,
        settlements=stores.orders.settlements,
        outbox=stores.orders.outbox,
        chain=core.account,
        methods=core.methods,
        settings=replace(
            settler_settings or SettlerSettings(),
            max_fee=settings.max_gas_fee_wei,
            reorg_depth=settings.reorg_depth,
        ),
        clock=clock,
        metrics=metrics,
        event_bus=core.event_bus,
        leader=stores.database.leader_lock(f"settler of {core.account.sender} on {asset.network}"),
        heartbeat=heartbeat,
        payouts=None if core.payouts is None else PayoutParts(stores.payouts, core.payouts),
        deliveries=None if core.serving is None else core.serving.deliveries,
        bonds=None if core.serving is None else core.serving.bonds,
    )
    heartbeats = {"settler": heartbeat}
    notifier = _notifier(settings, stores, core.key, metrics, stack, watch)
    tasks = {
        "settler": started(settler.run(), "settler", stack),
        "gauges": started(gauges.watch(), "gauges", stack),
        "notifier": started(notifier.run(), "notifier", stack),
    }
    if core.serving is not None:
        provider = make_provider(settings, gateway_terms(settings, core), core.serving, stores)
        tasks["provider"] = started(provider.run(), "provider", stack)
        heartbeats["ranking"] = Heartbeat()
        ranking = _ranking(settings, core.serving, stores)
        leader = stores.database.leader_lock(f"reputations at {core.serving.escrow.address}")
        tasks["ranking"] = started(ranking.run(leader, heartbeats["ranking"]), "ranking", stack)
    if settings.blobs_days or settings.unpaid_days:
        sweeper = Sweeper(
            blobs=stores.blobs,
            names=SqlBlobNames(stores.database),
            jobs=SqlUnpaidJobs(stores.database),
            blobs_days=settings.blobs_days,
            jobs_days=settings.unpaid_days,
            clock=clock,
        )
        leader = stores.database.leader_lock(f"sweeper of {settings.data_dir}")
        tasks["sweeper"] = started(sweeper.run(leader), "sweeper", stack)
    if settings.books_check_s:
        books = make_reconciler(settings, stores.database, core.token, metrics)
        leader = stores.database.leader_lock(f"books of {asset.address} on {asset.network}")
        tasks["books"] = started(books.run(settings.books_check_s, leader), "books", stack)
    if core.followed is not None:
        # Known before the first request: what the last process heard may be too old to sell by.
        await core.followed.try_follow()
        heartbeats["follower"] = Heartbeat()
        leader = stores.database.leader_lock(core.followed.name)
        following = core.followed.run(leader, heartbeats["follower"])
        tasks["follower"] = started(following, "follower", stack)

    if settings.index_contracts:
        heartbeats["indexer"] = Heartbeat()
        tasks["indexer"] = start_indexer(
            settings,
            required_sources(settings),
            LogReader(core.token.rpc, span_blocks=settings.index_span_blocks),
            stores.database,
            metrics,
            heartbeats["indexer"],
            stack,
            watch,
        )
    return Background(tasks, gauges.refresh, heartbeats)


def _ranking(settings: Settings, serving: Serving, stores: Stores) -> Ranking:
    return Ranking(
        scores=serving.scores,
        store=SqlScores(stores.database),
        clock=clock,
        poll_s=settings.reputation_poll_s,
    )


def _notifier(
    settings: Settings,
    stores: Stores,
    key: SigningKey,
    metrics: Metrics,
    stack: AsyncExitStack,
    watch: Watch,
) -> Notifier:
    sender = WebhookSender(private=settings.webhook_private)
    stack.push_async_callback(sender.aclose)
    return Notifier(
        deliveries=watch("deliveries", SqlDeliveries(stores.database)),
        sender=watch("sender", sender),
        key=key,
        settings=NotifierSettings(attempts=settings.webhook_attempts),
        clock=clock,
        chance=random.random,
        metrics=metrics,
        leader=stores.database.leader_lock(f"notifier of {key.address}"),
    )

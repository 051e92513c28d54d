"""What runs beside the requests: settling, webhooks, proving, sweeping, keeping books."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from inferproof.api.context import ReadyCheck
from inferproof.api.metrics import Metrics
from inferproof.app.core import Core, open_core
from inferproof.app.reconciliation import make_bookkeeper
from inferproof.app.running import clock, started
from inferproof.app.stores import Stores, Watch, unwatched
from inferproof.app.worker import make_worker
from inferproof.delivery.http import WebhookSender
from inferproof.gauges import Gauges
from inferproof.protocol.signature import SigningKey
from inferproof.proving.base import ProofSystem
from inferproof.readiness import alive, readiness
from inferproof.services.heart import Heart
from inferproof.services.notifier.service import Notifier, NotifierSettings
from inferproof.services.settler.service import Settler, SettlerSettings
from inferproof.services.sweeper import Sweeper
from inferproof.settings import Settings
from inferproof.storage.sql.blob_names import SqlBlobNames
from inferproof.storage.sql.deliveries import SqlDeliveries
from inferproof.storage.sql.retention import SqlUnpaidJobs


@dataclass(frozen=True, slots=True)
class BehindApp:
    """The process behind those that take requests: it settles, notifies, proves, keeps books."""

    metrics: Metrics
    checks: Mapping[str, ReadyCheck]
    refresh: Callable[[], Awaitable[None]]


@asynccontextmanager
async def build_behind(
    settings: Settings,
    *,
    more_systems: Mapping[str, ProofSystem] | None = None,
    watch: Watch = unwatched,
    settler_settings: SettlerSettings | None = None,
) -> AsyncIterator[BehindApp]:
    """All of a gateway that takes no requests, for processes that `build` with a `behind`.

    Raises: as `build`.
    """
    async with AsyncExitStack() as stack:
        core = await open_core(settings, stack, more_systems, (), watch)
        gauges, hearts = core.gauges, {"settler": Heart(), "worker": Heart()}
        tasks = start_tasks(settings, core, hearts, settler_settings, gauges, stack, watch)
        checks = {n: alive(n, t, hearts.get(n), settings.stall_s) for n, t in tasks.items()}
        yield BehindApp(core.metrics, checks, gauges.refresh)


def behind_names(settings: Settings) -> list[str]:
    """What `build_behind` runs and checks, by name."""
    names = ["settler", "gauges", "notifier"]
    names += ["worker"] if settings.workers else []
    names += ["sweeper"] if settings.blobs_days or settings.unpaid_days else []
    return names + (["books"] if settings.books_check_s else [])


def start_tasks(
    settings: Settings,
    core: Core,
    hearts: Mapping[str, Heart],
    settler_settings: SettlerSettings | None,
    gauges: Gauges,
    stack: AsyncExitStack,
    watch: Watch,
) -> dict[str, asyncio.Task[None]]:
    """What runs beside the requests, started."""
    stores, metrics, asset = core.stores, core.metrics, core.token.asset
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
        bell=core.bell,
        leader=stores.database.leader_lock(f"settler of {core.account.sender} on {asset.network}"),
        heart=hearts["settler"],
    )
    notifier = _notifier(settings, stores, core.key, metrics, stack, watch)
    tasks = {
        "settler": started(settler.run(), "settler", stack),
        "gauges": started(gauges.watch(), "gauges", stack),
        "notifier": started(notifier.run(), "notifier", stack),
    }
    if settings.workers:
        worker = make_worker(
            settings,
            stores,
            core.systems,
            core.methods,
            core.key,
            metrics,
            core.bell,
            hearts["worker"],
        )
        tasks["worker"] = started(worker.run(), "worker", stack)
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
        books = make_bookkeeper(settings, stores.database, core.token, metrics)
        leader = stores.database.leader_lock(f"books of {asset.address} on {asset.network}")
        tasks["books"] = started(books.run(settings.books_check_s, leader), "books", stack)
    return tasks


def ready_checks(
    settings: Settings,
    core: Core,
    tasks: Mapping[str, asyncio.Task[None]],
    hearts: Mapping[str, Heart],
) -> dict[str, ReadyCheck]:
    """What /ready asks, by name."""
    return readiness(
        database=core.stores.database,
        models=core.stores.models,
        artifacts=core.stores.artifacts,
        systems=core.systems,
        token=core.token,
        account=core.account,
        folder=settings.data_dir,
        disk_reserve=settings.disk_reserve_bytes,
        tasks=tasks,
        hearts=hearts,
        stall_s=settings.stall_s,
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

"""The composition root: the only place that chooses adapters.

    settings ─► database, blobs, compiled models ─┐
                token chain, checked ─────────────┼─► gateway ─► API
                proof systems and their workers ──┘     settler and worker, as tasks

What is opened here is closed here, in reverse order, also when a later part fails to open.
"""

import asyncio
import hashlib
import ipaddress
import os
import random
import shlex
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from starlette.types import ASGIApp

from inferproof import __version__
from inferproof.api.context import ApiSettings, ReadyCheck, Services
from inferproof.api.create import create_app
from inferproof.api.express import Express
from inferproof.api.gate import Gate
from inferproof.api.metrics import Metrics
from inferproof.api.streams import Streams
from inferproof.chain.accounts import DirectSettlement, SettlementAccount
from inferproof.chain.batch import BatchTerms, check_batch_settler
from inferproof.chain.books import TokenBooks
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transfers import TransactionReader
from inferproof.delivery.http import WebhookSender
from inferproof.errors import (
    Misconfigured,
    MissingPart,
    Reason,
    RequestRejected,
)
from inferproof.gauges import Gauges
from inferproof.inference.preprocess import load_preprocessing
from inferproof.inference.request import check_request, request_tensors
from inferproof.models.card import load_card
from inferproof.payments.x402.facilitator import Facilitator
from inferproof.payments.x402.forms import Forms
from inferproof.protocol.commitments import preprocessing_digest
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.proving.artifact import BUNDLE
from inferproof.proving.base import ProofSystem
from inferproof.proving.costs import FILE as COSTS
from inferproof.proving.external import ExternalSystem
from inferproof.proving.isolated import MEMORY_BYTES, IsolatedChecker
from inferproof.proving.pool import WorkerPool
from inferproof.proving.registry import get_system, known_systems
from inferproof.proving.sumcheck.library import library
from inferproof.readiness import alive, readiness, report_end
from inferproof.reporting import open_reports, open_tracer, traced
from inferproof.services.base import Systems
from inferproof.services.bell import Bell
from inferproof.services.books.service import Bookkeeper
from inferproof.services.catalog import Catalog
from inferproof.services.gateway.base import (
    CancelPolicy,
    Gateway,
    GatewaySettings,
    ModelView,
    TransferTerms,
)
from inferproof.services.gateway.intake import Intake
from inferproof.services.gateway.redemption import Redemption
from inferproof.services.gateway.registry import Registry
from inferproof.services.gateway.service import GatewayService
from inferproof.services.gateway.submission import build_submission
from inferproof.services.heart import Heart
from inferproof.services.limits.base import OrderLimits
from inferproof.services.limits.keys import ApiKeys
from inferproof.services.limits.service import Limits, Policy
from inferproof.services.notifier.service import Notifier, NotifierSettings
from inferproof.services.settler.service import Settler, SettlerSettings
from inferproof.services.sweeper import Sweeper
from inferproof.services.worker.compute import Compute
from inferproof.services.worker.service import Worker, WorkerSettings
from inferproof.services.worker.steps import Steps
from inferproof.settings import Settings, read_key, variable
from inferproof.storage.artifacts import LocalArtifacts
from inferproof.storage.base.orders import OrderBook
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.storage.db.api_keys import SqlApiKeys
from inferproof.storage.db.blob_names import SqlBlobNames
from inferproof.storage.db.books import SqlBookRows
from inferproof.storage.db.deliveries import SqlDeliveries
from inferproof.storage.db.engine import Database
from inferproof.storage.db.models import SqlModelStore
from inferproof.storage.db.orders import SqlOrderBook
from inferproof.storage.db.verifications import SqlVerifications
from inferproof.storage.limits.base import RateLimiter
from inferproof.storage.limits.memory import MemoryLimiter
from inferproof.storage.limits.redis import RedisLimiter
from inferproof.telemetry.base import Tracer
from inferproof.telemetry.logs import report_loop_faults
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.verify.proof import ProofChecker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class App:
    """A running gateway. `asgi` is what a server serves; `shortcut` is what it may ask first."""

    settings: Settings
    gateway: Gateway
    services: Services
    asgi: ASGIApp
    shortcut: Express


@dataclass(frozen=True, slots=True)
class WorkerApp:
    """A running worker. `signer` is the address that signs its receipts: the gateway's."""

    settings: Settings
    signer: Address
    worker: Worker
    task: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class Stores:
    """What is kept in the data folder and the database."""

    database: Database
    orders: OrderBook
    models: SqlModelStore
    verifications: SqlVerifications
    api_keys: SqlApiKeys
    blobs: LocalBlobs
    artifacts: LocalArtifacts
    catalog: Catalog


class Watch(Protocol):
    """What a test puts around a part, by name: it returns the part, or what behaves like it."""

    def __call__(self, part: str, target: T, /) -> T: ...


def unwatched(_part: str, target: T, /) -> T:
    """The part as it is."""
    return target


@dataclass(frozen=True, slots=True)
class _Core:
    """What every process of a gateway has."""

    key: SigningKey
    token: TokenChain
    account: SettlementAccount
    stores: Stores
    systems: Systems
    metrics: Metrics
    bell: Bell
    tracer: Tracer | None

    @property
    def gauges(self) -> Gauges:
        return Gauges(self.metrics, self.stores.orders.figures, self.account.holdings, _clock)


@dataclass(frozen=True, slots=True)
class Behind:
    """What a process that only takes requests knows of the one behind it: its checks, and the
    metrics of all processes as one text."""

    checks: Mapping[str, ReadyCheck]
    exposition: Callable[[Metrics], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class BehindApp:
    """The process behind those that take requests: it settles, notifies, proves, keeps books."""

    metrics: Metrics
    checks: Mapping[str, ReadyCheck]
    refresh: Callable[[], Awaitable[None]]


@asynccontextmanager
async def build(
    settings: Settings,
    *,
    more_systems: Mapping[str, ProofSystem] | None = None,
    watch: Watch = unwatched,
    settler_settings: SettlerSettings | None = None,
    behind: Behind | None = None,
) -> AsyncIterator[App]:
    """A running gateway, whose parts end with the block.

    `more_systems` are proof systems that no release ships; tests bring theirs, and theirs is
    `watch`. A gateway whose setting `workers` is zero leaves its jobs to `build_worker`'s; one
    that has a `behind` leaves it everything but answering requests.
    Raises: Misconfigured for settings that contradict the chain, the token or each other;
    Unavailable when the chain or the database does not answer; MissingPart.
    """
    async with AsyncExitStack() as stack:
        core = await _core(settings, stack, more_systems, watch)
        limiter = await _limiter(settings, stack)
        limits = _limits(settings, core.stores, core.metrics, limiter)
        gateway = _gateway(core, _checkers(core.systems, stack), _terms(settings, core), limits)
        gauges, hearts = core.gauges, {"settler": Heart(), "worker": Heart()}
        tasks: dict[str, asyncio.Task[None]] = {}
        if behind is None:
            tasks = _tasks(settings, core, hearts, settler_settings, gauges, stack, watch)
        services = Services(
            gateway=gateway,
            short=gateway,
            metrics=core.metrics,
            settings=_api_settings(settings),
            streams=Streams(most=settings.event_streams),
            facilitator=_facilitator(settings, core.token, core.key.address),
            checks={
                **_checks(settings, core, tasks, hearts),
                **({"redis": limiter.answers} if isinstance(limiter, RedisLimiter) else {}),
                **({} if behind is None else behind.checks),
            },
            refresh=gauges.refresh if behind is None else None,
            exposition=None if behind is None else partial(behind.exposition, core.metrics),
            tracer=core.tracer,
            gate=Gate(
                limits,
                most=settings.requests_limit,
                trusted=[ipaddress.ip_network(text) for text in settings.trusted_proxies],
                on_refused=core.metrics.refused,
            ),
        )
        express = Express(services, _forms(core.token.asset))
        yield App(settings, gateway, services, create_app(services), express)


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
        core = await _core(settings, stack, more_systems, watch)
        gauges, hearts = core.gauges, {"settler": Heart(), "worker": Heart()}
        tasks = _tasks(settings, core, hearts, settler_settings, gauges, stack, watch)
        checks = {n: alive(n, t, hearts.get(n), settings.stall_s) for n, t in tasks.items()}
        yield BehindApp(core.metrics, checks, gauges.refresh)


def behind_names(settings: Settings) -> list[str]:
    """What `build_behind` runs and checks, by name."""
    names = ["settler", "gauges", "notifier"]
    names += ["worker"] if settings.workers else []
    names += ["sweeper"] if settings.blobs_days else []
    return names + (["books"] if settings.books_check_s else [])


async def _core(
    settings: Settings,
    stack: AsyncExitStack,
    more_systems: Mapping[str, ProofSystem] | None,
    watch: Watch,
) -> _Core:
    key, asset = settings.signing_key(), settings.asset
    rpc = await stack.enter_async_context(Rpc(settings.rpc))
    token = TokenChain(rpc, asset)
    await token.check()
    stores = await stack.enter_async_context(open_stores(settings, watch))
    systems = _systems(settings, stack, more_systems or {}, watch)
    stack.callback(report_loop_faults(asyncio.get_running_loop()))
    open_reports(settings, stack)
    tracer = open_tracer(settings, stack)
    if tracer is not None:
        stores = replace(stores, orders=traced(stores.orders, tracer))
    batch = await _batches(settings, rpc)
    account = SettlementAccount(token, key, confirmations=settings.confirmations, batch=batch)
    account = watch("chain", account)
    return _Core(key, token, account, stores, systems, Metrics(), Bell(), tracer)


def _terms(settings: Settings, core: _Core) -> GatewaySettings:
    return GatewaySettings(
        asset=core.token.asset,
        payee=core.key.address,
        quote_ttl_s=settings.quote_ttl_s,
        settle_margin_s=settings.settle_margin_s,
        # Twice what is asked for: a buyer's clock may be ahead of ours.
        longest_payment_s=2 * settings.payment_timeout_s,
        queue_limit=settings.queue_limit,
        deadline_s=settings.deadline_s,
        transfers=_transfer_terms(settings),
        cancel=CancelPolicy(settings.cancel),
        queue_share=settings.queue_share,
        private_webhooks=settings.webhook_private,
    )


def _tasks(
    settings: Settings,
    core: _Core,
    hearts: Mapping[str, Heart],
    settler_settings: SettlerSettings | None,
    gauges: Gauges,
    stack: AsyncExitStack,
    watch: Watch,
) -> dict[str, asyncio.Task[None]]:
    """What runs beside the requests, started."""
    stores, metrics, asset = core.stores, core.metrics, core.token.asset
    settler = Settler(
        orders=stores.orders,
        chain=core.account,
        settings=replace(
            settler_settings or SettlerSettings(),
            max_fee=settings.max_gas_fee_wei,
            reorg_depth=settings.reorg_depth,
        ),
        clock=_clock,
        metrics=metrics,
        bell=core.bell,
        turn=stores.database.turn(f"settler of {core.account.sender} on {asset.network}"),
        heart=hearts["settler"],
    )
    notifier = _notifier(settings, stores, core.key, metrics, stack, watch)
    tasks = {
        "settler": _started(settler.run(), "settler", stack),
        "gauges": _started(gauges.watch(), "gauges", stack),
        "notifier": _started(notifier.run(), "notifier", stack),
    }
    if settings.workers:
        worker = _worker(
            settings, stores, core.systems, core.key, metrics, core.bell, hearts["worker"]
        )
        tasks["worker"] = _started(worker.run(), "worker", stack)
    if settings.blobs_days:
        sweeper = Sweeper(
            blobs=stores.blobs,
            names=SqlBlobNames(stores.database),
            days=settings.blobs_days,
            clock=_clock,
        )
        turn = stores.database.turn(f"sweeper of {settings.data_dir}")
        tasks["sweeper"] = _started(sweeper.run(turn), "sweeper", stack)
    if settings.books_check_s:
        books = _bookkeeper(settings, stores.database, core.token, metrics)
        turn = stores.database.turn(f"books of {asset.address} on {asset.network}")
        tasks["books"] = _started(books.run(settings.books_check_s, turn), "books", stack)
    return tasks


def _checks(
    settings: Settings,
    core: _Core,
    tasks: Mapping[str, asyncio.Task[None]],
    hearts: Mapping[str, Heart],
) -> dict[str, ReadyCheck]:
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


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[Bookkeeper]:
    """What checks the books of these settings' database and chain; it needs no key.

    Raises: Misconfigured for settings that contradict the chain or the token; Unavailable.
    """
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(Rpc(settings.rpc))
        token = TokenChain(rpc, settings.asset)
        await token.check()
        database = await Database.open(settings.database)
        stack.push_async_callback(database.close)
        yield _bookkeeper(settings, database, token, Metrics())


def _bookkeeper(
    settings: Settings, database: Database, token: TokenChain, metrics: Metrics
) -> Bookkeeper:
    return Bookkeeper(
        rows=SqlBookRows(database),
        chain=TokenBooks(token, confirmations=settings.confirmations),
        metrics=metrics,
    )


@asynccontextmanager
async def build_worker(
    settings: Settings,
    *,
    more_systems: Mapping[str, ProofSystem] | None = None,
    watch: Watch = unwatched,
) -> AsyncIterator[WorkerApp]:
    """A running worker on the database and the data folder of a gateway, and nothing else.

    It asks no chain. When the block ends, what it computes is given back for others to take.
    Raises: Misconfigured; Unavailable when the database does not answer; MissingPart.
    """
    async with AsyncExitStack() as stack:
        if settings.workers == 0:  # what a gateway is told that leaves the work to this one
            settings = settings.model_copy(update={"workers": 1})
        key = settings.signing_key()
        stores = await stack.enter_async_context(open_stores(settings, watch))
        systems = _systems(settings, stack, more_systems or {}, watch)
        stack.callback(report_loop_faults(asyncio.get_running_loop()))
        open_reports(settings, stack)
        tracer = open_tracer(settings, stack)
        if tracer is not None:
            stores = replace(stores, orders=traced(stores.orders, tracer))
        worker = _worker(settings, stores, systems, key, Metrics(), Bell(), Heart())
        task = _started(worker.run(), "worker", stack)
        yield WorkerApp(settings, key.address, worker, task)


def _worker(
    settings: Settings,
    stores: Stores,
    systems: Systems,
    key: SigningKey,
    metrics: Metrics,
    bell: Bell,
    heart: Heart,
) -> Worker:
    compute = Compute(
        systems=systems,
        artifacts=stores.artifacts,
        blobs=stores.blobs,
        preprocess=request_tensors,
        key=key,
        clock=_clock,
        time_limit_s=settings.prove_limit_s,
    )
    return Worker(
        orders=stores.orders,
        steps=Steps(stores.orders, stores.catalog, compute, _clock),
        settings=WorkerSettings(
            concurrency=settings.workers,
            lease_s=settings.lease_s,
            # Proving and its verification are ended by their own limit; this is for the rest.
            longest_s=2 * settings.prove_limit_s + 300,
            early_start=settings.early_start,
        ),
        clock=_clock,
        metrics=metrics,
        bell=bell,
        heart=heart,
    )


def _started(
    work: Coroutine[Any, Any, None], name: str, stack: AsyncExitStack
) -> asyncio.Task[None]:
    """The work as a task that is cancelled, and waited for, when the stack closes."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(report_end)
    stack.push_async_callback(_stop, task)
    return task


async def _batches(settings: Settings, rpc: Rpc) -> BatchTerms | None:
    """How payments are settled together, once the contract was found to be the one we ship.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured BATCH_CODE_UNKNOWN; Unavailable.
    """
    if settings.batch_settler_address is None:
        return None
    contract = Address.from_hex(settings.batch_settler_address)
    await check_batch_settler(rpc, contract)
    return BatchTerms(contract, settings.batch_size, settings.batch_item_gas)


@asynccontextmanager
async def open_stores(settings: Settings, watch: Watch = unwatched) -> AsyncIterator[Stores]:
    """Database and data folder, made where they are absent.

    Raises: Misconfigured SETTING_WRONG (the folder cannot be made), DATABASE_NEWER;
    Unavailable STORAGE_UNAVAILABLE, STORAGE_FULL.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Misconfigured(
            Reason.SETTING_WRONG,
            name=variable("data_dir"),
            problem=f"{settings.data_dir} cannot be made: {error.strerror}",
        ) from None
    database = await Database.open(settings.database)
    try:
        models = SqlModelStore(database)
        yield Stores(
            database=database,
            orders=watch("orders", SqlOrderBook(database)),
            models=models,
            verifications=SqlVerifications(
                database, kept=settings.verifications_kept, days=settings.verifications_days
            ),
            api_keys=SqlApiKeys(database),
            blobs=watch("blobs", LocalBlobs(settings.data_dir / "blobs")),
            artifacts=LocalArtifacts(settings.data_dir / "models"),
            catalog=Catalog(models),
        )
    finally:
        await database.close()


async def install_model(
    settings: Settings,
    card_path: Path,
    compiled: Path,
    *,
    key: SigningKey | None = None,
    more_systems: Mapping[str, ProofSystem] | None = None,
) -> ModelView:
    """The model of a card and its compiled folder, published here and active.

    `key` is the provider's, by default the gateway's own. A gateway that runs on the same
    data folder offers the model at once. Doing it again changes nothing.
    Raises: ModelRejected CARD_*; ArtifactRejected; RequestRejected SUBMISSION_MISMATCH;
    Conflict MODEL_VERSION_TAKEN, MODEL_OWNED; Misconfigured.
    """
    key = key or settings.signing_key()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        systems = _systems(settings, stack, more_systems or {})
        document, signature, commitment = await asyncio.to_thread(
            _submission, card_path, compiled, key
        )
        terms = GatewaySettings(asset=settings.asset, payee=key.address)
        registry = _registry(stores, systems, terms)
        view = await registry.submit(document, signature)
        await asyncio.to_thread(stores.artifacts.install, commitment, compiled)
        return await registry.approve(view.name)


def submission(card_path: Path, compiled: Path, key: SigningKey) -> tuple[bytes, bytes]:
    """The signed submission of a card and its compiled folder, for POST /v1/models."""
    document, signature, _ = _submission(card_path, compiled, key)
    return document, signature


def _submission(card_path: Path, compiled: Path, key: SigningKey) -> tuple[bytes, bytes, Digest]:
    card = load_card(card_path)
    file = card_path / "card.toml" if card_path.is_dir() else card_path
    try:
        bundle_bytes = (compiled / BUNDLE).read_bytes()
        model = card.model_path.read_bytes()
    except OSError as error:
        missing = error.filename or compiled
        why = (error.strerror or type(error).__name__).lower()
        raise RequestRejected(Reason.FILE_UNREADABLE, path=missing, why=why) from None
    bundle = decode_bundle(bundle_bytes)
    declared = preprocessing_digest(load_preprocessing(card.preprocessing, card.folder).canonical())
    if declared != bundle.parts.preprocessing:
        raise RequestRejected(
            Reason.SUBMISSION_MISMATCH,
            what="pre-processing",
            card=declared,
            bundle=bundle.parts.preprocessing,
        )
    digest = Digest(hashlib.sha256(model).digest())
    content = tomllib.loads(file.read_text("utf-8"))
    document, signature = build_submission(content, bundle_bytes, digest, len(model), key)
    return document, signature, bundle.commitment


def _systems(
    settings: Settings,
    stack: AsyncExitStack,
    more: Mapping[str, ProofSystem],
    watch: Watch = unwatched,
) -> Systems:
    """Proof systems by name, each built once; all share one pool of worker processes."""
    pool = WorkerPool(max(1, settings.workers))
    stack.callback(pool.close)
    known = dict(more)
    for command in settings.external_provers:
        system = ExternalSystem(shlex.split(command))
        known[system.name] = system
    watched: dict[str, ProofSystem] = {}

    def find(name: str) -> ProofSystem:
        if name not in watched:
            system = (
                known[name] if name in known else get_system(name, pool, settings.data_dir / COSTS)
            )
            watched[name] = watch("system", system)
        return watched[name]

    return find


def _forms(asset: Asset) -> Forms | None:
    """What checks usual payments in native code; None where the native module is not installed,
    and Python checks them all."""
    try:
        return Forms([asset], library().PaymentForm)
    except MissingPart:
        return None


def _checkers(systems: Systems, stack: AsyncExitStack) -> Callable[[str], ProofChecker]:
    """What checks the proofs that strangers bring: never in this process where it is native."""
    pool = WorkerPool(1, memory_bytes=MEMORY_BYTES)
    stack.callback(pool.close)

    def find(name: str) -> ProofChecker:
        return IsolatedChecker(name, pool) if name in known_systems() else systems(name)

    return find


def _transfer_terms(settings: Settings) -> TransferTerms | None:
    if not settings.transfer_payments:
        return None
    return TransferTerms(settings.transfer_confirmations, settings.transfer_max_age_s)


def _registry(stores: Stores, systems: Systems, terms: GatewaySettings) -> Registry:
    return Registry(
        models=stores.models,
        catalog=stores.catalog,
        blobs=stores.blobs,
        artifacts=stores.artifacts,
        systems=systems,
        settings=terms,
        clock=_clock,
    )


def _gateway(
    core: _Core,
    checkers: Callable[[str], ProofChecker],
    terms: GatewaySettings,
    limits: OrderLimits,
) -> GatewayService:
    stores, key, metrics, bell = core.stores, core.key, core.metrics, core.bell
    intake = Intake(
        orders=stores.orders,
        catalog=stores.catalog,
        chain=core.account,
        check=check_request,
        key=key,
        settings=terms,
        clock=_clock,
        entropy=os.urandom,
        metrics=metrics,
        bell=bell,
        limits=limits,
    )
    return GatewayService(
        registry=_registry(stores, core.systems, terms),
        intake=intake,
        redemption=Redemption(
            intake=intake,
            orders=stores.orders,
            catalog=stores.catalog,
            chain=TransactionReader(core.token),
            settings=terms,
            clock=_clock,
            entropy=os.urandom,
            metrics=metrics,
            bell=bell,
            limits=limits,
        ),
        orders=stores.orders,
        catalog=stores.catalog,
        verifications=stores.verifications,
        blobs=stores.blobs,
        systems=checkers,
        preprocess=request_tensors,
        key=key,
        settings=terms,
        clock=_clock,
        bell=bell,
    )


async def _limiter(settings: Settings, stack: AsyncExitStack) -> RateLimiter:
    if settings.redis_url is None:
        return MemoryLimiter()
    limiter = RedisLimiter.open(
        settings.redis_url.get_secret_value(), allow_when_down=settings.redis_down == "allow"
    )
    stack.push_async_callback(limiter.close)
    await limiter.check()
    return limiter


def _limits(settings: Settings, stores: Stores, metrics: Metrics, limiter: RateLimiter) -> Limits:
    policy = Policy(
        requests=settings.rate(settings.rate_requests),
        quotes=settings.rate(settings.rate_quotes),
        verifications=settings.rate(settings.rate_verifications),
        submissions=settings.rate(settings.rate_submissions),
        orders=settings.rate(settings.rate_orders),
    )
    return Limits(limiter, ApiKeys(stores.api_keys), policy, metrics.refused)


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
        clock=_clock,
        chance=random.random,
        metrics=metrics,
        turn=stores.database.turn(f"notifier of {key.address}"),
    )


def _facilitator(settings: Settings, token: TokenChain, own: Address) -> Facilitator | None:
    if settings.facilitator_key is None:
        return None
    name = variable("facilitator_key")
    key = read_key(settings.facilitator_key, name)
    if key.address == own:
        raise Misconfigured(
            Reason.SETTING_WRONG, name=name, problem="it is the gateway's key; use another account"
        )
    payees = {Address.from_hex(payee) for payee in settings.facilitator_payees}
    return Facilitator(
        assets=[settings.asset],
        payees=frozenset(payees or {own}),
        signer=key.address,
        chain=DirectSettlement(token, key),
        clock=_clock,
    )


def _api_settings(settings: Settings) -> ApiSettings:
    return ApiSettings(
        version=__version__,
        public_url=None if settings.public_url is None else str(settings.public_url),
        payment_timeout_s=settings.payment_timeout_s,
        admin_token=settings.admin_token.get_secret_value() if settings.admin_token else None,
        sync_wait_s=settings.sync_wait_s,
        body_limit=settings.body_limit_bytes,
        verify_limit=settings.verify_limit_bytes,
        submission_limit=settings.submission_limit_bytes,
        body_timeout_s=settings.body_timeout_s,
    )


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _clock() -> int:
    return int(time.time())

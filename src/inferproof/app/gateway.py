"""A gateway: what answers requests, with all that runs beside them unless others do that."""

import ipaddress
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from inferproof import __version__
from inferproof.api.admission import Admission
from inferproof.api.context import ApiSettings, Services
from inferproof.api.create import create_app
from inferproof.api.streams import Streams
from inferproof.app.background import start_background
from inferproof.app.checks import chain_checks, model_checks, storage_checks, task_checks
from inferproof.app.core import Core, gateway_terms, open_core
from inferproof.app.indexing import make_history
from inferproof.app.order_proofs import order_numbers
from inferproof.app.provers import open_checkers, open_preprocess
from inferproof.app.publishing import open_registry
from inferproof.app.revenue import make_revenue
from inferproof.app.running import clock
from inferproof.app.stores import Stores, Watch, unwatched
from inferproof.app.worker import start_worker
from inferproof.chain.accounts import DirectSettlement
from inferproof.chain.token import TokenChain
from inferproof.errors import Misconfigured, Reason
from inferproof.inference.request import check_request, request_tensors
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness, ReadyCheck
from inferproof.payments.method import PaymentMethod
from inferproof.payments.parts import payment_parts
from inferproof.payments.x402.facilitator import Facilitator
from inferproof.proving.base import ProofSystem
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.limits.base import OrderLimits
from inferproof.services.limits.keys import ApiKeys
from inferproof.services.limits.service import Limits, Policy
from inferproof.services.models.registry import Registry
from inferproof.services.orders.base import Gateway, GatewaySettings
from inferproof.services.orders.input_range import InputRange
from inferproof.services.orders.intake import Intake
from inferproof.services.orders.ordered_input import OrderedInputs
from inferproof.services.orders.service import GatewayService
from inferproof.services.private_inputs import PrivateInputs
from inferproof.services.receipts.service import Receipts
from inferproof.services.settlement.service import SettlerSettings
from inferproof.settings import Settings, read_key, variable
from inferproof.storage.ports.rate_limits import RateLimiter
from inferproof.storage.ratelimit.memory import MemoryLimiter
from inferproof.storage.ratelimit.redis import RedisLimiter
from inferproof.storage.sql.listings import SqlListings
from inferproof.storage.sql.scores import SqlScores
from inferproof.types.digest import Address
from inferproof.verify.receipt import Tools

log = logging.getLogger("inferproof.gateway")


@dataclass(frozen=True, slots=True)
class App:
    """A running gateway. `asgi` is what a server serves."""

    settings: Settings
    gateway: Gateway
    services: Services
    asgi: ASGIApp


@asynccontextmanager
async def build(
    settings: Settings,
    *,
    more_systems: Mapping[str, ProofSystem] | None = None,
    watch: Watch = unwatched,
    settler_settings: SettlerSettings | None = None,
    more_methods: Sequence[PaymentMethod[Any]] = (),
) -> AsyncIterator[App]:
    """A running gateway, whose parts end with the block.

    `more_systems` and `more_methods` are proof systems and payment methods that no release ships;
    tests bring theirs, and theirs is `watch`. A gateway whose setting `workers` is zero leaves its
    jobs to `build_worker`'s; one whose background is apart leaves them to these too, and to
    `build_settle`'s everything else but answering requests.
    Raises: Misconfigured for settings that contradict the chain, the token or each other;
    Unavailable when the chain or the database does not answer; MissingPart.
    """
    async with AsyncExitStack() as stack:
        core = await open_core(settings, stack, more_systems, more_methods, watch)
        terms = gateway_terms(settings, core)
        private_inputs = PrivateInputs(core.systems, core.stores.openings)
        followed = core.followed
        if followed is None:
            await SqlListings(core.stores.database).forget(now=clock())
        if core.serving is None:
            await SqlScores(core.stores.database).forget()
        registry = open_registry(core.stores, core.systems, private_inputs, terms, followed)
        for name in await registry.suspend_ended():
            log.warning("model %s is suspended: %s", name, Reason.MODE_ENDED.name)
        limiter = await _limiter(settings, stack)
        limits = _limits(settings, core.stores, core.metrics, limiter)
        gateway = _gateway(
            core,
            Tools(open_checkers(core.systems, stack), open_preprocess(stack), payment_parts()),
            registry,
            private_inputs,
            terms,
            limits,
        )
        checks = {
            **storage_checks(core.stores.database, settings.data_dir, settings.disk_reserve_bytes),
            **chain_checks(core.token, core.account),
            **model_checks(core.stores.models, core.stores.artifacts, core.systems),
            **({"redis": limiter.answers} if isinstance(limiter, RedisLimiter) else {}),
            **({"registry": followed.check_heard} if followed is not None else {}),
        }
        refresh = None
        if not settings.is_apart:
            background = await start_background(settings, core, settler_settings, stack, watch)
            refresh = background.refresh
            checks |= background.checks(settings.stall_s) | _own_worker(settings, core, stack)
        services = Services(
            gateway=gateway,
            metrics=core.metrics,
            settings=_api_settings(settings),
            streams=Streams(most=settings.event_streams),
            facilitator=_facilitator(settings, core.token, core.key.address),
            readiness=Readiness(checks),
            refresh=refresh,
            tracer=core.tracer,
            revenue=make_revenue(
                settings, core.stores.revenue, core.stores.catalog, core.key.address
            ),
            history=make_history(settings, core.stores.database),
            admission=Admission(
                limits,
                most=settings.requests_limit,
                trusted=[ipaddress.ip_network(text) for text in settings.trusted_proxies],
                on_refused=core.metrics.refused,
            ),
        )
        yield App(settings, gateway, services, create_app(services))


async def check(settings: Settings) -> None:
    """Returns when processes of these settings could start: chain, token, key and Redis are as they
    should be, and the database has this version's schema. Raises: as `build`."""
    async with AsyncExitStack() as stack:
        core = await open_core(settings, stack, None, (), unwatched)
        await _limiter(settings, stack)
        _facilitator(settings, core.token, core.key.address)


def _own_worker(settings: Settings, core: Core, stack: AsyncExitStack) -> dict[str, ReadyCheck]:
    """A worker in this process, started, and what /ready asks of it; nothing where the setting
    `workers` is zero."""
    if not settings.workers:
        return {}
    heartbeat = Heartbeat()
    _, task = start_worker(
        settings,
        core.stores,
        core.systems,
        core.methods,
        core.key,
        core.metrics,
        core.event_bus,
        heartbeat,
        stack,
    )
    return task_checks({"worker": task}, {"worker": heartbeat}, settings.stall_s)


def _gateway(
    core: Core,
    tools: Tools,
    registry: Registry,
    private_inputs: PrivateInputs,
    terms: GatewaySettings,
    limits: OrderLimits,
) -> GatewayService:
    stores, key, metrics, event_bus = core.stores, core.key, core.metrics, core.event_bus
    intake = Intake(
        jobs=stores.orders.jobs,
        ledger=stores.orders.ledger,
        catalog=stores.catalog,
        methods=core.methods,
        check=check_request,
        check_range=InputRange(core.systems, request_tensors),
        key=key,
        settings=terms,
        clock=clock,
        entropy=os.urandom,
        metrics=metrics,
        event_bus=event_bus,
        limits=limits,
        private_inputs=private_inputs,
        followed=core.followed,
        check_ordered=None
        if core.serving is None
        else OrderedInputs(request_tensors, order_numbers, core.serving.keys.check),
    )
    return GatewayService(
        registry=registry,
        intake=intake,
        jobs=stores.orders.jobs,
        catalog=stores.catalog,
        receipts=Receipts(
            jobs=stores.orders.jobs,
            verifications=stores.verifications,
            blobs=stores.blobs,
            tools=tools,
            clock=clock,
        ),
        methods=core.methods,
        key=key,
        settings=terms,
        clock=clock,
        event_bus=event_bus,
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
        clock=clock,
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
        several_processes=settings.processes > 1,
    )

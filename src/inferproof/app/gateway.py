"""A gateway: what answers requests, with all that runs beside unless another process has it."""

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.types import ASGIApp

from inferproof import __version__
from inferproof.api.context import ApiSettings, ReadyCheck, Services
from inferproof.api.create import create_app
from inferproof.api.gate import Gate
from inferproof.api.metrics import Metrics
from inferproof.api.streams import Streams
from inferproof.app.behind import ready_checks, start_tasks
from inferproof.app.core import Core, gateway_terms, open_core
from inferproof.app.provers import open_checkers
from inferproof.app.publishing import open_registry
from inferproof.app.running import clock
from inferproof.app.stores import Stores, Watch, unwatched
from inferproof.chain.accounts import DirectSettlement
from inferproof.chain.token import TokenChain
from inferproof.errors import Misconfigured, Reason
from inferproof.inference.request import check_request, request_tensors
from inferproof.payments.method import PaymentMethod
from inferproof.payments.x402.facilitator import Facilitator
from inferproof.proving.base import ProofSystem
from inferproof.services.gateway.base import Gateway, GatewaySettings
from inferproof.services.gateway.intake import Intake
from inferproof.services.gateway.service import GatewayService
from inferproof.services.heart import Heart
from inferproof.services.limits.base import OrderLimits
from inferproof.services.limits.keys import ApiKeys
from inferproof.services.limits.service import Limits, Policy
from inferproof.services.settler.service import SettlerSettings
from inferproof.settings import Settings, read_key, variable
from inferproof.storage.ports.rate_limits import RateLimiter
from inferproof.storage.ratelimit.memory import MemoryLimiter
from inferproof.storage.ratelimit.redis import RedisLimiter
from inferproof.types.digest import Address
from inferproof.verify.proof import ProofChecker


@dataclass(frozen=True, slots=True)
class App:
    """A running gateway. `asgi` is what a server serves."""

    settings: Settings
    gateway: Gateway
    services: Services
    asgi: ASGIApp


@dataclass(frozen=True, slots=True)
class Behind:
    """What a process that only takes requests knows of the one behind it: its checks, and the
    metrics of all processes as one text."""

    checks: Mapping[str, ReadyCheck]
    exposition: Callable[[Metrics], Awaitable[bytes]]


@asynccontextmanager
async def build(
    settings: Settings,
    *,
    more_systems: Mapping[str, ProofSystem] | None = None,
    watch: Watch = unwatched,
    settler_settings: SettlerSettings | None = None,
    behind: Behind | None = None,
    more_methods: Sequence[PaymentMethod[Any]] = (),
) -> AsyncIterator[App]:
    """A running gateway, whose parts end with the block.

    `more_systems` and `more_methods` are proof systems and payment methods that no release ships;
    tests bring theirs, and theirs is `watch`. A gateway whose setting `workers` is zero leaves its
    jobs to `build_worker`'s; one that has a `behind` leaves it everything but answering requests.
    Raises: Misconfigured for settings that contradict the chain, the token or each other;
    Unavailable when the chain or the database does not answer; MissingPart.
    """
    async with AsyncExitStack() as stack:
        core = await open_core(settings, stack, more_systems, more_methods, watch)
        limiter = await _limiter(settings, stack)
        limits = _limits(settings, core.stores, core.metrics, limiter)
        gateway = _gateway(
            core, open_checkers(core.systems, stack), gateway_terms(settings, core), limits
        )
        gauges, hearts = core.gauges, {"settler": Heart(), "worker": Heart()}
        tasks: dict[str, asyncio.Task[None]] = {}
        if behind is None:
            tasks = start_tasks(settings, core, hearts, settler_settings, gauges, stack, watch)
        services = Services(
            gateway=gateway,
            metrics=core.metrics,
            settings=_api_settings(settings),
            streams=Streams(most=settings.event_streams),
            facilitator=_facilitator(settings, core.token, core.key.address),
            checks={
                **ready_checks(settings, core, tasks, hearts),
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
        yield App(settings, gateway, services, create_app(services))


def _gateway(
    core: Core,
    checkers: Callable[[str], ProofChecker],
    terms: GatewaySettings,
    limits: OrderLimits,
) -> GatewayService:
    stores, key, metrics, bell = core.stores, core.key, core.metrics, core.bell
    intake = Intake(
        jobs=stores.orders.jobs,
        ledger=stores.orders.ledger,
        catalog=stores.catalog,
        methods=core.methods,
        check=check_request,
        key=key,
        settings=terms,
        clock=clock,
        entropy=os.urandom,
        metrics=metrics,
        bell=bell,
        limits=limits,
    )
    return GatewayService(
        registry=open_registry(stores, core.systems, terms),
        intake=intake,
        jobs=stores.orders.jobs,
        catalog=stores.catalog,
        verifications=stores.verifications,
        blobs=stores.blobs,
        systems=checkers,
        preprocess=request_tensors,
        methods=core.methods,
        key=key,
        settings=terms,
        clock=clock,
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
    )

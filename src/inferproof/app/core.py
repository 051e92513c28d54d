"""What every process of a gateway has."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from inferproof.app.following import open_followed, registry_address
from inferproof.app.payments import open_methods, open_passes
from inferproof.app.provers import open_systems
from inferproof.app.reporting import open_reports, open_tracer
from inferproof.app.revenue import open_payouts
from inferproof.app.serving import Serving, open_serving
from inferproof.app.stores import Stores, Watch, open_stores
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.batch import BatchTerms, check_batch_settler
from inferproof.chain.payouts import PayoutAccount
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.observability.base import Tracer
from inferproof.observability.logs import report_loop_faults
from inferproof.observability.metrics import Metrics
from inferproof.payments.method import PaymentMethod, PaymentMethods
from inferproof.protocol.signature import SigningKey
from inferproof.proving.base import ProofSystem
from inferproof.services.base import Systems
from inferproof.services.event_bus import EventBus
from inferproof.services.models.followed_registry import FollowedRegistry
from inferproof.services.orders.base import CancelPolicy, ExposureTerms, GatewaySettings
from inferproof.services.traced import traced
from inferproof.settings import Settings
from inferproof.types.digest import Address


@dataclass(frozen=True, slots=True)
class Core:
    """What every process of a gateway has."""

    key: SigningKey
    token: TokenChain
    account: SettlementAccount
    payouts: PayoutAccount | None
    serving: Serving | None
    methods: PaymentMethods
    stores: Stores
    systems: Systems
    metrics: Metrics
    event_bus: EventBus
    tracer: Tracer | None
    followed: FollowedRegistry | None


async def open_core(
    settings: Settings,
    stack: AsyncExitStack,
    more_systems: Mapping[str, ProofSystem] | None,
    more_methods: Sequence[PaymentMethod[Any]],
    watch: Watch,
) -> Core:
    """Everything that the processes of a gateway share, checked against the chain.

    Raises: as `gateway.build`.
    """
    key, asset = settings.signing_key(), settings.asset
    rpc = await stack.enter_async_context(Rpc(settings.rpc))
    token = TokenChain(rpc, asset)
    await token.check()
    stores = await stack.enter_async_context(open_stores(settings, watch, serving=True))
    followed = await open_followed(settings, rpc, stores)
    systems = open_systems(settings, stores, stack, more_systems or {}, watch)
    stack.callback(report_loop_faults(asyncio.get_running_loop()))
    open_reports(settings, stack)
    tracer = open_tracer(settings, stack)
    if tracer is not None:
        stores = replace(stores, orders=traced(stores.orders, tracer))
    batch = await _batches(settings, rpc)
    serving = await open_serving(settings, rpc, key, stores)
    account = SettlementAccount(
        token,
        key,
        confirmations=settings.confirmations,
        batch=batch,
        orders=None if serving is None else serving.account,
    )
    account = watch("chain", account)
    payouts = await open_payouts(settings, token, key)
    passes = await open_passes(settings, rpc)
    methods = open_methods(
        settings, token, account, serving, stores.orders.ledger, passes, more_methods
    )
    return Core(
        key,
        token,
        account,
        payouts,
        serving,
        methods,
        stores,
        systems,
        Metrics(),
        EventBus(),
        tracer,
        followed,
    )


def gateway_terms(settings: Settings, core: Core) -> GatewaySettings:
    """What the gateway asks of an order."""
    return GatewaySettings(
        asset=core.token.asset,
        payee=core.key.address,
        quote_ttl_s=settings.quote_ttl_s,
        queue_limit=settings.queue_limit,
        deadline_s=settings.deadline_s,
        cancel=CancelPolicy(settings.cancel),
        queue_share=settings.queue_share,
        exposure=_exposure(settings),
        private_webhooks=settings.webhook_private,
        model_registry=registry_address(settings),
    )


def _exposure(settings: Settings) -> ExposureTerms:
    return ExposureTerms(settings.unsettled_orders, settings.unsettled_units)


async def _batches(settings: Settings, rpc: Rpc) -> BatchTerms | None:
    """How payments are settled together, once the contract was found to be the one we ship.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured BATCH_CODE_UNKNOWN; Unavailable.
    """
    if settings.batch_settler_address is None:
        return None
    contract = Address.from_hex(settings.batch_settler_address)
    await check_batch_settler(rpc, contract)
    return BatchTerms(contract, settings.batch_size, settings.batch_item_gas)

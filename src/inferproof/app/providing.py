"""What follows the orders of an escrow, in a gateway or for one look."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from inferproof.app.running import clock
from inferproof.app.serving import Serving, open_serving
from inferproof.app.stores import Stores, open_stores
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.errors import Misconfigured, Reason
from inferproof.payments.escrow.method import EscrowMethod
from inferproof.services.orders.base import GatewaySettings
from inferproof.services.provider.base import Verdict
from inferproof.services.provider.service import Provider, ProviderSettings
from inferproof.settings import Settings, variable
from inferproof.storage.ports.ledger import Ledger
from inferproof.types.money import Asset


def proofs_before(settings: Settings, ledger: Ledger) -> Callable[[], Awaitable[float]]:
    """How many proofs each place of a worker makes before the next order's."""

    async def waiting() -> float:
        return (await ledger.backlog()).waiting / max(1, settings.workers)

    return waiting


def order_method(
    settings: Settings, asset: Asset, serving: Serving | None, ledger: Ledger
) -> EscrowMethod:
    """The payment method of orders, which is closed where none are served."""
    if serving is None:
        return EscrowMethod(asset, None, None)
    waiting = proofs_before(settings, ledger)
    return EscrowMethod(asset, serving.account, serving.terms, waiting)


def make_provider(
    settings: Settings, terms: GatewaySettings, serving: Serving, stores: Stores
) -> Provider:
    """What follows the orders of the escrow that is served."""
    ledger = stores.orders.ledger

    async def waiting() -> int:
        return (await ledger.backlog()).waiting

    return Provider(
        feed=serving.account,
        method=order_method(settings, terms.asset, serving, ledger),
        models=stores.models,
        catalog=stores.catalog,
        check_key=serving.keys.check,
        jobs=stores.orders.jobs,
        waiting=waiting,
        terms=terms,
        settings=ProviderSettings(serving.escrow.address, serving.account.server),
        clock=clock,
    )


def require_escrow(settings: Settings) -> None:
    """Returns when these settings serve orders. Raises: Misconfigured SETTING_WRONG."""
    if settings.escrow_address is None:
        problem = "it is not set; a provider serves the orders of an escrow"
        raise Misconfigured(Reason.SETTING_WRONG, name=variable("escrow_address"), problem=problem)


async def look_at_orders(settings: Settings) -> list[Verdict]:
    """What a provider of these settings would say of all orders that are not over; nothing is sent
    and nothing is kept. A gateway may serve with the same database.

    Raises: Misconfigured SETTING_WRONG; as `open_stores`, `open_serving` and `TokenChain.check`.
    """
    require_escrow(settings)
    async with AsyncExitStack() as stack:
        key = settings.signing_key()
        rpc = await stack.enter_async_context(Rpc(settings.rpc))
        await TokenChain(rpc, settings.asset).check()
        stores = await stack.enter_async_context(open_stores(settings))
        serving = await open_serving(settings, rpc, key, stores)
        assert serving is not None  # noqa: S101 - the escrow is set
        terms = GatewaySettings(
            asset=settings.asset, payee=key.address, queue_limit=settings.queue_limit
        )
        return await make_provider(settings, terms, serving, stores).look()

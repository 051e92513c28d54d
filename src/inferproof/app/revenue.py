"""What keeps the ledger of revenue."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from inferproof.app.running import clock
from inferproof.chain.payouts import PayoutAccount, check_payouts
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.protocol.signature import SigningKey
from inferproof.services.models.catalog import Catalog
from inferproof.services.revenue.service import Planned, RevenueService, RevenueSettings
from inferproof.settings import Settings
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.models import SqlModelStore
from inferproof.storage.sql.revenue import SqlRevenue
from inferproof.types.digest import Address


def make_revenue(
    settings: Settings, revenue: SqlRevenue, catalog: Catalog, platform: Address
) -> RevenueService:
    """The ledger of a gateway with this address."""
    return RevenueService(
        revenue=revenue,
        catalog=catalog,
        settings=RevenueSettings(
            asset=settings.asset,
            platform=platform,
            least=settings.payout_least_units,
            size=settings.payout_size,
        ),
        clock=clock,
    )


@asynccontextmanager
async def open_revenue(settings: Settings) -> AsyncIterator[RevenueService]:
    """The ledger of these settings' database, which a gateway may serve with meanwhile. It asks no
    chain. Raises: as `Database.open`; Misconfigured where there is no key."""
    platform = settings.signing_key().address
    database = await Database.open(settings.database)
    try:
        catalog = Catalog(SqlModelStore(database))
        yield make_revenue(settings, SqlRevenue(database), catalog, platform)
    finally:
        await database.close()


async def plan_payouts(settings: Settings, *, dry: bool) -> Planned:
    """Payouts of all that is due; the gateway's settler makes them, now or when it runs.

    Raises: as `RevenueService.plan`, `open_payouts` and `TokenChain.check`.
    """
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(Rpc(settings.rpc))
        token = TokenChain(rpc, settings.asset)
        await token.check()
        chain = await open_payouts(settings, token, settings.signing_key())
        revenue = await stack.enter_async_context(open_revenue(settings))
        planned = await revenue.plan(chain, (await token.head()).number, dry=dry)
        return replace(planned, funds=await token.balance(settings.signing_key().address))


async def open_payouts(
    settings: Settings, token: TokenChain, key: SigningKey
) -> PayoutAccount | None:
    """What makes payouts, once the contract was found to be the one we ship; None without one.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured PAYOUTS_CODE_UNKNOWN; Unavailable.
    """
    if settings.payouts_address is None:
        return None
    contract = Address.from_hex(settings.payouts_address)
    await check_payouts(token.rpc, contract)
    return PayoutAccount(token, key, contract)

"""What checks the books."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from inferproof.chain.reconciliation import TokenBooks
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.observability.metrics import Metrics
from inferproof.services.reconciliation.service import Reconciler
from inferproof.settings import Settings
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.ledger import SqlLedger
from inferproof.types.digest import Address


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[Reconciler]:
    """What checks the books of these settings' database and chain; it needs no key.

    Raises: Misconfigured for settings that contradict the chain or the token; Unavailable.
    """
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(Rpc(settings.rpc))
        token = TokenChain(rpc, settings.asset)
        await token.check()
        database = await Database.open(settings.database)
        stack.push_async_callback(database.close)
        yield make_reconciler(settings, database, token, Metrics())


def make_reconciler(
    settings: Settings, database: Database, token: TokenChain, metrics: Metrics
) -> Reconciler:
    """What checks this database against the chain."""
    return Reconciler(
        ledger=SqlLedger(database),
        chain=TokenBooks(
            token,
            confirmations=settings.confirmations,
            access=None
            if settings.access_address is None
            else Address.from_hex(settings.access_address),
        ),
        metrics=metrics,
    )

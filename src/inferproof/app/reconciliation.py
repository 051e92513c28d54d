"""What checks the books."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from inferproof.api.metrics import Metrics
from inferproof.chain.reconciliation import TokenBooks
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.services.reconciliation.service import Bookkeeper
from inferproof.settings import Settings
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.ledger import SqlLedger


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
        yield make_bookkeeper(settings, database, token, Metrics())


def make_bookkeeper(
    settings: Settings, database: Database, token: TokenChain, metrics: Metrics
) -> Bookkeeper:
    """What checks this database against the chain."""
    return Bookkeeper(
        ledger=SqlLedger(database),
        chain=TokenBooks(token, confirmations=settings.confirmations),
        metrics=metrics,
    )

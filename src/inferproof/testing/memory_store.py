"""The real SQL storage in memory: the same code as in a file, gone when it is closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inferproof.storage.ports.orders import Orders
from inferproof.storage.sql.deliveries import SqlDeliveries
from inferproof.storage.sql.engine import MEMORY, Database
from inferproof.storage.sql.models import SqlModelStore
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.storage.sql.orders import sql_orders
from inferproof.storage.sql.verifications import SqlVerifications


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one database."""

    database: Database
    orders: Orders
    models: SqlModelStore
    verifications: SqlVerifications

    @property
    def openings(self) -> SqlOpeningBudgets:
        return SqlOpeningBudgets(self.database)

    @property
    def deliveries(self) -> SqlDeliveries:
        return SqlDeliveries(self.database)


@asynccontextmanager
async def open_stores(url: str = MEMORY) -> AsyncIterator[Stores]:
    """The stores of the database at the URL, closed when the block ends."""
    database = await Database.open(url)
    try:
        yield Stores(
            database, sql_orders(database), SqlModelStore(database), SqlVerifications(database)
        )
    finally:
        await database.close()

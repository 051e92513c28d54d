"""What is kept in the data folder and the database, opened by the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from inferproof.errors import Misconfigured, Reason
from inferproof.services.models.catalog import Catalog
from inferproof.settings import Settings, variable
from inferproof.storage.blobs.artifacts import LocalArtifacts
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.storage.ports.orders import Orders
from inferproof.storage.sql.api_keys import SqlApiKeys
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.models import SqlModelStore
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.storage.sql.orders import sql_orders
from inferproof.storage.sql.payouts import SqlPayouts
from inferproof.storage.sql.revenue import SqlRevenue
from inferproof.storage.sql.verifications import SqlVerifications

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stores:
    """What is kept in the data folder and the database."""

    database: Database
    orders: Orders
    models: SqlModelStore
    verifications: SqlVerifications
    api_keys: SqlApiKeys
    openings: SqlOpeningBudgets
    revenue: SqlRevenue
    payouts: SqlPayouts
    blobs: LocalBlobs
    artifacts: LocalArtifacts
    catalog: Catalog


class Watch(Protocol):
    """What a test puts around a part, by name: it returns the part, or what behaves like it."""

    def __call__(self, part: str, target: T, /) -> T: ...


def unwatched(_part: str, target: T, /) -> T:
    """The part as it is."""
    return target


@asynccontextmanager
async def open_stores(
    settings: Settings, watch: Watch = unwatched, *, serving: bool = False
) -> AsyncIterator[Stores]:
    """Database and data folder, made where they are absent. `serving` is for a process that stays;
    see `Database.open`.

    Raises: Misconfigured SETTING_WRONG (the folder cannot be made), DATABASE_IN_USE,
    DATABASE_NEWER;
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
    database = await Database.open(settings.database, serving=serving)
    try:
        models = watch("models", SqlModelStore(database))
        yield Stores(
            database=database,
            orders=_watched(sql_orders(database), watch),
            models=models,
            verifications=SqlVerifications(
                database, kept=settings.verifications_kept, days=settings.verifications_days
            ),
            api_keys=SqlApiKeys(database),
            openings=watch("openings", SqlOpeningBudgets(database)),
            revenue=SqlRevenue(database),
            payouts=watch("payouts", SqlPayouts(database)),
            blobs=watch("blobs", LocalBlobs(settings.data_dir / "blobs")),
            artifacts=LocalArtifacts(settings.data_dir / "models"),
            catalog=Catalog(models),
        )
    finally:
        await database.close()


def _watched(orders: Orders, watch: Watch) -> Orders:
    """The ports with a watch on each that changes something."""
    return replace(
        orders,
        jobs=watch("jobs", orders.jobs),
        settlements=watch("settlements", orders.settlements),
        outbox=watch("outbox", orders.outbox),
        queue=watch("queue", orders.queue),
        deliveries=watch("order_deliveries", orders.deliveries),
    )

"""What /ready asks: each check answers with one line, or raises."""

import asyncio
import importlib.util
import logging
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.api.context import ReadyCheck
from inferproof.chain.token import TokenChain
from inferproof.errors import MissingPart, Reason, Unavailable
from inferproof.services.base import Systems
from inferproof.storage.base import ArtifactStore, ModelFilter, ModelStore
from inferproof.storage.db.engine import Database

log = logging.getLogger("inferproof.app")

LIBRARIES = {"ezkl": "ezkl"}
"""The Python package without which a proof system cannot be loaded."""
MAX_CHECKED = 1000


def readiness(
    *,
    database: Database,
    models: ModelStore,
    artifacts: ArtifactStore,
    systems: Systems,
    token: TokenChain,
    tasks: Mapping[str, asyncio.Task[None]],
) -> dict[str, ReadyCheck]:
    """The checks by name."""

    async def takes_writes() -> str:
        # A write: a full or read-only disk answers questions all the same.
        await database.write(_touch)
        return "takes writes"

    async def chain() -> str:
        head = await token.head()
        return f"{token.asset.network} answers, block {head.number}"

    async def matching_token() -> str:
        await token.check()
        return f"{token.asset.address} is {token.asset.symbol} as set"

    async def loadable() -> str:
        active = await models.list(ModelFilter(limit=MAX_CHECKED))
        for record in active:
            artifacts.path(record.commitment)
            await asyncio.to_thread(_require_system, systems, record.proof_system)
        return ", ".join(record.name for record in active) or "no model is active"

    return {
        "database": takes_writes,
        "chain": chain,
        "token": matching_token,
        "models": loadable,
        **{name: alive(name, task) for name, task in tasks.items()},
    }


async def _touch(connection: AsyncConnection) -> None:
    await connection.execute(text("UPDATE alembic_version SET version_num = version_num"))


def _require_system(systems: Systems, name: str) -> None:
    """Returns when the proof system can be loaded. Raises: NotFound, MissingPart, Unavailable."""
    package = LIBRARIES.get(name)
    if package is not None and importlib.util.find_spec(package) is None:
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature=f"proof system {name}",
            package=package,
            command=f"pip install 'inferproof[{name}]'",
        )
    systems(name).describe()


def alive(name: str, task: asyncio.Task[None]) -> ReadyCheck:
    async def check() -> str:
        if task.done():
            raise Unavailable(Reason.SERVICE_ENDED, service=name)
        return "runs"

    return check


def report_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("the %s ended by a bug", task.get_name(), exc_info=task.exception())

"""What /ready asks: each check answers with one line, or raises."""

import asyncio
import importlib.util
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.api.context import ReadyCheck
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.token import TokenChain
from inferproof.errors import MissingPart, Reason, Unavailable
from inferproof.proving.registry import require_native
from inferproof.services.base import Systems
from inferproof.services.heart import Heart
from inferproof.storage.ports.blobs import ArtifactStore
from inferproof.storage.ports.models import ModelFilter, ModelStore
from inferproof.storage.sql.engine import Database

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
    account: SettlementAccount,
    folder: Path,
    disk_reserve: int,
    tasks: Mapping[str, asyncio.Task[None]],
    hearts: Mapping[str, Heart],
    stall_s: float,
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

    async def gas() -> str:
        coin, _ = await account.holdings()
        wanted = await account.settlement_cost()
        if coin < wanted:
            raise Unavailable(Reason.GAS_LOW, address=account.sender, balance=coin, wanted=wanted)
        return f"coin for {coin // wanted} settlements at today's fees" if wanted else "gas is free"

    return {
        "database": takes_writes,
        "disk": space(folder, disk_reserve),
        "chain": chain,
        "token": matching_token,
        "gas": gas,
        "models": loadable,
        **{name: alive(name, task, hearts.get(name), stall_s) for name, task in tasks.items()},
    }


def space(folder: Path, wanted: int) -> ReadyCheck:
    """Holds while the folder's disk has that many bytes free."""

    async def check() -> str:
        try:
            free = (await asyncio.to_thread(shutil.disk_usage, folder)).free
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why=f"{folder}: {why}") from error
        if free < wanted:
            raise Unavailable(Reason.DISK_LOW, path=folder, free=free, wanted=wanted)
        return f"{free // 2**20} MiB free"

    return check


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
    require_native(name)
    systems(name).describe()


def alive(
    name: str, task: asyncio.Task[None], heart: Heart | None = None, stall_s: float = 0
) -> ReadyCheck:
    """Holds while the task runs and, where it has a heart, that beats."""

    async def check() -> str:
        if task.done():
            raise Unavailable(Reason.SERVICE_ENDED, service=name)
        part, silent = heart.silence() if heart is not None else ("", 0.0)
        if silent > stall_s:
            raise Unavailable(
                Reason.SERVICE_STALLED, service=f"{name} ({part})", seconds=round(silent)
            )
        return "runs"

    return check


def report_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("the %s ended by a bug", task.get_name(), exc_info=task.exception())

"""What /ready asks of the parts that app built: each check answers with one line, or raises."""

import asyncio
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.token import TokenChain
from inferproof.errors import MissingPart, Reason, Unavailable
from inferproof.observability.readiness import ReadyCheck, alive, space
from inferproof.proving.registry import require_native
from inferproof.services.base import Systems
from inferproof.services.heartbeat import Heartbeat
from inferproof.storage.ports.blobs import ArtifactStore
from inferproof.storage.ports.models import ModelFilter, ModelStore
from inferproof.storage.sql.engine import Database

LIBRARIES = {"ezkl": "ezkl"}
"""The Python package without which a proof system cannot be loaded."""
MAX_CHECKED = 1000


def storage_checks(database: Database, folder: Path, disk_reserve: int) -> dict[str, ReadyCheck]:
    """Database and disk. Units: `disk_reserve` in bytes."""

    async def takes_writes() -> str:
        # A write: a full or read-only disk answers questions all the same.
        await database.write(_touch)
        return "takes writes"

    return {"database": takes_writes, "disk": space(folder, disk_reserve)}


def chain_checks(token: TokenChain, account: SettlementAccount) -> dict[str, ReadyCheck]:
    """The node, the token behind it, and the account's coin."""

    async def chain() -> str:
        head = await token.head()
        return f"{token.asset.network} answers, block {head.number}"

    async def matching_token() -> str:
        await token.check()
        return f"{token.asset.address} is {token.asset.symbol} as set"

    async def gas() -> str:
        coin, _ = await account.holdings()
        wanted = await account.settlement_cost()
        if coin < wanted:
            raise Unavailable(Reason.GAS_LOW, address=account.sender, balance=coin, wanted=wanted)
        return f"coin for {coin // wanted} settlements at today's fees" if wanted else "gas is free"

    return {"chain": chain, "token": matching_token, "gas": gas}


def model_checks(
    models: ModelStore, artifacts: ArtifactStore, systems: Systems
) -> dict[str, ReadyCheck]:
    """The compiled folder and the proof system of every active model."""

    async def loadable() -> str:
        active = await models.list(ModelFilter(limit=MAX_CHECKED))
        for record in active:
            artifacts.path(record.commitment)
            await asyncio.to_thread(_require_system, systems, record.proof_system)
        return ", ".join(record.name for record in active) or "no model is active"

    return {"models": loadable}


def task_checks(
    tasks: Mapping[str, asyncio.Task[None]], heartbeats: Mapping[str, Heartbeat], stall_s: float
) -> dict[str, ReadyCheck]:
    """What runs beside the requests, or instead of them. Units: seconds."""
    return {name: alive(name, task, heartbeats.get(name), stall_s) for name, task in tasks.items()}


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

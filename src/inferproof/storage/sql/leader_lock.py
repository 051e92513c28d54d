"""Leader locks: what one process does for all on one database, and whose process it is."""

from contextlib import AsyncExitStack

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.storage.sql.closing import to_the_end
from inferproof.storage.sql.constructs import lock_key
from inferproof.storage.sql.engines import one_server_connection
from inferproof.storage.sql.failures import storage_error


class _ServerLock:
    """A lock held by a connection: the server releases it when the connection ends."""

    def __init__(self, url: URL, name: str) -> None:
        self._engine = one_server_connection(url)
        self._take = text(f"SELECT pg_try_advisory_lock({lock_key(name)})")
        self._connection: AsyncConnection | None = None
        self._held = False

    async def held(self) -> bool:
        try:
            if self._connection is None:
                self._connection = await self._engine.connect()
            if self._held:
                await self._connection.execute(text("SELECT 1"))
            else:
                self._held = bool(await self._connection.scalar(self._take))
        except (DBAPIError, OSError) as error:
            await self.release()
            raise storage_error(error) or error from error
        return self._held

    async def release(self) -> None:
        await to_the_end(self._close())

    async def _close(self) -> None:
        connection, self._connection, self._held = self._connection, None, False
        async with AsyncExitStack() as stack:  # each is closed, also where another fails
            stack.push_async_callback(self._engine.dispose)
            if connection is not None:
                stack.push_async_callback(connection.close)
                await connection.invalidate()


class _LocalLock:
    """A lock on SQLite, which one process at a time serves with: only others in this process can
    hold it."""

    def __init__(self, holders: dict[str, object], name: str) -> None:
        self._holders = holders
        self._name = name

    async def held(self) -> bool:
        return self._holders.setdefault(self._name, self) is self

    async def release(self) -> None:
        if self._holders.get(self._name) is self:
            del self._holders[self._name]


def leader_lock(url: URL, name: str, holders: dict[str, object]) -> LeaderLock:
    """The lock of this name, not taken yet. `holders` is the open database's own."""
    if url.get_backend_name() == "sqlite":
        return _LocalLock(holders, name)
    return _ServerLock(url, name)

"""Health, readiness and metrics of one process, at a port of its own.

A thread serves them, so that a process needs no server of requests to be asked; what they tell is
found out by the process's own event loop, so that one that hangs does not answer.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import uvicorn

from inferproof import __version__
from inferproof.api.create import create_operations
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness
from inferproof.server.limits import COMMON
from inferproof.server.listening import listen_on_first, url_of
from inferproof.settings import Settings

T = TypeVar("T")

CONNECTIONS = 64
END_S = 5.0


@asynccontextmanager
async def serving_operations(
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    refresh: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[str | None]:
    """Serves them while the block runs, at the address that it yields; None where the settings name
    no port. `refresh` brings gauges up to date before they are shown.

    Raises: Misconfigured CANNOT_LISTEN.
    """
    if settings.metrics_port is None:
        yield None
        return
    loop = asyncio.get_running_loop()

    async def here(work: Callable[[], Awaitable[T]]) -> T:
        """What the work returns, run by the process's own loop."""

        async def run() -> T:
            return await work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), loop))

    app = create_operations(__version__, metrics, readiness, refresh, here)
    ports = range(settings.metrics_port, settings.metrics_port + settings.processes)
    with listen_on_first(settings.metrics_host, ports) as listener:
        url = url_of(listener)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                **COMMON,
                loop="asyncio",
                lifespan="off",
                limit_concurrency=CONNECTIONS,
                timeout_graceful_shutdown=1,
            )
        )
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="operations", daemon=True
        )
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            await asyncio.to_thread(thread.join, END_S)

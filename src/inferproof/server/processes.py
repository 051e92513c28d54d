"""The processes of a gateway.

    inferproof serve                 one process that does everything
    inferproof serve --processes N   N that take requests on one port, under uvicorn's own runner,
                                     which starts again what ends
    inferproof settle                settles, refunds, notifies, sweeps, keeps the books
    inferproof worker                proves
    inferproof indexer run           reads events of contracts

What several processes share is the database, which is PostgreSQL then, and the folder of blobs and
compiled models; each may be killed at any time.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop

from inferproof.app.background import SettleApp, build_settle
from inferproof.app.gateway import App
from inferproof.app.gateway import check as check_gateway
from inferproof.app.indexing import IndexerApp, build_indexer
from inferproof.app.worker import WorkerApp, build_worker
from inferproof.errors import Misconfigured, Reason
from inferproof.server.application import STOPS, Application, settle_memory
from inferproof.server.limits import options
from inferproof.server.listening import listen, url_of
from inferproof.server.operations import serving_operations
from inferproof.settings import Settings, variable

FACTORY = "inferproof.server.application:create"


def check_processes(settings: Settings) -> None:
    """Returns when these settings may be served as they are by one process or several.

    Raises: Misconfigured SETTING_WRONG.
    """
    if settings.is_apart and settings.on_sqlite:
        name = "processes" if settings.processes > 1 else "background"
        problem = f"several processes need PostgreSQL; set {variable('database_url')}"
    elif settings.processes > 1 and settings.facilitator_key is not None:
        name = "processes"
        problem = (
            "a facilitator sends with a key of its own, which one process alone may do; serve it "
            f"elsewhere, or unset {variable('facilitator_key')}"
        )
    else:
        return
    raise Misconfigured(Reason.SETTING_WRONG, name=variable(name), problem=problem)


def run_gateway(
    settings: Settings,
    *,
    announce: Callable[[str, App | None], None],
    **parts: Any,
) -> None:
    """Serves until the process is told to stop. `announce` is told the address: of one process
    with its parts, once it is ready; of several once the settings were found to hold, before they
    start; those read the environment. `parts` are passed on to `app.build` of one process.

    Raises: as `app.build`; Misconfigured CANNOT_LISTEN, SETTING_WRONG.
    """
    check_processes(settings)
    with listen(settings.host, settings.port) as listener:
        url = url_of(listener)
        if settings.processes > 1:
            asyncio.run(check_gateway(settings))
            announce(url, None)
            uvicorn.run(
                FACTORY,
                factory=True,
                workers=settings.processes,
                fd=listener.fileno(),
                **options(settings),
            )
            return

        def ready(app: App) -> None:
            settle_memory()
            announce(url, app)

        application = Application(settings, announce=ready, **parts)
        server = uvicorn.Server(uvicorn.Config(application, **options(settings)))
        with _ending_quietly():
            try:
                server.run(sockets=[listener])
            except SystemExit:
                if application.failure is None:
                    raise
                raise application.failure from None


async def run_settle(
    settings: Settings, *, announce: Callable[[SettleApp], None], **parts: Any
) -> None:
    """Settles, refunds, notifies, sweeps and keeps the books until the process is told to stop.

    `parts` are passed on to `app.build_settle`. Raises: as that; Misconfigured CANNOT_LISTEN,
    SETTING_WRONG.
    """
    if settings.on_sqlite:
        problem = "settling in a process of its own needs PostgreSQL"
        raise Misconfigured(Reason.SETTING_WRONG, name=variable("database_url"), problem=problem)
    told = asyncio.Event()
    _when_told(told.set)
    async with (
        build_settle(settings, **parts) as app,
        serving_operations(settings, app.metrics, app.readiness, app.refresh),
    ):
        settle_memory()
        announce(app)
        await told.wait()


async def run_worker(
    settings: Settings, *, announce: Callable[[WorkerApp], None], **parts: Any
) -> None:
    """Works until the process is told to stop; then it takes no more jobs, and gives back those
    that have not ended within `shutdown_s`, or when it is told a second time.

    `parts` are passed on to `app.build_worker`. Raises: as that; Misconfigured CANNOT_LISTEN.
    """
    told, again = asyncio.Event(), asyncio.Event()
    _when_told(lambda: again.set() if told.is_set() else told.set())
    async with (
        build_worker(settings, **parts) as app,
        serving_operations(settings, app.metrics, app.readiness),
    ):
        announce(app)
        await _first(told.wait(), asyncio.shield(app.task))
        await _first(app.worker.finish_work(settings.shutdown_s), again.wait())


async def run_indexer(
    settings: Settings, *, announce: Callable[[IndexerApp], None], **parts: Any
) -> None:
    """Reads events of contracts until the process is told to stop.

    `parts` are passed on to `app.build_indexer`. Raises: as that; Misconfigured CANNOT_LISTEN.
    """
    told = asyncio.Event()
    _when_told(told.set)
    async with (
        build_indexer(settings, **parts) as app,
        serving_operations(settings, app.metrics, app.readiness),
    ):
        announce(app)
        await _first(told.wait(), asyncio.shield(app.task))


def run(work: Any) -> None:
    """Runs the coroutine in an event loop of uvloop's."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def _when_told(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop)


@contextmanager
def _ending_quietly() -> Iterator[None]:
    """A server that was told to end raises the same signal once more when it is down. In the block
    that second one does nothing, so that the process ends as one that did what it was told."""
    earlier = {number: signal.signal(number, lambda *_: None) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


async def _first(*waits: Any) -> None:
    """Returns when one of them has ended; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()

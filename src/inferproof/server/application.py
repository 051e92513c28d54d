"""The gateway as an ASGI application: its parts begin and end with the server's lifespan.

One process or several, the server gets the same application. `create` is the factory for
uvicorn's own multi-process runner, which makes one in each process; it is to be run with the
options of server.limits, since uvicorn's defaults choose another parser and believe proxies.
"""

import asyncio
import gc
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from inferproof.app.gateway import App, build
from inferproof.errors import InferproofError
from inferproof.observability.logs import set_up_logs
from inferproof.server.operations import serving_operations
from inferproof.settings import Settings

COLLECT_AFTER = (50_000, 20, 20)
"""Objects made, and rounds, before the garbage collector looks; a request makes a thousand."""
STOPS = (signal.SIGINT, signal.SIGTERM)


class Application:
    """A gateway from the server's start to its end.

    `announce` is called with its parts once it is ready; `parts` are passed on to `app.build`.
    `failure` is what kept it from starting.
    """

    def __init__(
        self, settings: Settings, *, announce: Callable[[App], None] | None = None, **parts: Any
    ) -> None:
        self.failure: Exception | None = None
        self._settings = settings
        self._announce = announce
        self._parts = parts
        self._asgi: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            assert self._asgi is not None  # noqa: S101 - no request comes before the start
            await self._asgi(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with build(self._settings, **self._parts) as app:
                served = app.services
                async with serving_operations(
                    self._settings, served.metrics, served.readiness, served.refresh
                ):
                    with before_the_end(served.streams.close), ending_with_parent():
                        self._asgi = app.asgi
                        if self._announce is not None:
                            self._announce(app)
                        await send({"type": "lifespan.startup.complete"})
                        await receive()
        except Exception as error:  # the edge of the process, which tells it
            self.failure = error
            if self._asgi is not None or not isinstance(error, InferproofError | OSError):
                raise  # a fault of ours, which the server logs
            code = error.code if isinstance(error, InferproofError) else type(error).__name__
            await send({"type": "lifespan.startup.failed", "message": f"{code}: {error}"})
            return
        await send({"type": "lifespan.shutdown.complete"})


def create() -> Application:
    """The application of the environment's settings, in a process of its own."""
    settings = Settings.load()
    set_up_logs(settings.log_level, settings.log_format, traced=settings.otel_endpoint is not None)
    return Application(settings, announce=lambda _: settle_memory())


def settle_memory() -> None:
    """What was loaded stays: the collector need not look at it again, nor look so often.

    With its defaults it takes a tenth of the time under load, in pauses of tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


@contextmanager
def before_the_end(action: Callable[[], None]) -> Iterator[None]:
    """Calls it when the process is told to stop, before the server waits for open requests: an
    event stream does not end by itself. Elsewhere than in the main thread, which alone is told of
    signals, it does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, earlier = asyncio.get_running_loop(), {each: signal.getsignal(each) for each in STOPS}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(action)
        handler = earlier[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in STOPS:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def ending_with_parent() -> Iterator[None]:
    """Stops this process when the one that started it by multiprocessing is gone: without it
    nobody would start again what ends, and its port would stay taken."""
    parent = multiprocessing.parent_process()
    if parent is None:
        yield
        return
    loop, sentinel = asyncio.get_running_loop(), parent.sentinel

    def orphaned() -> None:
        loop.remove_reader(sentinel)
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(sentinel, orphaned)
    try:
        yield
    finally:
        loop.remove_reader(sentinel)

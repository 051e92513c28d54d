"""A whole gateway in a thread of this process, on a free port: `with LiveGateway(settings) as url`.

It is the real app on the real server; only the proof systems may be given.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from types import TracebackType

import uvicorn

from inferproof.app.gateway import App
from inferproof.proving.base import ProofSystem
from inferproof.server.application import Application
from inferproof.server.limits import options
from inferproof.server.listening import listen, url_of
from inferproof.settings import Settings

START_S = 120.0
STOP_S = 60.0
STOPPING_S = 2


class LiveGateway:
    """Starts on entry, ends on exit. Raises on entry what the gateway refuses to start with."""

    def __init__(
        self, settings: Settings, *, more_systems: Mapping[str, ProofSystem] | None = None
    ) -> None:
        self.settings = settings
        self._systems = more_systems
        self._ready: Future[App] = Future()
        self._server: uvicorn.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self.url = ""

    @property
    def app(self) -> App:
        """The running app; its parts belong to the gateway's own event loop."""
        return self._ready.result(timeout=START_S)

    @property
    def running(self) -> bool:
        """Whether its thread lives."""
        return self._thread.is_alive()

    def __enter__(self) -> "LiveGateway":
        self._thread.start()
        try:
            self._ready.result(timeout=START_S)
        except TimeoutError:
            raise TimeoutError(f"the gateway was not ready within {START_S:g} seconds") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None and self._ready.done() and self._loop is not None:
            self._loop.call_soon_threadsafe(self.app.services.streams.close)
            self._server.should_exit = True
        self._thread.join(STOP_S)
        if self.running and error is None:
            raise TimeoutError(f"the gateway did not end within {STOP_S:g} seconds")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # raised again in the thread that waits
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        with listen(self.settings.host, self.settings.port) as listener:
            self.url, self._loop = url_of(listener), asyncio.get_running_loop()
            application = Application(
                self.settings, announce=self._ready.set_result, more_systems=self._systems
            )
            given = options(self.settings) | {"timeout_graceful_shutdown": STOPPING_S}
            self._server = uvicorn.Server(uvicorn.Config(application, **given))
            try:
                await self._server.serve(sockets=[listener])
            except SystemExit:
                raise application.failure or RuntimeError("it does not start") from None

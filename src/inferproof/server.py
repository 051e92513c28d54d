"""uvicorn, held by us: our sockets, our signals, our order of closing."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from inferproof.errors import Misconfigured, Reason

BACKLOG = 2048


class Server(uvicorn.Server):
    """Ends when `should_exit` is set. It takes no signals: uvicorn raises them again once it is
    down, which would end the process before the gateway's own parts are closed."""

    def __init__(
        self, app: ASGIApp, *, shutdown_s: float, on_shutdown: Callable[[], None] = lambda: None
    ) -> None:
        """`on_shutdown` is called before open requests are waited for."""
        self._on_shutdown = on_shutdown
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=max(1, round(shutdown_s)),
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_shutdown()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises: Misconfigured CANNOT_LISTEN."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # create_server adds the address to the text; a name that is not found has no errno.
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else (error.strerror or str(error))
        raise Misconfigured(Reason.CANNOT_LISTEN, host=host, port=port, why=why) from None
    # uvicorn writes head and body apart; without this each answer waits 40 ms for the caller's
    # delayed acknowledgement. Connections inherit it. asyncio sets it only on sockets that name
    # their protocol, which create_server does not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """The address under which the socket is reached on this machine."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

"""Sockets that listen."""

import errno
import os
import socket
from collections.abc import Iterable

from inferproof.errors import Misconfigured, Reason

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises: Misconfigured CANNOT_LISTEN."""
    try:
        return _listen(host, port)
    except OSError as error:
        raise _refused(host, port, error) from None


def listen_on_first(host: str, ports: Iterable[int]) -> socket.socket:
    """A socket that listens on the first of these ports that is free. Raises: as `listen`, of the
    last port."""
    for port in ports:
        try:
            return _listen(host, port)
        except OSError as error:
            last = _refused(host, port, error)
            if error.errno != errno.EADDRINUSE:
                break
    raise last


def url_of(listener: socket.socket) -> str:
    """The address under which the socket is reached on this machine."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # uvicorn writes head and body apart; without this each answer waits 40 ms for the caller's
    # delayed acknowledgement. Connections inherit it. asyncio sets it only on sockets that name
    # their protocol, which create_server does not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _refused(host: str, port: int, error: OSError) -> Misconfigured:
    # create_server adds the address to the text; a name that is not found has no errno.
    number = error.errno or 0
    why = os.strerror(number) if number > 0 else (error.strerror or str(error))
    return Misconfigured(Reason.CANNOT_LISTEN, host=host, port=port, why=why)

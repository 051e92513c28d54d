"""A door between the gateway and its node, which can be shut: connections are cut, none is made."""

import asyncio
import contextlib
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on between a free port of this machine and a node, while it is open."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None] | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def open(self) -> None:
        """Listens; on the same port as before, where it listened before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Returns when connections are refused, and those that there were are cut."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*filter(None, self._serving), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task, ends = asyncio.current_task(), {writer}
        self._serving.add(task)
        try:
            with contextlib.suppress(OSError):
                there, back = await asyncio.open_connection(*self._target)
                ends.add(back)
                self._writers |= ends
                if self._server is not None:  # it may have been shut meanwhile
                    await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            self._serving.discard(task)
            self._writers -= ends
            for end in ends:
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()

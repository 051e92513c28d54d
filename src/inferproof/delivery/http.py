"""HTTP calls to addresses that strangers name.

1  the URL is read by protocol.webhook_address, and only what that took apart is used
2  the name is resolved once, and every address it has must be public
3  the connection goes to the address that was checked, whatever the name says later
4  the certificate is that of the name; no redirect is followed; no proxy is used
5  the whole call has one time limit; of the answer only the status is read
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

import httpx

from inferproof.errors import Reason, RequestRejected, Unavailable
from inferproof.protocol.webhook_address import Target, is_public, read_webhook_url

LIMIT_S = 10.0
"""Long enough for a receiver that wakes from sleep; it is called again if not."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host. Raises: OSError."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that the machine's own resolver gives."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class WebhookSender:
    """Implements services.notifier.base.Sender. `private` allows plain http and addresses that
    are not public. Units: `limit_s` seconds for a whole call."""

    def __init__(
        self,
        *,
        private: bool,
        limit_s: float = LIMIT_S,
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._private = private
        self._limit_s = limit_s
        self._resolve = resolver
        self._client = httpx.AsyncClient(
            verify=tls or ssl.create_default_context(),
            timeout=limit_s,
            follow_redirects=False,
            trust_env=False,
            # A connection is never used for another host that shares the address.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def aclose(self) -> None:
        """Closes what is open."""
        await self._client.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        # 1
        target = read_webhook_url(url, private=self._private)
        try:
            async with asyncio.timeout(self._limit_s):
                return await self._post(target, await self._address(target), headers, body)
        except TimeoutError:
            why = f"not within {self._limit_s:g} seconds"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            why = type(error).__name__
        raise Unavailable(Reason.WEBHOOK_UNREACHABLE, why=why)

    async def _address(self, target: Target) -> str:
        # 2
        addresses = await self._resolve(target.host, target.port)
        if not addresses:
            raise OSError
        if not self._private:
            for address in addresses:
                if not is_public(address):
                    raise RequestRejected(Reason.WEBHOOK_ADDRESS, host=target.host, address=address)
        return addresses[0]

    async def _post(
        self, target: Target, address: str, headers: Mapping[str, str], body: bytes
    ) -> int:
        # 3, 4
        at = f"[{address}]" if ":" in address else address
        url = httpx.URL(f"{target.scheme}://{at}:{target.port}").copy_with(
            raw_path=target.path.encode("ascii")
        )
        async with self._client.stream(
            "POST",
            url,
            content=body,
            headers={**headers, "Host": target.authority, "Connection": "close"},
            extensions={"sni_hostname": target.host},
        ) as response:
            return response.status_code  # 5

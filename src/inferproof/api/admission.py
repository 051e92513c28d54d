"""What comes before every route: how many requests are under way, who calls, and how often.

Limits are told as the IETF's draft has it (draft-ietf-httpapi-ratelimit-headers-10):

    RateLimit-Policy: "quotes";q=600;w=60       600 in 60 seconds
    RateLimit: "quotes";r=599;t=1               599 left; all of them back in 1 second

and a refusal besides with Retry-After.
"""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from starlette.types import Scope

from inferproof.errors import Reason, Unavailable
from inferproof.services.limits.keys import PREFIX
from inferproof.services.limits.service import Action, Limits, Standing
from inferproof.storage.ports.rate_limits import ApiKey

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CALLER = "inferproof.api_key"
"""Where the scope carries the ApiKey of who sent one."""

UNCOUNTED = frozenset({"/health"})
"""Whether the process lives must always be told."""
_ACTIONS = {
    "/v1/verify": Action.VERIFY,
    "/v1/models": Action.SUBMIT,
    "/v1/quotes": Action.UNPAID,
    "/facilitator/verify": Action.UNPAID,
    "/facilitator/settle": Action.UNPAID,
}
_PAID = frozenset({b"payment-signature", b"x-payment", b"inferproof-transfer", b"inferproof-pass"})
_IPV6_HOME = 64
"""Bits of an IPv6 address that one customer is given at least; the others are its own to choose."""
_MOST_HOPS = 32


class Admission:
    """Admits requests. `trusted` are the proxies whose X-Forwarded-For is believed."""

    def __init__(
        self,
        limits: Limits,
        *,
        most: int,
        trusted: Sequence[Network] = (),
        on_refused: Callable[[str], None],
    ) -> None:
        self._limits = limits
        self._most = most
        self._trusted = tuple(trusted)
        self._on_refused = on_refused
        self._under_way = 0

    @contextmanager
    def under_way(self, scope: Scope) -> Iterator[None]:
        """Counts the request while the block runs. Raises: Unavailable OVERLOADED."""
        if scope["path"] in UNCOUNTED:
            yield
            return
        if self._under_way >= self._most:
            self._on_refused("requests under way")
            raise Unavailable(Reason.OVERLOADED, limit=self._most)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def admit(self, scope: Scope) -> Standing | None:
        """How the caller stands after this request, which `scope` knows the API key of then.

        Raises: TooMany RATE_LIMITED; RequestRejected API_KEY_UNKNOWN; Unavailable
        LIMITER_UNAVAILABLE.
        """
        if scope["path"] in UNCOUNTED:
            return None
        headers = scope["headers"]
        address = client_address(scope, self._trusted)
        holder, standing = await self._limits.admit(address, _action(scope), _key(headers))
        scope[CALLER] = holder
        return standing

    async def charge_quote(self, scope: Scope) -> None:
        """Counts a quote that a request drew which was admitted as a paid one.

        Raises: TooMany RATE_LIMITED; Unavailable LIMITER_UNAVAILABLE.
        """
        await self._limits.quote(client_address(scope, self._trusted), api_key(scope))


def api_key(scope: Scope) -> ApiKey | None:
    """The API key that the request came with."""
    found: ApiKey | None = scope.get(CALLER)
    return found


def standing_headers(standing: Standing) -> list[tuple[bytes, bytes]]:
    """The headers that tell it."""
    name, rate = standing.name, standing.rate
    policy = f'"{name}";q={rate.count};w={rate.period_s}'
    state = f'"{name}";r={standing.remaining};t={standing.full_s}'
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]


def client_address(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address that is charged: the socket's, or behind a trusted proxy the nearest address in
    X-Forwarded-For that is no trusted proxy; of IPv6 the network.

    Soundness: what stands before an untrusted address was written by it, and is not read.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    if not trusted or not _is_trusted(peer, tuple(trusted)):
        return _home(peer)
    named = b",".join(v for name, v in scope["headers"] if name == b"x-forwarded-for")
    hops = named.decode("latin-1").split(",")[-_MOST_HOPS:]
    nearest = peer
    for hop in reversed(hops):
        address = _bare(hop)
        if address is None:
            break
        nearest = address
        if not _is_trusted(address, tuple(trusted)):
            break
    return _home(nearest)


def _action(scope: Scope) -> Action:
    if scope["method"] != "POST":
        return Action.READ
    path = scope["path"]
    if path.endswith("/infer"):
        paid = any(name in _PAID for name, _ in scope["headers"])
        return Action.READ if paid else Action.UNPAID
    return _ACTIONS.get(path, Action.READ)


def _key(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization":  # other bearers are the operator's
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer" and token.strip().startswith(PREFIX):
                return token.strip()
    return None


def _bare(text: str) -> str | None:
    """The address in one element of X-Forwarded-For, which may name a port; None for no address."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


@lru_cache(4096)
def _home(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"  # a Unix socket has none
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_HOME), strict=False).network_address)


@lru_cache(4096)
def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in trusted)

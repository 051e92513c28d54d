"""What uvicorn is told, all of it documented options.

| limit | held by |
|---|---|
| size of a head that is not complete yet | h11_max_incomplete_event_size |
| size of a head, number of its fields | api.middleware |
| connections in all | limit_concurrency |
| time between requests | timeout_keep_alive |
| time to end when the process stops | timeout_graceful_shutdown |
| size and time of a body | api.middleware, by route |
| time for a head, readers who are slow, connections of one address | a proxy: deploy/nginx |

h11 reads requests, and not httptools, because it frames them soundly by itself: a request that asks
for an upgrade keeps its body, trailers do not become headers, and HTTP/1.1 without a Host, or with
two, is refused. See docs/adr/0025-uvicorn-by-its-options.md.
"""

from typing import Any

from inferproof.api.headers import MAX_HEAD_BYTES
from inferproof.server.listening import BACKLOG
from inferproof.settings import Settings

COMMON: dict[str, Any] = {
    "http": "h11",
    "ws": "none",
    "log_config": None,
    "log_level": "error",  # what strangers send wrongly is no news, and would fill a disk
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "backlog": BACKLOG,
    "h11_max_incomplete_event_size": MAX_HEAD_BYTES,
}
"""Options of every server."""


def options(settings: Settings) -> dict[str, Any]:
    """The options of a server that takes a gateway's requests."""
    return {
        **COMMON,
        "loop": "uvloop",
        "lifespan": "on",
        "limit_concurrency": settings.connections_limit,
        "timeout_keep_alive": settings.keep_alive_s,
        "timeout_graceful_shutdown": max(1, round(settings.shutdown_s)),
    }

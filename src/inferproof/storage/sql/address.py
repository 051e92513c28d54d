"""Addresses of databases: which kind, which driver, which file."""

import importlib.util
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from inferproof.errors import Misconfigured, MissingPart, Reason, Unavailable

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_SCHEMES = {"postgres": "postgresql"}


def read_address(address: str) -> URL:
    """The address, with the driver that this program uses and TLS as that driver calls it.

    Raises: Misconfigured DATABASE_ADDRESS; MissingPart MISSING_LIBRARY.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise Misconfigured(Reason.DATABASE_ADDRESS, problem="it is not an address") from None
    scheme, _, driver = url.drivername.partition("+")
    backend = _SCHEMES.get(scheme, scheme)
    ours = _DRIVERS.get(backend)
    if ours is None or driver not in ("", ours.partition("+")[2]):
        raise Misconfigured(Reason.DATABASE_ADDRESS, problem=f"{url.drivername} is not supported")
    url = url.set(drivername=ours)
    if backend == "sqlite":
        return url
    if importlib.util.find_spec("asyncpg") is None:
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature="PostgreSQL",
            package="asyncpg",
            command="pip install 'inferproof[postgres]'",
        )
    query = dict(url.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    unknown = sorted(query.keys() - {"host", "port", "ssl"})
    if unknown:
        problem = f"its parameter {unknown[0]} is not supported"
        raise Misconfigured(Reason.DATABASE_ADDRESS, problem=problem)
    return url.set(query=query)


def is_memory(url: URL) -> bool:
    """True for a SQLite database that lives in one connection and dies with it."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def check_file(url: URL) -> None:
    """Returns when the file of a SQLite database is there, or was made, and takes writes.

    The driver says only that it is unable to open it, and leaves a thread behind.
    Raises: Unavailable STORAGE_UNAVAILABLE.
    """
    if url.get_backend_name() != "sqlite" or is_memory(url) or url.database is None:
        return
    try:
        Path(url.database).open("ab").close()
    except OSError as error:
        why = f"{url.database}: {error.strerror}"
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, why=why) from error

"""What a failure of a driver means, in our words."""

from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError

from inferproof.errors import InferproofError, Reason, Unavailable

_FULL = ("database or disk is full", "no space left on device")
_SERVER_FULL = "53100"
_SERVER_MEDIUM = ("08", "28", "3D", "40", "53", "57", "58", "XX", "25006", "42501", "55P03")
"""SQLSTATE classes and codes that mean connection, access, conflict, resources, shutdown, disk,
damage, a server that only reads, a missing right, a lock that is not given back."""
_SERVER_AGAIN = ("40001", "40P01")
"""Another transaction won. Nothing of this one remains, so the same again is right."""


def storage_error(error: Exception) -> InferproofError | None:
    """The failure in our words, or None when it is a bug of ours and not the medium's."""
    if isinstance(error, OSError):  # TimeoutError is one
        why = "it did not answer in time" if isinstance(error, TimeoutError) else str(error)
        return Unavailable(Reason.STORAGE_UNAVAILABLE, why=_shown(why))
    if not isinstance(error, DBAPIError):
        return None
    why = str(error.orig)
    if any(text in why.lower() for text in _FULL):
        return Unavailable(Reason.STORAGE_FULL)
    if hasattr(error.orig, "sqlstate"):
        return _server_error(error, getattr(error.orig, "sqlstate", None) or "")
    # The bare class is SQLite's for a file that is damaged or no database.
    medium = isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError
    if medium or error.connection_invalidated:
        return Unavailable(Reason.STORAGE_UNAVAILABLE, why=_shown(why))
    return None


def _server_error(error: DBAPIError, state: str) -> InferproofError | None:
    if state == _SERVER_FULL:
        return Unavailable(Reason.STORAGE_FULL)
    if state.startswith(_SERVER_MEDIUM) or error.connection_invalidated or passes(error):
        # SQLAlchemy puts the driver's class in front of its words.
        why = str(error.orig).partition(">: ")[2] or str(error.orig)
        return Unavailable(Reason.STORAGE_UNAVAILABLE, why=_shown(why))
    return None


def _shown(why: str) -> str:
    return why.strip().splitlines()[0][:200] if why.strip() else "no reason was given"


def passes(error: Exception) -> bool:
    """True when the same transaction, begun again at once, may well succeed."""
    orig = getattr(error, "orig", None)
    if getattr(orig, "sqlstate", None) in _SERVER_AGAIN:
        return True
    # Another gateway migrated under a prepared statement; the driver prepares it anew.
    return type(orig).__name__ == "InvalidCachedStatementError"

"""What tells a store of counts from its copies.

A store draws a secret with each count that it begins, and is known by a digest of the secret and of
the place where it is kept. A copy is in another place, and so is another store, which has no count
of its own; and so is a store that lost its count, which draws another secret.

A file's place is the machine, the file's number and the moment in which it was made: a number may
be given again once its file is gone, a moment cannot be set. Device numbers are left out, since
they may change when a machine starts again; so are other times, which change with a file's owner.
A file system that gives files other numbers when it is mounted again, as some of networks and
containers do, spends keys for nothing: counts belong on a disk.
"""

import ctypes
import os
import secrets
import sys
from pathlib import Path

from inferproof.protocol.encoding import tagged_digest
from inferproof.types.digest import Digest

_MACHINE = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))

_AT_FDCWD = -100
_BIRTH = 0x800
"""STATX_BTIME: what is asked of statx(2), and said to be answered."""
_STATX_BYTES = 256
_BIRTH_SECONDS, _BIRTH_NANOSECONDS = slice(80, 88), slice(88, 92)


def new_secret() -> Digest:
    """The secret of a count that begins."""
    return Digest(secrets.token_bytes(32))


def store_identity(secret: Digest, place: str) -> Digest:
    """The identity of a store with this secret at this place."""
    return tagged_digest("inferproof/opening-store/1", secret.raw, place.encode())


def place_of(path: Path) -> str:
    """Where the file is. To move it within its file system leaves it there; to copy it, or to bring
    it back from a backup, does not, unless it is written over. Raises: OSError."""
    return f"file {path.stat().st_ino} made at {_birth(path)} on {machine_id()}"


def machine_id() -> str:
    """The machine's own number; empty where it has none, as in some containers."""
    for path in _MACHINE:
        try:
            return path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
    return ""


def _birth(path: Path) -> str:
    """When the file was made; empty where the file system does not say."""
    if sys.platform != "linux":
        return str(getattr(path.stat(), "st_birthtime", ""))
    statx = getattr(ctypes.CDLL(None), "statx", None)  # the os module has it from Python 3.15 on
    answer = ctypes.create_string_buffer(_STATX_BYTES)
    if statx is None or statx(_AT_FDCWD, os.fsencode(path), 0, _BIRTH, answer) != 0:
        return ""
    known, seconds, nanoseconds = (
        int.from_bytes(answer.raw[part], sys.byteorder)
        for part in (slice(0, 4), _BIRTH_SECONDS, _BIRTH_NANOSECONDS)
    )
    return f"{seconds}.{nanoseconds:09}" if known & _BIRTH else ""


def state_folder() -> Path:
    """Where `prove` alone keeps counts: $INFERPROOF_HOME/openings, or the user's state folder by
    the XDG base directory specification. It is never inside of a compiled model."""
    home = os.environ.get("INFERPROOF_HOME")
    if home:
        return Path(home) / "openings"
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "inferproof" / "openings"

"""Reading the files that a user names."""

import os
from pathlib import Path

from inferproof.errors import Misconfigured, Reason, RequestRejected
from inferproof.protocol.signature import SigningKey

MAX_KEY_BYTES = 256


def read_file(path: Path, max_bytes: int) -> bytes:
    """The content of a file.

    Raises: RequestRejected FILE_UNREADABLE, FILE_TOO_LARGE.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise RequestRejected(
            Reason.FILE_UNREADABLE, path=path, why=(error.strerror or "unknown").lower()
        ) from None
    if len(data) > max_bytes:
        raise RequestRejected(Reason.FILE_TOO_LARGE, path=path, limit=max_bytes)
    return data


def read_key(path: Path) -> SigningKey:
    """The private key in a file that only its owner may read.

    Raises: RequestRejected FILE_UNREADABLE, KEY_MALFORMED; Misconfigured KEY_FILE_OPEN.
    """
    data = read_file(path, MAX_KEY_BYTES)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise Misconfigured(Reason.KEY_FILE_OPEN, path=path)
    return SigningKey.from_hex(data.decode("ascii", "replace").strip())

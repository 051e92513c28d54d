"""Files that are replaced whole and durably, and what their failures mean in our words."""

import errno
import os
import tempfile
from pathlib import Path

from inferproof.errors import InferproofError, Reason, Unavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def replace_durably(path: Path, data: bytes) -> None:
    """Returns when the file holds these bytes and is on the disk: after a crash before that it
    holds the old ones or these. Its folder is made where it is absent. Raises: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.stem}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - `temporary` is a text from mkstemp
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Returns when the names in the folder are durable. Raises: OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_error(error: OSError) -> InferproofError:
    """The failure of a file in our words."""
    if error.errno in _FULL:
        return Unavailable(Reason.STORAGE_FULL)
    why = error.strerror or type(error).__name__
    return Unavailable(Reason.STORAGE_UNAVAILABLE, why=why)

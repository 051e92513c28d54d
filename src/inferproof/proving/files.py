"""SHA-256 of files, remembered while a file stays as it is."""

import hashlib
from pathlib import Path

_seen: dict[tuple[str, int, int, int, int], str] = {}


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, as hex.

    Remembered by path, inode, size and both time stamps, so that a proving key of hundreds of
    megabytes is read once per process and not once per proof.
    """
    status = path.stat()
    key = (str(path), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if key not in _seen:
        if len(_seen) > 4096:
            _seen.clear()
        with path.open("rb") as file:
            _seen[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _seen[key]

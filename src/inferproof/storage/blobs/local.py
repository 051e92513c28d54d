"""Blobs in local files.

<root>/ab/abcdef….blob      the bytes with SHA-256 abcdef…
<root>/ab/.abcdef….<random>  a write under way, or one that a crash left; never read

A file's time is that of its last `put`, by which `old` tells what may be removed.
"""

import hashlib
import os
from pathlib import Path

from inferproof.errors import NotFound, Reason, Unavailable
from inferproof.storage.durable import file_error, replace_durably
from inferproof.types.digest import Digest


class LocalBlobs:
    """The BlobStore in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> Digest:
        """The SHA-256 of the bytes, which are on the disk now.

        Raises: Unavailable STORAGE_FULL, STORAGE_UNAVAILABLE; no partial file has the name then.
        """
        name = Digest(hashlib.sha256(data).digest())
        path = self._path(name)
        try:
            if _read(path) != data or not _renewed(path):
                replace_durably(path, data)
        except OSError as error:
            raise file_error(error) from error
        return name

    def get(self, name: Digest) -> bytes:
        """The bytes with this SHA-256.

        Raises: NotFound BLOB_UNKNOWN; Unavailable BLOB_DAMAGED, STORAGE_UNAVAILABLE.
        """
        try:
            data = _read(self._path(name))
        except OSError as error:
            raise file_error(error) from error
        if data is None:
            raise NotFound(Reason.BLOB_UNKNOWN, name=name)
        if hashlib.sha256(data).digest() != name.raw:
            raise Unavailable(Reason.BLOB_DAMAGED, name=name)
        return data

    def old(self, before: int) -> list[Digest]:
        """The blobs stored before this moment (Unix seconds). Writes that a crash left half done
        before it are removed. Raises: Unavailable STORAGE_UNAVAILABLE."""
        found = []
        try:
            for path in self._root.glob("*/*"):
                if not _is_older(path, before):
                    continue
                if path.name.startswith("."):
                    path.unlink(missing_ok=True)
                elif path.suffix == ".blob":
                    found.append(Digest(bytes.fromhex(path.stem)))
        except OSError as error:
            raise file_error(error) from error
        return found

    def remove(self, name: Digest, before: int) -> bool:
        """Whether the blob is gone; it stays where it was stored again since `before`.

        It is taken aside first: who stores it again either finds it, and then it is seen here to
        be new, or finds nothing and writes it.
        """
        path = self._path(name)
        aside = path.with_name(f".{path.stem}.removed")
        try:
            path.rename(aside)
            if not _is_older(aside, before):
                aside.rename(path)
                return False
            aside.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise file_error(error) from error
        return True

    def size(self, name: Digest) -> int:
        try:
            return self._path(name).stat().st_size
        except FileNotFoundError:
            raise NotFound(Reason.BLOB_UNKNOWN, digest=name) from None
        except OSError as error:
            raise file_error(error) from error

    def _path(self, name: Digest) -> Path:
        text = name.raw.hex()
        return self._root / text[:2] / f"{text}.blob"


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _renewed(path: Path) -> bool:
    """Whether the file is there and new from now on."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _is_older(path: Path, before: int) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False

"""A backup file: a tar archive whose last member lists the SHA-256 of all others.

    tables/<name>.jsonl    the rows of a table, one JSON object a line
    blobs/<sha-256>        proofs and verifier bundles
    manifest.json          format, schema, digests and sizes of all above, compiled models

A file without its last member is not whole, so half a backup is never taken for one. The members
are read by name and never unpacked by tar, so no name in an archive leads anywhere.
"""

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from inferproof.errors import ArtifactRejected, Reason, Unavailable
from inferproof.protocol.json_text import read_json

FORMAT = "inferproof/backup/1"
MANIFEST = "manifest.json"
MAX_MANIFEST = 1 << 30
_NAME = re.compile(r"tables/[a-z_]{1,63}\.jsonl|blobs/[0-9a-f]{64}")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `members` gives SHA-256 and size by name; `models` are the commitments
    of the compiled models that the gateway had, which are not in the backup."""

    schema: str
    made_at: int
    members: dict[str, tuple[str, int]]
    models: tuple[str, ...]


class Writer:
    """Writes one archive. It has its name only once it is whole and on the disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)
        self._members: dict[str, tuple[str, int]] = {}

    def add(self, name: str, content: IO[bytes]) -> None:
        """Adds what the file holds, from its beginning."""
        content.seek(0)
        digest = hashlib.sha256()
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
        size = content.tell()
        content.seek(0)
        self._put(name, content, size)
        self._members[name] = (digest.hexdigest(), size)

    def finish(self, schema: str, made_at: int, models: list[str]) -> None:
        listed = {
            "format": FORMAT,
            "schema": schema,
            "made_at": made_at,
            "members": {name: list(entry) for name, entry in self._members.items()},
            "models": models,
        }
        data = json.dumps(listed, indent=1).encode()
        self._put(MANIFEST, io.BytesIO(data), len(data))
        self._tar.close()

    def _put(self, name: str, content: IO[bytes], size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        self._tar.addfile(entry, content)


@contextmanager
def write_archive(path: Path) -> Iterator[Writer]:
    """A writer whose file appears at the path, readable by its owner alone, when the block ends.

    Raises: Unavailable FILE_NOT_WRITTEN, also where the file exists.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        if path.exists():
            raise FileExistsError(17, "it exists; name another file")
        descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield Writer(file)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Unavailable(Reason.FILE_NOT_WRITTEN, path=path, why=why) from error


class Reader:
    """A whole archive whose every member has the digest that its manifest names."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self._path, self._tar = path, tar
        self._entries = {entry.name: entry for entry in tar if entry.isfile()}
        self.manifest = self._read_manifest()
        self._check()

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """The objects of a member with one in each line."""
        for line in self._open(name):
            yield read_json(line)

    def content(self, name: str) -> bytes:
        return self._open(name).read()

    def names(self, folder: str) -> list[str]:
        """The members of a folder."""
        return [name for name in self.manifest.members if name.startswith(f"{folder}/")]

    def _open(self, name: str) -> IO[bytes]:
        found = self._tar.extractfile(self._entries[name])
        if found is None:
            raise self._damaged(f"{name} is no file")
        return found

    def _read_manifest(self) -> Manifest:
        entry = self._entries.get(MANIFEST)
        if entry is None or entry.size > MAX_MANIFEST:
            raise self._damaged("it is not whole")
        try:
            value = read_json(self._open(MANIFEST).read())
            if value["format"] != FORMAT:
                raise self._damaged(f"it is of the format {str(value['format'])[:80]}")
            members = {str(n): (str(d), int(s)) for n, (d, s) in value["members"].items()}
            return Manifest(
                str(value["schema"]),
                int(value["made_at"]),
                members,
                tuple(str(m) for m in value["models"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._damaged("its manifest cannot be read") from None

    def _check(self) -> None:
        if set(self._entries) != {*self.manifest.members, MANIFEST}:
            raise self._damaged("it does not hold what its manifest lists")
        for name, (digest, size) in self.manifest.members.items():
            if _NAME.fullmatch(name) is None:
                raise self._damaged("it holds something that no backup holds")
            found, content = hashlib.sha256(), self._open(name)
            while chunk := content.read(_CHUNK):
                found.update(chunk)
            if found.hexdigest() != digest or self._entries[name].size != size:
                raise self._damaged(f"{name} has changed")

    def _damaged(self, why: str) -> ArtifactRejected:
        return ArtifactRejected(Reason.BACKUP_DAMAGED, path=self._path, why=why)


@contextmanager
def read_archive(path: Path) -> Iterator[Reader]:
    """The archive, once all of it was checked.

    Raises: ArtifactRejected BACKUP_DAMAGED; Unavailable FILE_UNREADABLE.
    """
    try:
        tar = tarfile.open(path, "r:")  # noqa: SIM115 - closed below
    except tarfile.TarError:
        why = "it is no tar archive"
        raise ArtifactRejected(Reason.BACKUP_DAMAGED, path=path, why=why) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Unavailable(Reason.FILE_UNREADABLE, path=path, why=why) from error
    with tar:
        try:
            reader = Reader(path, tar)
        except tarfile.TarError:
            why = "it is not whole"
            raise ArtifactRejected(Reason.BACKUP_DAMAGED, path=path, why=why) from None
        yield reader

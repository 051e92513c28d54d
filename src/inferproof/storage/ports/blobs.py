"""Immutable bytes under their SHA-256, and compiled models under their commitment."""

from pathlib import Path
from typing import Protocol

from inferproof.types.digest import Digest


class BlobStore(Protocol):
    """Immutable bytes under their SHA-256. Implementations block; services use a thread."""

    def put(self, data: bytes) -> Digest:
        """The name of the bytes, which are durable now."""
        ...

    def get(self, name: Digest) -> bytes:
        """The bytes that have this SHA-256.

        Raises: NotFound BLOB_UNKNOWN; Unavailable BLOB_DAMAGED when the stored bytes changed.
        """
        ...


class ArtifactStore(Protocol):
    """Compiled models, each in a folder under its commitment."""

    def path(self, commitment: Digest) -> Path:
        """The folder. Raises: NotFound ARTIFACT_NOT_HERE."""
        ...

"""Compiled models in local folders, each named by its commitment: <root>/abcdef…"""

import shutil
import tempfile
from pathlib import Path

from inferproof.errors import NotFound, Reason
from inferproof.protocol.opening import OPENING
from inferproof.types.digest import Digest


class LocalArtifacts:
    """The ArtifactStore in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, commitment: Digest) -> Path:
        """The folder of a compiled model. Raises: NotFound ARTIFACT_NOT_HERE."""
        path = self._place(commitment)
        if not path.is_dir():
            raise NotFound(Reason.ARTIFACT_NOT_HERE, commitment=commitment, path=path)
        return path

    def install(self, commitment: Digest, source: Path) -> Path:
        """The folder with a copy of `source`, whole or not at all; what is there stays.

        The opening of the model's commitments is left where it was compiled: nothing that serves
        needs it.
        Soundness: whether it is that model is checked when the model is approved.
        """
        path = self._place(commitment)
        if path.is_dir():
            return path
        self._root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".install-", dir=self._root) as folder:
            copy = Path(folder) / "artifact"
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns(OPENING))
            copy.rename(path)
        return path

    def _place(self, commitment: Digest) -> Path:
        return self._root / commitment.raw.hex()

"""Compiled models in memory: opened once, kept while there is room, the longest unused let go."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import HEADER, open_artifact
from inferproof.proving.sumcheck.check import VERSION, read_facts
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.modes import CLEAR, COMMITTED, mode_of
from inferproof.proving.sumcheck.quantisation import Settings

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

NAME = "sumcheck"
WEIGHTS = "weights.bin"
"""The int8 matrices one after another, row by row."""
BYTES_PER_WEIGHT = {CLEAR: 40, COMMITTED: 80}
"""What a loaded key takes for each weight at most: its commitment at the lowest rate."""
BYTES_PER_KEY = 2**20
DEFAULT_ROOM = 2**30


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled model that is ready to prove."""

    bundle: VerifierBundle
    settings: Settings
    key: "_native.ProvingKey"
    size: int


def load(folder: Path) -> Loaded:
    """Opens a compiled model and rebuilds what its commitment is opened from.

    Raises: ArtifactRejected, MissingPart MISSING_NATIVE.
    """
    native = library()
    artifact = open_artifact(folder, NAME, VERSION)
    bundle = artifact.bundle
    facts = read_facts(bundle)
    weights = np.frombuffer(artifact.file(WEIGHTS).read_bytes(), dtype=np.int8)
    try:
        key = native.ProvingKey(bundle.verifying_key, weights)
    except native.NativeError as error:
        raise ArtifactRejected(Reason.ARTIFACT_DIGEST_MISMATCH, part="weights") from error
    return Loaded(bundle, facts.settings, key, size_in_memory(bundle, weights.size))


def size_in_memory(bundle: VerifierBundle, weights: int) -> int:
    """What a loaded key with so many weights takes at most, in bytes."""
    return BYTES_PER_KEY + BYTES_PER_WEIGHT[mode_of(bundle.verifying_key)] * weights


class Cache:
    """Loaded models by folder and header; thread-safe.

    A folder that was compiled again has another header, so it is another entry.
    """

    def __init__(self, room: int = DEFAULT_ROOM) -> None:
        self._room = room
        self._lock = Lock()
        self._loading: dict[tuple[str, bytes], Lock] = {}
        self._kept: OrderedDict[tuple[str, bytes], Loaded] = OrderedDict()

    def get(self, folder: Path) -> Loaded:
        """The loaded model of a folder. Raises: as `load`."""
        name = (str(folder.absolute()), _header(folder))
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
                return found
            gate = self._loading.setdefault(name, Lock())
        # One thread loads; the others wait for it and not for one another's models.
        with gate:
            with self._lock:
                found = self._kept.get(name)
            try:
                if found is None:
                    found = load(folder)
                    self._keep(name, found)
            finally:
                with self._lock:
                    self._loading.pop(name, None)
        return found

    def _keep(self, name: tuple[str, bytes], loaded: Loaded) -> None:
        with self._lock:
            self._kept[name] = loaded
            size = sum(item.size for item in self._kept.values())
            while size > self._room and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                size -= gone.size

    def names(self) -> list[str]:
        """The folders that are in memory, the longest unused first."""
        with self._lock:
            return [folder for folder, _ in self._kept]


def _header(folder: Path) -> bytes:
    try:
        return (folder / HEADER).read_bytes()
    except OSError:
        raise ArtifactRejected(Reason.ARTIFACT_NOT_FOUND, path=folder) from None

"""Compiled models in memory: opened once, kept while there is room, the longest unused let go."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from inferproof.errors import ArtifactRejected, MissingPart, Reason
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import HEADER, Artifact, open_artifact
from inferproof.proving.openings import Openings, OpeningsAt
from inferproof.proving.sumcheck.check import VERSION, read_facts
from inferproof.proving.sumcheck.epochs import PrivateModel
from inferproof.proving.sumcheck.library import Int8s, Int32s, library
from inferproof.proving.sumcheck.modes import CLEAR, PRIVATE, mode_of
from inferproof.proving.sumcheck.private_key import (
    PRIVATE_KEY,
    KeptKey,
    has_key,
    key_bytes,
    read_key,
)
from inferproof.proving.sumcheck.quantisation import Settings

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

NAME = "sumcheck"
WEIGHTS = "weights.bin"
"""The int8 matrices one after another, row by row."""
PARAMETERS = "parameters.bin"
"""In mode private: the other tensors that keys do not show, one after another, as int32."""
BYTES_PER_WEIGHT = {CLEAR: 40, PRIVATE: 120}
"""What a loaded key takes for each weight at most: its commitment at the lowest rate."""
BYTES_PER_KEY = 2**20
BYTES_PER_PRIVATE_KEY = 400 * 2**20
"""What key and epoch take beside it, whatever the weights are, as measured."""
DEFAULT_ROOM = 2**30


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled model that is ready to prove."""

    bundle: VerifierBundle
    settings: Settings
    key: "_native.ProvingKey | PrivateModel"
    size: int

    @property
    def counted(self) -> bool:
        """Whether openings of its key are counted."""
        return isinstance(self.key, PrivateModel)

    def close(self) -> None:
        """Ends what was begun for proofs, where the mode begins anything."""
        if isinstance(self.key, PrivateModel):
            self.key.close()


def load(folder: Path, openings: OpeningsAt | None = None) -> Loaded:
    """Opens a compiled model and rebuilds what its commitment is opened from.

    Raises: ArtifactRejected; MissingPart MISSING_NATIVE, and MISSING_OPENINGS for a key of mode
    private where nothing counts its openings.
    """
    library()
    artifact = open_artifact(folder, NAME, VERSION)
    bundle = artifact.bundle
    facts = read_facts(bundle)
    weights = np.frombuffer(artifact.file(WEIGHTS).read_bytes(), dtype=np.int8)
    key: _native.ProvingKey | PrivateModel
    if mode_of(bundle.verifying_key) == PRIVATE:
        if openings is None:
            raise MissingPart(Reason.MISSING_OPENINGS)
        key = _private(artifact, weights, openings(folder))
    else:
        key = _plain(bundle, weights)
    return Loaded(bundle, facts.settings, key, size_in_memory(bundle, weights.size))


def _plain(bundle: VerifierBundle, weights: Int8s) -> "_native.ProvingKey":
    native = library()
    try:
        return native.ProvingKey(bundle.verifying_key, weights)
    except native.NativeError as error:
        raise ArtifactRejected(Reason.ARTIFACT_DIGEST_MISMATCH, part="weights") from error


def _private(artifact: Artifact, weights: Int8s, openings: Openings) -> PrivateModel:
    parameters = read_parameters(artifact)
    return PrivateModel(
        private_key(artifact.bundle, weights, parameters, read_key(artifact.folder)), openings
    )


def read_parameters(artifact: Artifact) -> Int32s:
    """The parameters of a model of mode private. Raises: as `Artifact.file`."""
    return np.frombuffer(artifact.file(PARAMETERS).read_bytes(), dtype="<i4").astype(np.int32)


def private_key(
    bundle: VerifierBundle, weights: Int8s, parameters: Int32s, kept: KeptKey
) -> "_native.PrivateKey":
    """The key, once weights, secret and links were found to be its own.

    Raises: ArtifactRejected ARTIFACT_DIGEST_MISMATCH.
    """
    native = library()
    try:
        key = native.PrivateKey(bundle.verifying_key, weights, parameters, kept.secret, kept.links)
    except native.NativeError as error:
        part = f"weights or {PRIVATE_KEY}"
        raise ArtifactRejected(Reason.ARTIFACT_DIGEST_MISMATCH, part=part) from error
    if (key.name(), key.openings()) != (kept.name.raw, kept.openings):
        raise ArtifactRejected(Reason.ARTIFACT_DIGEST_MISMATCH, part=PRIVATE_KEY)
    return key


def size_in_memory(bundle: VerifierBundle, weights: int) -> int:
    """What a loaded key with so many weights takes at most, in bytes."""
    mode = mode_of(bundle.verifying_key)
    fixed = BYTES_PER_PRIVATE_KEY if mode == PRIVATE else BYTES_PER_KEY
    return fixed + BYTES_PER_WEIGHT[mode] * weights


class Cache:
    """Loaded models by folder and header; thread-safe.

    A folder that was compiled again has another header, so it is another entry; so is one whose
    key was rotated. `openings` counts those of keys of mode private, whose models stay: to take one
    up again costs an opening of its key.
    """

    def __init__(self, room: int = DEFAULT_ROOM, openings: OpeningsAt | None = None) -> None:
        self._room = room
        self._openings = openings
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
                    found = load(folder, self._openings)
                    self._keep(name, found)
            finally:
                with self._lock:
                    self._loading.pop(name, None)
        return found

    def _keep(self, name: tuple[str, bytes], loaded: Loaded) -> None:
        with self._lock:
            earlier = [known for known in self._kept if known[0] == name[0]]
            gone = [self._kept.pop(known) for known in earlier]
            self._kept[name] = loaded
            size = sum(item.size for item in self._kept.values())
            for known, item in list(self._kept.items()):
                if size > self._room and known != name and not item.counted:
                    gone.append(self._kept.pop(known))
                    size -= item.size
        for each in gone:
            each.close()

    def close(self) -> None:
        """Lets go of all models."""
        with self._lock:
            gone = list(self._kept.values())
            self._kept.clear()
        for each in gone:
            each.close()

    def names(self) -> list[str]:
        """The folders that are in memory, the longest unused first."""
        with self._lock:
            return [folder for folder, _ in self._kept]


def _header(folder: Path) -> bytes:
    try:
        header = (folder / HEADER).read_bytes()
    except OSError:
        raise ArtifactRejected(Reason.ARTIFACT_NOT_FOUND, path=folder) from None
    return header + key_bytes(folder) if has_key(folder) else header

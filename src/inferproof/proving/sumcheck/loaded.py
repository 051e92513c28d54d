"""Compiled models in memory: opened once, and kept."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from inferproof.errors import ArtifactRejected, MissingPart, Reason
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import HEADER, Artifact, open_artifact
from inferproof.proving.openings import OpeningsAt
from inferproof.proving.sumcheck.check import VERSION, read_facts
from inferproof.proving.sumcheck.epochs import PrivateModel
from inferproof.proving.sumcheck.library import Int8s, Int32s, library
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
"""The other tensors that keys do not show, one after another, as int32."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A compiled model that is ready to prove."""

    bundle: VerifierBundle
    settings: Settings
    key: PrivateModel

    def close(self) -> None:
        """Ends what was begun for proofs."""
        self.key.close()


def load(folder: Path, openings: OpeningsAt | None = None) -> Loaded:
    """Opens a compiled model and rebuilds what its commitment is opened from.

    Raises: ArtifactRejected; MissingPart MISSING_NATIVE, and MISSING_OPENINGS where nothing counts
    the openings of its key.
    """
    library()
    artifact = open_artifact(folder, NAME, VERSION)
    bundle = artifact.bundle
    facts = read_facts(bundle)
    if openings is None:
        raise MissingPart(Reason.MISSING_OPENINGS)
    weights = np.frombuffer(artifact.file(WEIGHTS).read_bytes(), dtype=np.int8)
    key = private_key(bundle, weights, read_parameters(artifact), read_key(folder))
    return Loaded(bundle, facts.settings, PrivateModel(key, openings(folder)))


def read_parameters(artifact: Artifact) -> Int32s:
    """The parameters of a model. Raises: as `Artifact.file`."""
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


class Cache:
    """Loaded models by folder and header; thread-safe.

    A folder that was compiled again has another header, so it is another entry, which takes the
    place of the one before; so is one whose key was rotated. `openings` counts those of keys.
    Models stay: to take one up again costs an opening of its key.
    """

    def __init__(self, openings: OpeningsAt | None = None) -> None:
        self._openings = openings
        self._lock = Lock()
        self._loading: dict[tuple[str, bytes], Lock] = {}
        self._kept: dict[tuple[str, bytes], Loaded] = {}

    def get(self, folder: Path) -> Loaded:
        """The loaded model of a folder. Raises: as `load`."""
        name = (str(folder.absolute()), _header(folder))
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
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
        """The folders that are in memory."""
        with self._lock:
            return [folder for folder, _ in self._kept]


def _header(folder: Path) -> bytes:
    try:
        header = (folder / HEADER).read_bytes()
    except OSError:
        raise ArtifactRejected(Reason.ARTIFACT_NOT_FOUND, path=folder) from None
    return header + key_bytes(folder) if has_key(folder) else header

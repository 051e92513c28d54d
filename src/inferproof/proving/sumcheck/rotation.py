"""A new key of the same weights, under the same verifying key."""

from pathlib import Path

import numpy as np

from inferproof.errors import Conflict, Reason
from inferproof.protocol.opening import KeyOpening
from inferproof.protocol.proof_mode import refuse_ended
from inferproof.proving.artifact import Artifact, open_artifact
from inferproof.proving.sumcheck.check import VERSION
from inferproof.proving.sumcheck.library import Int8s, Int32s, library
from inferproof.proving.sumcheck.loaded import NAME, WEIGHTS, private_key, read_parameters
from inferproof.proving.sumcheck.private_key import KeptKey, read_key
from inferproof.proving.sumcheck.prove import failure
from inferproof.types.digest import Digest

MAX_LINKS = 16
"""Of a chain, as specs/private-mode.md says."""


def kept_key(folder: Path) -> KeptKey:
    """The key of a compiled model whose openings are counted.

    Raises: ArtifactRejected MODE_ENDED, PRIVATE_KEY_MISSING and as `open_artifact`.
    """
    return read_key(_private(folder).folder)


class Rotation:
    """The rotation of a compiled model's key. What it reads is checked before an opening is spent.

    Raises, as it is made: as `kept_key`; ArtifactRejected ARTIFACT_FILE, ARTIFACT_DIGEST_MISMATCH;
    MissingPart MISSING_NATIVE.
    """

    def __init__(self, folder: Path) -> None:
        artifact = _private(folder)
        self._bundle = artifact.bundle
        self._weights: Int8s = np.frombuffer(artifact.file(WEIGHTS).read_bytes(), dtype=np.int8)
        self._parameters: Int32s = read_parameters(artifact)
        self.old = read_key(folder)
        """What is opened until it is replaced."""
        self._key = private_key(self._bundle, self._weights, self._parameters, self.old)

    def make(self, slot: int) -> KeptKey:
        """A new commitment to the same weights, tied to the verifying key by the opening of this
        number, and found to open. Whoever replaces the old one by it begins its count before.

        Raises: Conflict ROTATIONS_SPENT; Unavailable PROVER_FAILED.
        """
        native = library()
        try:
            links, secret = self._key.rotate(slot)
            key = native.PrivateKey(
                self._bundle.verifying_key, self._weights, self._parameters, secret, links
            )
        except native.NativeError as error:
            if error.args[0] == "ROTATIONS_SPENT":
                raise Conflict(Reason.ROTATIONS_SPENT, most=MAX_LINKS) from error
            raise failure(error) from error
        return KeptKey(Digest(key.name()), key.openings(), secret, links)


def open_key(folder: Path) -> KeyOpening:
    """What an auditor makes the commitment of a compiled model's key from, found to open it. No
    opening is used. Raises: as `Rotation`."""
    kept = Rotation(folder).old
    return KeyOpening(kept.secret, kept.links)


def _private(folder: Path) -> Artifact:
    artifact = open_artifact(folder, NAME, VERSION)
    refuse_ended(artifact.bundle.verifying_key)
    return artifact

"""Structured reference strings: made for development, taken from a ceremony, cut for verifiers.

File format (halo2 "raw bytes"): k as 4 little-endian bytes, 2^k powers of τ in G1, 2^k Lagrange
points in G1 (64 bytes each), G2 and τ·G2 (128 bytes each).
"""

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.base import SrsSource
from inferproof.proving.files import sha256_file

_G1, _G2 = 64, 128


def srs_size(k: int) -> int:
    """The bytes of an SRS file for 2^k rows."""
    return 4 + 2 * _G1 * (1 << k) + 2 * _G2


VERIFIER_SRS_SIZE = srs_size(1)


def cut_srs(data: bytes) -> bytes:
    """The part of an SRS that verifying needs, itself an SRS file with k = 1 (516 bytes).

    A KZG verifier uses G1, G2 and τ·G2 alone; the file also keeps τ·G1 and fills the Lagrange
    part, which verifying never reads, with the same points. It is the same for every k, so its
    digest names the ceremony.
    """
    head = data[4 : 4 + 2 * _G1]
    return (1).to_bytes(4, "little") + head + head + data[-2 * _G2 :]


def cache_folder() -> Path:
    """Where development SRS are kept: $INFERPROOF_HOME/srs or ~/.cache/inferproof/srs."""
    home = os.environ.get("INFERPROOF_HOME")
    base = Path(home) if home else Path.home() / ".cache" / "inferproof"
    return base / "srs"


def development_srs(k: int, generate: Callable[[Path], None]) -> Path:
    """The cached development SRS for 2^k rows, made by `generate` when it is not there or damaged.

    Soundness: whoever made it can forge proofs. Artifacts that use it say so.
    """
    folder = cache_folder()
    path, pin = folder / f"dev-k{k}.srs", folder / f"dev-k{k}.sha256"
    folder.mkdir(parents=True, exist_ok=True)
    # One maker at a time: a second file would replace one that a compiled model rests on.
    with (folder / f"dev-k{k}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.is_file() and pin.is_file() and pin.read_text().strip() == sha256_file(path):
            return path
        with tempfile.TemporaryDirectory(prefix=".srs-", dir=folder) as name:
            fresh = Path(name) / path.name
            generate(fresh)
            digest = Path(name) / pin.name
            digest.write_text(sha256_file(fresh) + "\n")
            fresh.replace(path)
            digest.replace(pin)
    return path


def ceremony_srs(source: SrsSource, k: int) -> Path:
    """The ceremony's file, once it has the pinned SHA-256 and exactly 2^k rows.

    Raises: ArtifactRejected SRS_UNREADABLE, SRS_DIGEST, SRS_WRONG_SIZE. A larger file is refused
    because ezkl would cut it down again in every call.
    """
    try:
        digest = sha256_file(source.path)
        with source.path.open("rb") as file:
            head = int.from_bytes(file.read(4), "little")
        size = source.path.stat().st_size
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ArtifactRejected(Reason.SRS_UNREADABLE, path=source.path, why=why.lower()) from None
    if digest != source.sha256.lower().removeprefix("0x"):
        raise ArtifactRejected(Reason.SRS_DIGEST, got=digest, expected=source.sha256)
    if head != k or size != srs_size(k):
        got = head if head < 64 and size == srs_size(head) else "?"
        raise ArtifactRejected(Reason.SRS_WRONG_SIZE, got=got, expected=k)
    return source.path

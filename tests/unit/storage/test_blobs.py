"""Blobs and compiled models in local folders."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from inferproof.errors import NotFound, Reason, Unavailable
from inferproof.storage.blobs.artifacts import LocalArtifacts
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

DATA = b"some bytes"
NAME = Digest(hashlib.sha256(DATA).digest())


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_put_and_get(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    assert blobs.put(DATA) == NAME
    assert blobs.put(DATA) == NAME
    assert blobs.get(NAME) == DATA
    assert blobs.get(blobs.put(b"")) == b""
    assert len(files(tmp_path)) == 2


def test_unknown(tmp_path: Path) -> None:
    with rejects(Reason.BLOB_UNKNOWN, f"there is nothing stored under {NAME}", kind=NotFound):
        LocalBlobs(tmp_path).get(NAME)


def test_damage_is_found_and_mended(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    blobs.put(DATA)
    (path,) = files(tmp_path)
    path.write_bytes(b"some bytez")
    with rejects(
        Reason.BLOB_DAMAGED,
        f"what is stored under {NAME} has changed on disk; restore it from a backup",
        kind=Unavailable,
    ):
        blobs.get(NAME)
    blobs.put(DATA)
    assert blobs.get(NAME) == DATA


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with rejects(
            Reason.STORAGE_FULL,
            "the disk is full; nothing was lost, try again once the operator made room",
            kind=Unavailable,
        ):
            LocalBlobs(tmp_path).put(DATA)
    assert files(tmp_path) == []
    assert LocalBlobs(tmp_path).put(DATA) == NAME


def test_unusable_folder(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    with rejects(Reason.STORAGE_UNAVAILABLE, "the storage does not answer: Not a directory"):
        LocalBlobs(place).put(DATA)


def test_compiled_models(tmp_path: Path) -> None:
    source = tmp_path / "built"
    source.mkdir()
    (source / "key").write_text("k")
    (source / "opening.json").write_text("salts, which stay where the model was compiled")
    artifacts = LocalArtifacts(tmp_path / "models")
    place = tmp_path / "models" / NAME.raw.hex()
    with rejects(
        Reason.ARTIFACT_NOT_HERE,
        f"the compiled model {NAME} is not on this machine; copy its folder to {place}",
        kind=NotFound,
    ):
        artifacts.path(NAME)
    assert artifacts.install(NAME, source) == place
    assert artifacts.install(NAME, source) == place
    assert (artifacts.path(NAME) / "key").read_text() == "k"
    assert [path.name for path in artifacts.path(NAME).iterdir()] == ["key"]
    assert (source / "opening.json").exists()
    assert [path.name for path in (tmp_path / "models").iterdir()] == [place.name]

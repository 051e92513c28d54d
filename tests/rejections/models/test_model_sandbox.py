"""The door itself: files that are none, and a reading process that hangs, bloats or dies."""

import os
from dataclasses import replace
from pathlib import Path

import hostile as h
import pytest

from inferproof.errors import MissingPart, Reason
from inferproof.models import isolation, load
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.load import load_model
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    path = tmp_path / "dense.onnx"
    path.write_bytes(h.dense().SerializeToString())
    return path


def test_same_model_through_the_sandbox(dense: Path):
    assert load_model(dense) == parse_untrusted(dense.read_bytes())


def test_external_data_through_the_sandbox(tmp_path: Path):
    (tmp_path / "w.bin").write_bytes(h.dense().graph.initializer[0].raw_data)
    path = tmp_path / "external.onnx"
    path.write_bytes(h.external("w.bin").SerializeToString())
    assert load_model(path) == parse_untrusted(h.dense().SerializeToString())


def test_rejection_through_the_sandbox(tmp_path: Path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"not a model")
    with rejects(
        Reason.MODEL_MALFORMED,
        "the file is not a whole ONNX model: a field has an encoding that ONNX does not use",
    ):
        load_model(path)


def test_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with rejects(Reason.MODEL_NOT_FOUND, "there is no model file at 'none.onnx'"):
        load_model(Path("none.onnx"))


def test_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with rejects(Reason.MODEL_NOT_A_FILE, "'folder' is not a regular file"):
        load_model(Path("folder"))


def test_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with rejects(Reason.MODEL_NOT_A_FILE, "'pipe' is not a regular file"):
        load_model(Path("pipe"))


def test_path_that_no_file_has():
    with rejects(Reason.MODEL_UNREADABLE, "the model file cannot be read: embedded null byte"):
        load_model(Path("a\0b"))


def test_too_large_without_starting_a_process(dense: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load, "run_isolated", None)
    size = dense.stat().st_size
    with rejects(Reason.MODEL_TOO_LARGE, f"the model file is {size} bytes, the limit is 10"):
        load_model(dense, Limits(file_bytes=10))


def test_timeout(dense: Path):
    with rejects(
        Reason.MODEL_PARSE_TIMEOUT,
        "reading or running the model took longer than 0.01 seconds; it was stopped",
    ):
        load_model(dense, Limits(wall_seconds=0.01))


def test_memory(tmp_path: Path):
    # 40 MB of one-byte numbers are 320 MB as the parser keeps them.
    made = h.dense()
    tensor = made.graph.initializer[0].SerializeToString() + h.field(7, bytes(40_000_000))
    path = tmp_path / "bloated.onnx"
    path.write_bytes(h.field(7, h.field(5, tensor)))
    limits = replace(DEFAULT_LIMITS, memory_bytes=400_000_000)
    with rejects(
        Reason.MODEL_PARSE_MEMORY,
        "reading or running the model took more than 400000000 bytes of memory; it was stopped",
    ):
        load_model(path, limits)


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("raise SystemExit(3)", "status 3"),
        ("pass", "its answer cannot be read"),
        ("print('{}')", "its answer cannot be read"),
    ],
)
def test_crash(dense: Path, monkeypatch: pytest.MonkeyPatch, code: str, how: str):
    monkeypatch.setattr(isolation, "_BOOT", code)
    with rejects(
        Reason.MODEL_PARSER_CRASHED,
        f"the process that reads or runs the model stopped unexpectedly ({how})",
    ):
        load_model(dense)


def test_missing_library(dense: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(isolation.importlib.util, "find_spec", lambda _name: None)
    with rejects(
        Reason.MISSING_LIBRARY,
        "reading ONNX models needs the Python package onnx; "
        "install it with: pip install 'inferproof[models]'",
        kind=MissingPart,
    ):
        load_model(dense)

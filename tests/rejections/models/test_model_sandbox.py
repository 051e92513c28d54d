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


@pytest.mark.parametrize(
    ("head", "blobs"),
    [
        ("{}", "[]"),
        ("[]", "[]"),
        ("{'refused': {'kind': 'ModelRejected', 'reason': 'NO_SUCH', 'facts': {}}}", "[]"),
        ("{'refused': {'kind': 'SystemExit', 'reason': 'MODEL_INVALID', 'facts': {}}}", "[]"),
        ("{'refused': {'kind': 'ModelRejected', 'reason': 'MODEL_INVALID', 'facts': {}}}", "[]"),
        ("{'refused': 7}", "[]"),
        ("{'opset': -1}", "[b'x']"),
        ("dict.fromkeys(['inputs', 'outputs', 'values'], 5)", "[b'x']"),
    ],
)
def test_answer_that_is_nonsense(
    dense: Path, monkeypatch: pytest.MonkeyPatch, head: str, blobs: str
):
    forge = (
        f"import json, sys; head = {head}; blobs = {blobs}\n"
        "if type(head) is dict: head['blobs'] = [len(blob) for blob in blobs]\n"
        "text = json.dumps(head).encode()\n"
        "out = len(text).to_bytes(8, 'big') + text + b''.join(blobs)\n"
        "sys.stdout.buffer.write(out)"
    )
    monkeypatch.setattr(isolation, "_BOOT", forge)
    with rejects(
        Reason.MODEL_PARSER_CRASHED,
        "the process that reads or runs the model stopped unexpectedly (its answer cannot be read)",
    ):
        load_model(dense)


@pytest.mark.parametrize("size", [0, 2**63])
def test_answer_without_a_head(dense: Path, monkeypatch: pytest.MonkeyPatch, size: int):
    forge = f"import sys; sys.stdout.buffer.write(({size}).to_bytes(8, 'big') + b'{{}}')"
    monkeypatch.setattr(isolation, "_BOOT", forge)
    with rejects(
        Reason.MODEL_PARSER_CRASHED,
        "the process that reads or runs the model stopped unexpectedly (its answer cannot be read)",
    ):
        load_model(dense)


def test_child_sees_nothing_of_the_environment(
    dense: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("SIGNING_KEY", "secret")
    seen = tmp_path / "seen"
    monkeypatch.setattr(
        isolation, "_BOOT", f"import os; open({str(seen)!r}, 'w').write(str(dict(os.environ)))"
    )
    with rejects(
        Reason.MODEL_PARSER_CRASHED,
        "the process that reads or runs the model stopped unexpectedly (its answer cannot be read)",
    ):
        load_model(dense)
    assert "secret" not in seen.read_text()


def test_child_cannot_lift_its_bounds(dense: Path, monkeypatch: pytest.MonkeyPatch):
    code = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
        "import os, resource\n"
        "from inferproof.models.limits import Limits\n"
        "from inferproof.models.sandbox import bound_this_process\n"
        "bound_this_process(Limits(memory_bytes=300_000_000))\n"
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\n"
        "assert resource.getrlimit(resource.RLIMIT_AS) == (300_000_000, 300_000_000)\n"
        "try: bytearray(10**9)\n"
        "except MemoryError: os._exit(5)"
    )
    monkeypatch.setattr(isolation, "_BOOT", code)
    with rejects(
        Reason.MODEL_PARSER_CRASHED,
        "the process that reads or runs the model stopped unexpectedly (status 5)",
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

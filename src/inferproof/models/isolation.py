"""Runs one task on untrusted data in a process of its own, with bounds on time and memory.

The request goes in as a file, the answer comes back as a file: a JSON head and raw blobs,
decoded here without trust. Nothing is unpickled, no code travels. The child bounds itself
before it looks at the untrusted data, and cannot lift its bounds again.

    frame   8 bytes big-endian length of the head ‖ head, JSON ‖ the blobs, end to end;
            head["blobs"] lists their lengths
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import IO, Any

from inferproof.errors import (
    InferproofError,
    InputRejected,
    MissingPart,
    ModelRejected,
    Reason,
)
from inferproof.models.limits import Limits
from inferproof.protocol.json_text import read_json

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from inferproof.models.sandbox import main; main()"
)
MAX_HEAD_BYTES = 64 * 2**20
"""The head of a model at every limit: 20,000 values with names, about 4 MiB."""

MEMORY_EXIT = 77
"""The child's exit status when it ran out of memory."""

Head = dict[str, Any]


def run_isolated(
    task: str, request: Head, blobs: tuple[bytes, ...], limits: Limits, packages: tuple[str, ...]
) -> tuple[Head, list[bytes]]:
    """The answer of a task of `sandbox.TASKS`: its head and blobs.

    Raises: MissingPart MISSING_LIBRARY; ModelRejected MODEL_PARSE_TIMEOUT,
    MODEL_PARSE_MEMORY or MODEL_PARSER_CRASHED; and what the task itself refuses.
    Soundness: the answer is what the child says. A child that was taken over can lie about
    the model, but not run code here, and not keep more than its bounds.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingPart(
                Reason.MISSING_LIBRARY,
                feature="reading ONNX models",
                package=package,
                command="pip install 'inferproof[models]'",
            )
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answered:
        write_frame(asked, {"task": task, "limits": limits.to_dict(), **request}, blobs)
        asked.seek(0)
        _run(asked, answered, limits)
        answered.seek(0)
        try:
            head, parts = read_frame(answered)
            if "refused" in head:
                raise _refusal(head["refused"])
        except (ValueError, TypeError, KeyError):
            raise ModelRejected(
                Reason.MODEL_PARSER_CRASHED, how="its answer cannot be read"
            ) from None
    return head, parts


def _run(asked: IO[bytes], answered: IO[bytes], limits: Limits) -> None:
    # Nothing of the caller's environment (keys, tokens) goes along. One thread keeps the
    # address space of numerical libraries small.
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": os.defpath}
    command = [sys.executable, "-I", "-X", "utf8", "-c", _BOOT, json.dumps(sys.path)]
    child = subprocess.Popen(
        command,
        stdin=asked,
        stdout=answered,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        start_new_session=True,
    )
    try:
        status = child.wait(timeout=limits.wall_seconds)
    except subprocess.TimeoutExpired:
        raise ModelRejected(
            Reason.MODEL_PARSE_TIMEOUT, seconds=f"{limits.wall_seconds:g}"
        ) from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if status == 0:
        return
    if status == -signal.SIGXCPU:
        raise ModelRejected(Reason.MODEL_PARSE_TIMEOUT, seconds=f"{limits.cpu_seconds:g}")
    # SIGKILL that we did not send comes from the system when memory runs out.
    if status in (MEMORY_EXIT, -signal.SIGKILL):
        raise ModelRejected(Reason.MODEL_PARSE_MEMORY, limit=limits.memory_bytes)
    how = f"status {status}" if status > 0 else signal.Signals(-status).name
    raise ModelRejected(Reason.MODEL_PARSER_CRASHED, how=how)


def write_frame(out: IO[bytes], head: Head, blobs: tuple[bytes, ...]) -> None:
    """Writes one frame."""
    text = json.dumps({**head, "blobs": [len(blob) for blob in blobs]}, allow_nan=False).encode()
    out.write(len(text).to_bytes(8, "big"))
    out.write(text)
    for blob in blobs:
        out.write(blob)
    out.flush()


def read_frame(source: IO[bytes]) -> tuple[Head, list[bytes]]:
    """The head and blobs of one frame, with nothing behind them.

    Raises: ValueError, TypeError or KeyError when it is anything else.
    """
    size = int.from_bytes(source.read(8), "big")
    if not 0 < size <= MAX_HEAD_BYTES:
        raise ValueError("no head")
    head = read_json(source.read(size))
    if type(head) is not dict:
        raise ValueError("the head is an object")
    blobs: list[bytes] = []
    for length in head["blobs"]:
        if type(length) is not int or length < 0:
            raise ValueError("a length is a whole number")
        blobs.append(source.read(length))
        if len(blobs[-1]) != length:
            raise ValueError("a blob is cut short")
    if source.read(1):
        raise ValueError("something follows the blobs")
    return head, blobs


def _refusal(told: Any) -> InferproofError:
    """The rejection that the child told of. Raises: ValueError or KeyError for nonsense."""
    kinds = {"ModelRejected": ModelRejected, "InputRejected": InputRejected}
    facts = told["facts"]
    if any(type(value) not in (str, int, list) for value in facts.values()):
        raise ValueError("facts are texts, numbers and lists")
    return kinds[told["kind"]](Reason[told["reason"]], **facts)

"""A worker that begins as a copy keeps the limits of a fresh one, and is made only where that is
safe. Each test asks an interpreter of its own: this one has threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux tells")

ASK = """
import json, os, threading
from pathlib import Path
from inferproof.errors import InferproofError
from inferproof.proving.bounds import Limits
from inferproof.proving.isolated import IsolatedWorker

def command(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()

def is_copy(worker):
    pid = worker.run(TASKS + "echo", {})["pid"]
    assert pid != os.getpid()
    return command(pid) == command(os.getpid())

def refused(worker, task, **args):
    try:
        worker.run(TASKS + task, args)
    except InferproofError as error:
        return error.code

TASKS = "inferproof.testing.worker_tasks:"
WIDE = Limits(1, 2**30)
"""


def asked(code: str, threads: int = 1) -> object:
    """What the code prints as JSON, in an interpreter with so many threads of BLAS."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-c", ASK + code], capture_output=True, env=environment, check=True
    )
    return json.loads(done.stdout)


def test_a_copy_serves_and_is_kept() -> None:
    code = """
worker = IsolatedWorker(WIDE, copies=True)
pids = {worker.run(TASKS + "echo", {"word": "a"})["pid"] for _ in range(2)}
print(json.dumps([len(pids), is_copy(worker)]))
worker.close()
"""
    assert asked(code) == [1, True]


def test_fresh_interpreters_are_taken_where_no_copy_is_asked_for() -> None:
    assert asked("print(json.dumps(is_copy(IsolatedWorker(WIDE))))") is False


def test_no_copy_is_made_beside_another_thread() -> None:
    code = """
end = threading.Event()
thread = threading.Thread(target=end.wait)
thread.start()
print(json.dumps(is_copy(IsolatedWorker(WIDE, copies=True))))
end.set()
"""
    assert asked(code) is False


@pytest.mark.skipif(os.cpu_count() == 1, reason="BLAS starts no second thread")
def test_no_copy_is_made_beside_a_thread_of_a_library() -> None:
    code = "import numpy; print(json.dumps(is_copy(IsolatedWorker(WIDE, copies=True))))"
    assert asked(code, threads=2) is False


def test_no_copy_is_made_of_what_takes_much_of_its_limit() -> None:
    code = """
import mmap
held = mmap.mmap(-1, 2**28)
print(json.dumps(is_copy(IsolatedWorker(WIDE, copies=True))))
"""
    assert asked(code) is False


def test_a_copy_has_the_limits_and_is_replaced() -> None:
    code = """
worker = IsolatedWorker(WIDE, copies=True)
told = [refused(worker, "spin"), refused(worker, "hold", bytes=2**31),
        refused(worker, "die", signal=6), refused(worker, "leave", status=3),
        refused(worker, "refuse", name="x"), refused(worker, "chatter"), is_copy(worker)]
print(json.dumps(told))
"""
    assert asked(code) == [
        "CHECK_TIME_LIMIT",
        "CHECK_MEMORY_LIMIT",
        "CHECK_MEMORY_LIMIT",
        "PROVER_CRASHED",
        "INPUT_NOT_FINITE",
        None,
        True,
    ]


def test_a_copy_that_sleeps_is_stopped_by_the_clock_and_leaves_nothing() -> None:
    code = """
worker = IsolatedWorker(WIDE, time_limit_s=0.5, copies=True)
pid = worker.run(TASKS + "echo", {})["pid"]
told = refused(worker, "sleep", seconds=600)
print(json.dumps([told, Path(f"/proc/{pid}").exists()]))
"""
    assert asked(code) == ["PROVER_TIME_LIMIT", False]


def test_what_was_not_written_yet_is_written_once() -> None:
    code = """
import sys
worker = IsolatedWorker(WIDE, copies=True)
print("[", end="")
assert is_copy(worker)
worker.close()
print("1]")
"""
    assert asked(code) == [1]

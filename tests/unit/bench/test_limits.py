"""A peer that passes a limit is ended with all that it started, and the report says which."""

import os
import signal
import sys
from pathlib import Path

import pytest
from processes import is_gone

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench.limits import Ended, Limit, Limits, held_bytes, run_within  # noqa: E402

WIDE = Limits(seconds=60.0, gigabytes=4.0)
SLEEPS = "import time; print('here', flush=True); time.sleep(600)"
EATS = """
import time
held = []
while True:
    held.append(bytearray(b'x' * 20_000_000))
    time.sleep(0.01)
"""
HOLDS = "import time; held = bytearray(b'x' * 200_000_000); time.sleep(600)"
STARTS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', sys.argv[1]])
print(child.pid, flush=True)
time.sleep(600)
"""


def python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", script, *arguments]


def test_a_command_within_its_limits_ends_by_itself() -> None:
    ended = run_within(python("import sys; print('out'); print('err', file=sys.stderr)"), WIDE)
    assert (ended.printed, ended.complaint) == ("out\n", "err\n")
    assert (ended.status, ended.passed) == (0, None)
    assert 0 < ended.wall_s < 60


def test_a_command_that_fails_passed_no_limit() -> None:
    ended = run_within(python("import sys; sys.exit(3)"), WIDE)
    assert (ended.status, ended.passed) == (3, None)


def stopped_at_its_time(arguments: list[str]) -> Ended:
    """A command that never ends, ended at the first of these times by which it had printed: on a
    busy machine an interpreter takes seconds to start."""
    for seconds in (2.0, 10.0, 40.0):
        ended = run_within(arguments, Limits(seconds=seconds, gigabytes=4.0))
        if ended.printed:
            break
    return ended


def test_a_command_that_sleeps_is_stopped_at_its_time() -> None:
    ended = stopped_at_its_time(python(SLEEPS))
    assert ended.passed is Limit.TIME
    assert ended.status == -signal.SIGKILL
    assert ended.printed == "here\n"
    assert 2.0 < ended.wall_s < 60


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the kernel tells no memory")
@pytest.mark.parametrize("arguments", [python(EATS), python(STARTS, EATS)], ids=["own", "child's"])
def test_a_command_that_eats_memory_is_stopped_at_its_size(arguments: list[str]) -> None:
    ended = run_within(arguments, Limits(seconds=60.0, gigabytes=0.2))
    assert ended.passed is Limit.MEMORY
    assert ended.status == -signal.SIGKILL
    assert ended.wall_s < 60


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the kernel tells no memory")
def test_memory_below_the_limit_stops_nothing() -> None:
    ended = run_within(python(HOLDS), Limits(seconds=3.0, gigabytes=1.0))
    assert ended.passed is Limit.TIME


def test_what_a_command_started_ends_with_it() -> None:
    ended = stopped_at_its_time(python(STARTS, SLEEPS))
    child = int(ended.printed.split()[0])
    assert is_gone(child)


def test_what_a_command_left_behind_ends_too() -> None:
    leaves = STARTS.replace("time.sleep(600)", "")
    ended = run_within(python(leaves, SLEEPS), WIDE)
    assert (ended.status, ended.passed) == (0, None)
    assert is_gone(int(ended.printed.split()[0]))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the kernel tells no memory")
def test_memory_is_that_of_the_group_and_no_other() -> None:
    assert held_bytes(os.getpgrp()) > 10_000_000
    assert held_bytes(2**22 + 1) == 0

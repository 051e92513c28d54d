"""Whether processes live."""

import os
import sys
import time
from pathlib import Path

from waiting import LONG_S

LINUX = sys.platform == "linux"


def alive(pid: int) -> bool:
    """Whether a process runs. One that has ended and was not waited for yet does not."""
    try:
        os.kill(pid, 0)
        return not LINUX or _state(pid) != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def is_gone(pid: int, *, within_s: float = LONG_S) -> bool:
    """Whether a process ends within some time."""
    end = time.monotonic() + within_s
    while alive(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True

"""Where and with what a measurement was made."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import ROOT
from inferproof.testing.devnet import find_anvil

PACKAGES = ("inferproof", "ezkl", "onnxruntime", "web3", "x402", "uvicorn", "sqlalchemy")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory and system. Units: bytes."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def describe_versions() -> dict[str, str]:
    """Versions of what was measured, by name."""
    found = {"python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in PACKAGES}
    found["anvil"] = _said([str(find_anvil()), "--version"]).splitlines()[0].split()[-1]
    if made_from := commit():
        found["commit"] = made_from
    return found


def commit() -> str:
    """The commit of this clone, and whether its sources were changed; nothing outside of one."""
    name = _said(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"])
    changed = _said(["git", "-C", str(ROOT), "status", "--porcelain", "--", "src", "zoo"])
    return name + (" with uncommitted changes" if name and changed else "")


def ezkl_version() -> str:
    """The release of ezkl that is installed."""
    return importlib.metadata.version("ezkl")


def load_average() -> float:
    """Processes that want a core, averaged over the last minute."""
    return os.getloadavg()[0]


class Watch:
    """How much of the processor others took while it was watched.

    Ours is what this process and its descendants worked, living or ended and waited for.
    """

    def __init__(self) -> None:
        self._busy, self._own, self._wall = _busy_s(), _own_s(), time.monotonic()

    def others(self) -> float | None:
        """The share of all cores' time since the start; None where the kernel does not tell."""
        busy = _busy_s()
        if busy is None or self._busy is None:
            return None
        foreign = busy - self._busy - (_own_s() - self._own)
        cores = os.cpu_count() or 1
        return max(0.0, foreign / (cores * (time.monotonic() - self._wall)))


def _busy_s() -> float | None:
    """Seconds that all cores worked since the machine started, for this or another machine."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    ticks = [int(part) for part in stat.read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _waiting, irq, softirq, steal = ticks
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    return cpu_s(os.getpid())


def cpu_s(pid: int) -> float:
    """Seconds that a process and its descendants worked; 0 for one that is gone (Linux only)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task").glob("*/children")
        below = [int(child) for file in children for child in file.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # The times of children that ended are in the parent's.
    own = sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_s(child) for child in below)


def today() -> str:
    """The day and minute, in UTC."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    if sys.platform == "darwin":
        return _said(["sysctl", "-n", "machdep.cpu.brand_string"])
    return platform.processor() or "unknown"


def _said(arguments: list[str]) -> str:
    """What a command prints; nothing where there is no such command or it fails."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

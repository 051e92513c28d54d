"""Where and with what a measurement was made."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
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
    commit = _said(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"])
    if commit:
        changed = _said(["git", "-C", str(ROOT), "status", "--porcelain", "--", "src", "zoo"])
        found["commit"] = commit + (" with uncommitted changes" if changed else "")
    return found


def load_average() -> float:
    """Processes that want a core, averaged over the last minute."""
    return os.getloadavg()[0]


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

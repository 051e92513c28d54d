"""Paid orders to a gateway in several processes: each settled once, and counted in one place."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from live_parts import Installed, settings_for

from inferproof.settings import Settings
from inferproof.testing.devnet import DevnetInfo

pytestmark = pytest.mark.slow
WAIT_S = 60.0
COMMAND = [sys.executable, "-c", "from inferproof.cli.main import run; run()"]


def _environment(settings: Settings) -> dict[str, str]:
    given = settings.model_dump(exclude_unset=True)
    plain = {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for name, value in given.items()
    }
    told = {
        f"INFERPROOF_{name.upper()}": json.dumps(v) if isinstance(v, list | tuple) else str(v)
        for name, v in plain.items()
    }
    return {**os.environ, **told, "INFERPROOF_PROCESSES": "1"}


def test_it_is_ready_tells_of_all_and_ends_with_any(
    devnet: DevnetInfo, tiny: Installed, tmp_path: Path
) -> None:
    settings = settings_for(devnet, tmp_path / "gateway")
    process = subprocess.Popen(
        [*COMMAND, "serve", "--json"],
        env=_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        report = httpx.get(f"{url}/ready", timeout=WAIT_S).json()
        assert report["ready"], report
        assert {"database", "chain", "settler", "notifier", "gauges"} <= report["checks"].keys()
        text = httpx.get(f"{url}/metrics", timeout=WAIT_S).text
        assert 'inferproof_ready{check="settler"} 1.0' in text
        assert "inferproof_account_coin_wei 0.0" not in text  # which the process behind reads
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        workers = [
            int(child)
            for child in children
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        os.kill(workers[0], signal.SIGKILL)
        assert process.wait(WAIT_S) == 1
        told, _ = process.communicate()
        assert "PROCESS_ENDED" in told
        end = time.monotonic() + WAIT_S
        while any(Path(f"/proc/{child}").exists() for child in workers):
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()

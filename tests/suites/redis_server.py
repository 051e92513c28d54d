"""A real Redis for tests: the one that is named, or one of our own on a Unix socket."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

NAMED = "INFERPROOF_TEST_REDIS_URL"
HOW = (
    "install Redis (Debian/Ubuntu: apt-get install redis-server; macOS: brew install redis) and "
    f"the extra redis, or set {NAMED}"
)
START_S = 120


def available() -> bool:
    """True where tests on Redis can run."""
    if importlib.util.find_spec("redis") is None:
        return False
    return bool(os.environ.get(NAMED)) or shutil.which("redis-server") is not None


class RedisServer:
    """A server on a Unix socket, which keeps nothing on disk."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="inferproof-redis-"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None, HOW
        self.process = subprocess.Popen(
            [
                *(program, "--port", "0", "--unixsocket", str(self.socket)),
                *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as caller:
            return caller.connect_ex(str(self.socket)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_S)
            self.process = None
            self.socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Nothing answers and nothing is refused."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

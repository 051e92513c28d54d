"""A real nginx for tests, with the configuration that is shipped in deploy/nginx."""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "inferproof.conf"
HOW = "install nginx (Debian/Ubuntu: apt-get install nginx-light; macOS: brew install nginx)"
START_S = 20

_MAIN = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/inferproof.conf;
}}
"""


def available() -> bool:
    """True where tests with nginx can run."""
    return shutil.which("nginx") is not None


class NginxServer:
    """nginx on a free port before the address, until the block ends.

    `changes` are put into the shipped configuration; each must be in it once.
    """

    def __init__(self, address: str, **changes: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="inferproof-nginx-"))
        self.folder.chmod(0o755)  # started by root, it serves as another user
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        text = SHIPPED.read_text("utf-8")
        for old, new in {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "server 127.0.0.1:9100;": f"server {address};",
            **{f"{name} {old}": f"{name} {new}" for name, (old, new) in _split(changes).items()},
        }.items():
            assert text.count(f" {old}") == 1, old
            text = text.replace(old, new)
        (self.folder / "inferproof.conf").write_text(text, "utf-8")
        (self.folder / "nginx.conf").write_text(_MAIN.format(folder=self.folder), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        assert program is not None, HOW
        self._process = subprocess.Popen(
            [program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        end = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                assert self._process.stderr is not None
                raise AssertionError(self._process.stderr.read().decode())
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.communicate(timeout=START_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def _split(changes: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Old and new value of each directive, which are written `old -> new`."""
    found = {}
    for name, change in changes.items():
        old, _, new = change.partition(" -> ")
        found[name] = (f"{old};", f"{new};")
    return found

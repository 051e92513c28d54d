"""A real browser without a window, for pages that this machine serves to itself."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

HOW = "install Chromium (Debian/Ubuntu: apt-get install chromium)"
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 120.0
"""How long a page may take to report; a busy machine takes seconds for the browser's start."""
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""No window, no sandbox (tests may run as root), and nothing that asks for the network."""


def program() -> str | None:
    """The browser's path, where there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def available() -> bool:
    """True where tests in a browser can run."""
    return program() is not None


def report_of(page: str, scripts: dict[str, bytes]) -> Any:
    """What the page sends as JSON to /report, opened in a browser of its own.

    `scripts` are served beside the page, by their paths. Raises: AssertionError where nothing
    comes in time.
    """
    with _serving(page, scripts) as (url, reports), _browsing(url) as browser:
        try:
            return reports.get(timeout=PATIENCE_S)
        except queue.Empty:
            browser.kill()
            said = browser.stderr.read()[-2000:] if browser.stderr else ""
            raise AssertionError(f"the page reported nothing in {PATIENCE_S:g} s: {said}") from None


@contextlib.contextmanager
def _serving(page: str, scripts: dict[str, bytes]) -> Iterator[tuple[str, "queue.Queue[Any]"]]:
    reports: queue.Queue[Any] = queue.Queue()
    files = {path: ("text/javascript", text) for path, text in scripts.items()}
    files["/"] = ("text/html", page.encode())

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = files.get(self.path, ("text/plain", b""))
            self.send_response(200 if self.path in files else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, name="page")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", reports
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _browsing(url: str) -> Iterator[subprocess.Popen[str]]:
    found = program()
    assert found is not None, HOW
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = subprocess.Popen(
            [found, *QUIET, f"--user-data-dir={Path(folder)}", url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with browser:
            try:
                yield browser
            finally:
                # Its own processes are in a group of their own: all of them end.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(browser.pid, signal.SIGKILL)

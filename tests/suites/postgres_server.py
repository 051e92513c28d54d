"""A real PostgreSQL for tests: the one that is named, or one of our own in a temporary folder."""

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

KINDS = [
    "memory",
    pytest.param("file", marks=pytest.mark.sqlite_file),
    pytest.param("postgres", marks=pytest.mark.postgres),
]
"""Parameters for a fixture that runs its tests over every database."""

NAMED = "INFERPROOF_TEST_POSTGRES_URL"
HOW = (
    "install PostgreSQL (Debian/Ubuntu: apt-get install postgresql; macOS: brew install "
    f"postgresql) and the extra postgres, or set {NAMED}"
)
START_S = 120


def find_programs() -> Path | None:
    """The folder with initdb and postgres of the newest version; None where there is none."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True
    )
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    return next((f for f in folders if (f / "initdb").exists()), None)


def available() -> bool:
    """True where tests on PostgreSQL can run."""
    if importlib.util.find_spec("asyncpg") is None:
        return False
    return bool(os.environ.get(NAMED)) or find_programs() is not None


FOR_TESTS = ("fsync=off", "full_page_writes=off", "autovacuum=off")
"""The disk is not waited for: a test's machine does not fail. And what a server knows of its rows
changes when a test says so, not once a minute: plans hang on it."""


class PostgresServer:
    """A server on a Unix socket, set FOR_TESTS or, with `fsync`, as it is by default."""

    def __init__(self, *options: str, fsync: bool = False) -> None:
        programs = find_programs()
        assert programs is not None, HOW
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="inferproof-pg-"))
        self.options = options if fsync else (*options, *FOR_TESTS)
        self.process: subprocess.Popen[bytes] | None = None
        # The server refuses to run as root.
        self.account: dict[str, Any] = {}
        if os.getuid() == 0:
            self.account = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self.folder, "postgres", "postgres")

    @property
    def url(self) -> str:
        return self.database("postgres")

    def database(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={self.folder}"

    def __enter__(self) -> "PostgresServer":
        subprocess.run(
            [
                *(self.programs / "initdb", "-D", self.folder / "data", "-U", "postgres"),
                *("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            **self.account,
        )
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)  # nothing of it is kept, so nothing is put in order
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        settings = (f"unix_socket_directories={self.folder}", "listen_addresses=", *self.options)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(str(self.programs / "postgres"), "-D", str(self.folder / "data")),
                    *(word for setting in settings for word in ("-c", setting)),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self.account,
            )
        ready = [str(self.programs / "pg_isready"), "-q", "-h", str(self.folder)]
        end = time.monotonic() + START_S
        while subprocess.run(ready, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it: SIGINT cuts its clients off in order, SIGQUIT leaves a recovery to be done."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(START_S)
            self.process = None

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Nothing answers and nothing is refused: the server and its children are stopped."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        pids = [self.process.pid, *map(int, listed.split())]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


class Databases:
    """Fresh databases on one server, each a copy of one that was migrated once."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._numbers = count()
        self._prefix = f"inferproof_test_{os.getpid()}_{secrets.token_hex(4)}"
        self._template: str | None = None
        self._made: list[str] = []

    def empty(self) -> str:
        """The URL of a database without a table."""
        return self._create("template0")

    def fresh(self) -> str:
        """The URL of a database of this version's schema, without a row in it."""
        if self._template is None:
            from inferproof.storage.sql.engine import Database

            url = self.empty()

            async def migrate() -> None:
                await (await Database.open(url)).close()

            in_thread(migrate())
            self._template = make_url(url).database
        return self._create(str(self._template))

    def copy_of(self, url: str) -> str:
        """The URL of a copy of the database at the URL, which nobody has open."""
        return self._create(str(make_url(url).database))

    def sql(self, statement: str, url: str | None = None) -> Any:
        """The first value of what the statement returns on the URL's database."""
        import asyncpg

        place = make_url(url) if url else self._url
        plain = place.set(drivername="postgresql").render_as_string(hide_password=False)

        async def run() -> Any:
            connection = await asyncpg.connect(plain)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return in_thread(run())

    def drop_all(self) -> None:
        for name in self._made:
            self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _create(self, template: str) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self._made.append(name)
        return self._url.set(database=name).render_as_string(hide_password=False)


def in_thread(work: Any) -> Any:
    """The result of a coroutine, also where a loop is running already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()

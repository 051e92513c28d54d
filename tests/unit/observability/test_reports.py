"""Error reports, received by a real little server: what they hold, and what they do not."""

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from paid_calls import caller
from service_parts import World, running

from inferproof.app.reporting import open_reports
from inferproof.errors import Misconfigured, MissingPart, Reason, Unavailable
from inferproof.observability.base import working_on
from inferproof.observability.sentry import SentryReports
from inferproof.settings import Settings
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

JOB = Digest(b"\x07" * 32)
log = logging.getLogger("inferproof.test")


class Project:
    """Takes envelopes as a Sentry server does."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        project = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                project.paths.append(self.path)
                project.bodies.append(body)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def dsn(self) -> str:
        return f"http://a_public_key@127.0.0.1:{self.server.server_port}/42"

    @property
    def events(self) -> list[dict[str, Any]]:
        found = []
        for body in self.bodies:
            lines = [json.loads(line) for line in body.splitlines() if line]
            found += [
                b for h, b in zip(lines[1::2], lines[2::2], strict=True) if h.get("type") == "event"
            ]
        return found

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def project() -> Iterator[Project]:
    project = Project()
    yield project
    project.close()


def opened(project: Project, stack: ExitStack) -> None:
    open_reports(Settings(sentry_dsn=project.dsn, sentry_environment="testing"), stack)


def fail(secret: str) -> None:
    held_in_a_variable = secret
    raise ZeroDivisionError(held_in_a_variable)


def test_a_fault_arrives_with_its_job_and_without_its_data(project: Project) -> None:
    with ExitStack() as stack:
        opened(project, stack)
        with working_on(JOB, attempt=2, fence=7):
            try:
                fail("marked")
            except ZeroDivisionError:
                log.exception("a fault of ours: %s", "marked")
    (event,) = project.events
    assert project.paths == ["/api/42/envelope/"]
    assert event["tags"] == {"job": JOB.hex, "attempt": "2", "fence": "7"}
    assert event["environment"] == "testing"
    (value,) = event["exception"]["values"]
    assert (value["type"], value["value"]) == ("ZeroDivisionError", "")
    assert value["stacktrace"]["frames"][-1]["function"] == "fail"
    assert not {"request", "user", "modules", "breadcrumbs", "extra"} & set(event)
    for frame in value["stacktrace"]["frames"]:
        assert set(frame) <= {"filename", "function", "lineno", "in_app"}
    assert b"marked" not in b"".join(project.bodies)


def test_a_wrong_set_up_is_told_with_its_reason(project: Project) -> None:
    with ExitStack() as stack:
        opened(project, stack)
        error = Misconfigured(Reason.SETTING_MISSING, name="INFERPROOF_RPC_URL")
        log.error("answered 500", exc_info=error)
    assert project.events[0]["tags"]["reason"] == "SETTING_MISSING"


def test_what_is_no_fault_of_ours_is_not_told(project: Project) -> None:
    with ExitStack() as stack:
        opened(project, stack)
        log.error("answered 503", exc_info=Unavailable(Reason.STORAGE_FULL))
        log.error("no exception at all")
        log.warning("only a warning", exc_info=ValueError("x"))
    log.error("after it was closed", exc_info=ValueError("x"))
    assert project.events == []


def test_a_fault_in_a_loop_is_told_once_a_minute(project: Project) -> None:
    now = [0.0]
    reports = SentryReports(
        project.dsn, name="x", release="1", environment="y", clock=lambda: now[0]
    )

    def meet() -> None:
        try:
            fail("x")
        except ZeroDivisionError as error:
            record = logging.LogRecord(
                "inferproof.x",
                logging.ERROR,
                "",
                0,
                "m",
                (),
                (type(error), error, error.__traceback__),
            )
            reports.handle(record)

    for second in (0, 1, 59, 61, 62):
        now[0] = float(second)
        meet()
    reports.close()
    assert len(project.events) == 2


async def test_a_bug_in_a_request_and_one_in_the_worker(world: World, project: Project) -> None:
    with ExitStack() as stack:
        opened(project, stack)
        async with running(world) as services, caller(services) as buyer:
            header = await buyer.header()
            answer = await buyer.send(header)
            job = answer.headers["Location"].rpartition("/")[2]
            world.system.faults = [RuntimeError("marked")]
            await services.settler.settle_once()
            await services.worker.work_once()

            async def broken(*_: object, **__: object) -> None:
                raise RuntimeError("marked")

            services.gateway.list_models = broken  # type: ignore[method-assign]
            failed = await buyer.http.get("/v1/models", headers={"x-request-id": "abc"})
            assert failed.status_code == 500
    worker, request = project.events
    assert worker["logger"] == "inferproof.worker"
    assert worker["tags"]["job"].endswith(job.removeprefix("0x"))
    assert (request["logger"], request["tags"]) == ("inferproof.api", {"request": "abc"})
    everything = b"".join(project.bodies)
    assert b"marked" not in everything
    assert header.encode() not in everything


def test_a_wrong_address_is_refused_and_not_shown() -> None:
    with (
        ExitStack() as stack,
        rejects(
            Reason.SETTING_WRONG,
            "the setting INFERPROOF_SENTRY_DSN is wrong: it is not an address of a Sentry project",
            kind=Misconfigured,
        ),
    ):
        open_reports(Settings(sentry_dsn="marked"), stack)
    assert "marked" not in repr(Settings(sentry_dsn="marked"))


def test_without_the_library_a_set_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with (
        ExitStack() as stack,
        rejects(
            Reason.MISSING_LIBRARY,
            "error reports needs the Python package sentry-sdk; install it with: "
            "pip install 'inferproof[sentry]'",
            kind=MissingPart,
        ),
    ):
        open_reports(Settings(sentry_dsn="http://a@127.0.0.1/1"), stack)

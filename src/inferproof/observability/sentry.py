"""Reports of our own faults over Sentry's protocol. Needs the extra `sentry`.

A report is built here, field by field, of what `faults` lets through: kind, code, places, job.
Nothing of the SDK that collects by itself is switched on: no request, no header, no variable, no
source line, no breadcrumb, no list of packages.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import sentry_sdk
from sentry_sdk.utils import BadDsn

from inferproof.errors import InferproofError, Misconfigured, Reason, Unavailable
from inferproof.observability.faults import Fault, fault_of
from inferproof.observability.logs import error_of, fields_of

AGAIN_S = 60.0
"""The same fault is told once in this time: one that is met in a loop would drown the others."""
MAX_KNOWN = 256
CLOSE_S = 3.0


class SentryReports(logging.Handler):
    """Sends what is logged as an error, with an exception that is a fault of ours."""

    def __init__(
        self,
        dsn: str,
        *,
        name: str,
        release: str,
        environment: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is the setting that the address comes from.

        Raises: Misconfigured SETTING_WRONG, which does not show the address.
        """
        super().__init__(logging.ERROR)
        try:
            self._client = sentry_sdk.Client(
                dsn=dsn,
                release=release,
                environment=environment,
                default_integrations=False,
                auto_enabling_integrations=False,
                auto_session_tracking=False,
                include_local_variables=False,
                include_source_context=False,
                attach_stacktrace=False,
                max_breadcrumbs=0,
                max_request_body_size="never",
                server_name="",
                spotlight=False,
                send_client_reports=False,
                shutdown_timeout=CLOSE_S,
            )
        except BadDsn:
            raise Misconfigured(
                Reason.SETTING_WRONG, name=name, problem="it is not an address of a Sentry project"
            ) from None
        self._clock = clock
        self._told: dict[object, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        error = error_of(record)
        # A database or chain that is away is no fault of ours; /ready and the metrics tell of it.
        if error is None or isinstance(error, Unavailable):
            return
        fault = fault_of(error)
        if self._is_new(fault):
            self._client.capture_event(_event(record, error, fault))

    def close(self) -> None:
        """Sends what is left, for a few seconds at most. It blocks."""
        self._client.close(timeout=CLOSE_S)
        super().close()

    def _is_new(self, fault: Fault) -> bool:
        now = self._clock()
        if now - self._told.get(fault.key, -AGAIN_S) < AGAIN_S:
            return False
        if len(self._told) >= MAX_KNOWN:
            self._told.clear()
        self._told[fault.key] = now
        return True


def _event(record: logging.LogRecord, error: BaseException, fault: Fault) -> Any:
    tags = {name: str(value) for name, value in fields_of(record).items()}
    if isinstance(error, InferproofError):
        tags["reason"] = error.code
    chain: list[Fault] = []
    link: Fault | None = fault
    while link is not None:
        chain.append(link)
        link = link.cause
    return {
        "level": "fatal" if record.levelno >= logging.CRITICAL else "error",
        "logger": record.name,
        "platform": "python",
        "timestamp": record.created,
        # The template, never the message: that may hold more than a report should.
        "logentry": {"message": str(record.msg)},
        "tags": tags,
        "exception": {"values": [_exception(each) for each in reversed(chain)]},
    }


def _exception(fault: Fault) -> dict[str, Any]:
    module, _, kind = fault.kind.rpartition(".")
    frames = [
        {
            "filename": place.file,
            "function": place.function,
            "lineno": place.line,
            "in_app": place.file.startswith("inferproof/"),
        }
        for place in fault.places
    ]
    return {
        "type": kind,
        "module": module or None,
        "value": fault.code or "",
        "stacktrace": {"frames": frames},
    }

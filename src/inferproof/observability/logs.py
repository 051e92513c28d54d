"""Log lines, as text for people or as JSON for machines.

    {"time": "2026-01-01T12:00:00.123Z", "level": "warning", "logger": "inferproof.worker",
     "message": "given up: PROOF_INVALID", "job": "0x…", "attempt": 2, "fence": 7}

| field | when |
|---|---|
| time, level, logger, message | always |
| job, attempt, fence | while a job is worked on |
| request | while a request is answered; also the answer's X-Request-Id |
| trace | where traces are on, or the caller sent a traceparent |
| fault | with an exception: its kind, code and places, never its text |

Only our own loggers speak below "warning": libraries log whole requests and statements at their
lower levels, and with them keys, inputs and signatures.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from inferproof.observability.base import About, about_error, current
from inferproof.observability.faults import Fault, fault_of
from inferproof.observability.ids import trace_hex
from inferproof.types.digest import Digest

OURS = "inferproof"
_FIELDS = ("job", "attempt", "fence", "request")

log = logging.getLogger("inferproof.app")


def set_up_logs(
    level: str, style: str, *, traced: bool = False, stream: TextIO | None = None
) -> None:
    """Every log line of this process goes to the stream, standard error by default.

    `style` is text or json; `traced` says that a job's trace id means something.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(traced=traced) if style == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(level.upper())
    # What cannot be formatted would be printed with all its arguments.
    logging.raiseExceptions = False


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Job, attempt, fence and request of a record: its own, or else those of its context."""
    about = current() or about_error(error_of(record)) or About()
    found: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(record, name, None)
        if value is None:
            value = getattr(about, name)
        if value is not None:
            found[name] = value if type(value) is int else str(value)
    return found


def message_of(record: logging.LogRecord) -> str:
    """The message; of others' records that carry an exception only the first line, since the
    further ones repeat it."""
    text = record.getMessage()
    if record.exc_info and not record.name.startswith(OURS):
        return text.partition("\n")[0]
    return text


def error_of(record: logging.LogRecord) -> BaseException | None:
    """The exception that a record is about."""
    return record.exc_info[1] if record.exc_info else None


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, *, traced: bool = False) -> None:
        super().__init__()
        self._traced = traced

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
            **fields_of(record),
        }
        trace = self._trace(line.get("job"))
        if trace is not None:
            line["trace"] = trace
        error = error_of(record)
        if error is not None:
            line["fault"] = _fault_json(fault_of(error))
        return json.dumps(line, ensure_ascii=True, separators=(", ", ": "))

    def _trace(self, job: str | None) -> str | None:
        if self._traced and job is not None:
            return trace_hex(Digest.from_hex(job))
        about = current()
        if about is None or about.caller is None:
            return None
        return f"{about.caller.trace:032x}"


class TextLines(logging.Formatter):
    """A line for people, and below it the places of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        told = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        head = f"{_time(record.created)} {record.levelname} {record.name} {message_of(record)}"
        lines = [head + told]
        error = error_of(record)
        fault = None if error is None else fault_of(error)
        while fault is not None:
            lines.append(f"  {fault.kind}" + (f" {fault.code}" if fault.code else ""))
            lines += [f"    {p.file}:{p.line} in {p.function}" for p in fault.places]
            fault = fault.cause
        return "\n".join(lines)


def report_loop_faults(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Logs what fails outside of every task we wait for, without the arguments that asyncio
    would print. Returns what sets the loop back as it was."""
    before = loop.get_exception_handler()

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            log.error("a fault outside of every task", exc_info=error)
        else:  # such as a task that was never waited for: asyncio's own words name only it
            log.error("the event loop complains: %s", str(context.get("message", ""))[:200])

    loop.set_exception_handler(handle)
    return lambda: loop.set_exception_handler(before)


def _time(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fault_json(fault: Fault) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": fault.kind}
    if fault.code is not None:
        told["code"] = fault.code
    told["places"] = [f"{p.file}:{p.line} {p.function}" for p in fault.places]
    if fault.cause is not None:
        told["cause"] = _fault_json(fault.cause)
    return told

"""What is being worked on, for logs, traces and reports; and what a tracer is.

    HTTP middleware  begin_request(about)      ─► everything logged for the request says so
    intake           note_job(id)              ─► from here on with the job
    settler, worker  working_on(job id, …)     ─► the same, outside of requests

It travels in a context variable: into tasks and threads that are started, never back. Nothing
here depends on whether logs, traces or reports are on; an entry costs well under a microsecond.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Protocol

from inferproof.types.digest import Digest

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


@dataclass(frozen=True, slots=True)
class Caller:
    """The span of a caller that a request belongs to. Source: W3C Trace Context, traceparent."""

    trace: int
    span: int


@dataclass(slots=True)
class About:
    """What is being worked on. Units: `started_ns` in nanoseconds since 1970."""

    request: str | None = None
    job: Digest | None = None
    attempt: int | None = None
    fence: int | None = None
    caller: Caller | None = None
    started_ns: int = 0
    new_order: bool = False


_MARK = "_inferproof_about"
_ABOUT: ContextVar[About | None] = ContextVar("inferproof_about", default=None)


def current() -> About | None:
    """What is being worked on here; None outside of requests and jobs."""
    return _ABOUT.get()


def begin_request(about: About) -> Token[About | None]:
    """Begins a request; `end_request` ends it."""
    return _ABOUT.set(about)


def end_request(token: Token[About | None]) -> None:
    """Ends what `begin_request` began."""
    _ABOUT.reset(token)


def note_job(job: Digest, *, new_order: bool = False) -> None:
    """Says which job the present request is about; outside of requests it does nothing."""
    about = _ABOUT.get()
    if about is not None:
        about.job, about.new_order = job, new_order


@contextmanager
def working_on(
    job: Digest, *, attempt: int | None = None, fence: int | None = None
) -> Iterator[None]:
    """Everything in the block is about this job, and so is an exception that leaves it: whoever
    logs that one is often outside."""
    about = About(job=job, attempt=attempt, fence=fence)
    token = _ABOUT.set(about)
    try:
        yield
    except Exception as error:  # marked, and raised again
        if about_error(error) is None:
            error.__dict__[_MARK] = about
        raise
    finally:
        _ABOUT.reset(token)


def about_error(error: BaseException | None) -> About | None:
    """What was worked on when the exception came up, where `working_on` saw it."""
    found = getattr(error, _MARK, None)
    return found if isinstance(found, About) else None


def read_traceparent(header: bytes) -> Caller | None:
    """The caller's span; None for what is not a traceparent, which the standard says to ignore."""
    found = _TRACEPARENT.fullmatch(header.decode("latin-1"))
    if found is None or found[1] == "ff" or (found[1] == "00" and len(header) != 55):
        return None
    trace, span = int(found[2], 16), int(found[3], 16)
    return Caller(trace, span) if trace and span else None


Fact = str | int | bool


class Span(Protocol):
    """A span that was recorded, to be named as the parent of others."""


class Tracer(Protocol):
    """Records spans after the fact, so that who is not traced pays nothing.

    All stages of one job are in one trace, whose id follows from the job's: no process needs to
    be told it. Units: nanoseconds since 1970.
    """

    def request(self, about: About, *, name: str, status: int, end_ns: int) -> None:
        """The HTTP request that brought a job, or asked for it again with its payment."""
        ...

    def accepted(self, job: Digest, about: About | None, *, start_ns: int, end_ns: int) -> None:
        """The checks of a payment, up to its durable reservation."""
        ...

    def stage(
        self,
        job: Digest,
        name: str,
        *,
        start_ns: int,
        end_ns: int,
        facts: Mapping[str, Fact] | None = None,
        failed: str | None = None,
        parent: Span | None = None,
    ) -> Span:
        """One stage of a job. `failed` is the code of a reason."""
        ...

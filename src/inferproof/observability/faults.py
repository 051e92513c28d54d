"""Failures as logs and reports tell them: kinds, codes and places, and no text that may quote.

The text of an exception may hold anything that was worked on: int() quotes what is no number, a
database quotes a row, a parser quotes a line. So only texts of our own catalogue are told, and of
those not the ones that answer a caller about what the caller sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from inferproof.errors import InferproofError, Rejection

MAX_FRAMES = 40
MAX_CAUSES = 5

_QUOTING = ("PROVER_", "INPUT_", "JOB_ATTEMPTS")
"""Reasons whose facts may come from a prover's output or from an input, whoever raises them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a stack, without its source and its variables."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception without its text. `code` is the reason's, where it has one; `places` are from
    the outermost call to the innermost."""

    kind: str
    code: str | None
    places: tuple[Place, ...]
    cause: "Fault | None" = None

    @property
    def key(self) -> tuple[str, str | None, Place | None]:
        """What is the same for the same fault met again."""
        return self.kind, self.code, self.places[-1] if self.places else None


def fault_of(error: BaseException, *, depth: int = MAX_CAUSES) -> Fault:
    """The exception, and what it was raised from, without any text."""
    kind = type(error)
    cause = _cause(error) if depth else None
    return Fault(
        kind=kind.__qualname__ if kind.__module__ == "builtins" else _named(kind),
        code=error.code if isinstance(error, InferproofError) else None,
        places=tuple(_places(error.__traceback__))[-MAX_FRAMES:],
        cause=None if cause is None else fault_of(cause, depth=depth - 1),
    )


def loggable(error: InferproofError) -> str:
    """The code, with the message where that cannot quote what was handed in."""
    if isinstance(error, Rejection) or error.code.startswith(_QUOTING):
        return error.code
    return f"{error.code}: {error.message}"


def _named(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _places(trace: TracebackType | None) -> Iterator[Place]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield Place(_short(code.co_filename), trace.tb_lineno, code.co_qualname)
        trace = trace.tb_next


def _short(path: str) -> str:
    """The path from the package on: where it is installed is nobody's business."""
    for mark in ("/site-packages/", "/src/", "/lib/"):
        if mark in path:
            return path.rpartition(mark)[2]
    return path.rpartition("/")[2]

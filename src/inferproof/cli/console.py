"""How every command speaks: one result on standard output, progress on standard error.

Exit codes: 0 done or verified; 1 rejected or failed, with reason and message; 2 wrong usage.
Lines are never broken, so that digests in them can be copied. Text that comes from a file or a
gateway goes through `plain` before it is printed with colours.
"""

import errno
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from inferproof.errors import InferproofError, Reason, Unavailable, visible

if TYPE_CHECKING:
    from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

MAX_PORT = 65535
WIDE = 200
"""Columns for a table that goes to a file or a program, where nothing is gained by wrapping."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def plain(text: object) -> str:
    """Text of strangers, fit for printing: no markup, no control characters."""
    return escape(str(visible(str(text))))


def print_json(value: dict[str, Any]) -> None:
    """Prints one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()


def print_each(values: Sequence[dict[str, Any]]) -> None:
    """Prints one JSON object: the only one, or a list of them as the variants of one model."""
    print_json(values[0] if len(values) == 1 else {"variants": list(values)})


def print_table(table: "Table", console: Console = out) -> None:
    """Prints a table; its cells wrap on a terminal only."""
    if console.is_terminal:
        console.print(table, soft_wrap=False)
    else:
        Console(file=console.file, width=WIDE, highlight=False).print(table)


def fail(error: InferproofError, *, as_json: bool) -> NoReturn:
    """Prints reason and message where the caller looks for them, and exits with 1."""
    if as_json:
        print_json({"reason": error.code, "message": error.message})
    else:
        show_failure(error)
    raise typer.Exit(1)


def show_failure(error: InferproofError) -> None:
    """Prints reason and message on standard error."""
    err.print(f"[bold red]{error.code}[/] {plain(error.message)}")


def system_refused(error: OSError) -> InferproofError:
    """What the operating system refused, as a typed failure."""
    why = (error.strerror or type(error).__name__).lower()
    return Unavailable(Reason.SYSTEM_REFUSED, path=error.filename or "a file or stream", why=why)


@contextmanager
def failures(*, as_json: bool) -> Iterator[None]:
    """Turns a failure of the block into its message and exit code 1.

    A folder that cannot be made, a disk that is full: what the system refuses anywhere below is
    the user's to mend, and is told as a failure with its path.
    """
    try:
        yield
    except InferproofError as error:
        fail(error, as_json=as_json)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read our output has gone
        fail(system_refused(error), as_json=as_json)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, float], None]]:
    """Progress on standard error: a bar on a terminal, else a line for each stage.

    The block calls what it is given with stage and share.
    """
    if not err.is_terminal:
        yield _lines(title)
        return
    # Most commands show none.
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=1.0)

        def report(stage: str, share: float) -> None:
            bar.update(task, description=f"{title}: {visible(stage)}", completed=share)

        yield report


def _lines(title: str) -> Callable[[str, float], None]:
    last = ""

    def report(stage: str, _share: float) -> None:
        nonlocal last
        if stage != last:
            last = stage
            err.print(f"{title}: {visible(stage)}", markup=False)

    return report

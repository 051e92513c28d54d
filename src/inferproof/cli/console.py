"""How every command speaks: one result on standard output, progress on standard error.

Exit codes: 0 done or verified; 1 rejected or failed, with reason and message; 2 wrong usage.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from inferproof.errors import InferproofError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def print_json(value: dict[str, Any]) -> None:
    """Prints one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()


def fail(error: InferproofError, *, as_json: bool) -> NoReturn:
    """Prints reason and message where the caller looks for them, and exits with 1."""
    if as_json:
        print_json({"reason": error.code, "message": error.message})
    else:
        err.print(f"[bold red]{error.code}[/] {error.message}", soft_wrap=True)
    raise typer.Exit(1)


@contextmanager
def failures(*, as_json: bool) -> Iterator[None]:
    """Turns a typed failure of the block into its message and exit code 1."""
    try:
        yield
    except InferproofError as error:
        fail(error, as_json=as_json)


@contextmanager
def progress(title: str, *, quiet: bool = False) -> Iterator[Callable[[str, float], None]]:
    """A progress bar on standard error; the block calls what it is given with stage and share."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=quiet or not err.is_terminal,
    )
    with bar:
        task = bar.add_task(title, total=1.0)

        def report(stage: str, share: float) -> None:
            bar.update(task, description=f"{title}: {stage}", completed=share)

        yield report

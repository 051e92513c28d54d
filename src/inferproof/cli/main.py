"""The `inferproof` command: every sub-command registers itself here."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from inferproof import __version__
from inferproof.cli import (
    backup,
    books,
    buyer,
    calibrate,
    devnet,
    inspect,
    job,
    keys,
    model,
    offline,
    provider,
    serve,
    settle,
    verify,
    webhooks,
    worker,
)
from inferproof.cli.console import err, show_failure, system_refused
from inferproof.errors import InferproofError

app = typer.Typer(
    name="inferproof",
    help="Machine-learning answers that prove themselves: compile, prove, verify, buy, serve.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


for room in (
    offline,
    verify,
    inspect,
    model,
    calibrate,
    buyer,
    provider,
    serve,
    settle,
    backup,
    worker,
    books,
    devnet,
    job,
    webhooks,
    keys,
):
    room.register(app)


def run() -> None:
    """Runs the command line. A failure that a command let through exits with 1."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app()
    except InferproofError as error:
        show_failure(error)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(130)
    except OSError as error:
        # Output could not be written; what is left of it must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        show_failure(system_refused(error))
        sys.exit(1)


def _terminated(_number: int, _frame: FrameType | None) -> None:
    # An exception, so that workers, chains and half-made folders are cleared away.
    sys.exit(128 + signal.SIGTERM)

"""The `inferproof` command: every sub-command registers itself here."""

import sys
from typing import Annotated

import typer

from inferproof import __version__
from inferproof.cli import buyer, devnet, model, offline, provider, serve, verify
from inferproof.cli.console import err
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


for room in (offline, verify, model, buyer, provider, serve, devnet):
    room.register(app)


def run() -> None:
    """Runs the command line. A typed failure that a command let through exits with 1."""
    try:
        app()
    except InferproofError as error:
        err.print(f"[bold red]{error.code}[/] {error.message}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(130)

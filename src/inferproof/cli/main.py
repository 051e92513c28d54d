"""The `inferproof` command: which room holds which command. A room is imported when it is used."""

import os
import signal
import sys
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from inferproof.cli.console import err, show_failure, system_refused
from inferproof.errors import InferproofError

ROOMS = {
    "offline": ("compile", "prove", "prover-stdio"),
    "verify": ("verify",),
    "inspect": ("inspect",),
    "model": ("model",),
    "importing": ("import",),
    "calibrate": ("calibrate",),
    "buyer": ("models", "quote", "call", "resume"),
    "request": ("request",),
    "provider": ("provider",),
    "serve": ("serve",),
    "settle": ("settle",),
    "backup": ("backup", "restore"),
    "worker": ("worker",),
    "books": ("books",),
    "revenue": ("revenue",),
    "indexer": ("indexer",),
    "contract": ("contract",),
    "registry": ("registry",),
    "chain": ("chain",),
    "market": ("market",),
    "access": ("access",),
    "devnet": ("devnet", "demo"),
    "job": ("job",),
    "webhooks": ("webhooks",),
    "keys": ("keys",),
}
"""The modules of this package that register commands, and these, in the order of the help."""


class _Commands(MutableMapping[str, Any]):
    """Every command by its name; its room is imported when it is looked up."""

    def __init__(self) -> None:
        self._rooms = {name: room for room, names in ROOMS.items() for name in names}
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known |= commands_of(self._rooms[name])
        return self._known[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._rooms[name], self._known[name] = "", command

    def __delitem__(self, name: str) -> None:
        del self._rooms[name]
        self._known.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rooms)

    def __len__(self) -> int:
        return len(self._rooms)


def commands_of(room: str) -> dict[str, Any]:
    """The commands that a room registers."""
    made = typer.Typer(rich_markup_mode="rich")
    made.callback()(lambda: None)
    import_module(f"inferproof.cli.{room}").register(made)
    group = get_command(made)
    assert isinstance(group, TyperGroup)  # noqa: S101  (it has a callback)
    return dict(group.commands)


class _Group(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()


app = typer.Typer(
    name="inferproof",
    cls=_Group,
    help="Machine-learning answers that prove themselves: compile, prove, verify, buy, serve.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        from inferproof import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


def run() -> None:
    """Runs the command line. A failure that a command let through exits with 1."""
    signal.signal(signal.SIGTERM, _terminated)
    # NumPy starts a thread for each core when it is imported, for products of large float matrices.
    # No command computes those, and the threads are busy for a while with waiting for one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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

"""`inferproof backup` and `inferproof restore`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferproof.cli.console import JsonFlag, err, failures, plain, print_json
from inferproof.cli.parts import need

if TYPE_CHECKING:
    from inferproof.app.backup import Summary

DataDir = Annotated[Path | None, typer.Option(help="Folder of database, proofs, models and keys.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the backup; it must not exist.")],
    data_dir: DataDir = None,
    as_json: JsonFlag = False,
) -> None:
    """Write orders, money, models and proofs of a gateway to one file, also while it runs.

    The file holds buyers' inputs and payments: keep it as you keep the database. It holds no
    keys and no compiled models; it can be restored to SQLite and to PostgreSQL.
    """
    with failures(as_json=as_json):
        need("a backup", "inferproof.app.backup", extra="server")
        from inferproof.app.backup import backup as make
        from inferproof.settings import Settings

        settings = Settings.load(**({} if data_dir is None else {"data_dir": data_dir}))
        _show(asyncio.run(make(settings, file)), f"written to {file}", as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    data_dir: DataDir = None,
    as_json: JsonFlag = False,
) -> None:
    """Fill an empty gateway from a backup; the settings say which database and folder.

    Nothing serves until it is done; interrupted, it is run again. Orders that were taken after
    the backup are not in it: `inferproof books check` finds their payments.
    """
    with failures(as_json=as_json):
        need("a restore", "inferproof.app.backup", extra="server")
        from inferproof.app.backup import restore as fill
        from inferproof.settings import Settings

        settings = Settings.load(**({} if data_dir is None else {"data_dir": data_dir}))
        _show(asyncio.run(fill(settings, file)), f"restored from {file}", as_json=as_json)


def _show(summary: "Summary", what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "schema": summary.schema,
                "made_at": summary.made_at,
                "rows": summary.rows,
                "blobs": summary.blobs,
                "missing_models": list(summary.missing),
            }
        )
        return
    jobs = summary.rows.get("jobs", 0)
    err.print(f"{plain(what)}: {jobs} jobs, {summary.blobs} blobs, schema {plain(summary.schema)}")
    for model in summary.missing:
        err.print(f"  the compiled model {plain(model)} is not here; copy its folder")

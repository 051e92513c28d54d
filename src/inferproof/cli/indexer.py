"""`inferproof indexer`: reads events of contracts from a chain into the database."""

import asyncio
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.console import JsonFlag, err, failures, out, plain, print_json, progress
from inferproof.cli.parts import MetricsPort, need

if TYPE_CHECKING:
    from inferproof.app.indexing import IndexerApp, IndexStatus
    from inferproof.settings import Settings
    from inferproof.storage.ports.chain_events import SetSummary

DataDir = Annotated[Path | None, typer.Option(help="Folder of the gateway's database.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(help="Read events of contracts from a chain.", no_args_is_help=True)
    group.command("run")(run)
    group.command("status")(status)
    group.command("rebuild")(rebuild)
    app.add_typer(group, name="indexer")


def run(
    data_dir: DataDir = None, metrics_port: MetricsPort = None, as_json: JsonFlag = False
) -> None:
    """Read events of the contracts of INFERPROOF_INDEX_CONTRACTS, until it is told to stop.

    Takes the gateway's own settings, but no key. A gateway of one process reads them itself; of
    several processes on one database, one reads, and another takes over when that one ends.
    """
    with failures(as_json=as_json):
        settings = _settings(data_dir=data_dir, metrics_port=metrics_port)
        from inferproof.observability.logs import set_up_logs
        from inferproof.server.processes import run as run_in_loop
        from inferproof.server.processes import run_indexer

        set_up_logs(settings.log_level, settings.log_format, traced=False)
        run_in_loop(run_indexer(settings, announce=partial(_announce, as_json=as_json)))


def status(data_dir: DataDir = None, as_json: JsonFlag = False) -> None:
    """Show how far the events were read, and where there are gaps."""
    with failures(as_json=as_json):
        settings = _settings(data_dir=data_dir)
        from inferproof.app.indexing import status as ask

        _show(asyncio.run(ask(settings)), as_json=as_json)


def rebuild(
    data_dir: DataDir = None,
    forget_others: Annotated[
        bool,
        typer.Option(
            "--forget-others",
            help="Take away too what was read of this chain under other settings.",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take away what was read, and read all of it again from the first block.

    Mends an index whose chain replaced more blocks than were kept, or began anew. It may be run
    again when it did not come to its end. Beside a gateway that reads events it does nothing.
    """
    with failures(as_json=as_json):
        settings = _settings(data_dir=data_dir)
        from inferproof.app.indexing import rebuild as work

        with progress("rebuilding") as report:
            done = asyncio.run(
                work(settings, forget_others=forget_others, report=lambda told: report(told, 0.0))
            )
        _show(done, as_json=as_json)


def _settings(**given: object) -> "Settings":
    need("reading events", "uvloop", "inferproof.app.indexing", extra="server")
    from inferproof.settings import Settings

    return Settings.load(**{name: value for name, value in given.items() if value is not None})


def _announce(app: "IndexerApp", *, as_json: bool) -> None:
    contracts = [
        {"contract": each.name, "address": each.address.hex, "first_block": each.first_block}
        for each in app.sources.sources
    ]
    if as_json:
        print_json(
            {"indexer": os.getpid(), "chain_id": app.sources.chain_id, "contracts": contracts}
        )
        return
    err.print(f"[bold]inferproof[/] reads events of chain {app.sources.chain_id}")
    for each in contracts:
        err.print(f"  {each['contract']} at {each['address']}, from block {each['first_block']}")


def status_json(found: "IndexStatus") -> dict[str, Any]:
    """The status as JSON. Blocks are numbers; -1 stands before the first one."""
    own = [each for each in found.sets if each.digest == found.digest]
    others = [each for each in found.sets if each.digest != found.digest]
    return {
        "chain_id": found.sources.chain_id,
        "head": found.head,
        "set": found.digest.hex,
        **_set_json(found, own[0] if own else None),
        "others": [
            {"set": each.digest.hex, "chain_id": each.chain_id, "events": each.events}
            for each in others
        ],
    }


def _set_json(found: "IndexStatus", own: "SetSummary | None") -> dict[str, Any]:
    from inferproof.types.indexing import NO_BLOCK, Coverage

    first = found.sources.first_block
    covered = Coverage() if own is None else own.covered
    gaps = list(covered.gaps(first, found.head)) if found.head >= first else []
    return {
        "contracts": [
            {"contract": each.name, "address": each.address.hex, "first_block": each.first_block}
            for each in found.sources.sources
        ]
        if own is None
        else [
            {"contract": each["name"], **{k: each[k] for k in ("address", "first_block")}}
            for each in json.loads(own.sources)
        ],
        "events": 0 if own is None else own.events,
        "confirmed": NO_BLOCK if own is None else own.confirmed,
        "read_to": NO_BLOCK if covered.last is None else covered.last,
        "not_read": [list(gap) for gap in gaps],
        "lag": sum(last - start + 1 for start, last in gaps),
    }


def _show(found: "IndexStatus", *, as_json: bool) -> None:
    told = status_json(found)
    if as_json:
        print_json(told)
        return
    out.print(f"[bold]chain[/]      {told['chain_id']}, block {told['head']}")
    for each in told["contracts"]:
        where = f"{each['address']}, from block {each['first_block']}"
        out.print(f"[bold]contract[/]   {plain(each['contract'])} at {where}")
    out.print(f"[bold]events[/]     {told['events']}")
    out.print(f"[bold]read to[/]    block {told['read_to']}, confirmed to {told['confirmed']}")
    for first, last in told["not_read"]:
        out.print(f"[bold]not read[/]   blocks {first} to {last}")
    for each in told["others"]:
        out.print(
            f"[bold]others[/]     {each['events']} events of chain {each['chain_id']}, read under "
            f"other settings ({each['set']})"
        )

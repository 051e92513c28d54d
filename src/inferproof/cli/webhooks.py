"""`inferproof webhooks`: the operator's look at notices that nobody took."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, print_table
from inferproof.cli.parts import need

LISTED = 100


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(help="Webhooks of this machine's gateway.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("dead")(dead)
    app.add_typer(group, name="webhooks")


def dead(
    retry: Annotated[
        int | None, typer.Option(metavar="ID", help="Try this one again, with all attempts.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="The gateway's data folder; else as its settings say.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List webhooks that were given up, newest first, or have one tried again."""
    with failures(as_json=as_json):
        need("webhooks", "inferproof.app.stores", extra="server")
        found = asyncio.run(_dead(retry, data_dir))
    if as_json:
        print_json({"webhooks": found})
        return
    if retry is not None:
        out.print(f"webhook {retry} is due again")
        return
    table = Table("id", "job", "state", "address", "attempts", "why", box=None)
    for row in found:
        cells = (row["id"], row["job_id"], row["state"], row["url"], row["attempts"], row["why"])
        table.add_row(*map(plain, cells))
    print_table(table)


async def _dead(retry: int | None, data_dir: Path | None) -> list[dict[str, Any]]:
    from inferproof.app.stores import open_stores
    from inferproof.settings import Settings
    from inferproof.storage.ports.deliveries import DeliveryState
    from inferproof.storage.sql.deliveries import SqlDeliveries

    settings = Settings.load(**({} if data_dir is None else {"data_dir": data_dir}))
    async with open_stores(settings) as stores:
        book = SqlDeliveries(stores.database)
        if retry is None:
            found = list(await book.in_state(DeliveryState.DEAD, limit=LISTED))
        else:
            found = [await book.retry(retry, now=int(time.time()))]
    return [
        {
            "id": one.number,
            "job_id": one.job_id.hex,
            "state": one.job_state.value,
            "url": one.url,
            "attempts": one.attempts,
            "at": one.at,
            "why": one.problem,
        }
        for one in found
    ]

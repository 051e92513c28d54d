"""`inferproof provider run`: serves the orders of an escrow, or says which it would serve."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.console import JsonFlag, err, failures, out, plain, print_json, print_table
from inferproof.cli.parts import need

if TYPE_CHECKING:
    from rich.table import Table

    from inferproof.services.provider.base import Verdict
    from inferproof.settings import Settings


def run_provider(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of database, proofs, models and keys.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say which open orders would be served, and serve none."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Serve the orders of an escrow: accept, prove, deliver, be paid by the contract.

    A gateway that also follows the escrow that INFERPROOF_ESCROW_ADDRESS names, with the gateway's
    key as its server. An order is accepted when its input comes in with it. With --dry-run each
    open order is shown with what it would bring, or why it is not served; nothing is sent.
    """
    given = {"host": host, "port": port, "data_dir": data_dir}
    with failures(as_json=as_json):
        need("serving orders", "uvloop", "inferproof.app.gateway", extra="server")
        from inferproof.app.providing import look_at_orders, require_escrow
        from inferproof.observability.logs import set_up_logs
        from inferproof.server.processes import run_gateway
        from inferproof.settings import Settings, variable

        os.environ |= {variable(k): str(v) for k, v in given.items() if v is not None}
        settings = Settings.load()
        require_escrow(settings)
        if dry_run:
            _show(asyncio.run(look_at_orders(settings)), settings, as_json=as_json)
            return
        set_up_logs(
            settings.log_level, settings.log_format, traced=settings.otel_endpoint is not None
        )
        run_gateway(settings, announce=lambda url, _: _announce(url, settings, as_json=as_json))


def _announce(url: str, settings: "Settings", *, as_json: bool) -> None:
    server, escrow = settings.signing_key().address.hex, settings.escrow_address
    if as_json:
        print_json({"url": url, "server": server, "escrow": escrow})
        return
    err.print(f"[bold]inferproof[/] serves orders at {url}")
    err.print(f"  server {server}, escrow {plain(str(escrow))}")
    err.print(f"  data in {plain(settings.data_dir)}")


def _show(verdicts: "list[Verdict]", settings: "Settings", *, as_json: bool) -> None:
    rows = [_row(verdict, settings) for verdict in verdicts]
    if as_json:
        print_json({"orders": rows})
    elif rows:
        print_table(_table(rows))
    else:
        out.print("no open orders")


def _table(rows: "list[dict[str, Any]]") -> "Table":
    from rich.table import Table

    table = Table("order", "", "model", "earns", "bond", "deliver by", "why not", box=None)
    for row in rows:
        table.add_row(
            row["order"][:18],
            row["standing"],
            plain(row["model"] or ""),
            plain(f"{row['earns']} {row['symbol']}"),
            row["bond"],
            str(row["deliver_by"]),
            plain(row["why"] or ("" if row["has_input"] else "waits for its input")),
        )
    return table


def _row(verdict: "Verdict", settings: "Settings") -> dict[str, Any]:
    from inferproof.types.money import format_units

    order, decimals, why = verdict.order.order, settings.asset.decimals, verdict.why
    return {
        "order": verdict.order.id.hex,
        "standing": verdict.standing.value,
        "model": verdict.model,
        "price": format_units(order.price, decimals),
        "earns": format_units(verdict.earns, decimals),
        "bond": format_units(order.bond, decimals),
        "symbol": settings.asset.symbol,
        "accept_by": order.accept_by,
        "deliver_by": order.deliver_by,
        "rescue_by": order.rescue_by,
        "has_input": verdict.has_input,
        "reason": None if why is None else why.code,
        "why": None if why is None else why.message,
    }

"""`inferproof revenue`: what orders brought developers and platform, and paying developers."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.console import (
    JsonFlag,
    err,
    failures,
    out,
    plain,
    print_json,
    print_table,
)
from inferproof.cli.parts import need
from inferproof.protocol.revenue import SENTENCES
from inferproof.types.money import Asset, format_units
from inferproof.types.revenue import Holder, Payout, StatementLine

if TYPE_CHECKING:
    from inferproof.services.revenue.service import Planned
    from inferproof.settings import Settings
    from inferproof.storage.ports.revenue import Period
    from inferproof.types.revenue import Balance

DataDirOption = Annotated[Path | None, typer.Option(help="Folder of the gateway's database.")]
PAGE = 500


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(help="What orders brought, and paying developers.", no_args_is_help=True)
    group.command("statement")(statement)
    group.command("payout")(payout)
    app.add_typer(group, name="revenue")


def statement(
    since: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="First day, as 2026-01-31, in UTC; or Unix seconds."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="The day after the last one, likewise.")
    ] = None,
    data_dir: DataDirOption = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print a CSV file and nothing else.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Tell what each order brought its developer and the platform, or why it brought nothing.

    Settings come from INFERPROOF_… variables, as for serve. It asks no chain, and may run while
    the gateway does. Orders that were paid by whatever method are in one statement.
    """
    times = [None if text is None else _time(text) for text in (since, until)]
    if csv and as_json:
        raise typer.BadParameter("--csv and --json exclude each other")
    with failures(as_json=as_json):
        need("telling of revenue", "inferproof.app.revenue", extra="server")
        from inferproof.services.revenue.views import csv_text
        from inferproof.settings import Settings
        from inferproof.storage.ports.revenue import Period

        settings = Settings.load(**({} if data_dir is None else {"data_dir": data_dir}))
        told = asyncio.run(_told(settings, Period(*times)))
        if csv:
            sys.stdout.write(csv_text(told[0]))
        elif as_json:
            print_json(_statement_json(settings.asset, *told))
        else:
            _show(settings.asset, *told)


def payout(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be paid, and store nothing.")
    ] = False,
    data_dir: DataDirOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Pay developers all that is due to them, in as few transactions as hold it.

    Payouts are stored here; the gateway that serves with this database signs and sends them, each
    exactly once, now or when it runs next. Who is due less than the least payout waits.
    """
    with failures(as_json=as_json):
        need("paying developers", "inferproof.app.revenue", extra="server")
        from inferproof.app.revenue import plan_payouts
        from inferproof.services.revenue.views import balance_json, payout_json
        from inferproof.settings import Settings

        settings = Settings.load(**({} if data_dir is None else {"data_dir": data_dir}))
        planned = asyncio.run(plan_payouts(settings, dry=dry_run))
        if as_json:
            print_json(
                {
                    "dry_run": dry_run,
                    "payouts": [payout_json(each) for each in planned.payouts],
                    "left": [
                        balance_json(balance) | {"reason": why.value, "why": SENTENCES[why]}
                        for balance, why in planned.left
                    ],
                    "lacking": str(planned.lacking),
                }
            )
        else:
            _show_planned(settings.asset, planned, dry=dry_run)


async def _told(
    settings: "Settings", period: "Period"
) -> "tuple[list[StatementLine], list[Balance], list[Payout]]":
    from inferproof.app.revenue import open_revenue

    async with open_revenue(settings) as revenue:
        lines: list[StatementLine] = []
        while more := await revenue.lines(
            period, after=lines[-1].facts.number if lines else 0, limit=PAGE
        ):
            lines += more
        payouts: list[Payout] = []
        while found := await revenue.payouts(after=payouts[-1].number if payouts else 0):
            payouts += found
        return lines, list(await revenue.balances()), payouts


def _statement_json(
    asset: Asset,
    lines: "list[StatementLine]",
    balances: "list[Balance]",
    payouts: "list[Payout]",
) -> dict[str, Any]:
    from inferproof.services.revenue.views import balance_json, line_json, payout_json

    return {
        "network": asset.network.caip2,
        "token": asset.address.hex,
        "lines": [line_json(line) for line in lines],
        "totals": {name: str(amount) for name, amount in _totals(lines).items()},
        "balances": [balance_json(balance) for balance in balances],
        "payouts": [payout_json(payout) for payout in payouts],
    }


def _totals(lines: "list[StatementLine]") -> dict[str, int]:
    return {
        "price": sum(line.shares.price for line in lines),
        "developer": sum(line.shares.developer for line in lines),
        "platform": sum(line.shares.platform for line in lines),
        "paid": sum(line.shares.developer for line in lines if line.unpaid is None),
        "fees": sum(line.facts.fee for line in lines if line.facts.entry is not None),
        "in_escrow": sum(line.shares.price for line in lines if line.received_in is Holder.ESCROW),
    }


def _show(
    asset: Asset,
    lines: "list[StatementLine]",
    balances: "list[Balance]",
    payouts: "list[Payout]",
) -> None:
    from rich.table import Table

    def units(amount: int) -> str:
        return format_units(amount, asset.decimals)

    table = Table("order", "made", "model", "price", "developer", "platform", "paid")
    for line in lines:
        facts, shares = line.facts, line.shares
        in_payout = "" if facts.payout is None else f"payout {facts.payout.number}"
        table.add_row(
            str(facts.number),
            datetime.fromtimestamp(facts.created_at, UTC).strftime("%Y-%m-%d %H:%M"),
            plain(facts.model),
            units(facts.price),
            units(shares.developer),
            units(shares.platform),
            in_payout if line.unpaid is None else f"no: {SENTENCES[line.unpaid]}",
        )
    print_table(table)
    totals = _totals(lines)
    out.print(
        f"[bold]{len(lines)} orders[/]: developers {units(totals['developer'])}, platform "
        f"{units(totals['platform'])} {plain(asset.symbol)}; paid {units(totals['paid'])}"
    )
    if totals["in_escrow"]:
        out.print(
            f"  of it {units(totals['in_escrow'])} came into the gateway's balance in the escrow, "
            f"less fees of {units(totals['fees'])}; payouts are made of its account"
        )
    for balance in balances:
        out.print(f"  due to {balance.developer}: {units(balance.amount)} of {balance.orders}")
    for payout in payouts:
        where = "" if payout.transaction is None else f" in {payout.transaction}"
        out.print(f"  payout {payout.number}: {units(payout.total)}, {payout.state.value}{where}")


def _show_planned(asset: Asset, planned: "Planned", *, dry: bool) -> None:
    symbol = plain(asset.symbol)
    for payout in planned.payouts:
        out.print(f"[bold]payout {payout.number}[/]{', not stored' if dry else ''}")
        for item in payout.items:
            amount = format_units(item.amount, asset.decimals)
            out.print(f"  {item.developer} {amount} {symbol}")
    for balance, why in planned.left:
        amount = format_units(balance.amount, asset.decimals)
        out.print(f"left out: {balance.developer} {amount} {symbol}: {SENTENCES[why]}")
    if not planned.payouts:
        err.print("nothing is to be paid")
    if planned.lacking:
        amount = format_units(planned.lacking, asset.decimals)
        out.print(
            f"the account lacks {amount} {symbol}, which payouts wait for: what escrows paid is in "
            "the gateway's balance there until it is taken out"
        )


def _time(text: str) -> int:
    """Unix seconds of a day's beginning in UTC, or as they are given."""
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return int(text)
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise typer.BadParameter("a day looks like 2026-01-31") from None

"""`inferproof books check`: orders, settlements, refunds and balances, to the atomic unit."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.console import JsonFlag, err, failures, out, plain, print_json
from inferproof.cli.parts import need
from inferproof.errors import InferproofError
from inferproof.types.digest import Address
from inferproof.types.money import Asset, format_units
from inferproof.types.reconciliation import BooksReport, Tally, Transfer

if TYPE_CHECKING:
    from inferproof.settings import Settings

SHOWN = 10
"""Transfers that belong to no job are listed up to here; --json lists more."""


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(help="The gateway's books.", no_args_is_help=True)
    group.command("check")(check)
    group.callback()(_only)
    app.add_typer(group, name="books")


def _only() -> None:
    """The gateway's books."""


def check(
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the gateway's database.")] = None,
    rpc: Annotated[
        str | None, typer.Option(help="Node to ask, in place of the gateway's own.")
    ] = None,
    from_block: Annotated[
        int | None,
        typer.Option(min=0, help="First block to read; by default the first order's."),
    ] = None,
    opening: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS=UNITS",
            help="Balance before that block, in atomic units, where the node has forgotten it.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold the order book against the chain; exit with 1 if they disagree anywhere.

    Settings come from INFERPROOF_… variables, as for serve. It changes nothing, needs no key,
    and may run while the gateway does.
    """
    openings = dict(_opening(text) for text in opening or [])
    given = {"data_dir": data_dir, "rpc_url": rpc}
    with failures(as_json=as_json):
        need("checking the books", "inferproof.app.reconciliation", extra="server")
        from inferproof.settings import Settings

        settings = Settings.load(**{k: v for k, v in given.items() if v is not None})
        report = asyncio.run(_check(settings, from_block, openings))
        if as_json:
            print_json(report_json(report, settings.asset))
        else:
            _show(report, settings.asset)
    if not report.balanced:
        raise typer.Exit(1)


async def _check(
    settings: "Settings", from_block: int | None, openings: dict[Address, int]
) -> BooksReport:
    from inferproof.app.reconciliation import open_books

    async with open_books(settings) as books:
        return await books.check(first_block=from_block, openings=openings)


def _opening(text: str) -> tuple[Address, int]:
    address, _, units = text.partition("=")
    if not units.isascii() or not units.isdigit() or len(units) > 78:
        raise typer.BadParameter("an opening balance looks like 0x…=250000")
    try:
        return Address.from_hex(address), int(units)
    except InferproofError as error:
        raise typer.BadParameter(error.message) from None


def report_json(report: BooksReport, asset: Asset) -> dict[str, Any]:
    """The report as JSON. Amounts are decimal text in atomic units."""

    def tally(value: Tally) -> dict[str, Any]:
        return {"count": value.count, "amount": str(value.amount)}

    return {
        "balanced": report.balanced,
        "network": asset.network.caip2,
        "token": asset.address.hex,
        "first_block": report.first_block,
        "last_block": report.last_block,
        "accounts": [
            {"address": a.address.hex, "opening": str(a.opening), "closing": str(a.closing)}
            for a in report.accounts
        ],
        "jobs": {state.value: tally(value) for state, value in sorted(report.jobs.items())},
        "pending": {state.value: tally(value) for state, value in report.pending.items()},
        **{
            name: tally(getattr(report, name))
            for name in (
                *("settled", "arriving", "refunded", "returning", "earlier", "later"),
                *("other_income", "other_outgo", "internal"),
            )
        },
        "earned": str(report.earned),
        "left_out": report.left_out,
        "calls": report.calls,
        "other_calls": report.other_calls,
        "other_transfers": [_transfer_json(transfer) for transfer in report.listed],
        "discrepancies": [
            {
                "code": found.code,
                "message": found.sentence,
                "job_id": None if found.job_id is None else found.job_id.hex,
            }
            for found in report.discrepancies
        ],
    }


def _transfer_json(transfer: Transfer) -> dict[str, Any]:
    return {
        "transaction": transfer.tx.hex,
        "block": transfer.block,
        "from": transfer.sender.hex,
        "to": transfer.recipient.hex,
        "amount": str(transfer.amount),
    }


def _show(report: BooksReport, asset: Asset) -> None:
    def money(amount: int) -> str:
        sign = "-" if amount < 0 else ""
        return plain(f"{sign}{format_units(abs(amount), asset.decimals)} {asset.symbol}")

    def line(name: str, tally: Tally) -> None:
        if tally.count:
            out.print(f"  {name}: {tally.count}, {money(tally.amount)}")

    out.print(f"blocks {report.first_block} to {report.last_block} of {asset.network}")
    line("settled", report.settled)
    line("settled, about to be recorded", report.arriving)
    line("refunded", report.refunded)
    line("refunded, about to be recorded", report.returning)
    for state, tally in report.pending.items():
        line(f"pending, {state.value}", tally)
    line("recorded in earlier blocks, not looked up", report.earlier)
    line("recorded in later blocks, not looked up", report.later)
    line("other income", report.other_income)
    line("other outgo", report.other_outgo)
    for transfer in report.listed[:SHOWN]:
        way = f"{transfer.sender} to {transfer.recipient}"
        out.print(f"    {money(transfer.amount)} from {way} in {transfer.tx}")
    if len(report.listed) > SHOWN:
        out.print(f"    and {len(report.listed) - SHOWN} more; see --json")
    if report.calls:
        out.print(f"  calls that were bought before: {report.calls}")
    if report.other_calls:
        out.print(f"  other calls that were taken: {report.other_calls}")
    if report.left_out:
        out.print(f"  jobs paid in other tokens, not looked at: {report.left_out}")
    for found in report.discrepancies:
        about = f" (job {found.job_id})" if found.job_id is not None else ""
        err.print(f"[bold red]{found.code}[/] {plain(found.sentence)}{about}")
    if report.balanced:
        jobs = sum(tally.count for tally in report.jobs.values())
        held = sum(account.closing for account in report.accounts)
        out.print(
            f"[bold]books balanced[/]: {jobs} jobs, earned {money(report.earned)}, "
            f"held {money(held)}"
        )
    else:
        err.print(f"[bold red]books disagree[/] in {len(report.discrepancies)} places")

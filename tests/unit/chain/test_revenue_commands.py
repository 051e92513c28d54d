"""The commands about revenue, as the guide gives them."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from payout_parts import SHARES, TOTAL, Payer
from typer.testing import CliRunner

from inferproof.chain.escrow import open_escrow
from inferproof.chain.rpc import Rpc
from inferproof.cli.main import app
from inferproof.settings import Settings
from inferproof.storage.sql.engine import sqlite_url
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.memory_store import Stores, open_stores


async def run(*words: str, as_json: bool = True) -> tuple[int, Any]:
    asked = ["revenue", *words, "--json"] if as_json else ["revenue", *words]
    result = await asyncio.to_thread(CliRunner().invoke, app, asked)
    return result.exit_code, json.loads(result.stdout) if as_json else result.stdout


@pytest.fixture
async def payer(
    rpc: Rpc, devnet: DevnetInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Payer:
    """A gateway's own account, whose settings are in the environment."""
    made = Payer(rpc, devnet, devnet.token)
    await made.fund()
    given = devnet.settings(tmp_path) | {"gateway_key": made.key.secret().hex()}
    given |= {"payout_least_units": 1, "database_url": sqlite_url(tmp_path / "orders.db")}
    for name, value in given.items():
        monkeypatch.setenv(f"INFERPROOF_{name.upper()}", str(value))
    Settings.load()
    return made


@pytest.fixture
async def stores(payer: Payer, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(sqlite_url(tmp_path / "orders.db")) as made:
        yield made


async def test_from_a_statement_to_a_payout(payer: Payer, stores: Stores) -> None:
    await payer.earn(stores)
    code, told = await run("statement")
    assert code == 0
    assert told["totals"] == {
        "price": str(TOTAL + 6),
        "developer": str(TOTAL),
        "platform": "6",
        "paid": "0",
        "fees": "0",
        "in_escrow": "0",
    }
    assert {line["reason"] for line in told["lines"]} == {"waits"}
    assert sum(int(balance["amount"]) for balance in told["balances"]) == TOTAL
    assert told["payouts"] == []

    code, dry = await run("payout", "--dry-run")
    assert (code, dry["dry_run"], len(dry["payouts"])) == (0, True, 1)
    assert (await run("statement"))[1] == told
    code, made = await run("payout")
    assert (code, made["payouts"][0]["amount"]) == (0, str(TOTAL))
    assert made["payouts"][0]["state"] == "due"
    assert (await run("payout"))[1]["payouts"] == []

    settler = payer.settler(stores)
    for _ in range(3):
        await settler.settle_once()
    assert sorted(await payer.balances()) == sorted(SHARES)
    code, told = await run("statement")
    assert {(line["reason"], line["payout"]) for line in told["lines"]} == {(None, 1)}
    assert told["totals"]["paid"] == str(TOTAL)
    (payout,) = told["payouts"]
    assert (payout["state"], payout["transaction"]) == ("paid", told["lines"][0]["transaction"])
    assert told["balances"] == []


async def test_a_statement_for_people_and_for_sheets(payer: Payer, stores: Stores) -> None:
    await payer.earn(stores)
    await payer.plan(stores)
    code, text = await run("statement", as_json=False)
    assert code == 0
    assert "2 orders: developers 0.000741, platform 0.000006 devUSDC; paid 0" in text
    assert "no: its payout is in no block yet" in text
    assert "payout 1: 0.000741, due" in text
    code, text = await run("statement", "--csv", as_json=False)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert code == 0
    assert {row["reason"] for row in rows} == {"under_way"}
    assert sorted(int(row["developer_share"]) for row in rows) == sorted(SHARES)


async def test_a_statement_of_some_days(payer: Payer, stores: Stores) -> None:
    await payer.earn(stores)  # orders made 1,000 and 1,001 seconds after 1970
    for words, expected in (
        (["--since", "1001"], 1),
        (["--until", "1970-01-01"], 0),
        (["--since", "1970-01-01", "--until", "1970-01-02"], 2),
        (["--since", "1970-01-02"], 0),
    ):
        code, told = await run("statement", *words)
        assert (code, len(told["lines"])) == (0, expected)
    assert (await run("statement", "--since", "yesterday", as_json=False))[0] == 2
    assert (await run("statement", "--csv", "--json", as_json=False))[0] == 2


async def test_what_is_planned_is_told_to_people(payer: Payer, stores: Stores) -> None:
    await payer.earn(stores)
    code, text = await run("payout", "--dry-run", as_json=False)
    assert code == 0
    assert "payout 1, not stored" in text
    assert f"{payer.developers[0]} 0.0007 devUSDC" in text
    code, text = await run("payout", as_json=False)
    assert "not stored" not in text


async def test_what_the_account_lacks_is_told(payer: Payer, stores: Stores) -> None:
    """It has the money in an escrow alone."""
    await payer.earn(stores)
    assert (await run("payout", "--dry-run"))[1]["lacking"] == "0"
    escrow = await open_escrow(payer.rpc, payer.devnet.escrow)
    await escrow.deposit(payer.asset.address, 10 * TOTAL - 1, payer.key)
    assert (await run("payout", "--dry-run"))[1]["lacking"] == str(TOTAL - 1)
    code, text = await run("payout", "--dry-run", as_json=False)
    assert code == 0
    assert "the account lacks 0.00074 devUSDC, which payouts wait for" in " ".join(text.split())


async def test_what_is_left_out_has_its_reason(
    payer: Payer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFERPROOF_PAYOUT_LEAST_UNITS", "100")
    await payer.earn(stores)
    code, told = await run("payout", "--dry-run")
    assert code == 0
    (left,) = told["left"]
    assert (left["amount"], left["reason"]) == ("41", "small")
    assert left["why"] == "less is due to the developer than the least payout"
    code, text = await run("payout", "--dry-run", as_json=False)
    assert "left out:" in text
    code, told = await run("statement")
    assert {line["reason"] for line in told["lines"]} == {"waits", "small"}


async def test_without_a_contract(
    payer: Payer, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFERPROOF_PAYOUTS_ADDRESS")
    await payer.earn(stores)
    code, told = await run("payout")
    assert (code, told["reason"]) == (1, "PAYOUTS_NOT_SET")
    assert (await run("statement"))[0] == 0

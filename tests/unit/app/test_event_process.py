"""Reading events by settings: one process of its own, its commands, and a gateway that does it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner
from waiting import until

from inferproof.app.gateway import build
from inferproof.app.indexing import build_indexer, index_terms, make_history, required_sources
from inferproof.app.indexing import rebuild as rebuild_index
from inferproof.chain.abi import calldata
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.cli.main import app
from inferproof.errors import Conflict, Misconfigured, Reason
from inferproof.protocol.indexing import set_digest
from inferproof.services.indexer.history import EventQuery
from inferproof.settings import PREFIX, Settings
from inferproof.storage.sql.engine import Database
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects

ADDRESS = "0x" + "ab" * 20


def environment(devnet: DevnetInfo, folder: Path, **more: str) -> dict[str, str]:
    given = {
        "rpc_url": devnet.rpc_url,
        "chain_id": str(devnet.chain_id),
        "data_dir": str(folder / "data"),
        "index_contracts": json.dumps([f"DevnetUSD={devnet.token.address}@0"]),
        "index_confirmations": "1",
        "index_every_s": "0.05",
        **more,
    }
    return {PREFIX + name.upper(): text for name, text in given.items()}


@pytest.fixture
def given(devnet: DevnetInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    named = environment(devnet, tmp_path)
    for name, text in named.items():
        monkeypatch.setenv(name, text)
    return named


def ask(*words: str, code: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["indexer", *words, "--json"])
    assert done.exit_code == code, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_status_and_rebuild(given: dict[str, str], devnet: DevnetInfo) -> None:
    before = ask("status")
    contract = {"contract": "DevnetUSD", "address": devnet.token.address.hex, "first_block": 0}
    assert before["contracts"] == [contract]
    assert (before["events"], before["read_to"], before["confirmed"]) == (0, -1, -1)
    assert before["not_read"] == [[0, before["head"]]]
    assert before["lag"] == before["head"] + 1
    after = ask("rebuild")
    assert after["events"] >= 3
    assert (after["not_read"], after["lag"], after["read_to"]) == ([], 0, after["head"])
    assert ask("status") == after | {"head": ask("status")["head"]}
    shown = CliRunner().invoke(app, ["indexer", "status"]).stdout
    assert f"DevnetUSD at {devnet.token.address}, from block 0" in shown


def test_what_was_read_under_other_settings_is_forgotten(
    given: dict[str, str], devnet: DevnetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask("rebuild")
    contracts = json.dumps([f"DevnetUSD={devnet.token.address}@1"])
    monkeypatch.setenv("INFERPROOF_INDEX_CONTRACTS", contracts)
    second = ask("rebuild")
    assert second["others"] == [
        {"set": first["set"], "chain_id": devnet.chain_id, "events": first["events"]}
    ]
    assert ask("rebuild", "--forget-others")["others"] == []


async def test_a_process_reads_while_it_runs(
    devnet: DevnetInfo, tmp_path: Path, url_of_kind: Callable[[str], str]
) -> None:
    named = {"rpc_url": devnet.rpc_url, "data_dir": tmp_path, "index_every_s": 0.02}
    contract = f"DevnetUSD={devnet.token.address}@0"
    settings = Settings.load(**named, index_contracts=[contract], database_url=url_of_kind("file"))
    async with build_indexer(settings) as running:

        async def caught_up() -> bool:
            return "inferproof_index_lag_blocks 0.0" in running.metrics.render().decode()

        await until(caught_up, "all is read")
        found = await running.readiness.find()
        assert all(each.ok for each in found.values()), found
        async with Rpc(devnet.rpc_url) as rpc:
            owner = devnet.accounts.owner
            data = calldata("mint(address,uint256)", owner.address, 5)
            await transact(rpc, owner, to=devnet.token.address, data=data, what="mint")
        database = await Database.open(settings.database)
        history = make_history(settings, database)
        assert history is not None

        async def minted() -> bool:
            page = await history.page(EventQuery(contract="DevnetUSD", event="Transfer"))
            fields = page.events[-1].fields if page.events else None
            return fields is not None and fields["value"] == "5"

        await until(minted, "the new event is read")
        await database.close()
        with pytest.raises(Misconfigured) as caught:  # a SQLite file has one process that stays
            await rebuild_index(settings, forget_others=False, report=print)
        assert caught.value.reason is Reason.DATABASE_IN_USE
    assert "inferproof_index_events_total" in running.metrics.render().decode()


@pytest.mark.postgres
async def test_beside_one_that_reads_nothing_is_rebuilt(
    devnet: DevnetInfo, tmp_path: Path, url_of_kind: Callable[[str], str]
) -> None:
    contract = f"DevnetUSD={devnet.token.address}@0"
    settings = Settings.load(
        rpc_url=devnet.rpc_url,
        data_dir=tmp_path,
        index_contracts=[contract],
        database_url=url_of_kind("postgres"),
    )
    sources = settings.sources
    assert sources is not None
    database = await Database.open(settings.database)
    lock = database.leader_lock(f"indexer of {set_digest(sources)}")
    assert await lock.held()
    with rejects(
        Reason.INDEX_TAKEN,
        "another process changed the index of chain 31337 meanwhile; one at a time reads it",
        kind=Conflict,
    ):
        await rebuild_index(settings, forget_others=False, report=print)
    await database.close()


def test_without_contracts_nothing_is_read() -> None:
    with rejects(
        Reason.INDEX_NO_SOURCES,
        "no contract is named whose events are read; set INFERPROOF_INDEX_CONTRACTS",
        kind=Misconfigured,
    ):
        required_sources(Settings.load())
    assert Settings.load().sources is None


@pytest.mark.parametrize(
    ("contracts", "problem"),
    [
        ([f"Nothing={ADDRESS}@1"], "this release knows no contract Nothing: the contract artifact"),
        ([f"../x={ADDRESS}@1"], "../x names no contract"),
        ([f"TokenStateReader={ADDRESS}@1"], "the contract TokenStateReader has no events"),
        ([f"Openings={ADDRESS}@1", f"ModelRegistry={ADDRESS}@2"], "an address stands in it twice"),
        (["ModelRegistry"], "ModelRegistry is not NAME=ADDRESS@BLOCK"),
        (["ModelRegistry=0x12@1"], "'0x12' is not an address"),
        ([f"ModelRegistry={ADDRESS}@-1"], "is not NAME=ADDRESS@BLOCK"),
    ],
)
def test_contracts_that_cannot_be_read(contracts: list[str], problem: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        required_sources(Settings.load(index_contracts=contracts))
    assert caught.value.reason is Reason.SETTING_WRONG
    assert "INFERPROOF_INDEX_CONTRACTS" in caught.value.message
    assert problem.partition("'")[0] in caught.value.message


def test_fewer_headers_than_confirmations() -> None:
    with rejects(
        Reason.SETTING_WRONG,
        "the setting INFERPROOF_INDEX_KEPT_BLOCKS is wrong: it is less than "
        "INFERPROOF_INDEX_CONFIRMATIONS",
        kind=Misconfigured,
    ):
        index_terms(Settings.load(index_kept_blocks=5, index_confirmations=6))


async def test_a_gateway_reads_and_shows_them(devnet: DevnetInfo, tmp_path: Path) -> None:
    settings = Settings.load(
        **devnet.settings(tmp_path)
        | {
            "index_contracts": [f"DevnetUSD={devnet.token.address}@0"],
            "index_every_s": 0.05,
            "admin_token": "correct horse battery staple",
        }
    )
    async with build(settings) as gateway:
        transport = httpx.ASGITransport(gateway.asgi)
        headers = {"Authorization": "Bearer correct horse battery staple"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway.test", headers=headers
        ) as client:

            async def minted() -> bool:
                answer = await client.get("/v1/events", params={"event": "Transfer", "limit": 1})
                assert answer.status_code == 200, answer.text
                return bool(answer.json()["events"])

            await until(minted, "events are shown")
            checks = (await client.get("/ready")).json()["checks"]
            assert checks["indexer"]["ok"], checks


async def test_a_process_that_reads_ends_with_its_block(devnet: DevnetInfo, tmp_path: Path) -> None:
    settings = Settings.load(
        rpc_url=devnet.rpc_url,
        data_dir=tmp_path,
        index_contracts=[f"DevnetUSD={devnet.token.address}@0"],
    )
    async with build_indexer(settings) as running:
        await asyncio.sleep(0)
    assert running.task.cancelled()

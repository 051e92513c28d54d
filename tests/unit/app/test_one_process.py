"""On SQLite a worker process beside a gateway is refused at its start; commands are not."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inferproof.app.stores import open_stores
from inferproof.app.worker import build_worker
from inferproof.cli.main import app
from inferproof.errors import Misconfigured, Reason
from inferproof.settings import Settings
from inferproof.testing.rejections import rejects

KEY = "11" * 32


def settings_of(folder: Path) -> Settings:
    return Settings.load(data_dir=folder, gateway_key=KEY)


def message(folder: Path) -> str:
    return (
        f"another process serves with the database {folder / 'inferproof.db'}; SQLite is for one "
        "gateway process, with settler and worker inside it: stop the other one, or use PostgreSQL"
    )


async def test_a_worker_beside_a_gateway_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with open_stores(settings, serving=True):
        with rejects(Reason.DATABASE_IN_USE, message(tmp_path), kind=Misconfigured):
            async with build_worker(settings):
                pass
    async with build_worker(settings) as alone:
        assert not alone.task.done()


async def test_a_gateway_beside_a_worker_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with build_worker(settings):
        with rejects(Reason.DATABASE_IN_USE, message(tmp_path), kind=Misconfigured):
            async with open_stores(settings, serving=True):
                pass


def test_commands_write_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERPROOF_DATA_DIR", str(tmp_path))
    runner = CliRunner()

    async def serve_and_ask() -> list[str]:
        async with open_stores(settings_of(tmp_path), serving=True) as stores:
            made = await asyncio.to_thread(
                runner.invoke, app, ["keys", "create", "a friend", "--json"]
            )
            assert made.exit_code == 0, made.output
            listed = await asyncio.to_thread(runner.invoke, app, ["webhooks", "dead", "--json"])
            assert json.loads(listed.stdout) == {"webhooks": []}
            return [key.label for key in await stores.api_keys.list()]

    assert asyncio.run(serve_and_ask()) == ["a friend"]

"""API keys: made, recognised, revoked."""

import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from postgres_server import KINDS
from typer.testing import CliRunner

from inferproof.cli.main import app
from inferproof.errors import NotFound, Reason, RequestRejected
from inferproof.services.limits.keys import ApiKeys, new_key
from inferproof.storage.sql.api_keys import SqlApiKeys
from inferproof.storage.sql.engine import Database
from inferproof.testing.rejections import rejects

UNKNOWN = "the API key is not one of this gateway's, or was revoked"


@pytest.fixture(params=KINDS)
async def store(
    request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]
) -> AsyncIterator[SqlApiKeys]:
    database = await Database.open(url_of_kind(request.param))
    yield SqlApiKeys(database)
    await database.close()


async def test_what_is_added_is_found_listed_and_revoked(store: SqlApiKeys) -> None:
    first, _ = new_key("one", 10, entropy=os.urandom, now=5)
    second, _ = new_key("two", 1, entropy=os.urandom, now=6)
    await store.add(second)
    await store.add(first)
    assert await store.list() == [first, second]
    assert await store.find(first.id) == first
    assert await store.find("0" * 16) is None
    assert await store.find("\x00") is None
    assert (await store.revoke(first.id, now=9)).revoked_at == 9
    assert (await store.revoke(first.id, now=10)).revoked_at == 9
    with rejects(
        Reason.API_KEY_NOT_FOUND,
        "there is no API key abc; inferproof keys list shows them",
        kind=NotFound,
    ):
        await store.revoke("abc", now=9)


class TestRecognising:
    @pytest.fixture
    async def store(self) -> AsyncIterator[SqlApiKeys]:
        database = await Database.open("sqlite+aiosqlite:///:memory:")
        yield SqlApiKeys(database)
        await database.close()

    async def test_its_own_secret_opens_it(self, store: SqlApiKeys) -> None:
        key, text = new_key("one", 10, entropy=os.urandom, now=5)
        await store.add(key)
        assert await ApiKeys(store).holder(text) == key
        assert text not in repr(key)

    @pytest.mark.parametrize("spoil", ["secret", "id", "prefix", "empty", "long", "unicode"])
    async def test_everything_else_is_unknown(self, store: SqlApiKeys, spoil: str) -> None:
        key, text = new_key("one", 10, entropy=os.urandom, now=5)
        await store.add(key)
        last = "A" if text[-2] != "A" else "B"
        given = {
            "secret": text[:-2] + last + text[-1],
            "id": text.replace(key.id, "0" * 16),
            "prefix": text[4:],
            "empty": "",
            "long": text + "A" * 10_000,
            "unicode": "inf_½",
        }[spoil]
        with rejects(Reason.API_KEY_UNKNOWN, UNKNOWN, kind=RequestRejected):
            await ApiKeys(store).holder(given)

    async def test_a_revoked_one_ends_within_five_seconds(self, store: SqlApiKeys) -> None:
        now = 0.0
        keys = ApiKeys(store, clock=lambda: now)
        key, text = new_key("one", 10, entropy=os.urandom, now=5)
        assert not keys.remembers(text)
        await store.add(key)
        await keys.holder(text)
        assert keys.remembers(text)
        await store.revoke(key.id, now=9)
        now = 5.0
        with rejects(
            Reason.API_KEY_UNKNOWN, "the API key is not one of this gateway's, or was revoked"
        ):
            await keys.holder(text)

    @pytest.mark.slow
    async def test_made_up_keys_fill_no_memory(self, store: SqlApiKeys) -> None:
        keys = ApiKeys(store)
        for number in range(4100):
            with pytest.raises(RequestRejected):
                await keys.holder(f"inf_{number:016x}_{'A' * 43}")
        assert len(keys._read) == 4096


@pytest.mark.parametrize("label", ["", "x" * 101])
def test_labels(label: str) -> None:
    with rejects(
        Reason.API_KEY_LABEL,
        f"the label of an API key is 1 to 100 characters, this one has {len(label)}",
    ):
        new_key(label, 1, entropy=os.urandom, now=0)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERPROOF_DATA_DIR", str(tmp_path))

    def run(*arguments: str) -> dict[str, object]:
        done = CliRunner().invoke(app, ["keys", *arguments, "--json"])
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.stdout))

    made = run("create", "a partner", "--times", "5")
    assert str(made["key"]).startswith(f"inf_{made['id']}_")
    assert (made["label"], made["times"], made["revoked_at"]) == ("a partner", 5, None)
    (listed,) = run("list")["keys"]  # type: ignore[misc]
    assert "key" not in listed
    assert str(made["key"])[21:] not in json.dumps(listed)
    assert run("revoke", str(made["id"]))["revoked_at"] is not None
    gone = CliRunner().invoke(app, ["keys", "revoke", "0" * 16, "--json"])
    assert gone.exit_code == 1
    assert json.loads(gone.stdout)["reason"] == "API_KEY_NOT_FOUND"

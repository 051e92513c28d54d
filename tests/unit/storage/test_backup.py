"""Backup and restore, between both databases; what is damaged, half done or in the way."""

import asyncio
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opening_budget_suite import KEY
from order_book_suite import brought_to, digest, order, send_settlement, transaction
from postgres_server import KINDS

from inferproof.app.backup import Summary, backup, restore
from inferproof.errors import (
    ArtifactRejected,
    Conflict,
    Misconfigured,
    Reason,
    Unavailable,
)
from inferproof.settings import Settings
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.storage.ports.jobs import Outcome
from inferproof.storage.ports.outbox import OutboxKind
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import GATEWAY
from inferproof.types.job import JobState

STATES = sorted(JobState, key=lambda state: state is JobState.QUEUED)


@pytest.fixture(params=KINDS[1:])
def source(
    request: pytest.FixtureRequest, url_of_kind: Callable[[str], str], tmp_path: Path
) -> Settings:
    """A gateway with a job in every state and a blob."""
    settings = Settings(data_dir=tmp_path / "source", database_url=url_of_kind(request.param))
    LocalBlobs(settings.data_dir / "blobs").put(b"a proof")
    (settings.data_dir / "models" / "ab12").mkdir(parents=True)
    asyncio.run(fill(settings))
    return settings


@pytest.fixture(params=KINDS[1:])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An empty gateway."""
    folder = tmp_path / "target"
    folder.mkdir()
    url = f"sqlite+aiosqlite:///{folder / 'restored.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").empty()
    return Settings(data_dir=folder, database_url=url)


async def fill(settings: Settings) -> None:
    async with open_stores(settings.database) as stores:
        for number, state in enumerate(STATES):
            await brought_to(stores.orders, state, number)


async def all_jobs(stores: Stores) -> list[Any]:
    return [await stores.orders.jobs.job(order(n).job_id) for n in range(len(STATES))]


def test_everything_is_there_again(source: Settings, target: Settings, tmp_path: Path) -> None:
    async def run() -> tuple[Summary, Summary]:
        made = await backup(source, tmp_path / "b.tar")
        filled = await restore(target, tmp_path / "b.tar")
        async with open_stores(source.database) as before, open_stores(target.database) as after:
            assert await all_jobs(after) == await all_jobs(before)
            network, sender = transaction(1).network, GATEWAY.address
            outbox = await after.orders.outbox.open_outbox(network, sender)
            assert outbox == await before.orders.outbox.open_outbox(network, sender)
            assert {item.kind for item in outbox} == {OutboxKind.SETTLEMENT, OutboxKind.REFUND}
            # A payment that was taken is taken; a new order gets a number of its own.
            assert (await after.orders.jobs.reserve(order(1))).outcome is Outcome.SAME
            assert (await after.orders.jobs.reserve(order(90))).outcome is Outcome.NEW
            await send_settlement(after.orders, order(90).job_id, transaction(90), now=9)
            assert (
                await after.orders.settlements.settled(order(90).job_id, digest("t"), 1, now=9)
            ).state
        return made, filled

    made, filled = asyncio.run(run())
    assert (made.rows, made.blobs) == (filled.rows, filled.blobs)
    assert made.rows["jobs"] == len(STATES)
    assert filled.missing == ("ab12",)
    name = LocalBlobs(source.data_dir / "blobs").put(b"a proof")
    assert LocalBlobs(target.data_dir / "blobs").get(name) == b"a proof"
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600


def test_a_backup_is_of_one_moment(source: Settings, target: Settings, tmp_path: Path) -> None:
    """Orders are taken all the while; each is in the backup whole, or not at all."""

    async def run() -> None:
        async with open_stores(source.database) as stores:
            done = asyncio.Event()

            async def buyers() -> None:
                number = 1000
                while not done.is_set():
                    await stores.orders.jobs.reserve(order(number))
                    number += 1

            task = asyncio.create_task(buyers())
            await asyncio.sleep(0.05)
            made = await backup(source, tmp_path / "b.tar")
            done.set()
            await task
        assert made.rows["jobs"] == made.rows["payment_reservations"] == made.rows["settlements"]
        await restore(target, tmp_path / "b.tar")

    asyncio.run(run())


def test_openings_of_before_are_spent(source: Settings, target: Settings, tmp_path: Path) -> None:
    """The count in a backup may be behind, and the gateway it was made of may go on."""

    async def run() -> None:
        before = await Database.open(source.database)
        try:
            await SqlOpeningBudgets(before).register(KEY, 9)
            await backup(source, tmp_path / "b.tar")
            await restore(target, tmp_path / "b.tar")
            after = await Database.open(target.database)
            try:
                with rejects(
                    Reason.OPENINGS_COPIED,
                    f"the count of the openings of key {KEY} was copied here or brought back from "
                    "a backup, so they count as spent; prove where it is counted, or bring "
                    "openings from there: inferproof provider openings show DIR here tells the "
                    "store, give DIR --to STORE there writes them, accept FILE here counts them",
                    kind=Conflict,
                ):
                    await SqlOpeningBudgets(after).take(KEY)
            finally:
                await after.close()
            assert (await SqlOpeningBudgets(before).take(KEY)).slot == 0
        finally:
            await before.close()

    asyncio.run(run())


@pytest.fixture
def made(source: Settings, tmp_path: Path) -> Path:
    asyncio.run(backup(source, tmp_path / "b.tar"))
    return tmp_path / "b.tar"


@pytest.fixture
def plain_target(tmp_path: Path) -> Settings:
    folder = tmp_path / "target"
    folder.mkdir()
    return Settings(data_dir=folder, database_url=f"sqlite+aiosqlite:///{folder / 'restored.db'}")


def test_what_is_not_empty_is_left_alone(made: Path, plain_target: Settings) -> None:
    asyncio.run(restore(plain_target, made))
    with rejects(
        Reason.RESTORE_NOT_EMPTY,
        "the database holds rows already; a restore needs an empty one, so name another",
        kind=Conflict,
    ):
        asyncio.run(restore(plain_target, made))
    asyncio.run(_opens(plain_target))


async def _opens(settings: Settings) -> None:
    await (await Database.open(settings.database)).close()


def test_a_migrated_database_without_a_row_is_empty(made: Path, plain_target: Settings) -> None:
    asyncio.run(_opens(plain_target))
    assert asyncio.run(restore(plain_target, made)).rows["jobs"] == len(STATES)


@pytest.mark.parametrize("cut", [100, 5_000, -15_000, -20_000])
def test_a_file_that_is_cut_short_is_refused(made: Path, plain_target: Settings, cut: int) -> None:
    whole = made.read_bytes()
    made.write_bytes(whole[:cut])
    with pytest.raises(ArtifactRejected) as caught:
        asyncio.run(restore(plain_target, made))
    assert caught.value.reason is Reason.BACKUP_DAMAGED
    assert not list((plain_target.data_dir / "blobs").glob("*/*"))


def test_a_changed_byte_is_found(made: Path, plain_target: Settings) -> None:
    data = bytearray(made.read_bytes())
    place = data.index(b'"job_id"') + 20
    data[place] ^= 1
    made.write_bytes(data)
    with pytest.raises(ArtifactRejected) as caught:
        asyncio.run(restore(plain_target, made))
    assert "has changed" in caught.value.message


def test_another_file_is_no_backup(tmp_path: Path, plain_target: Settings) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"hello" * 1000)
    with rejects(
        Reason.BACKUP_DAMAGED,
        f"{other} is no whole backup: it is no tar archive",
        kind=ArtifactRejected,
    ):
        asyncio.run(restore(plain_target, other))


def repacked(path: Path, extra: dict[str, bytes], **changes: object) -> None:
    """The backup with other members, and a manifest that agrees with them."""
    with tarfile.open(path) as tar:
        members = {e.name: tar.extractfile(e).read() for e in tar}  # type: ignore[union-attr]
    manifest = json.loads(members.pop("manifest.json")) | changes
    members |= extra
    manifest["members"] = {n: [hashlib.sha256(d).hexdigest(), len(d)] for n, d in members.items()}
    with tarfile.open(path, "w") as tar:
        for name, data in {**members, "manifest.json": json.dumps(manifest).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "blobs/../../evil", "tables/x.sql"])
def test_a_strange_member_is_refused(made: Path, plain_target: Settings, name: str) -> None:
    repacked(made, {name: b"x"})
    with pytest.raises(ArtifactRejected) as caught:
        asyncio.run(restore(plain_target, made))
    assert "something that no backup holds" in caught.value.message


def test_a_backup_of_a_later_version_is_refused(made: Path, plain_target: Settings) -> None:
    repacked(made, {}, schema="9999")
    with pytest.raises(ArtifactRejected) as caught:
        asyncio.run(restore(plain_target, made))
    assert "its schema 9999 is none of this version's" in caught.value.message


def test_a_restore_that_was_killed_serves_nothing_and_is_run_again(
    made: Path, plain_target: Settings
) -> None:
    """Killed for real, between the blobs and the rows."""
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "import inferproof.app.backup as b\n"
        "from inferproof.settings import Settings\n"
        "b.load = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(b.restore(Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2]),"
        " Path(sys.argv[3])))\n"
    )
    given = [str(plain_target.data_dir), plain_target.database, str(made)]
    ended = subprocess.run([sys.executable, "-c", program, *given], check=False, env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    with rejects(
        Reason.DATABASE_RESTORING,
        "a restore of this database has not ended; run inferproof restore again with its backup",
        kind=Misconfigured,
    ):
        asyncio.run(_opens(plain_target))
    with pytest.raises(Conflict):
        asyncio.run(backup(plain_target, made.with_name("other.tar")))
    assert asyncio.run(restore(plain_target, made)).rows["jobs"] == len(STATES)
    asyncio.run(_opens(plain_target))


def test_a_file_is_never_written_over(source: Settings, made: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(Unavailable) as caught:
        asyncio.run(backup(source, made))
    assert caught.value.reason is Reason.FILE_NOT_WRITTEN
    assert made.read_bytes() == before
    assert not list(made.parent.glob(".b.tar*"))


def test_a_damaged_blob_is_told_and_no_backup_made(source: Settings, tmp_path: Path) -> None:
    (blob,) = (source.data_dir / "blobs").glob("*/*.blob")
    blob.write_bytes(b"another")
    with pytest.raises(Unavailable) as caught:
        asyncio.run(backup(source, tmp_path / "b.tar"))
    assert caught.value.reason is Reason.BLOB_DAMAGED
    assert not (tmp_path / "b.tar").exists()


def test_nothing_to_back_up(tmp_path: Path) -> None:
    with rejects(
        Reason.NOTHING_TO_BACK_UP, f"there is no gateway's data in {tmp_path}", kind=Conflict
    ):
        asyncio.run(backup(Settings(data_dir=tmp_path), tmp_path / "b.tar"))

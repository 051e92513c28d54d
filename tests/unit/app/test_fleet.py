"""Processes of one gateway: which settings they take, and that they begin and end together."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from inferproof import fleet
from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.settings import Settings
from inferproof.testing.rejections import rejects

KEY = "0x" + "11" * 32


def settings(folder: Path, **changes: Any) -> Settings:
    """Settings on a free port; nothing is asked of chain or database by what runs here."""
    given: dict[str, Any] = {
        "port": 0,
        "data_dir": folder,
        "rpc_url": "http://127.0.0.1:9",
        "token_address": "0x" + "22" * 20,
        "gateway_key": KEY,
        "shutdown_s": 1,
        "processes": 2,
        "database_url": "postgresql+asyncpg://nobody@127.0.0.1:9/nothing",
    }
    return Settings.load(**(given | changes))


def test_several_processes_need_a_server(tmp_path: Path) -> None:
    fleet.check_fleet(settings(tmp_path))
    fleet.check_fleet(settings(tmp_path, database_url=None, processes=1))
    with rejects(
        Reason.SETTING_WRONG,
        "the setting INFERPROOF_PROCESSES is wrong: more than 1 needs PostgreSQL; set "
        "INFERPROOF_DATABASE_URL",
        kind=Misconfigured,
    ):
        fleet.check_fleet(settings(tmp_path, database_url=None))


def test_a_facilitator_has_one_process(tmp_path: Path) -> None:
    key = "0x" + "33" * 32
    fleet.check_fleet(settings(tmp_path, facilitator_key=key, processes=1))
    with rejects(
        Reason.SETTING_WRONG,
        "the setting INFERPROOF_PROCESSES is wrong: a facilitator sends with a key of its own, "
        "which one process alone may do; serve it elsewhere, or unset INFERPROOF_FACILITATOR_KEY",
        kind=Misconfigured,
    ):
        fleet.check_fleet(settings(tmp_path, facilitator_key=key))


async def rest(settings: Settings, seat: fleet.Seat, tell: fleet.Tell) -> None:
    """Leaves a file with its number while it runs."""
    told = asyncio.Event()
    fleet._when_told(told.set)
    mark = settings.data_dir / seat.siblings.name
    mark.write_text(str(os.getpid()))
    tell()
    await told.wait()
    mark.unlink()


async def linger(settings: Settings, seat: fleet.Seat, tell: fleet.Tell) -> None:
    """Ends a while after it was told to, and notes whether what is behind it was there still."""
    told = asyncio.Event()
    fleet._when_told(told.set)
    tell()
    await told.wait()
    await asyncio.sleep(0.5)
    (settings.data_dir / "seen").write_text(str((settings.data_dir / "behind").exists()))


async def stay(settings: Settings, seat: fleet.Seat, tell: fleet.Tell) -> None:
    """Does not end when it is told to."""
    fleet._when_told(lambda: None)
    (settings.data_dir / seat.siblings.name).write_text(str(os.getpid()))
    tell()
    await asyncio.sleep(600)


async def refuse(settings: Settings, seat: fleet.Seat, tell: fleet.Tell) -> None:
    """Finds that it cannot run."""
    raise Misconfigured(Reason.SETTING_WRONG, name="a", problem="b")


def _never(_url: str) -> None:
    raise AssertionError("nothing is ready")


@pytest.mark.slow
def test_all_serve_until_the_parent_is_told(tmp_path: Path) -> None:
    names = ["behind", "front 1", "front 2"]
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def announce(url: str) -> None:
        seen.append(url)
        assert sorted(path.name for path in tmp_path.iterdir()) == names
        behind, *fronts = (
            os.getpriority(os.PRIO_PROCESS, int((tmp_path / name).read_text())) for name in names
        )
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert fronts == [own, own]  # what takes requests goes first
        assert behind == min(own + fleet.NICENESS, 19)
        os.kill(os.getpid(), signal.SIGTERM)

    fleet.run_fleet(settings(tmp_path), announce=announce, front=rest, behind=rest)
    assert seen[0].startswith("http://127.0.0.1:")
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_one_that_is_killed_ends_all(tmp_path: Path) -> None:
    def kill(_url: str) -> None:
        os.kill(int((tmp_path / "behind").read_text()), signal.SIGKILL)

    with rejects(
        Reason.PROCESS_ENDED,
        "the gateway's process behind ended with status -9, and the others were stopped; see its "
        "log",
        kind=Unavailable,
    ):
        fleet.run_fleet(settings(tmp_path, processes=1), announce=kill, front=rest, behind=rest)
    assert [path.name for path in tmp_path.iterdir()] == ["behind"]


@pytest.mark.slow
def test_those_that_take_requests_end_before_what_is_behind_them(tmp_path: Path) -> None:
    fleet.run_fleet(
        settings(tmp_path, processes=1),
        announce=lambda _: os.kill(os.getpid(), signal.SIGTERM),
        front=linger,
        behind=rest,
    )
    assert (tmp_path / "seen").read_text() == "True"


@pytest.mark.slow
def test_where_one_ended_unbidden_nobody_is_waited_for_long(tmp_path: Path) -> None:
    began = []

    def kill(_url: str) -> None:
        began.append(time.monotonic())
        os.kill(int((tmp_path / "behind").read_text()), signal.SIGKILL)

    given = settings(tmp_path, processes=1, shutdown_s=600)
    with pytest.raises(Unavailable):
        fleet.run_fleet(given, announce=kill, front=stay, behind=rest)
    assert time.monotonic() - began[0] < fleet.HASTE_S + 20  # loaded machines are slow, not 600
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "front 1").read_text()), 0)


@pytest.mark.slow
def test_one_that_cannot_begin_says_why(tmp_path: Path) -> None:
    with rejects(Reason.SETTING_WRONG, "the setting a is wrong: b", kind=Misconfigured):
        fleet.run_fleet(settings(tmp_path), announce=_never, front=rest, behind=refuse)
    assert not list(tmp_path.iterdir())

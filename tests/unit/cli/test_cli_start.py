"""The command imports what it uses, and knows every command without importing any."""

import subprocess
import sys
from pathlib import Path

import pytest

import inferproof
from inferproof import client
from inferproof.cli.main import ROOMS, commands_of

CLI = Path(inferproof.__path__[0]) / "cli"
HEAVY = ("numpy", "httpx", "pydantic", "inferproof.proving", "inferproof.client", "onnx")


def imported_by(code: str) -> set[str]:
    """The modules that are there after the code has run in an interpreter of its own."""
    shown = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_the_commands_that_the_table_says(room: str) -> None:
    assert sorted(commands_of(room)) == sorted(ROOMS[room])


def test_every_room_is_in_the_table() -> None:
    found = {path.stem for path in CLI.glob("*.py") if "\ndef register(" in path.read_text("utf-8")}
    assert found == set(ROOMS)


def test_the_version_is_told_without_heavy_imports() -> None:
    loaded = imported_by("from inferproof.cli.main import app; import inferproof.cli.console")
    assert not loaded.intersection(HEAVY)


def test_verifying_needs_neither_http_nor_payments() -> None:
    loaded = imported_by("import inferproof.cli.verify, inferproof.proving.isolated")
    assert "inferproof.verify.proof" in loaded
    assert not loaded.intersection(("httpx", "inferproof.payments", "inferproof.client.client"))
    assert not loaded.intersection(("inferproof.proving.ezkl.system", "onnx"))


@pytest.mark.parametrize(("given", "held"), [(None, "1"), ("3", "3")])
def test_numpy_starts_no_threads_unless_it_is_told_to(
    given: str | None, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
    code = """
import os, sys
from inferproof.cli.main import run
sys.argv = ["inferproof", "--version"]
try:
    run()
except SystemExit:
    print(os.environ["OPENBLAS_NUM_THREADS"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == held


def test_the_package_of_the_sdk_has_the_names_that_it_lists_and_no_others() -> None:
    for name in client.__all__:
        assert getattr(client, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        client.Nothing  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        inferproof.nothing  # noqa: B018

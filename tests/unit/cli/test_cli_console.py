"""Every command: help, usage errors, one object for programs, no traceback for people."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from typer.main import get_command
from typer.testing import CliRunner

from inferproof.cli.console import failures, plain, print_table, system_refused
from inferproof.cli.main import app
from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.testing.rejections import rejects

RUNNER = CliRunner()
COMMAND = [sys.executable, "-c", "from inferproof.cli.main import run; run()"]


def program(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """The real command in a process of its own."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        **{"capture_output": True, "timeout": 60, "stdin": subprocess.DEVNULL, **options},
    )


def all_commands() -> list[tuple[str, ...]]:
    def below(command: object, names: tuple[str, ...]) -> list[tuple[str, ...]]:
        children = getattr(command, "commands", {})
        return [names, *(c for n, child in children.items() for c in below(child, (*names, n)))]

    return below(get_command(app), ())


@pytest.mark.parametrize("names", all_commands(), ids=" ".join)
def test_help(names: tuple[str, ...]) -> None:
    result = RUNNER.invoke(app, [*names, "--help"], env={"COLUMNS": "40", "NO_COLOR": "1"})
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert "\x1b[" not in result.stdout


def test_no_arguments_and_unknown_ones_are_usage_errors() -> None:
    assert RUNNER.invoke(app, []).exit_code == 2
    for words in (["nope"], ["verify"], ["verify", "--nope"], ["devnet"], ["provider"], ["model"]):
        result = RUNNER.invoke(app, words)
        assert result.exit_code == 2, words


@pytest.mark.parametrize(
    "words",
    [
        ["models", "127.0.0.1:9100"],
        ["models", "ftp://x"],
        ["models", "http://"],
        ["models", "http://x:99999"],
        ["quote", "x", "m", "--input", "1"],
        ["verify", "r", "--on-chain", "localhost"],
        ["devnet", "up", "--port", "65536"],
        ["devnet", "serve", "--port", "-1"],
        ["verify", ".", "--json"],
        ["verify", "d", "p", "--token", "0x" + "11" * 20],
        ["verify", "d", "p", "--gateway", "0x" + "11" * 20],
        ["verify", "r", "--verifier-contract", "0x" + "11" * 20],
    ],
    ids=" ".join,
)
def test_wrong_usage(words: list[str]) -> None:
    result = RUNNER.invoke(app, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage:" in result.stderr


WITH_A_FILE = [
    ["verify", "{}"],
    ["verify", "{}", "{}"],
    ["model", "inspect", "{}"],
    ["model", "fix", "{}", "--out", "{}.out"],
    ["prove", "{}", "--input", "{}", "--out", "{}.out"],
    ["compile", "{}", "--calibration", "{}", "--out", "{}.out"],
    ["provider", "compile", "{}", "--out", "{}.out"],
    ["quote", "http://127.0.0.1:1", "m", "--input", "@{}"],
    ["call", "http://127.0.0.1:1", "m", "--input", "1", "--max-price", "1", "--key-file", "{}"],
    ["resume", "http://127.0.0.1:1", "0x00", "--key-file", "{}"],
    ["provider", "submit", "{}", "{}", "--url", "http://127.0.0.1:1", "--key-file", "{}"],
]
OTHERWISE_USED = [("verify {}", "folder"), ("quote http://127.0.0.1:1 m --input @{}", "empty")]
"""A folder without a proof is wrong usage; an empty text is an input."""


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        pytest.param(words, kind, id=f"{words[0]} {words[1]}-{kind}")
        for words in WITH_A_FILE
        for kind in ("missing", "empty", "noise", "folder", "[/x]")
        if (" ".join(words), kind) not in OTHERWISE_USED
    ],
)
def test_the_wrong_file_is_a_rejection_for_people_and_programs(
    words: list[str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    target = tmp_path / kind
    if kind == "empty":
        target.touch()
    if kind == "noise":
        target.write_bytes(bytes(range(256)))
    if kind == "folder":
        target.mkdir()
    words = [word.format(target) for word in words]
    result = RUNNER.invoke(app, [*words, "--json"])
    assert result.exit_code == 1, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == 1
    told = json.loads(lines[0])
    assert set(told) == {"reason", "message"}
    assert told["reason"] in Reason.__members__
    shown = RUNNER.invoke(app, words)
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert told["reason"] in shown.stderr
    assert told["message"] in shown.stderr
    assert not list(tmp_path.glob("*.out"))


@pytest.mark.parametrize("price", ["0,25", "-1", "1e3", ".25", "", "0.0000001", "nan", "1 000"])
def test_prices_are_decimal_numbers(price: str) -> None:
    from inferproof.client.limits import in_asset
    from inferproof.testing.samples import ASSET

    with pytest.raises(InferproofError) as caught:
        in_asset(price, ASSET)
    assert caught.value.reason is Reason.AMOUNT_MALFORMED


def test_text_of_strangers_neither_colours_nor_steers(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a")
    table.add_row(plain("[/x] [red]\x1b[2Jword\u202e"))
    print_table(table)
    assert "[/x] [red]\\x1b[2Jword\\u202e" in capsys.readouterr().out


def test_tables_are_not_wrapped_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a", "b")
    table.add_row("0x" + "1" * 64, "0x" + "2" * 64)
    print_table(table)
    assert re.search("0x1{64}.*0x2{64}", capsys.readouterr().out)


def test_what_the_system_refuses_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        Path("/proc/none/x").mkdir()
    except OSError as refused:
        with rejects(
            Reason.SYSTEM_REFUSED,
            "the operating system refuses /proc/none/x: no such file or directory",
            kind=Unavailable,
        ):
            raise system_refused(refused) from None
    with rejects(
        Reason.SYSTEM_REFUSED,
        "the operating system refuses a file or stream: oserror",
        kind=Unavailable,
    ):
        raise system_refused(OSError())


def test_a_reader_that_has_gone_is_no_failure_of_ours() -> None:
    with pytest.raises(BrokenPipeError), failures(as_json=True):
        raise BrokenPipeError(32, "broken pipe")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["--help"], ["verify", "/nope", "--json"]], ids=" ".join)
def test_a_full_disk_behind_standard_output(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = program(*words, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 1
    assert done.stderr.decode().strip() == (
        "SYSTEM_REFUSED the operating system refuses a file or stream: no space left on device"
    )


def test_a_reader_that_stops_reading() -> None:
    source, sink = os.pipe()
    os.close(source)
    with os.fdopen(sink, "wb") as gone:
        done = program("--help", stdout=gone, stderr=subprocess.PIPE, capture_output=False)
    assert b"Traceback" not in done.stderr


def test_the_command_says_its_version() -> None:
    result = RUNNER.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert re.fullmatch(r"\d+\.\d+\S*\n", result.stdout)


@pytest.mark.slow
def test_a_base_install_can_start_every_command() -> None:
    """Nothing heavy is imported before it is needed."""
    script = (
        "import sys\n"
        "heavy = 'onnx onnxruntime web3 eth_account fastapi sqlalchemy ezkl x402 uvicorn uvloop'\n"
        "sys.modules.update(dict.fromkeys([*heavy.split(), 'pydantic_settings']))\n"
        "from inferproof.cli.main import run\n"
        "run()\n"
    )
    for words, missing in [
        (["verify", "/nope"], "FILE_UNREADABLE"),
        (["serve"], "MISSING_LIBRARY serving needs"),
        (["provider", "publish", "c", "d"], "MISSING_LIBRARY publishing needs"),
        (["devnet", "up"], "MISSING_LIBRARY a local chain needs"),
        (["demo"], "MISSING_LIBRARY the demonstration needs"),
    ]:
        done = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 1
        assert done.stderr.startswith(missing), done.stderr

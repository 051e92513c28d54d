"""What `--input` names: JSON where it is JSON, text where it is not, or a file with either."""

from pathlib import Path

import pytest

from inferproof.cli.buyer import read_input
from inferproof.errors import InputRejected, Reason
from inferproof.testing.rejections import rejects


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Exchange halts withdrawals", "Exchange halts withdrawals"),
        ('{"a": 1}', {"a": 1}),
        ("[1.5, null]", [1.5, None]),
        ("2024", 2024),
        ('"2024"', "2024"),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("{broken", "{broken"),
        ("line\r\n", "line"),
        ("[" * 200_000, "[" * 200_000),
        ("1" * 5000, "1" * 5000),
        ("é 🙂", "é 🙂"),
    ],
    ids=range(14),
)
def test_the_value(text: str, value: object) -> None:
    assert read_input(text) == value


def test_a_file_is_read_as_text_is(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"\xef\xbb\xbf" + b"[1, 2]\n")
    assert read_input(f"@{path}") == [1, 2]
    path.write_text("two words\n")
    assert read_input(f"@{path}") == "two words"


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"caf\xe9")
    with rejects(Reason.INPUT_NOT_TEXT, f"{path} is not UTF-8 text", kind=InputRejected):
        read_input(f"@{path}")
    # What Python makes of such an argument on the command line.
    with rejects(Reason.INPUT_NOT_TEXT, "--input is not UTF-8 text"):
        read_input(b"caf\xe9".decode("utf-8", "surrogateescape"))
    with rejects(Reason.INPUT_NOT_TEXT, "--input is not UTF-8 text"):
        read_input('"\\ud800"')


@pytest.mark.parametrize("text", ["[1, NaN]", '{"a": Infinity}', "[1e999]"])
def test_numbers_that_json_does_not_have(text: str) -> None:
    with rejects(
        Reason.INPUT_NOT_FINITE, "input --input holds a NaN or an infinity", kind=InputRejected
    ):
        read_input(text)


def test_a_missing_file(tmp_path: Path) -> None:
    with rejects(
        Reason.FILE_UNREADABLE, f"{tmp_path}/none cannot be read: no such file or directory"
    ):
        read_input(f"@{tmp_path}/none")

"""Digests and addresses have one text each."""

import pickle

import pytest

from inferproof.errors import Reason
from inferproof.testing.rejections import rejects
from inferproof.types.digest import ZERO_DIGEST, Address, Digest


def test_digest_and_its_text() -> None:
    digest = Digest(bytes(range(32)))
    assert digest.hex == str(digest) == "0x" + bytes(range(32)).hex()
    assert Digest.from_hex(digest.hex) == digest
    assert repr(digest) == f"Digest({digest.hex})"
    assert pickle.loads(pickle.dumps(digest)) == digest  # noqa: S301


@pytest.mark.parametrize(
    "text",
    [
        "ab" * 32,
        "0x" + "AB" * 32,
        "0X" + "ab" * 32,
        "0x" + "ab" * 31,
        "0x" + "ab" * 33,
        "0x" + "ab" * 31 + "ag",
        "0x" + "ab" * 32 + "\n",
        "0x" + "٣" * 64,
        " 0x" + "ab" * 32,
        "",
    ],
)
def test_another_spelling_of_a_digest_is_refused(text: str) -> None:
    shown = repr(text) if len(repr(text)) <= 80 else repr(text)[:77] + "..."
    with rejects(
        Reason.DIGEST_MALFORMED,
        f"{shown} is not a digest; a digest is 0x and 64 lower-case hex digits",
    ):
        Digest.from_hex(text)


def test_a_digest_that_is_not_text_is_refused() -> None:
    with rejects(
        Reason.DIGEST_MALFORMED, "7 is not a digest; a digest is 0x and 64 lower-case hex digits"
    ):
        Digest.from_hex(7)  # type: ignore[arg-type]


def test_address_takes_any_case_and_prints_lower() -> None:
    text = "0x" + "aB" * 20
    assert Address.from_hex(text).hex == text.lower()
    assert Address.from_hex(text) == Address.from_hex(text.lower())


@pytest.mark.parametrize("text", ["0x" + "ab" * 19, "ab" * 20, "0x" + "ab" * 20 + "\n", "0xzz"])
def test_another_spelling_of_an_address_is_refused(text: str) -> None:
    with rejects(
        Reason.ADDRESS_MALFORMED, f"{text!r} is not an address; an address is 0x and 40 hex digits"
    ):
        Address.from_hex(text)


def test_a_long_text_is_cut_in_the_message() -> None:
    shown = repr("x" * 200)[:77] + "..."
    with rejects(
        Reason.ADDRESS_MALFORMED, f"{shown} is not an address; an address is 0x and 40 hex digits"
    ):
        Address.from_hex("x" * 200)


@pytest.mark.parametrize("raw", [bytes(31), bytes(33), bytearray(32), "0" * 32])
def test_digest_bytes_are_32(raw: object) -> None:
    with pytest.raises(ValueError, match="a digest is 32 bytes"):
        Digest(raw)  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [bytes(19), bytearray(20)])
def test_address_bytes_are_20(raw: object) -> None:
    with pytest.raises(ValueError, match="an address is 20 bytes"):
        Address(raw)  # type: ignore[arg-type]


def test_digests_sort_as_numbers() -> None:
    assert ZERO_DIGEST < Digest(bytes(31) + b"\1") < Digest(b"\1" + bytes(31))

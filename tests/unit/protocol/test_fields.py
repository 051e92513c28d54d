"""Each field once, of one type, in one spelling, none unknown."""

from collections.abc import Callable
from typing import Any

import pytest

from inferproof.errors import Reason
from inferproof.protocol.fields import Fields
from inferproof.testing.rejections import rejects
from inferproof.types.proof import Setup

Read = Callable[[Fields], object]


def _text(f: Fields) -> object:
    return f.text("a", most=3)


def _integer(f: Fields) -> object:
    return f.integer("a", most=9)


def _amount(f: Fields) -> object:
    return f.amount("a")


def _one_of(f: Fields) -> object:
    return f.one_of("a", Setup)


def _digest(f: Fields) -> object:
    return f.digest("a")


def _address(f: Fields) -> object:
    return f.address("a")


def _hex(f: Fields) -> object:
    return f.hex_bytes("a", most=4)


def _hex_two(f: Fields) -> object:
    return f.hex_bytes("a", length=2)


def _base64(f: Fields) -> object:
    return f.base64("a", most=4)


def _list(f: Fields) -> object:
    return f.nested_list("a", lambda _child: None, most=2)


def _optional(f: Fields) -> object:
    return f.optional("a", _text_of(f))


def _text_of(f: Fields) -> Callable[[str], str]:
    return lambda name: f.text(name)


REFUSED: list[tuple[Read, Any]] = [
    *((_text, v) for v in (None, 1, True, [], "abcd", "\x1b[m", "\x00", "\x7f", "\x9b", "\n")),
    *((_text, v) for v in ("\u202e", "\u2028", "\u2066")),
    *((_integer, v) for v in (None, True, False, "1", 1.0, -1, 10)),
    *((_amount, v) for v in (1, "", "01", "+1", "-1", " 1", "1 ", "1.0", "0x1", "1e1")),
    *((_amount, v) for v in ("٣", "²", "1_0", str(2**256), "9" * 78, "9" * 5000)),
    *((_one_of, v) for v in (None, "", "None", "CEREMONY", "ceremony ", 1)),
    *((_digest, v) for v in (None, "0x" + "A" * 64, "0x" + "a" * 63, "a" * 64)),
    *((_address, v) for v in (None, "0x" + "A" * 40, "0x" + "a" * 39, "a" * 40)),
    *((_hex, v) for v in (None, "", "0x0", "0xAB", "0x a", "0xab ", "ab", "0xgg", "0x" + "ab" * 5)),
    *((_hex_two, v) for v in ("0x", "0xab", "0xababab")),
    *((_base64, v) for v in (None, "YQ", "YQ=", "YR==", "Y Q==", "YQ==\n", "é", "AAAAAAA=")),
    *((_base64, v) for v in ("_-8=", "====")),
    *((_list, v) for v in (None, {}, "ab", [{}, {}, {}])),
    *((_optional, v) for v in (1, False, "\x00")),
]


@pytest.mark.parametrize(("read", "value"), REFUSED)
def test_a_value_of_another_type_range_or_spelling(read: Read, value: Any) -> None:
    with rejects(Reason.FIELD_MALFORMED, "field a of the thing is malformed"):
        read(Fields({"a": value}, "thing"))


ACCEPTED: list[tuple[Read, Any, object]] = [
    (_text, "a₮z", "a₮z"),
    (_integer, 0, 0),
    (_integer, 9, 9),
    (_amount, "0", 0),
    (_amount, str(2**256 - 1), 2**256 - 1),
    (_one_of, "ceremony", Setup.CEREMONY),
    (_hex, "0x", b""),
    (_hex, "0x00ab", b"\x00\xab"),
    (_base64, "", b""),
    (_base64, "AAAAAA==", bytes(4)),
    (_list, [{}, {}], [None, None]),
    (_optional, None, None),
    (_optional, "x", "x"),
]


@pytest.mark.parametrize(("read", "value", "expected"), ACCEPTED)
def test_a_value_in_its_one_spelling(read: Read, value: Any, expected: object) -> None:
    fields = Fields({"a": value}, "thing")
    assert read(fields) == expected
    fields.end()


@pytest.mark.parametrize("read", [_text, _integer, _optional, _list, _digest])
def test_a_field_that_is_absent_is_malformed(read: Read) -> None:
    with rejects(Reason.FIELD_MALFORMED, "field a of the thing is malformed"):
        read(Fields({}, "thing"))


@pytest.mark.parametrize("value", [None, [], "a", 1])
def test_a_value_that_is_no_object(value: object) -> None:
    with rejects(Reason.FIELD_MALFORMED, "field (whole) of the thing is malformed"):
        Fields(value, "thing")


def test_a_field_that_nobody_asked_for() -> None:
    with rejects(Reason.FIELD_MALFORMED, "field extra of the thing is malformed"):
        Fields({"extra": 1, "other": 2}, "thing").end()


def test_an_unknown_field_does_not_write_to_the_terminal() -> None:
    with rejects(Reason.FIELD_MALFORMED, "field (unknown) of the thing is malformed"):
        Fields({"\x1b[2J": 1}, "thing").end()


def test_a_nested_field_is_named_with_its_document() -> None:
    with rejects(Reason.FIELD_MALFORMED, "field b of the thing.a is malformed"):
        Fields({"a": {"b": 1}}, "thing").nested("a", lambda f: f.text("b"))


def test_a_field_is_read_once() -> None:
    fields = Fields({"a": 1}, "thing")
    assert fields.integer("a") == 1
    with rejects(Reason.FIELD_MALFORMED, "field a of the thing is malformed"):
        fields.integer("a")

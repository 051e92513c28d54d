"""The body of a request is one JSON object with one key; whatever else it is, is a rejection."""

import pytest

from inferproof.errors import InputRejected, Reason
from inferproof.inference.request import raw_input
from inferproof.testing.rejections import rejects


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"input":1}', 1),
        (b' {"input" : [1.5, null]}\n', [1.5, None]),
        ('{"input":"é"}'.encode(), "é"),
        (b'{"input":"\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"input":"a backslash and ud800: \\\\ud800"}', "a backslash and ud800: \\ud800"),
    ],
)
def test_the_raw_input_of_a_body(body: bytes, value: object) -> None:
    assert raw_input(body) == value


BODIES = [
    b"",
    b"1",
    b"[]",
    b"{}",
    b'{"input":1,"more":2}',
    b'{"Input":1}',
    b'{"input":1,"input":2}',
    b'{"input":{"a":1,"a":1}}',
    b'{"input":NaN}',
    b'{"input":Infinity}',
    b'{"input":-Infinity}',
    b'{"input":"\\ud800"}',
    b'{"input":{"\\uDC00":1}}',
    b'{"input":"\xff"}',
    b"\xef\xbb\xbf" + b'{"input":1}',
    '{"input":1}'.encode("utf-16"),
    b'{"input":' + b"1" * 5000 + b"}",
    b'{"input":' + b"[" * 40 + b"]" * 40 + b"}",
    b'{"input":' * 500_000,
    b"[" * 500_000,
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_another_body(body: bytes) -> None:
    with rejects(
        Reason.INPUT_BODY_MALFORMED,
        'the request body is not JSON of the form {"input": ...}',
        kind=InputRejected,
    ):
        raw_input(body)


def test_a_message_can_be_written_whatever_the_input() -> None:
    error = InputRejected(Reason.INPUT_UNKNOWN_FIELD, field="\x1b[2J\ud800\u202e\n", known="a")
    assert error.message == (
        "the input has the unknown field \\x1b[2J\\ud800\\u202e\\n; the fields are: a"
    )
    assert error.message.encode("utf-8")
    assert error.facts["field"] == "\\x1b[2J\\ud800\\u202e\\n"

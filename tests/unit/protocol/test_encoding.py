"""One value, one encoding."""

import subprocess
import sys
import time

import numpy as np
import pytest

from inferproof.errors import Reason
from inferproof.protocol.encoding import (
    MAX_JSON_DEPTH,
    MAX_JSON_INT,
    MAX_JSON_NODES,
    MAX_JSON_QUOTES,
    MIN_JSON_INT,
    canonical_json,
    encode_fixed_tensor,
    encode_tensor,
    is_json_shallow,
    keccak256,
    parse_canonical_json,
    tagged_digest,
)
from inferproof.testing.rejections import rejects
from inferproof.types.tensor import FixedTensor

LIMIT = 1 << 24


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b" 1",
        b"1\n",
        b"1.0",
        b"1e3",
        b"-0",
        b"01",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"18446744073709551616",
        b"-9223372036854775809",
        b"1" * 5000,
        b"-" + b"1" * 30,
        '"é"'.encode(),
        b'"\\u00E9"',
        b'"\\/"',
        b'"\\u0041"',
        b'"\x7f"',
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b"\xef\xbb\xbf1",
        '{"a":1}'.encode("utf-16"),
        b"\xff",
        b"",
        b"nul",
        b"1 1",
        b"[1,]",
        _nested(MAX_JSON_DEPTH + 1),
        _nested(100_000),
        b'{"":' * 100_000,
    ],
)
def test_what_is_not_canonical_is_refused(text: bytes) -> None:
    with rejects(Reason.JSON_NOT_CANONICAL, "the document is not canonical JSON"):
        parse_canonical_json(text, max_bytes=LIMIT)


@pytest.mark.parametrize(
    "text",
    [
        b"null",
        b"[]",
        b'{"":0,"A":false,"a":null}',
        b"18446744073709551615",
        b"-9223372036854775808",
        b'"\\u00e9\\ud83d\\ude00\\n/~\\u007f"',
        _nested(MAX_JSON_DEPTH),
        b"[" * MAX_JSON_DEPTH + b"1" + b"]" * MAX_JSON_DEPTH,
    ],
)
def test_what_is_canonical_reads_back(text: bytes) -> None:
    assert canonical_json(parse_canonical_json(text, max_bytes=LIMIT)) == text


def test_keys_are_sorted_by_code_point_not_by_utf16() -> None:
    # U+FF61 sorts before U+1F600 by code point and after it by UTF-16 unit.
    assert canonical_json({"\U0001f600": 1, "\uff61": 2}) == b'{"\\uff61":2,"\\ud83d\\ude00":1}'


def test_a_document_that_is_too_long_is_refused_before_it_is_read() -> None:
    with rejects(Reason.JSON_TOO_LARGE, "the document is 11 bytes, the limit is 10"):
        parse_canonical_json(b"not json at"[:11], max_bytes=10)


@pytest.mark.parametrize("item", [b"[],", b"{},", b"1,"])
def test_a_document_made_to_fill_the_memory_is_refused_before_it_is_read(item: bytes) -> None:
    text = b"[" + item * MAX_JSON_NODES + b"1]"
    with rejects(Reason.JSON_NOT_CANONICAL, "the document is not canonical JSON"):
        parse_canonical_json(text, max_bytes=LIMIT)


def test_a_deep_document_far_down_the_stack_is_a_rejection_too() -> None:
    def down(levels: int) -> None:
        if levels:
            down(levels - 1)
        else:
            parse_canonical_json(_nested(500), max_bytes=LIMIT)

    with rejects(Reason.JSON_NOT_CANONICAL, "the document is not canonical JSON"):
        down(sys.getrecursionlimit() // 2)


@pytest.mark.parametrize(
    "value",
    [
        *(1.0, float("nan"), b"x", {1: 2}, {"a": 1.5}, "\ud800", {"\udc00": 1}, (1,)),
        *(MAX_JSON_INT + 1, MIN_JSON_INT - 1),
    ],
)
def test_a_value_that_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(value)  # type: ignore[arg-type]


def test_keccak_is_not_sha3() -> None:
    assert keccak256(b"").hex().startswith("c5d2460186f7233c927e7db2dcc703c0")


def test_tagged_digest_is_as_the_specification_says() -> None:
    body = (2).to_bytes(8, "big") + b"ab" + (0).to_bytes(8, "big")
    assert tagged_digest("t", b"ab", b"").raw == keccak256(keccak256(b"t") + body)


def test_minus_zero_is_encoded_as_zero() -> None:
    zero, minus = np.zeros((1,), np.float32), np.array([-0.0], np.float32)
    assert encode_tensor("x", zero) == encode_tensor("x", minus)


def test_bytes_of_a_tensor() -> None:
    array = np.array([[1.0, -2.0]], np.float32)
    assert encode_tensor("é", array).hex() == (
        "02000000" + "c3a9" + "02000000" + "0100000000000000" + "0200000000000000"
        "0000803f" + "000000c0"
    )


def test_a_scalar_tensor_has_rank_zero() -> None:
    assert encode_tensor("x", np.array(1.0, np.float32)).hex() == "0100000078000000000000803f"


def test_row_major_whatever_the_memory_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert encode_tensor("x", np.asfortranarray(array)) == encode_tensor("x", array)


def test_a_subnormal_survives() -> None:
    tiny = np.array([np.float32(1e-45)], np.float32)
    assert encode_tensor("x", tiny).endswith(b"\1\0\0\0")


@pytest.mark.parametrize("dtype", [np.float64, np.int32, ">f4"])
def test_another_dtype_is_a_bug(dtype: object) -> None:
    with pytest.raises(ValueError, match="float32"):
        encode_tensor("x", np.zeros(1, dtype))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_not_finite_is_a_bug(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        encode_tensor("x", np.array([value], np.float32))


def test_bytes_of_a_fixed_tensor() -> None:
    tensor = FixedTensor("y", (2,), (-1, 2**63 - 1), 0.5)
    assert encode_fixed_tensor(tensor).hex() == (
        "01000000" + "79" + "01000000" + "0200000000000000" + "000000000000e03f"
        "ffffffffffffffff" + "ffffffffffffff7f"
    )


@pytest.mark.parametrize(
    "text",
    [
        _nested(32),
        b"[{" * 16 + b"}]" * 16,
        b"[]" * 1000,
        b'["[[[[","\\"[[["]' * 40,
        b'"' + b"[" * 100,
        b'"\\',
        b"]" * 100,
        b"",
    ],
)
def test_a_text_that_is_shallow(text: bytes) -> None:
    assert is_json_shallow(text)


@pytest.mark.parametrize(
    "text",
    [
        _nested(33),
        b"[" * 33,
        b"[{" * 17 + b"}]" * 17,
        b'{"":' * 33,
        b'["\\\\",' * 33,
        b"[]" + b"[ " * 33,
        b"]" * 100 + b"[" * 33,
    ],
)
def test_a_text_that_is_deep(text: bytes) -> None:
    assert not is_json_shallow(text)


@pytest.mark.parametrize("unit", [b'"', b"[]", b"[", b"]", b'["",', b"\\", b'"\\"', b"[[]]"])
def test_depth_is_found_fast_whatever_the_text(unit: bytes) -> None:
    text = unit * ((4 << 20) // len(unit))
    start = time.process_time()
    is_json_shallow(text)
    assert time.process_time() - start < 5


def test_a_deep_text_does_not_crash_a_process_whose_recursion_limit_was_raised() -> None:
    code = (
        "import io, sys\n"
        "sys.setrecursionlimit(100_000)\n"
        "from inferproof.client.steps import Call, Reply, json_body\n"
        "from inferproof.errors import InferproofError\n"
        "from inferproof.inference.request import raw_input\n"
        "from inferproof.models.isolation import read_frame\n"
        "from inferproof.proving.sumcheck.quantisation import decode_settings\n"
        "from inferproof.protocol.json_text import NotStrict\n"
        "from inferproof.protocol.proof_file import decode_proof_file\n"
        "from inferproof.protocol.receipt import decode_receipt_file as receipt_file\n"
        "from inferproof.protocol.verifier_bundle import decode_bundle\n"
        "read_receipt = lambda text: receipt_file(text, {})\n"
        "body = lambda text: json_body(Reply(200, {}, text), Call('GET', '/'))\n"
        "frame = lambda text: read_frame(io.BytesIO(len(text).to_bytes(8, 'big') + text))\n"
        "readers = (raw_input, decode_proof_file, read_receipt, decode_bundle)\n"
        "for read in (*readers, body, decode_settings, frame):\n"
        "    for text in (b'[' * 60_000, b'{\"a\":' * 60_000):\n"
        "        try:\n"
        "            read(text)\n"
        "        except InferproofError as error:\n"
        "            print(error.code)\n"
        "        except NotStrict as error:\n"
        "            print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        *["INPUT_BODY_MALFORMED"] * 2,
        *["JSON_NOT_CANONICAL"] * 6,
        *["GATEWAY_ANSWER"] * 2,
        *["ARTIFACT_SETTINGS"] * 2,
        *["it is nested too deeply"] * 2,
    ]


def test_the_chain_leaves_no_recursion_limit_that_the_stack_does_not_bear() -> None:
    for first in ("inferproof.chain", "eth_account"):
        code = f"import {first}, inferproof.chain, eth_account, sys; print(sys.getrecursionlimit())"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
        )
        assert int(run.stdout) <= 10_000, first


def test_a_document_of_nothing_but_quotes_is_refused_before_it_is_read() -> None:
    with rejects(Reason.JSON_NOT_CANONICAL, "the document is not canonical JSON"):
        parse_canonical_json(b'""' * (MAX_JSON_QUOTES // 2 + 1), max_bytes=LIMIT)
